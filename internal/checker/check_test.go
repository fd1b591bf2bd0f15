package checker

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each story is a history and the findings it must give, in the order of their numbers; none means it is legal.
var stories = []struct {
	name    string
	history string
	want    string
}{
	{"all is well", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]]],"att":1}
{"i":2,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":2,"p":2,"t":"ok","f":"poll","ns":4,"v":[["p",{"0":[[0,101]]}]]}
{"i":3,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":3,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":1}}`, ""},
	{"C1 a value that nobody sent", `
{"i":2,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":2,"p":2,"t":"ok","f":"poll","ns":4,"v":[["p",{"0":[[7,101]]}]]}
{"i":3,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":3,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":8}}`, "C1@7"},
	{"C1 a value sent to another key", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",1,101]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",1,[0,101]]]}
{"i":2,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":2,"p":2,"t":"ok","f":"poll","ns":4,"v":[["p",{"0":[[0,101]],"1":[[0,101]]}]]}
{"i":3,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":3,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":1,"1":1}}`, "C1@0"},
	{"C2 acknowledged at an offset that another value has", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":2,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,102]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]]]}
{"i":2,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,102]]]}
{"i":3,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":4,"v":[["p",{"0":[[0,101],[1,102]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":2}}`, "C2@0 C3@1"},
	{"C2 C6 an overwritten tail: what was acknowledged is gone and its offset used again", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]]]}
{"t":"nem","f":"power cut","ns":3,"v":{"node":1}}
{"i":2,"p":1,"t":"inv","f":"send","ns":4,"v":[["s",0,102]]}
{"i":2,"p":1,"t":"ok","f":"send","ns":5,"v":[["s",0,[0,102]]]}
{"i":3,"p":2,"t":"inv","f":"poll","ns":6,"v":[["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":7,"v":[["p",{"0":[[0,102]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":8,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":9,"v":{"0":1}}`, "C2@0 C6@0"},
	{"C3 a retry appended twice", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[1,101]]],"att":2}
{"i":3,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":4,"v":[["p",{"0":[[0,101],[1,101]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":2}}`, "C3@1"},
	{"C4 a refused value is read", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"fail","f":"send","ns":2,"v":[["s",0,101]],"att":1,"err":"MESSAGE_TOO_LARGE"}
{"i":3,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":4,"v":[["p",{"0":[[0,101]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":1}}`, "C4@0"},
	{"C4 also when the poll that read it failed afterwards", `
{"i":1,"p":1,"t":"inv","f":"txn","ns":1,"v":[["s",0,101]]}
{"i":3,"p":2,"t":"inv","f":"txn","ns":2,"v":[["p"]]}
{"i":3,"p":2,"t":"info","f":"txn","ns":3,"v":[["p",{"0":[[0,101]]}]]}
{"i":1,"p":1,"t":"fail","f":"txn","ns":4,"v":[["s",0,101]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":0}}`, "C4@0"},
	{"C5 C6 an acknowledged value is skipped by every reader", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101],["s",0,102]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]],["s",0,[1,102]]]}
{"i":3,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":4,"v":[["p",{"0":[[1,102]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":2}}`, "C5@0 C6@0"},
	{"C5 an unanswered operation that is proven by one value must have the other too", `
{"i":1,"p":1,"t":"inv","f":"txn","ns":1,"v":[["s",0,101],["s",1,102]]}
{"i":1,"p":1,"t":"info","f":"txn","ns":2,"v":[["s",0,[0,101]],["s",1,102]]}
{"i":2,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",1,103]]}
{"i":2,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",1,[2,103]]]}
{"i":3,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":3,"p":2,"t":"info","f":"poll","ns":4,"v":[["p",{"1":[[1,102]]}]]}
{"i":5,"p":2,"t":"inv","f":"poll","ns":5,"v":[["p"]]}
{"i":5,"p":2,"t":"ok","f":"poll","ns":6,"v":[["p",{"0":[[0,101]],"1":[[2,103]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":7,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":8,"v":{"0":1,"1":3}}`, "C5@1"},
	{"C6 an acknowledged tail that nobody finds", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":0}}`, "C6@0"},
	{"C6 an acknowledged tail that was read once and is gone at the end", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101],["s",0,102]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]],["s",0,[1,102]]]}
{"i":2,"p":2,"t":"inv","f":"poll","ns":3,"v":[["p"]]}
{"i":2,"p":2,"t":"ok","f":"poll","ns":4,"v":[["p",{"0":[[0,101],[1,102]]}]]}
{"i":4,"p":3,"t":"inv","f":"final","ns":5,"v":[]}
{"i":5,"p":3,"t":"inv","f":"poll","ns":6,"v":[["p"]]}
{"i":5,"p":3,"t":"ok","f":"poll","ns":7,"v":[["p",{"0":[[0,101]]}]]}
{"i":4,"p":3,"t":"ok","f":"final","ns":8,"v":{"0":1}}`, "C6@1"},
	{"C6 acknowledged without an offset", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,101]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":5,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":6,"v":{"0":0}}`, "C6@-1"},
	{"legal: an unanswered send that never appears, and one that does", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"info","f":"send","ns":2,"v":[["s",0,101]],"err":"REQUEST_TIMED_OUT"}
{"i":2,"p":1,"t":"inv","f":"send","ns":3,"v":[["s",0,102]]}
{"i":2,"p":1,"t":"info","f":"send","ns":4,"v":[["s",0,102]]}
{"i":3,"p":2,"t":"inv","f":"poll","ns":5,"v":[["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":6,"v":[["p",{"0":[[0,102]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":7,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":8,"v":{"0":1}}`, ""},
	{"legal: the tester died, the last line is torn, a send has no completion and its value is read", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":3,"p":2,"t":"inv","f":"poll","ns":5,"v":[["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":6,"v":[["p",{"0":[[0,101]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":7,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":8,"v":{"0":1}}
{"i":5,"p":2,"t":"in`, ""},
	{"legal: other writers' values and control records lie between two sends of one operation (int-send-skip)", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101],["s",0,102]]}
{"i":2,"p":2,"t":"inv","f":"send","ns":1,"v":[["s",0,201]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]],["s",0,[9,102]]]}
{"i":2,"p":2,"t":"ok","f":"send","ns":2,"v":[["s",0,[4,201]]]}
{"i":3,"p":2,"t":"inv","f":"poll","ns":5,"v":[["p"],["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":6,"v":[["p",{"0":[[0,101],[4,201],[9,102]]}],["p"]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":7,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":8,"v":{"0":10}}`, ""},
	{"legal: the same value read again, by another reader, after a rebalance, before an older one", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101],["s",0,102]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]],["s",0,[1,102]]]}
{"i":3,"p":2,"t":"inv","f":"poll","ns":5,"v":[["p"]]}
{"i":3,"p":2,"t":"ok","f":"poll","ns":6,"v":[["p",{"0":[[1,102]]}]],"reb":[0]}
{"i":5,"p":3,"t":"inv","f":"poll","ns":5,"v":[["p"]]}
{"i":5,"p":3,"t":"ok","f":"poll","ns":6,"v":[["p",{"0":[[0,101],[1,102]]}]]}
{"i":4,"p":2,"t":"inv","f":"final","ns":7,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":8,"v":{"0":2}}`, ""},
	{"legal: a refused send that stays away", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"fail","f":"send","ns":2,"v":[["s",0,101]],"err":"say \"no\""}
{"i":4,"p":2,"t":"inv","f":"final","ns":7,"v":[]}
{"i":4,"p":2,"t":"ok","f":"final","ns":8,"v":{"0":0}}`, ""},
	{"not judged: no final phase, so an unread tail proves nothing", `
{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,101]]}
{"i":1,"p":1,"t":"ok","f":"send","ns":2,"v":[["s",0,[0,101]]]}`, "unfinished"},
}

func findings(r *Report) string {
	var out []string
	for _, a := range r.Anomalies {
		out = append(out, a.Check+"@"+strconv.FormatInt(a.Offset, 10))
	}
	if len(r.Unfinished) > 0 {
		out = append(out, "unfinished")
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestStories(t *testing.T) {
	for _, s := range stories {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) {
			r, err := Check(strings.NewReader(strings.TrimLeft(s.history, "\n") + map[bool]string{true: "", false: "\n"}[strings.HasSuffix(s.history, `"in`)]))
			if err != nil {
				t.Fatal(err)
			}
			if got := findings(r); got != s.want {
				t.Errorf("findings %q, want %q\n%s", got, s.want, r)
			}
			if r.Valid() != (s.want == "") {
				t.Errorf("Valid is %v", r.Valid())
			}
		})
	}
}

