package serde_test

import (
	"errors"
	"strings"
	"testing"

	"millrace/serde"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

// inRecord makes of a type the schema of a record with a field v.
func inRecord(kind string) string {
	return `{"type":"record","name":"n.R","fields":[{"name":"v","type":` + kind + `}]}`
}

const (
	enumAB = `{"type":"enum","name":"E","symbols":["A","B"]}`
	point  = `{"type":"record","name":"P","fields":[{"name":"x","type":["null","int"]}]}`
)

// Each rule of the specification for a pair of types that the library refuses as a whole: what was written, and what is read or why not.
var resolutions = []struct{ name, writer, reader, in, out string }{
	{"a value where the reader takes no null", `["null","string"]`, `"string"`, `"a"`, `"a"`},
	{"a null there", `["null","string"]`, `"string"`, `null`, `error: it does not fit the schema: at v: null, but the reader takes only string`},
	{"a writer's branch that the reader does not have", `["null","string","int"]`, `["null","string"]`, `{"string":"a"}`, `"a"`},
	{"a value of it", `["null","string","int"]`, `["null","string"]`, `{"int":1}`, `error: at v: int, but the reader takes only null, string`},
	{"int to long", `["null","int"]`, `"long"`, `-5`, `-5`},
	{"int to float", `["null","int"]`, `"float"`, `-5`, `-5`},
	{"int to double", `["null","int"]`, `"double"`, `2147483647`, `2147483647`},
	{"long to float", `["null","long"]`, `"float"`, `9223372036854775807`, `9223372000000000000`},
	{"long to double", `["null","long"]`, `"double"`, `4503599627370497`, `4503599627370497`},
	{"float to double", `["null","float"]`, `"double"`, `0.5`, `0.5`},
	{"string to bytes", `["null","string"]`, `"bytes"`, `"ü"`, `"Ã¼"`},
	{"bytes to string", `["null","bytes"]`, `"string"`, `"Ã¼"`, `"ü"`},
	{"long is no int", `["null","long"]`, `"int"`, `1`, `error: at v: long, but the reader takes only int`},
	{"double is no float", `["null","double"]`, `"float"`, `1`, `error: at v: double, but the reader takes only float`},
	{"a number is no string", `["null","int"]`, `"string"`, `1`, `error: at v: int, but the reader takes only string`},
	{"to the branch of its kind before one that it is promoted to", `["boolean","int"]`, `["double","int"]`, `{"int":1}`, `{"int":1}`},
	{"to the first branch that it is promoted to", `["boolean","int"]`, `["string","double","long"]`, `{"int":1}`, `{"double":1}`},
	{"null to a reader's union", `["null","boolean","int"]`, `["long","null"]`, `null`, `null`},
	{"a symbol that the reader has", enumAB, `{"type":"enum","name":"E","symbols":["B","C"]}`, `"B"`, `"B"`},
	{"one that it does not have", enumAB, `{"type":"enum","name":"E","symbols":["B","C"]}`, `"A"`, `error: at v: the symbol A, which the reader's enum n.E does not have`},
	{"one for which it has a default", `["null",` + enumAB + `]`, `{"type":"enum","name":"E","symbols":["B","C"],"default":"C"}`, `"A"`, `"C"`},
	{"an enum of another name", `["null",` + enumAB + `]`, `{"type":"enum","name":"F","symbols":["A","B"]}`, `"A"`, `error: at v: enum n.E, but the reader takes only enum n.F`},
	{"of another namespace", `["null",` + enumAB + `]`, `{"type":"enum","name":"o.E","symbols":["A","B"]}`, `"A"`, `"A"`},
	{"with an alias", `["null",` + enumAB + `]`, `{"type":"enum","name":"F","aliases":["E"],"symbols":["A","B"]}`, `"A"`, `"A"`},
	{"with an alias that is a full name", `["null",` + enumAB + `]`, `{"type":"enum","name":"o.F","aliases":["n.E"],"symbols":["A","B"]}`, `"A"`, `"A"`},
	{"with the full name of another", `["null",` + enumAB + `]`, `{"type":"enum","name":"o.F","aliases":["o.E"],"symbols":["A","B"]}`, `"A"`, `error: enum n.E`},
	{"a fixed", `["null",{"type":"fixed","name":"X","size":2}]`, `{"type":"fixed","name":"X","size":2}`, `"ab"`, `"ab"`},
	{"a fixed of another size", `["null",{"type":"fixed","name":"X","size":2}]`, `{"type":"fixed","name":"X","size":3}`, `"ab"`, `error: at v: fixed n.X of 2 bytes, but the reader takes only fixed n.X of 3 bytes`},
	{"in a union", `{"type":"fixed","name":"X","size":2}`, `["null",{"type":"fixed","name":"X","size":3}]`, `"ab"`, `error: at v: fixed n.X of 2 bytes, but the reader takes only null, fixed n.X of 3 bytes`},
	{"a list", `{"type":"array","items":["null","int"]}`, `{"type":"array","items":"long"}`, `[1,2]`, `[1,2]`},
	{"with a value that does not fit", `{"type":"array","items":["null","int"]}`, `{"type":"array","items":"long"}`, `[1,null]`, `error: at v[1]: null, but`},
	{"without values", `{"type":"array","items":"string"}`, `{"type":"array","items":"long"}`, `[]`, `[]`},
	{"a map", `{"type":"map","values":["null","int"]}`, `{"type":"map","values":"long"}`, `{"a":1}`, `{"a":1}`},
	{"with values that do not fit", `{"type":"map","values":["null","int"]}`, `{"type":"map","values":"long"}`, `{"c":null,"a":1,"b":null}`, `error: at v.b: null, but`},
	{"a map is no record", `{"type":"map","values":"int"}`, point, `{"x":1}`, `error: at v: map, but the reader takes only record n.P`},
	{"a field that is missing", point, `{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}`, `{"x":1}`,
		`error: at v.y: it was not written, and the reader has no default for it`},
	{"its default", point, `{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":["int","string"],"default":7}]}`, `{"x":1}`, `{"x":1,"y":{"int":7}}`},
	{"a default of bytes", point, `{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":"bytes","default":"\u00ff"}]}`, `{"x":1}`, `{"x":1,"y":"ÿ"}`},
	{"null where a union begins with it", point, `{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":["null","int"]}]}`, `{"x":1}`, `{"x":1,"y":null}`},
	{"and not where it does not", point, `{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":["int","null"]}]}`, `{"x":1}`, `error: at v.y: it was not`},
	{"a field that is left out", `{"type":"record","name":"P","fields":[{"name":"z","type":"string"},{"name":"x","type":["null","int"]}]}`, `{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}`, `{"z":"a","x":1}`, `{"x":1}`},
	{"a field by its alias", point, `{"type":"record","name":"P","fields":[{"name":"y","aliases":["x"],"type":"int"}]}`, `{"x":1}`, `{"y":1}`},
	{"a field by its name and by its alias", `{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}`,
		`{"type":"record","name":"P","fields":[{"name":"y","aliases":["x"],"type":"int"}]}`, `{"x":1,"y":2}`, `error: at v.y: the writer's fields y and x are both read as it`},
	{"a record in itself", `{"type":"record","name":"P","fields":[{"name":"x","type":["null","int"]},{"name":"p","type":["null","P"]}]}`,
		`{"type":"record","name":"P","fields":[{"name":"p","type":["P","null"]},{"name":"x","type":"long"}]}`, `{"x":1,"p":{"x":2,"p":null}}`, `{"p":{"p":null,"x":2},"x":1}`},
	{"with a null deep inside", `{"type":"record","name":"P","fields":[{"name":"x","type":["null","int"]},{"name":"p","type":["null","P"]}]}`,
		`{"type":"record","name":"P","fields":[{"name":"p","type":["P","null"]},{"name":"x","type":"long"}]}`, `{"x":1,"p":{"x":null,"p":null}}`, `error: at v.p.x: null, but`},
	{"the branch of the same name first", point, `["null",{"type":"record","name":"o.P","fields":[{"name":"x","type":"long"}]},{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}]`, `{"x":1}`, `{"n.P":{"x":1}}`},
	{"another when it cannot read it", point, `["null",{"type":"record","name":"o.P","fields":[{"name":"x","type":["null","int"]}]},{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}]`, `{"x":null}`, `{"o.P":{"x":null}}`},
	{"what is wrong in the only branch", point, `["null",{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}]`, `{"x":null}`, `error: at v.x: null, but the reader takes only int`},
	{"a moment", `["null",{"type":"long","logicalType":"timestamp-millis"}]`, `{"type":"long","logicalType":"timestamp-millis"}`, `"2026-01-31T12:00:00.123Z"`, `"2026-01-31T12:00:00.123Z"`},
	{"a decimal of another precision", `{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, `"1.25"`, `"1.25"`},
	{"a decimal of another scale", `{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}`, `"1.25"`, `error: at v: a decimal with 2 digits behind the point, but the reader takes only one with 3`},
}

// What the library refuses for all records is resolved record by record.
func TestAvroResolution(t *testing.T) {
	for _, c := range resolutions {
		t.Run(c.name, func(t *testing.T) {
			if resolves(t, inRecord(c.writer), inRecord(c.reader)) {
				t.Fatal("the library takes the pair: the case shows nothing")
			}
			writer, reader := parse(t, sr.Schema{Schema: inRecord(c.writer)}), parse(t, sr.Schema{Schema: inRecord(c.reader)})
			payload := ok[[]byte](t)(writer.Encode([]byte(`{"v":` + c.in + `}`)))
			got, err := serde.ReadAs(reader, writer, payload)
			if want, refused := strings.CutPrefix(c.out, "error: "); refused {
				if !errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, error %v, want %s", got, err, want)
				}
				return
			}
			if want := `{"v":` + c.out + `}`; err != nil || string(got) != want {
				t.Errorf("%s, %v, want %s", got, err, want)
			}
		})
	}
}

func resolves(t *testing.T, writer, reader string) bool {
	t.Helper()
	_, err := avro.Resolve(ok[*avro.Schema](t)(avro.Parse(writer)), ok[*avro.Schema](t)(avro.Parse(reader)))
	return err == nil
}

// A value without a record around it has no path; bytes have no length in front, whoever wrote or reads them.
func TestAvroResolutionAtTheTop(t *testing.T) {
	nullable, text, raw := parse(t, sr.Schema{Schema: `["null","bytes"]`}), parse(t, sr.Schema{Schema: `"string"`}), parse(t, sr.Schema{Schema: `"bytes"`})
	payload := ok[[]byte](t)(nullable.Encode([]byte(`"ab"`)))
	for _, reader := range []*serde.Schema{text, raw} {
		if got, err := serde.ReadAs(reader, nullable, payload); string(got) != `"ab"` {
			t.Errorf("%s, %v", got, err)
		}
	}
	whole := parse(t, sr.Schema{Schema: `["null","int"]`})
	if _, err := serde.ReadAs(whole, raw, []byte("ab")); err == nil || err.Error() != "it does not fit the schema: bytes, but the reader takes only null, int" {
		t.Error(err)
	}
	// What does not belong to the value is not passed over.
	if _, err := serde.ReadAs(text, nullable, append(payload, 0)); err == nil || !strings.Contains(err.Error(), "left over") {
		t.Error(err)
	}
}

// A struct takes what its schema makes of another writer's records.
func TestAvroResolutionTyped(t *testing.T) {
	type customer struct {
		Name string   `avro:"name"`
		Tags []string `avro:"tags"`
		Age  int64    `avro:"age"`
	}
	s := newServer(t)
	registry := serde.New(s.Client)
	id := s.add(t, "customers-value", sr.Schema{Schema: `{"type":"record","name":"Customer","fields":[
		{"name":"name","type":["null","string"]},{"name":"age","type":["null","int"]}]}`})
	codec := ok[*serde.Codec[customer]](t)(serde.NewAvro[customer](registry, `{"type":"record","name":"Customer","fields":[
		{"name":"name","type":"string"},{"name":"tags","type":{"type":"array","items":"string"},"default":["new"]},{"name":"age","type":"long"}]}`))
	got, err := codec.Value(t.Context(), prefixed(id, "\x02\x06Ada\x02\x48"))
	if diff := cmp.Diff(customer{"Ada", []string{"new"}, 36}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	r := prefixed(id, "\x00\x02\x48")
	if _, err := codec.Value(t.Context(), r); !errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), "schema id 1: it does not fit the schema: at name: null, but the reader takes only string") {
		t.Error(err)
	}
	reader := ok[*serde.Schema](t)(registry.Parse(t.Context(), sr.Schema{Schema: `{"type":"record","name":"Customer","fields":[{"name":"age","type":"long"}]}`}))
	text, err := registry.Read(t.Context(), r, serde.Value, reader)
	if err != nil || string(text.JSON) != `{"age":36}` || text.ID.Number != id {
		t.Error(text, err)
	}
}

// Branches that each try all of the next level cost no more than a bounded number of steps.
func TestAvroResolutionIsBounded(t *testing.T) {
	deep := func(space string) string {
		return `{"type":"record","name":"` + space + `.P","fields":[{"name":"p","type":["null","a.P","b.P"]},{"name":"x","type":"int"}]}`
	}
	reader := parse(t, sr.Schema{Schema: `["null",{"type":"record","name":"a.P","fields":[{"name":"p","type":["null","a.P",` +
		strings.Replace(deep("b"), `"b.P"]`, `"b.P"]`, 1) + `]},{"name":"x","type":"int"}]}]`})
	writer := parse(t, sr.Schema{Schema: `{"type":"record","name":"c.P","fields":[{"name":"p","type":["null","c.P"]},{"name":"x","type":["null","int"]}]}`})
	text := `null`
	for range 60 {
		text = `{"p":` + text + `,"x":null}`
	}
	payload := ok[[]byte](t)(writer.Encode([]byte(text)))
	if _, err := serde.ReadAs(reader, writer, payload); err == nil || !strings.Contains(err.Error(), "too many branches") {
		t.Error(err)
	}
}

func BenchmarkResolveByValue(b *testing.B) {
	s := newServer(b)
	id := s.add(b, "orders-value", sr.Schema{Schema: strings.Replace(orderAvro, `"string"`, `["null","string"]`, 1)})
	codec := ok[*serde.Codec[order]](b)(serde.NewAvro[order](serde.New(s.Client), orderAvro))
	r := prefixed(id, "\x0e\x02\x06Ada\x00")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.Value(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
