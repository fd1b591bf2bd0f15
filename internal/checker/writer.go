package checker

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Writer appends events to a history. It numbers the operations and stamps every event with the history's clock, under one
// lock, so that the order of the lines is the order of time. An invocation has been handed to the operating system when
// Invoke returns: a tester that dies afterwards leaves an operation without completion, which counts as indefinite, and never
// an effect without an invocation.
type Writer struct {
	start time.Time // monotonic

	mu  sync.Mutex
	w   io.Writer
	buf []byte
	ops int64
	err error // the first failed write; the history is worthless from there on
}

// NewWriter starts a history on w.
func NewWriter(w io.Writer) *Writer { return &Writer{start: time.Now(), w: w} }

// Invoke records that an operation is about to leave and returns its number.
func (w *Writer) Invoke(process int, fn string, sends []Send, polls int) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ops++
	w.add(&Event{ID: w.ops, Process: int64(process), Kind: Invoke, Func: fn, Sends: sends, Polls: polls})
	w.flush()
	return w.ops, w.err
}

// Complete records the outcome of an operation; e carries its number and process.
func (w *Writer) Complete(e *Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(e)
	return w.err
}

// Note records a fault or a phase; detail is anything JSON can hold, or nil.
func (w *Writer) Note(what string, detail any) error {
	b, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(&Event{Kind: Note, Func: what, Detail: string(b)})
	w.flush()
	return w.err
}

// Flush hands over what Complete left in the buffer.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
	return w.err
}

func (w *Writer) add(e *Event) {
	e.At = int64(time.Since(w.start))
	w.buf = append(AppendEvent(w.buf, e), '\n')
	if len(w.buf) > 1<<16 {
		w.flush()
	}
}

func (w *Writer) flush() {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.w.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// AppendEvent appends the line of an event, without the newline.
func AppendEvent(b []byte, e *Event) []byte {
	if e.Kind == Note {
		b = append(b, `{"t":"nem","f":`...)
		b = appendString(b, e.Func)
		b = appendNumber(b, `,"ns":`, e.At)
		b = append(append(b, `,"v":`...), orNull(e.Detail)...)
		return append(b, '}')
	}
	b = appendNumber(b, `{"i":`, e.ID)
	b = appendNumber(b, `,"p":`, e.Process)
	b = append(append(append(b, `,"t":"`...), e.Kind.String()...), `","f":`...)
	b = appendString(b, e.Func)
	b = appendNumber(b, `,"ns":`, e.At)
	b = append(b, `,"v":`...)
	if e.Ends != nil {
		b = appendEnds(b, e.Ends)
	} else {
		b = appendMicros(b, e)
	}
	return append(appendExtras(b, e), '}')
}

func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always has a JSON form
	return append(b, quoted...)
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

func appendNumber(b []byte, name string, v int64) []byte {
	return strconv.AppendInt(append(b, name...), v, 10)
}

func appendEnds(b []byte, ends map[int32]int64) []byte {
	keys := make([]int32, 0, len(ends))
	for k := range ends {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, `"`, int64(k))
		b = appendNumber(b, `":`, ends[k])
	}
	return append(b, '}')
}

// appendMicros writes the sends first and then one poll for each that was made; what was read stands in the first.
func appendMicros(b []byte, e *Event) []byte {
	b = append(b, '[')
	for i, s := range e.Sends {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSend(b, e.Kind, s)
	}
	for i := range max(e.Polls, min(1, len(e.Reads))) {
		if i > 0 || len(e.Sends) > 0 {
			b = append(b, ',')
		}
		b = append(b, `["p"`...)
		if e.Kind != Invoke && i == 0 {
			b = appendReads(append(b, ','), e.Reads)
		}
		b = append(b, ']')
	}
	return append(b, ']')
}

func appendSend(b []byte, kind Kind, s Send) []byte {
	b = appendNumber(b, `["s",`, int64(s.Key))
	if kind == Invoke || s.Offset < 0 {
		b = appendNumber(b, ",", s.Value)
	} else {
		b = appendNumber(b, ",[", s.Offset)
		b = appendNumber(b, ",", s.Value)
		b = append(b, ']')
	}
	return append(b, ']')
}

// appendReads keeps the order of delivery inside a key; equal keys must stand together, as a fetch delivers them.
func appendReads(b []byte, reads []Read) []byte {
	b = append(b, '{')
	for i := 0; i < len(reads); {
		if i > 0 {
			b = append(b, ',')
		}
		k := reads[i].Key
		b = appendNumber(b, `"`, int64(k))
		b = append(b, `":[`...)
		for first := true; i < len(reads) && reads[i].Key == k; i++ {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = appendNumber(b, "[", reads[i].Offset)
			b = appendNumber(b, ",", reads[i].Value)
			b = append(b, ']')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendExtras(b []byte, e *Event) []byte {
	for _, f := range [...]struct {
		name  string
		value int64
	}{{`,"att":`, e.Attempts}, {`,"pid":`, e.ProducerID}, {`,"epoch":`, e.Epoch}, {`,"node":`, e.Node}} {
		if f.value != 0 {
			b = appendNumber(b, f.name, f.value)
		}
	}
	if len(e.Rebalanced) > 0 {
		b = append(b, `,"reb":[`...)
		for i, k := range e.Rebalanced {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(k), 10)
		}
		b = append(b, ']')
	}
	if e.Err != "" {
		b = appendString(append(b, `,"err":`...), e.Err)
	}
	return b
}
