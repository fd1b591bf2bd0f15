package serde_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"millrace/serde"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

type payment struct {
	ID    int64     `avro:"id"`
	At    time.Time `avro:"at"`
	Lines []line    `avro:"lines"`
	Payer *payer    `avro:"payer"`
}

type line struct {
	Cents int32 `avro:"cents"`
}

type payer struct {
	Name string `avro:"name"`
}

const at = `{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}`

func paymentAvro(head, line, payer string) string {
	return `{"type":"record","name":"Payment","namespace":"shop","fields":[` + head + `{"name":"id","type":"long"},` + at + `,
		{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[` + line + `]}}},
		{"name":"payer","type":["null",{"type":"record","name":"Payer","fields":[{"name":"name","type":"string"}` + payer + `]}]}]}`
}

// TestLatestFillsDefaults: a struct is written with a newer schema, whose further fields get their defaults, at the top and below.
func TestLatestFillsDefaults(t *testing.T) {
	older := paymentAvro("", `{"name":"cents","type":"int"}`, "")
	newer := paymentAvro(`{"name":"cur","type":"string","default":"EUR"},`,
		`{"name":"tax","type":{"type":"enum","name":"Tax","symbols":["FULL","LESS"]},"default":"LESS"},{"name":"cents","type":"long"}`,
		`,{"name":"tags","type":{"type":"map","values":"int"},"default":{"a":1}},{"name":"mail","type":["null","string"],"default":null}`)
	v := payment{ID: 7, At: time.UnixMilli(1500).UTC(), Lines: []line{{5}, {6}}, Payer: &payer{Name: "Ada"}}
	want := `{"cur":"EUR","id":7,"at":"1970-01-01T00:00:01.500Z","lines":[{"tax":"LESS","cents":5},{"tax":"LESS","cents":6}],"payer":{"name":"Ada","tags":{"a":1},"mail":null}}`
	for name, own := range map[string]string{"own schema as text": older, "own schema made of the struct": ""} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.add(t, "payments-value", sr.Schema{Schema: older})
			id := s.add(t, "payments-value", sr.Schema{Schema: newer})
			registry := serde.New(s.Client)
			for name, option := range map[string]serde.Option{"latest": serde.UseLatest(), "id": serde.UseID(serde.ID{Number: id})} {
				codec := ok[*serde.Codec[payment]](t)(serde.NewAvro[payment](registry, own, option))
				r := &kgo.Record{Topic: "payments"}
				if err := codec.SetValue(t.Context(), r, v); err != nil {
					t.Fatal(name, err)
				}
				got := ok[serde.Text](t)(registry.Read(t.Context(), r, serde.Value, nil))
				if diff := cmp.Diff(want, string(got.JSON)); diff != "" || got.ID.Number != id {
					t.Error(name, got.ID, diff)
				}
			}
			// And a program with the older schema reads what it wrote.
			codec := ok[*serde.Codec[payment]](t)(serde.NewAvro[payment](registry, older, serde.UseLatest()))
			r := &kgo.Record{Topic: "payments"}
			if err := codec.SetValue(t.Context(), r, v); err != nil {
				t.Fatal(err)
			}
			older := paymentAvro("", `{"name":"cents","type":"long"}`, "")
			reader := ok[*serde.Codec[payment]](t)(serde.NewAvro[payment](registry, older))
			if diff := cmp.Diff(v, ok[payment](t)(reader.Value(t.Context(), r))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNothingIsFilledOver: a default never takes the place of what the struct holds, and a field without default is an error.
func TestNothingIsFilledOver(t *testing.T) {
	type note struct {
		ID   int64  `avro:"id"`
		Text string `avro:"text"`
	}
	record := func(fields string) string {
		return `{"type":"record","name":"Note","fields":[{"name":"id","type":"long"}` + fields + `]}`
	}
	text, lang := `,{"name":"text","type":"string","default":"none"}`, `,{"name":"lang","type":"string","default":"en"}`
	for _, c := range []struct{ name, own, latest, says string }{
		{"the schema of the codec is older than its struct", record(""), record(text + lang), "does not have the field text: bring that schema up to date"},
		{"no default", record(text), record(text + `,{"name":"lang","type":"string"}`), "bring the Go type up to date"},
		{"nothing is missing", record(text), record(`,{"name":"text","type":{"type":"enum","name":"E","symbols":["a"]}}`), `unknown symbol "hello"`},
		{"another type", record(text), record(lang + `,{"name":"text","type":"int","default":1}`), "bring the Go type up to date"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			s.add(t, "notes-value", sr.Schema{Schema: c.latest})
			codec := ok[*serde.Codec[note]](t)(serde.NewAvro[note](serde.New(s.Client), c.own, serde.UseLatest()))
			r := &kgo.Record{Topic: "notes"}
			err := codec.SetValue(t.Context(), r, note{ID: 1, Text: "hello"})
			if !errors.Is(err, serde.ErrMisfit) || !strings.HasSuffix(err.Error(), c.says) || r.Value != nil {
				t.Errorf("%v (value %x)", err, r.Value)
			}
		})
	}
}