// A finding tells its number, the promise, the value and three offsets on either side; the faults stand below.
func TestFindingIsReadable(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	var reads []Read
	for v := range int64(9) {
		id, _ := w.Invoke(1, "send", []Send{{0, -1, v}}, 0)
		w.Complete(&Event{ID: id, Process: 1, Kind: OK, Func: "send", Sends: []Send{{0, v, v}}})
		if v != 4 {
			reads = append(reads, Read{0, v, v})
		}
	}
	w.Note("kill -9", map[string]int{"node": 1})
	id, _ := w.Invoke(2, "poll", nil, 1)
	w.Complete(&Event{ID: id, Process: 2, Kind: OK, Func: "poll", Polls: 1, Reads: reads})
	id, _ = w.Invoke(2, "final", nil, 0)
	w.Complete(&Event{ID: id, Process: 2, Kind: OK, Func: "final", Ends: map[int32]int64{0: 9}})
	w.Flush()
	r, err := Check(&b)
	if err != nil {
		t.Fatal(err)
	}
	text := r.String()
	for _, want := range []string{"C5 lost-write, against DUR-1: key 0: 4 (process 1, operation 5, acknowledged, never read)",
		"        1: 1 (process", "        3: 3", ">        4: 4 (process", "        7: 7", "kill -9 {\"node\":1}", ": 1 lost"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, not := range []string{"        0: 0", "        8: 8"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is more than three offsets away:\n%s", not, text)
		}
	}
}

