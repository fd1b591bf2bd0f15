package serde_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/serde"
	"millrace/serde/internal/shoppb"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A generated type, its import registered under the path that it is imported by, and read again by whoever asks.
func TestProtobuf(t *testing.T) {
	s := newServer(t)
	codec := ok[*serde.Codec[*shoppb.Order]](t)(serde.NewProtobuf[*shoppb.Order](serde.New(s.Client)))
	order := &shoppb.Order{Id: 7, Customer: &shoppb.Customer{Name: "Ada"}, At: timestamppb.New(timestamppb.Now().AsTime()),
		Lines: map[string]*shoppb.Order_Line{"a": {Article: "cup", Pieces: 3, Discount: &shoppb.Order_Line_Discount{Share: 0.5}}}}
	r := &kgo.Record{Topic: "orders"}
	if err := codec.SetValue(t.Context(), r, order); err != nil {
		t.Fatal(err)
	}
	known := ok[sr.SubjectSchema](t)(s.SchemaByVersion(t.Context(), "orders-value", 1))
	if want := []sr.SchemaReference{{Name: "shop/customer.proto", Subject: "shop/customer.proto", Version: 1}}; !cmp.Equal(want, known.References) {
		t.Errorf("references %v", known.References)
	}
	plain, err := proto.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(r.Value[:6]); got != "0000000002"+"00" || len(r.Value) != 6+len(plain) {
		t.Errorf("begins with %s, %d bytes", got, len(r.Value))
	}
	again := ok[*serde.Codec[*shoppb.Order]](t)(serde.NewProtobuf[*shoppb.Order](serde.New(s.Client)))
	if diff := cmp.Diff(order, ok[*shoppb.Order](t)(again.Value(t.Context(), r)), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	// The same message, spelled in full by other clients.
	r.Value = append([]byte("\x00\x00\x00\x00\x02\x02\x00"), plain...)
	if diff := cmp.Diff(order, ok[*shoppb.Order](t)(again.Value(t.Context(), r)), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	text := ok[serde.Text](t)(serde.New(s.Client).Read(t.Context(), r, serde.Value, nil))
	if !strings.Contains(string(text.JSON), `"customer":{"name":"Ada"}`) || text.Schema.Record() != "shop.Order" {
		t.Errorf("%s %s", text.JSON, text.Schema.Record())
	}
}

// Other messages than the first are found by their path, in which the entries of maps are counted.
func TestProtobufMessages(t *testing.T) {
	s := newServer(t)
	registry := serde.New(s.Client)
	r := &kgo.Record{Topic: "refunds"}
	refunds := ok[*serde.Codec[*shoppb.Refund]](t)(serde.NewProtobuf[*shoppb.Refund](registry))
	if err := refunds.SetValue(t.Context(), r, &shoppb.Refund{OrderId: 7}); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(r.Value[5:]); got != "0202"+"0807" {
		t.Errorf("refund %s", got)
	}
	if got := ok[*shoppb.Refund](t)(refunds.Value(t.Context(), r)); got.OrderId != 7 {
		t.Errorf("%v", got)
	}
	orders := ok[*serde.Codec[*shoppb.Order]](t)(serde.NewProtobuf[*shoppb.Order](registry))
	if _, err := orders.Value(t.Context(), r); !errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), "it is a shop.Refund, not a shop.Order") {
		t.Errorf("a refund as an order: %v", err)
	}
	notes := ok[*serde.Codec[*shoppb.Order_Note]](t)(serde.NewProtobuf[*shoppb.Order_Note](registry, serde.InHeader()))
	if err := notes.SetValue(t.Context(), r, &shoppb.Order_Note{Text: "x"}); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(r.Headers[0].Value[17:]); got != "040004" { // the third message in the first: line, entry of lines, note
		t.Errorf("path of the note %s", got)
	}
	if got := hex.EncodeToString(r.Value); got != "0a0178" {
		t.Errorf("note %s", got)
	}
	if got := ok[*shoppb.Order_Note](t)(notes.Value(t.Context(), r)); got.Text != "x" {
		t.Errorf("%v", got)
	}
	// Clients that read the text of the schema do not count the entry.
	r.Headers[0].Value = append(r.Headers[0].Value[:17], 0x04, 0x00, 0x02)
	if got := ok[*shoppb.Order_Note](t)(notes.Value(t.Context(), r)); got.Text != "x" {
		t.Errorf("%v", got)
	}
	for _, path := range []string{"0604", "0406", "02", "0401", "fe01", ""} {
		b, err := hex.DecodeString(path)
		if err != nil {
			t.Fatal(err)
		}
		r.Headers[0].Value = append(r.Headers[0].Value[:17], b...)
		if _, err := registry.Read(t.Context(), r, serde.Value, nil); !errors.Is(err, serde.ErrMisfit) {
			t.Errorf("path %s: %v", path, err)
		}
	}
}

const textProto = `syntax = "proto3";
package p;
import "google/protobuf/any.proto";
import "google/type/money.proto";
message M {
	map<string, int32> counts = 1;
	message Inner { string s = 1; }
	Inner inner_message = 2;
	enum E { ZERO = 0; ONE = 1; }
	E e = 3;
	optional int64 maybe = 4;
	bytes raw = 5;
	google.protobuf.Any any = 6;
	google.type.Money price = 7;
	M again = 8;
}
message N { int32 i = 1; }`

