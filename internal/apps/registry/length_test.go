package registry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A long answer goes out whole, with its length, and not in chunks.
func TestLongAnswersHaveALength(t *testing.T) {
	long := strings.Repeat("x", 4096)
	records := manyRecords(1)
	records[0].Value = []byte(`{"subject":"topic-0-value","version":1,"id":1,"schema":"\"` + long + `\"","deleted":false}`)
	server := httptest.NewServer(open(t, NewMemory(records...), Options{}).Handler())
	defer server.Close()
	for _, path := range []string{"/schemas/ids/1", "/schemas/ids/1/schema", "/no/" + long} {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.ContentLength < 4096 || len(answer.TransferEncoding) > 0 {
			t.Errorf("%.30s has the length %d and comes %v", path, answer.ContentLength, answer.TransferEncoding)
		}
	}
}