// model is a cluster without faults in a few lines: it makes legal histories of any size, oddities included.
type model struct {
	rng     *rand.Rand
	w       *Writer
	logs    [][]int64 // key -> values by offset; -1: a gap, as a control record leaves one
	acked   [][]int64 // key -> acknowledged values
	failed  []Send
	readers []Read // next offset of each reader by key
	next    int64
}

func (m *model) send(process int) {
	k := m.rng.IntN(len(m.logs))
	m.next++
	v := Value(process, m.next)
	id, _ := m.w.Invoke(process, "send", []Send{{int32(k), -1, v}}, 0)
	e := &Event{ID: id, Process: int64(process), Kind: OK, Func: "send", Attempts: 1, Sends: []Send{{int32(k), -1, v}}}
	switch x := m.rng.IntN(100); {
	case x < 3:
		e.Kind, e.Err = Fail, "MESSAGE_TOO_LARGE"
		m.failed = append(m.failed, e.Sends[0])
	case x < 6:
		e.Kind, e.Err = Info, "REQUEST_TIMED_OUT"
		if x == 4 {
			m.logs[k] = append(m.logs[k], v)
		}
	default:
		if x == 50 {
			m.logs[k] = append(m.logs[k], -1)
		}
		e.Sends[0].Offset = int64(len(m.logs[k]))
		m.logs[k] = append(m.logs[k], v)
		if x == 51 {
			return // the tester never learns of it
		}
		m.acked[k] = append(m.acked[k], v)
	}
	m.w.Complete(e)
}

// poll reads the rest of a key from where the reader stands.
func (m *model) poll(process, k int, at *int64) {
	id, _ := m.w.Invoke(process, "poll", nil, 1)
	e := &Event{ID: id, Process: int64(process), Kind: OK, Func: "poll", Polls: 1}
	for ; *at < int64(len(m.logs[k])); *at++ {
		if v := m.logs[k][*at]; v >= 0 {
			e.Reads = append(e.Reads, Read{int32(k), *at, v})
		}
	}
	m.w.Complete(e)
}

func legal(seed uint64, keys, sends int) (*model, *bytes.Buffer) {
	b := &bytes.Buffer{}
	m := &model{rng: rand.New(rand.NewPCG(seed, 1)), w: NewWriter(b), logs: make([][]int64, keys), acked: make([][]int64, keys)}
	at := make([]int64, 2*keys)
	for range sends {
		m.send(1 + m.rng.IntN(4))
		if m.rng.IntN(20) == 0 {
			r := m.rng.IntN(2 * keys)
			m.poll(10+r/keys, r%keys, &at[r])
		}
	}
	ends := map[int32]int64{}
	for k := range keys {
		var from int64
		m.poll(20, k, &from)
		ends[int32(k)] = from
	}
	id, _ := m.w.Invoke(20, "final", nil, 0)
	m.w.Complete(&Event{ID: id, Process: 20, Kind: OK, Func: "final", Ends: ends})
	m.w.Flush()
	return m, b
}

// rewrite passes a history through f, event by event.
func rewrite(t *testing.T, b []byte, f func(e *Event)) []byte {
	var out []byte
	d := NewDecoder(bytes.NewReader(b))
	for {
		var e Event
		if err := d.Next(&e); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		f(&e)
		out = append(AppendEvent(out, &e), '\n')
	}
}

func dropReads(f func(r Read) bool) func(*Event) {
	return func(e *Event) { e.Reads = slices.DeleteFunc(e.Reads, f) }
}