func TestProtobufText(t *testing.T) {
	s := parse(t, sr.Schema{Type: sr.TypeProtobuf, Schema: textProto})
	for _, c := range []struct{ in, out, want string }{
		{`{}`, `{"counts":{},"e":"ZERO","raw":""}`, ""},
		{`{"inner_message":{"s":"x"},"e":1,"maybe":"0"}`, `{"counts":{},"innerMessage":{"s":"x"},"e":"ONE","maybe":"0","raw":""}`, ""},
		{`{"any":{"@type":"type.googleapis.com/p.N","i":3}}`, `{"counts":{},"e":"ZERO","raw":"","any":{"@type":"type.googleapis.com/p.N","i":3}}`, ""},
		{`{"price":{"currencyCode":"EUR","units":5}}`, `{"counts":{},"e":"ZERO","raw":"","price":{"currencyCode":"EUR","units":"5","nanos":0}}`, ""},
		{`{"any":{"@type":"type.googleapis.com/p.Missing"}}`, "", "p.Missing"},
		{`{"innerMesage":{}}`, "", "innerMesage"},
		{`{"maybe":9223372036854775808}`, "", "maybe"},
		{`[]`, "", "["},
		{strings.Repeat(`{"again":`, 600) + `{}` + strings.Repeat(`}`, 600), "", "depth"},
	} {
		payload, err := s.Encode([]byte(c.in))
		if c.want != "" {
			if !errors.Is(err, serde.ErrMisfit) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.80s: %v, want %s", c.in, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if out, err := s.Decode(payload); err != nil || string(out) != c.out {
			t.Errorf("%s becomes\n%s, want\n%s (%v)", c.in, out, c.out, err)
		}
	}
	deep := []byte{}
	for range 600 {
		deep = append(append([]byte{0x42}, binary.AppendUvarint(nil, uint64(len(deep)))...), deep...)
	}
	for _, payload := range []string{"\x0a\xff", "\xff\xff\xff", "\x2a\xff\xff\xff\xff\x0f", string(deep)} {
		if out, err := s.Decode([]byte(payload)); !errors.Is(err, serde.ErrMisfit) {
			t.Errorf("%.20x: %s, %v", payload, out, err)
		}
	}
	for _, name := range []string{"N", "p.N", "M.Inner", "p.M.Inner"} {
		if m, err := s.Message(name); err != nil || !strings.HasSuffix(m.Record(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Message("O"); err == nil || !strings.Contains(err.Error(), "it has M, N") {
		t.Errorf("a message that is missing: %v", err)
	}
}

// A reader's schema must have the message that was written.
func TestProtobufReader(t *testing.T) {
	s := newServer(t)
	id := s.add(t, "x", sr.Schema{Type: sr.TypeProtobuf, Schema: textProto})
	registry := serde.New(s.Client)
	r := &kgo.Record{Value: append([]byte{0, 0, 0, 0, byte(id), 0x02, 0x02}, 0x08, 0x05)} // an N with i = 5
	for _, c := range []struct{ schema, want string }{
		{`syntax = "proto3"; package p; message N { int64 renamed = 1; }`, `{"renamed":"5"}`},
		{`syntax = "proto3"; package p; message O { int32 i = 1; }`, "it is a p.N, which the reader's schema does not have"},
		{`syntax = "proto3"; package p; message N { M i = 1; } message M {}`, `{}`}, // another wire type: an unknown field
	} {
		reader := ok[*serde.Schema](t)(registry.Parse(t.Context(), sr.Schema{Type: sr.TypeProtobuf, Schema: c.schema}))
		got, err := registry.Read(t.Context(), r, serde.Value, reader)
		if string(got.JSON) != c.want && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %s, %v, want %s", c.schema, got.JSON, err, c.want)
		}
	}
}

func TestProtobufSchemasThatDoNot(t *testing.T) {
	registry := serde.New(newServer(t).Client)
	for schema, want := range map[string]string{
		`syntax = "proto3"; import "a.proto";`:                 "import a.proto is not known: register it and refer",
		`syntax = "proto3"; import "/etc/passwd"; message M{}`: "import /etc/passwd is not known",
		`syntax = "proto3"; message M { X x = 1; }`:            "line 1, column 32",
		`nonsense`: "cannot be read",
		`AAAA`:     "cannot be read",
	} {
		if _, err := registry.Parse(t.Context(), sr.Schema{Type: sr.TypeProtobuf, Schema: schema}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", schema, err, want)
		}
	}
	// A file without a message can be registered, for others to import, and has nothing to encode.
	s := ok[*serde.Schema](t)(registry.Parse(t.Context(), sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; enum E { Z = 0; }`}))
	if _, err := s.Encode([]byte(`{}`)); err == nil {
		t.Error("no error")
	}
	if _, err := s.Decode(nil); err == nil {
		t.Error("no error")
	}
}

// The registry and its clients let the same files be imported without a reference.
func TestImportsAreTheRegistrys(t *testing.T) {
	files := func(dir string) map[string]string {
		all := map[string]string{}
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			all[strings.TrimPrefix(path, dir)] = string(text)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	if diff := cmp.Diff(files("../internal/apps/registry/schema/imports"), files("imports")); diff != "" {
		t.Error(diff)
	}
}
