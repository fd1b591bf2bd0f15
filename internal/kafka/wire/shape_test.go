package wire

import (
	"errors"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// eachShape visits every request and version of the table.
func eachShape(visit func(Key, int16)) {
	for key := range shapes {
		for version, s := range shapes[key] {
			if s != nil {
				visit(Key(key), int16(version))
			}
		}
	}
}

// randomRequest is a request of kmsg with something, or nothing, in every field.
func randomRequest(r *rng, key Key, version int16) kmsg.Request {
	req := kmsg.RequestForKey(int16(key))
	r.fill(reflect.ValueOf(req).Elem())
	req.SetVersion(version)
	return req
}

var tagsType = reflect.TypeFor[kmsg.Tags]()

func (r *rng) fill(v reflect.Value) {
	if v.Type() == tagsType {
		v.Set(reflect.ValueOf(r.tags()))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.String:
		v.SetString(r.text())
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(r.Uint32() & 0xff))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(r.bytes())
		} else if r.IntN(4) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), r.IntN(5), 5))
			for i := range v.Len() {
				r.fill(v.Index(i))
			}
		}
	case reflect.Pointer:
		if r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			r.fill(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			r.fill(v.Field(i))
		}
	default:
		panic(v.Type())
	}
}

// TestShapesAgainstKmsg: the table reads what kmsg writes, to the last byte, and not one byte less will do.
func TestShapesAgainstKmsg(t *testing.T) {
	r := seeded(t)
	eachShape(func(key Key, version int16) {
		for range 40 {
			req := randomRequest(r, key, version)
			if req.IsFlexible() != Flexible(key, version) {
				t.Fatalf("%v version %d: kmsg says flexible is %v", key, version, req.IsFlexible())
			}
			body := req.AppendTo(nil)
			if left, err := walk(key, version, body); err != nil || left != 0 {
				t.Fatalf("%v version %d: %v, %d bytes left over of %x", key, version, err, left, body)
			}
			if err := CheckShape(key, version, append(body, 1, 2, 3)); err != nil {
				t.Fatalf("%v version %d with bytes behind it: %v", key, version, err)
			}
			step := 1 + len(body)/500
			for cut := r.IntN(step); cut < len(body); cut += step {
				if CheckShape(key, version, body[:cut]) == nil {
					t.Fatalf("%v version %d cut at %d of %x", key, version, cut, body)
				}
			}
		}
	})
}

// TestShapesStopBentRequests: where CheckShape has nothing to say, kmsg has not either. A huge number that CheckShape let
// pass would show as an error of kmsg, or as a test that does not end.
func TestShapesStopBentRequests(t *testing.T) {
	r := seeded(t)
	passed, stopped := 0, 0
	eachShape(func(key Key, version int16) {
		for range 300 {
			body := randomRequest(r, key, version).AppendTo(nil)
			if len(body) == 0 {
				continue
			}
			for range 1 + r.IntN(3) {
				r.bend(body)
			}
			if CheckShape(key, version, body) != nil {
				stopped++
				continue
			}
			passed++
			accepted(t, key, version, body)
		}
	})
	if passed < 1000 || stopped < 1000 {
		t.Errorf("%d passed and %d were stopped: this says little", passed, stopped)
	}
}

func (r *rng) bend(body []byte) {
	at := r.IntN(len(body))
	switch r.IntN(4) {
	case 0:
		copy(body[at:], []byte{0xff, 0xff, 0xff, 0xff})
	case 1:
		copy(body[at:], []byte{0xff, 0xff, 0xff, 0xff, 0x0f}) // four billion as a varint
	case 2:
		copy(body[at:], []byte{0x7f, 0xff, 0xff, 0xff})
	default:
		body[at] = byte(r.Uint32())
	}
}

// accepted: kmsg reads a body that passed, and what it writes of it passes again.
func accepted(t *testing.T, key Key, version int16, body []byte) {
	t.Helper()
	req := kmsg.RequestForKey(int16(key))
	req.SetVersion(version)
	if err := req.ReadFrom(body); err != nil {
		t.Fatalf("%v version %d: kmsg: %v of %x", key, version, err, body)
	}
	if tags := countTags(reflect.ValueOf(req).Elem()); tags > len(body)/2 {
		t.Fatalf("%v version %d: %d tagged fields in %x", key, version, tags, body)
	}
	if left, err := walk(key, version, req.AppendTo(nil)); err != nil || left != 0 {
		t.Fatalf("%v version %d: %v, %d bytes left over of what kmsg made of %x", key, version, err, left, body)
	}
}