// mutations plant one anomaly each into a legal history: (key, index of a value in the key's log) -> change of events.
var mutations = map[string]struct {
	want string
	make func(m *model, k int, v int64, offset int64) func(e *Event)
}{
	"an acknowledged record vanishes": {"C5", func(m *model, k int, v, o int64) func(*Event) {
		return dropReads(func(r Read) bool { return r.Value == v })
	}},
	"the acknowledged tail vanishes": {"C6", func(m *model, k int, v, o int64) func(*Event) {
		return dropReads(func(r Read) bool { return r.Key == int32(k) && r.Offset >= o })
	}},
	"a record is appended twice": {"C3", func(m *model, k int, v, o int64) func(*Event) {
		end := int64(len(m.logs[k]))
		return func(e *Event) {
			if e.Process == 20 && len(e.Reads) > 0 && e.Reads[0].Key == int32(k) {
				e.Reads = append(e.Reads, Read{int32(k), end, v})
			}
		}
	}},
	"one reader sees another value at an offset": {"C2", func(m *model, k int, v, o int64) func(*Event) {
		other := m.other(k, v)
		return func(e *Event) {
			for i := range e.Reads {
				if e.Process == 20 && e.Reads[i].Value == v {
					e.Reads[i].Value = other
				}
			}
		}
	}},
	"a refused record appears": {"C4", func(m *model, k int, v, o int64) func(*Event) {
		f := m.failed[int(v&0xff)%len(m.failed)]
		return func(e *Event) {
			if e.Process == 20 && len(e.Reads) > 0 && e.Reads[0].Key == f.Key {
				e.Reads = append(e.Reads, Read{f.Key, int64(len(m.logs[f.Key])), f.Value})
			}
		}
	}},
	"bytes of nobody": {"C1", func(m *model, k int, v, o int64) func(*Event) {
		return func(e *Event) {
			for i := range e.Reads {
				if e.Process == 20 && e.Reads[i].Value == v {
					e.Reads[i].Value = -1
				}
			}
		}
	}},
	"an acknowledged offset is not where the record is": {"C2", func(m *model, k int, v, o int64) func(*Event) {
		return func(e *Event) {
			if e.Kind == OK && len(e.Sends) == 1 && e.Sends[0].Value == v {
				e.Sends[0].Offset = m.offset(k, m.other(k, v))
			}
		}
	}},
}

func (m *model) other(k int, v int64) int64 {
	if m.acked[k][0] != v {
		return m.acked[k][0]
	}
	return m.acked[k][1]
}

func (m *model) offset(k int, v int64) int64 { return int64(slices.Index(m.logs[k], v)) }

// seeds is how many histories the random tests make; repeat one with CHECKER_SEED.
func eachSeed(t *testing.T, run func(t *testing.T, seed uint64)) {
	if s := os.Getenv("CHECKER_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		run(t, seed)
		return
	}
	for seed := range uint64(200) {
		run(t, seed)
		if t.Failed() {
			t.Fatalf("repeat with CHECKER_SEED=%d go test -run '^%s$' ./internal/checker", seed, t.Name())
		}
	}
}

func TestLegalHistoriesPass(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		_, b := legal(seed, 3, 300)
		r, err := Check(b)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Valid() || r.Lost != 0 || r.Acked == 0 || r.Reads == 0 {
			t.Errorf("a legal history is refused:\n%s", r)
		}
	})
}

func TestPlantedAnomaliesAreFound(t *testing.T) {
	for name, mutation := range mutations {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			eachSeed(t, func(t *testing.T, seed uint64) {
				m, b := legal(seed, 3, 300)
				k := m.rng.IntN(3)
				v := m.acked[k][m.rng.IntN(len(m.acked[k])-1)]
				r, err := Check(bytes.NewReader(rewrite(t, b.Bytes(), mutation.make(m, k, v, m.offset(k, v)))))
				if err != nil {
					t.Fatal(err)
				}
				if r.Counts[mutation.want] == 0 {
					t.Errorf("%s is not found:\n%s", mutation.want, r)
				}
				if lost := mutation.want == "C5" || mutation.want == "C6"; lost && r.Lost == 0 {
					t.Errorf("nothing counts as lost:\n%s", r)
				}
			})
		})
	}
}

