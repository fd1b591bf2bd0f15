package serde_test

import (
	"testing"

	"millrace/serde"

	"github.com/twmb/franz-go/pkg/kgo"
)

func BenchmarkSetValue(b *testing.B) {
	codec := ok[*serde.Codec[order]](b)(serde.NewAvro[order](serde.New(newServer(b).Client), orderAvro))
	r := &kgo.Record{Topic: "orders"}
	b.ReportAllocs()
	for b.Loop() {
		if err := codec.SetValue(b.Context(), r, order{ID: 7, Customer: "Ada"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValue(b *testing.B) {
	codec := ok[*serde.Codec[order]](b)(serde.NewAvro[order](serde.New(newServer(b).Client), orderAvro))
	r := &kgo.Record{Topic: "orders"}
	if err := codec.SetValue(b.Context(), r, order{ID: 7, Customer: "Ada"}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.Value(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// What carries no id must cost next to nothing.
func BenchmarkFindNoID(b *testing.B) {
	r := &kgo.Record{Topic: "orders", Value: []byte("plain"), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("x")}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := serde.FindID(r, serde.Value); ok {
			b.Fatal("an id")
		}
	}
}
