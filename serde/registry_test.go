package serde_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/serde"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

func prefixed(id int, payload string) *kgo.Record {
	return &kgo.Record{Topic: "t", Value: append([]byte{0, 0, 0, byte(id >> 8), byte(id)}, payload...)}
}

// However many ask for the same id at once, the registry is asked once; and the one that began it may give up without harm to the others.
func TestOneRequestForMany(t *testing.T) {
	s := newServer(t)
	id := s.add(t, "t-value", sr.Schema{Schema: `"int"`})
	registry := serde.New(s.Client)
	before := s.requests.Load()
	hold := make(chan struct{})
	s.hold.Store(&hold)
	impatient, giveUp := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := registry.Read(impatient, prefixed(id, "\x02"), serde.Value, nil)
		gaveUp <- err
	}()
	for s.requests.Load() == before { // until the request is under way
		runtime.Gosched()
	}
	var all sync.WaitGroup
	failures := make(chan error, 50)
	for range cap(failures) {
		all.Go(func() {
			text, err := registry.Read(t.Context(), prefixed(id, "\x02"), serde.Value, nil)
			if err == nil && string(text.JSON) != "1" {
				err = errors.New(string(text.JSON))
			}
			failures <- err
		})
	}
	giveUp()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient one: %v", err)
	}
	close(hold)
	all.Wait()
	for range cap(failures) {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if got := s.requests.Load() - before; got != 1 {
		t.Errorf("%d requests", got)
	}
}

func TestRegisteredOnce(t *testing.T) {
	s := newServer(t)
	codec := ok[*serde.Codec[order]](t)(serde.NewAvro[order](serde.New(s.Client), orderAvro))
	for range 100 {
		if err := codec.SetValue(t.Context(), &kgo.Record{Topic: "t"}, order{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.requests.Load(); got != 1 {
		t.Errorf("%d requests", got)
	}
}

// Failures are remembered for a while; a registry that is gone costs one request, whatever is asked for.
func TestFailuresAreRemembered(t *testing.T) {
	s := newServer(t)
	registry := serde.New(s.Client, serde.RememberFailures(time.Hour))
	for range 10 {
		if _, err := registry.Read(t.Context(), prefixed(77, ""), serde.Value, nil); !errors.Is(err, serde.ErrNotFound) || !strings.Contains(err.Error(), "schema id 77") {
			t.Error(err)
		}
	}
	if got := s.requests.Load(); got != 1 {
		t.Errorf("an unknown id: %d requests", got)
	}
	s.broken.Store(true)
	before := s.requests.Load()
	for id := range 10 {
		if _, err := registry.Read(t.Context(), prefixed(100+id, ""), serde.Value, nil); !errors.Is(err, serde.ErrUnreachable) || !strings.Contains(err.Error(), "start it") {
			t.Error(err)
		}
	}
	if got := s.requests.Load() - before; got > 2 { // the HTTP client may try a connection that was closed under it once more
		t.Errorf("a registry that is gone: %d requests", got)
	}
	short := serde.New(s.Client, serde.RememberFailures(0))
	if _, err := short.Read(t.Context(), prefixed(1, "\x02"), serde.Value, nil); !errors.Is(err, serde.ErrUnreachable) {
		t.Error(err)
	}
	s.broken.Store(false)
	s.add(t, "t-value", sr.Schema{Schema: `"int"`})
	if _, err := short.Read(t.Context(), prefixed(1, "\x02"), serde.Value, nil); err != nil {
		t.Error("the registry is back:", err)
	}
}

func TestCachesAreBounded(t *testing.T) {
	s := newServer(t)
	for i := range 5 {
		s.add(t, "s", sr.Schema{Schema: fmt.Sprintf(`{"type":"int","n":%d}`, i)})
	}
	registry := serde.New(s.Client, serde.CacheSize(3))
	read := func(ids ...int) int64 {
		before := s.requests.Load()
		for _, id := range ids {
			if _, err := registry.Read(t.Context(), prefixed(id, "\x02"), serde.Value, nil); err != nil {
				t.Fatal(err)
			}
		}
		return s.requests.Load() - before
	}
	if got := read(1, 2, 3, 1, 2, 3); got != 3 {
		t.Errorf("%d requests for three", got)
	}
	if got := read(4, 2, 3, 1); got != 2 { // 4 puts out 1, which was used longest ago; 1 then puts out 4
		t.Errorf("%d requests after a fourth", got)
	}
}

func TestReferences(t *testing.T) {
	s := newServer(t)
	ref := func(name, subject string) []sr.SchemaReference {
		return []sr.SchemaReference{{Name: name, Subject: subject, Version: 1}}
	}
	s.add(t, "city", sr.Schema{Schema: `{"type":"record","name":"City","namespace":"geo","fields":[{"name":"name","type":"string"}]}`})
	s.add(t, "address", sr.Schema{Schema: `{"type":"record","name":"Address","namespace":"geo","fields":[{"name":"city","type":"City"}]}`, References: ref("geo.City", "city")})
	person := s.add(t, "person", sr.Schema{Schema: `{"type":"record","name":"Person","fields":[{"name":"home","type":["null","geo.Address"]},{"name":"born","type":"geo.City"}]}`,
		References: append(ref("geo.City", "city"), ref("geo.Address", "address")...)})
	s.add(t, "name.json", sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"string","maxLength":3}`})
	s.add(t, "names.json", sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"array","items":{"$ref":"name.json"}}`, References: ref("name.json", "name.json")})
	list := s.add(t, "list", sr.Schema{Type: sr.TypeJSON, Schema: `{"$id":"http://example.com/schemas/list.json","properties":{"names":{"$ref":"names.json"}}}`,
		References: ref("names.json", "names.json")})
	s.add(t, "a.proto", sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; package p; message A { int32 i = 1; }`})
	s.add(t, "b.proto", sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; package p; import "a.proto"; message B { A a = 1; }`, References: ref("a.proto", "a.proto")})
	proto := s.add(t, "c", sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; package p; import "b.proto"; message C { B b = 1; }`, References: ref("b.proto", "b.proto")})
	for _, subject := range []string{"city", "a.proto"} { // what others refer to stays readable
		if _, err := s.DeleteSubject(t.Context(), subject, sr.SoftDelete); err == nil {
			t.Logf("%s was deleted", subject)
		}
	}
	registry := serde.New(s.Client)
	for _, c := range []struct {
		id   int
		text string
	}{
		{person, `{"home":{"city":{"name":"Rome"}},"born":{"name":"Oslo"}}`},
		{list, `{"names":["Ada","Bob"]}`},
		{proto, `{"b":{"a":{"i":5}}}`},
	} {
		schema := ok[*serde.Schema](t)(registry.Schema(t.Context(), serde.ID{Number: c.id}))
		payload, err := schema.Encode([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got, err := schema.Decode(payload); err != nil || string(got) != c.text {
			t.Errorf("%s becomes %s, %v", c.text, got, err)
		}
	}
	schema := ok[*serde.Schema](t)(registry.Schema(t.Context(), serde.ID{Number: list}))
	if _, err := schema.Encode([]byte(`{"names":["Alexander"]}`)); !errors.Is(err, serde.ErrMisfit) {
		t.Errorf("what the references demand: %v", err)
	}
	for name, c := range map[string]struct {
		schema sr.Schema
		want   string
	}{
		"missing":       {sr.Schema{Schema: `"int"`, References: ref("x", "nowhere")}, "reference x: subject nowhere, version 1: not in the schema registry"},
		"other type":    {sr.Schema{Schema: `"int"`, References: ref("x", "name.json")}, "refer to AVRO schemas"},
		"no file":       {sr.Schema{Type: sr.TypeJSON, Schema: `{"$ref":"file:///etc/passwd"}`}, "no reference with the name"},
		"no address":    {sr.Schema{Type: sr.TypeJSON, Schema: `{"$ref":"http://127.0.0.1:1/x.json"}`}, "no reference with the name"},
		"one name, two": {sr.Schema{Schema: `"int"`, References: append(ref("x", "city"), ref("x", "address")...)}, "let all refer to the same"},
	} {
		if _, err := registry.Parse(t.Context(), c.schema); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// A registry that lets schemas refer to themselves cannot be made of ours, so one answer is made up.
func TestCircleIsRefused(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"subject":"a","version":1,"id":1,"schema":"\"int\"","references":[{"name":"a","subject":"a","version":1}]}`)
	}))
	defer web.Close()
	client := ok[*sr.Client](t)(sr.NewClient(sr.URLs(web.URL)))
	_, err := serde.New(client).Version(t.Context(), "a", 1)
	if err == nil || !strings.Contains(err.Error(), "subject a, version 1 refers to itself") {
		t.Error(err)
	}
}

