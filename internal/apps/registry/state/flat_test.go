package state

import (
	"encoding/json"
	"reflect"
	"testing"
)

// A record says what encoding/json reads in it, errors included.
func FuzzFlat(f *testing.F) {
	for _, text := range []string{
		`{"subject":"s","version":1,"id":2,"md5":"x==","schemaType":"JSON","schema":"{\"a\":\"é\\n\/\"}","deleted":false}`,
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`, `{"keytype":"SCHEMA","subject":null,"magic":1}`,
		`{}`, `{"schema":""}`, `{"SCHEMA":"a","schema":"b"}`, `{"schema":"\u00e9"}`, `{"schema":"` + "\xff" + `"}`, `{"schema":"a` + "\n" + `"}`,
		`{"id":1.0}`, `{"id":01}`, `{"id":-1}`, `{"id":9999999999999999999}`, `{"id":}`, `{"id":1,}`, `{"id":1} `, `{"id":1}}`, `{ "id":1}`, `{"deleted":truefalse}`,
		`{"schema":"\`, `{"schema":"\"`, `{"schema":"\x"}`, `{"subject":"a","subject":"b"}`, `{"schema":"a","references":[{"name":"r"}]}`, `{"deleted":"true"}`,
		`{"subject":"a:b","version":2}`, `{"a:":1}`, `{"":1}`, `{":1}`, `null`, `[]`, `"`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var value, wantValue schemaValue
		if err, want := decodeSchema(text, &value), json.Unmarshal(text, &wantValue); (err == nil) != (want == nil) || !reflect.DeepEqual(value, wantValue) {
			t.Errorf("value %q: %+v %v, want %+v %v", text, value, err, wantValue, want)
		}
		var k, wantKey key
		if err, want := decodeKey(text, &k), json.Unmarshal(text, &wantKey); (err == nil) != (want == nil) || !reflect.DeepEqual(k, wantKey) {
			t.Errorf("key %q: %+v %v, want %+v %v", text, k, err, wantKey, want)
		}
	})
}

// What a registry writes is read without encoding/json.
func TestWhatWeWriteIsFlat(t *testing.T) {
	v := &Version{packed: pack(record("a", "b")), Subject: "a/b:c", Version: 3, ID: 7, Deleted: true}
	for _, written := range [][]byte{v.value(), logicalKey{keySchema, "a/b:c", 3}.bytes(), logicalKey{kind: keyConfig, name: "s"}.bytes()} {
		if !flatObject(written, func(p *flat, _ string) bool {
			var s string
			var n int
			var b bool
			return p.text(&s) || p.number(&n) || p.boolean(&b)
		}) {
			t.Errorf("%s is not flat", written)
		}
	}
}