// A history that contradicts itself is a bug of the tester and must not be judged.
func TestImpossibleHistoriesAreRefused(t *testing.T) {
	for name, h := range map[string]string{
		"value sent twice":           `{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,1]]}` + "\n" + `{"i":2,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,1]]}`,
		"completion of nothing":      `{"i":1,"p":1,"t":"ok","f":"send","ns":1,"v":[["s",0,[0,1]]]}`,
		"invoked twice":              `{"i":1,"p":1,"t":"inv","f":"poll","ns":1,"v":[["p"]]}` + "\n" + `{"i":1,"p":1,"t":"inv","f":"poll","ns":1,"v":[["p"]]}`,
		"acknowledged and not sent":  `{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",0,2]]}` + "\n" + `{"i":1,"p":1,"t":"ok","f":"send","ns":1,"v":[["s",0,[0,1]]]}`,
		"no kind":                    `{"i":1,"p":1,"f":"send","ns":1}`,
		"an unknown kind":            `{"i":1,"p":1,"t":"maybe","f":"send","ns":1}`,
		"a torn line in the middle":  `{"i":1,"p":1,"t":"inv","f":"se` + "\n" + `{"i":2,"p":1,"t":"inv","f":"poll","ns":1,"v":[["p"]]}`,
		"an unknown micro-operation": `{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["x",0,1]]}`,
		"a key out of range":         `{"i":1,"p":1,"t":"inv","f":"send","ns":1,"v":[["s",5000000000,1]]}`,
		"text behind the line":       `{"i":1,"p":1,"t":"inv","f":"poll","ns":1,"v":[["p"]]} x`,
	} {
		if r, err := Check(strings.NewReader(h + "\n")); err == nil {
			t.Errorf("%s: judged: %s", name, r)
		}
	}
}

// What was written comes back, strings with quotes and control characters included.
func TestEventsSurviveTheFile(t *testing.T) {
	events := []Event{
		{ID: 1, Process: 2, Kind: Invoke, Func: "txn", At: 5, Polls: 2, Sends: []Send{{3, -1, 991}}},
		{ID: 1, Process: 2, Kind: OK, Func: "txn", At: 6, Polls: 1, Sends: []Send{{3, 40, 991}}, Reads: []Read{{5, 17, 640}, {5, 18, 655}, {6, 0, 1}},
			Attempts: 2, Rebalanced: []int32{5, 6}, ProducerID: 4001, Epoch: 3, Node: 2, Err: "a \"quoted\"\n\\ line"},
		{Kind: Note, Func: "cut \"x\"", At: 7, Detail: `{"from":1,"to":[2,3],"s":"}]"}`},
		{ID: 9, Process: 0, Kind: OK, Func: "final", At: 8, Ends: map[int32]int64{3: 41, 5: 0}},
		{ID: 10, Process: 0, Kind: Fail, Func: "send", At: 8, Sends: []Send{{-1, -1, -5}}},
	}
	var b []byte
	for i := range events {
		b = append(AppendEvent(b, &events[i]), '\n')
	}
	d := NewDecoder(bytes.NewReader(b))
	for i := range events {
		var got Event
		if err := d.Next(&got); err != nil {
			t.Fatal(err)
		}
		if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", events[i]); g != w {
			t.Errorf("got  %s\nwant %s", g, w)
		}
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		code     int16
		attempts int64
		want     Kind
	}{
		{0, 1, OK}, {0, 7, OK},
		{3, 1, Fail}, {17, 1, Fail}, {38, 1, Fail}, {10, 1, Fail}, {2, 1, Fail}, {87, 1, Fail}, {29, 1, Fail}, {31, 1, Fail}, {53, 1, Fail}, {21, 1, Fail}, {19, 1, Fail},
		{3, 2, Info}, {10, 2, Info}, // an earlier attempt may have been appended
		{20, 1, Info}, {7, 1, Info}, {13, 1, Info}, {6, 1, Info}, {56, 1, Info}, {-1, 1, Info},
		{45, 1, Info}, {90, 1, Info}, {47, 1, Info}, {999, 1, Info},
	} {
		if got := Classify(c.code, c.attempts); got != c.want {
			t.Errorf("error %d after %d attempts is %v, want %v", c.code, c.attempts, got, c.want)
		}
	}
	for _, c := range []struct {
		commit, answered bool
		code             int16
		want             Kind
	}{{false, true, 0, Fail}, {false, false, 0, Fail}, {true, true, 0, OK}, {true, true, 48, Fail}, {true, true, 7, Info}, {true, false, 0, Info}} {
		if got := ClassifyEnd(c.commit, c.answered, c.code); got != c.want {
			t.Errorf("end %+v is %v", c, got)
		}
	}
}

// The judge must be quick enough to stand at the end of every run: a million operations.
func BenchmarkMillionOperations(b *testing.B) {
	_, h := legal(1, 8, 900_000)
	b.SetBytes(int64(h.Len()))
	for b.Loop() {
		r, err := Check(bytes.NewReader(h.Bytes()))
		if err != nil || !r.Valid() {
			b.Fatal(err, r)
		}
		b.ReportMetric(float64(r.Ops), "operations")
		b.ReportMetric(float64(r.Reads), "reads")
	}
}
