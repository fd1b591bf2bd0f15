package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"millrace/internal/apps/registry/state"
)

// schemaRecord is version 1 of a subject as somebody else wrote it.
func schemaRecord(offset int64, subject string, id int, rest string) state.Record {
	return state.Record{Offset: offset, Key: fmt.Appendf(nil, `{"keytype":"SCHEMA","subject":%q,"version":1,"magic":1}`, subject),
		Value: fmt.Appendf(nil, `{"subject":%q,"version":1,"id":%d,%s}`, subject, id, rest)}
}

// What is wrong with a log of strangers is told once each, and --fix of the command line, which is a POST, mends what it can.
func TestFsck(t *testing.T) {
	r := open(t, NewMemory(
		schemaRecord(0, "broken", 1, `"schema":"{\"type\":\"nope\"}"`),
		schemaRecord(1, "fine", 2, `"schema":"\"int\""`),
		schemaRecord(2, "dangling", 3, `"references":[{"name":"R","subject":"gone","version":1}],"schema":"\"long\""`),
		schemaRecord(3, "xml", 4, `"schemaType":"XML","schema":"<a/>"`),
		schemaRecord(4, "negative", -7, `"schema":"\"bytes\""`),
	), Options{})
	all := []string{"INVALID_SCHEMA broken false", "DANGLING_REFERENCE dangling true", "OUT_OF_RANGE negative false", "UNKNOWN_TYPE xml false"}
	for i, c := range []struct {
		method string
		want   []string
	}{{"GET", all}, {"POST", all}, {"POST", all}, {"GET", slices.Delete(slices.Clone(all), 1, 2)}} {
		code, body := ask(r, c.method, "/v1/fsck", "")
		var got faults
		if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 {
			t.Fatal(code, body)
		}
		var told []string
		for _, f := range got.Findings {
			told = append(told, fmt.Sprintf("%s %s %t", f.Kind, f.Subject, f.CanMend))
		}
		slices.SortFunc(told, func(a, b string) int { return slices.Index(all, a) - slices.Index(all, b) })
		if !slices.Equal(told, c.want) {
			t.Errorf("request %d: %s\nwant %v", i, body, c.want)
		}
	}
}