func countTags(v reflect.Value) (n int) {
	if v.Type() == tagsType {
		tags := v.Interface().(kmsg.Tags)
		return tags.Len()
	}
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			n += countTags(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			n = countTags(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			n += countTags(v.Field(i))
		}
	}
	return n
}

func FuzzShape(f *testing.F) {
	r := seeded(f)
	eachShape(func(key Key, version int16) {
		f.Add(int16(key), version, randomRequest(r, key, version).AppendTo(nil))
	})
	f.Add(int16(Metadata), int16(12), []byte{1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if CheckShape(Key(key), version, body) == nil {
			accepted(t, Key(key), version, body)
		}
	})
}

// TestShapeRefusals says what is refused, and why.
func TestShapeRefusals(t *testing.T) {
	for _, c := range []struct {
		what    string
		key     Key
		version int16
		body    []byte
		want    error
	}{
		{"no request of the table", Produce, 9, nil, ErrVersion},
		{"a version below the table", ListOffsets, 0, make([]byte, 64), ErrVersion},
		{"a version above it", ListOffsets, 12, make([]byte, 64), ErrVersion},
		{"a negative version", ListOffsets, -1, nil, ErrVersion},
		{"a key of nobody", 1000, 0, nil, ErrVersion},
		{"four billion tagged fields", Metadata, 12, []byte{1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}, ErrLength},
		{"four billion tagged fields in an element", DeleteGroups, 2, []byte{2, 2, 'g', 0xff, 0xff, 0xff, 0xff, 0x0f}, ErrLength},
		{"a tagged field longer than what follows", DeleteGroups, 2, []byte{1, 1, 5, 2, 0}, ErrLength},
		{"two billion elements", DeleteGroups, 1, []byte{0x7f, 0xff, 0xff, 0xff, 0, 0}, ErrLength},
		{"one element more than can fit", DescribeProducers, 0, []byte{3, 1, 1, 0, 0, 0}, ErrLength},
		{"a string longer than what follows", FindCoordinator, 0, []byte{0, 2, 'g'}, ErrTruncated},
		{"null for a list that cannot be null", DeleteGroups, 1, []byte{0xff, 0xff, 0xff, 0xff}, ErrNull},
		{"null for a string that cannot be null", FindCoordinator, 0, []byte{0xff, 0xff}, ErrNull},
		{"null topics in Metadata 0", Metadata, 0, []byte{0xff, 0xff, 0xff, 0xff}, ErrNull},
		{"null topics in Metadata 1", Metadata, 1, []byte{0xff, 0xff, 0xff, 0xff}, nil},
		{"no cursor", DescribeTopicPartitions, 0, []byte{1, 0, 0, 0, 9, 0xff, 0}, nil},
		{"half a cursor", DescribeTopicPartitions, 0, []byte{1, 0, 0, 0, 9, 1, 1, 0}, ErrTruncated},
		{"a cursor that is there for kmsg and not for Kafka", DescribeTopicPartitions, 0, []byte{1, 0, 0, 0, 9, 0x80, 1, 0, 0, 0, 0, 0, 0}, ErrLength},
	} {
		if err := CheckShape(c.key, c.version, c.body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", c.what, err, c.want)
		}
	}
}

func TestCheckShapeAllocatesNothing(t *testing.T) {
	r := seeded(t)
	eachShape(func(key Key, version int16) {
		body := randomRequest(r, key, version).AppendTo(nil)
		if n := testing.AllocsPerRun(20, func() {
			if err := CheckShape(key, version, body); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%v version %d: %v allocations", key, version, n)
		}
	})
}

// A line that is mistaken stops the program where it starts, not the first request.
func TestMistakenShapes(t *testing.T) {
	for _, line := range []string{
		"Nobody v0: A int8", "Heartbeat 0: A int8", "Heartbeat v0: A int", "Heartbeat v0: A []{ B int8", "Heartbeat v0: A int8 }",
		"Heartbeat v0: A int8 v1-x", "Heartbeat v0: A string null(v0", "Heartbeat v0: A string nul",
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was read", line)
				}
			}()
			readShapes(line)
		}()
	}
	if s := readShapes("Heartbeat v0: A int8; B []{ C int16 }")[Heartbeat][0]; s.size != 5 || s.parts[1].parts[0].size != 2 || s.parts[1].parts[0].fixed != true {
		t.Errorf("%+v", s)
	}
}
