package registry

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"runtime"
	"testing"

	"millrace/internal/apps/registry/state"
)

// manyRecords are the records of schemas of about 1 KiB, one version per subject.
func manyRecords(n int) []state.Record {
	fields := ""
	for i := range 20 {
		fields += fmt.Sprintf(`,{"name":"field_number_%d","type":["null","string"],"default":null}`, i)
	}
	var all []state.Record
	for i := range n {
		text := fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"id","type":"long"}%s]}`, i, fields)
		value, _ := json.Marshal(map[string]any{"subject": fmt.Sprintf("topic-%d-value", i), "version": 1, "id": i + 1, "schema": text, "deleted": false})
		all = append(all, state.Record{Offset: int64(i), Key: fmt.Appendf(nil, `{"keytype":"SCHEMA","subject":"topic-%d-value","version":1,"magic":1}`, i), Value: value})
	}
	return all
}

// BenchmarkLoad applies 100,000 schemas: at most 3 s and 300 MB.
func BenchmarkLoad(b *testing.B) {
	records := manyRecords(100_000)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := state.New()
		for _, r := range records {
			s.Apply(r)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		runtime.KeepAlive(s)
	}
}

// BenchmarkGetByID is the handler alone, without the network.
func BenchmarkGetByID(b *testing.B) {
	r := open(b, NewMemory(manyRecords(1000)...), Options{})
	handler := r.Handler()
	for b.Loop() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/schemas/ids/500?fetchMaxId=false&subject=topic-499-value", nil))
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
