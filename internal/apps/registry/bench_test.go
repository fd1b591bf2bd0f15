package registry

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
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

// BenchmarkCompatibility is the handler alone, asked about a schema of two hundred fields that it has not seen: most of it is parsing.
func BenchmarkCompatibility(b *testing.B) {
	for _, f := range []struct{ name, head, field, last, tail string }{
		{"AVRO", `{"type":"record","name":"R","fields":[{"name":"id","type":"long"}`, `,{"name":"field_%[1]d","type":["null","string"],"default":null}`,
			`,{"name":"more_%d","type":"int","default":0}`, `]}`},
		{"JSON", `{"type":"object","additionalProperties":false,"properties":{"id":{"type":"integer"}`, `,"field_%[1]d":{"type":"string","maxLength":50}`,
			`,"more_%d":{"type":"integer"}`, `}}`},
		{"PROTOBUF", `syntax = "proto3"; message R { int64 id = 1000;`, ` string field_%[1]d = %[1]d;`, ` int32 more_%d = 999;`, ` }`},
	} {
		wide := f.head
		for i := range 200 {
			wide += fmt.Sprintf(f.field, i+1)
		}
		body := func(text string) *strings.Reader {
			b, _ := json.Marshal(map[string]string{"schemaType": f.name, "schema": text})
			return strings.NewReader(string(b))
		}
		b.Run(f.name, func(b *testing.B) {
			handler := open(b, NewMemory(), Options{}).Handler()
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/subjects/s/versions", body(wide+f.tail)))
			n := 0
			for b.Loop() {
				n++
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest("POST", "/compatibility/subjects/s/versions/latest", body(wide+fmt.Sprintf(f.last, n)+f.tail)))
				if w.Body.String() != `{"is_compatible":true}` {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