// What is wrong with a codec shows when it is made, if it can.
func TestCodecsThatCannotBe(t *testing.T) {
	registry := serde.New(newServer(t).Client)
	for want, make := range map[string]func() error{
		"the Avro schema cannot be read": func() error { _, err := serde.NewAvro[order](registry, `{"type":"recrod"}`); return err },
		"no Avro schema can be made of":  func() error { _, err := serde.NewAvro[int](registry, ""); return err },
		"the JSON Schema cannot be used": func() error { _, err := serde.NewJSON[order](registry, `{"type":"objekt"}`); return err },
		"the Protobuf schema cannot be read": func() error {
			_, err := serde.NewText(registry, sr.Schema{Type: sr.TypeProtobuf, Schema: "message"})
			return err
		},
		"exclude each other": func() error {
			_, err := serde.NewAvro[order](registry, orderAvro, serde.UseLatest(), serde.UseID(serde.ID{Number: 1}))
			return err
		},
		"leave it out for TopicName": func() error { _, err := serde.NewAvro[order](registry, orderAvro, serde.Subject(nil)); return err },
	} {
		if err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Older registries give neither GUID nor version when they register, and something else at the address is no registry.
func TestOtherRegistries(t *testing.T) {
	answer := `{"id":5}`
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet {
			fmt.Fprint(w, `{"schema":"\"int\""}`)
			return
		}
		fmt.Fprint(w, answer)
	}))
	defer web.Close()
	client := ok[*sr.Client](t)(sr.NewClient(sr.URLs(web.URL)))
	r := &kgo.Record{Topic: "t"}
	plain := ok[*serde.Codec[int]](t)(serde.NewAvro[int](serde.New(client), `"int"`))
	if err := plain.SetValue(t.Context(), r, 1); err != nil || string(r.Value) != "\x00\x00\x00\x00\x05\x02" {
		t.Errorf("%q, %v", r.Value, err)
	}
	header := ok[*serde.Codec[int]](t)(serde.NewAvro[int](serde.New(client), `"int"`, serde.InHeader()))
	if err := header.SetValue(t.Context(), r, 1); err == nil || !strings.Contains(err.Error(), "the registry gave no GUID") {
		t.Error(err)
	}
	answer = `<html>`
	other := ok[*serde.Codec[int]](t)(serde.NewAvro[int](serde.New(client), `"int"`))
	if err := other.SetValue(t.Context(), r, 1); err == nil || !strings.Contains(err.Error(), "is no schema registry") {
		t.Error(err)
	}
}
