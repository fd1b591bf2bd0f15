package checker

import (
	"fmt"
	"strings"
)

// anomaliesKept bounds what a report shows of each check; all are counted.
const anomaliesKept = 10

// Report is what a history proves.
type Report struct {
	Ops, OKs, Fails, Infos int
	Sends, Acked, Reads    int
	Keys                   int
	Lost                   int            // acknowledged values that a complete read does not find (C5, C6)
	Counts                 map[string]int // findings by check
	Anomalies              []Anomaly      // the first of each check
	Unfinished             []int32        // keys without a final read: C6 could not be judged for them
	Notes                  []NoteLine
}

// NoteLine is a fault or a phase of the run, for the time line under a finding.
type NoteLine struct {
	At     int64
	What   string
	Detail string
}

// Anomaly is one finding.
type Anomaly struct {
	Check   string // C1-C6
	Name    string
	Promise string // the promises that it breaks
	Key     int32
	Offset  int64 // -1: no offset is known
	Text    string
	Around  string // the log of the key around the offset, a line an offset
}

// checks are the names and promises of what is looked for.
var checks = map[string]struct{ name, promise string }{
	"C1": {"phantom", "DUR-8, RET-3"},
	"C2": {"inconsistent-offset", "ORD-1, ORD-5, DUR-1"},
	"C3": {"duplicate", "IDM-1"},
	"C4": {"aborted read", "DUR-6, TXN-1"},
	"C5": {"lost-write", "DUR-1"},
	"C6": {"unseen", "DUR-1"},
}

// Valid says whether the history keeps every promise that was checked. A history whose final phase is missing for some key
// is not valid: nothing found there proves nothing.
func (r *Report) Valid() bool { return len(r.Counts) == 0 && len(r.Unfinished) == 0 }

// String tells the result in a few lines, findings first.
func (r *Report) String() string {
	var b strings.Builder
	for _, a := range r.Anomalies {
		fmt.Fprintf(&b, "%s\n", a)
	}
	for _, c := range []string{"C1", "C2", "C3", "C4", "C5", "C6"} {
		if n := r.Counts[c]; n > 0 {
			fmt.Fprintf(&b, "%s %s (%s): %d found\n", c, checks[c].name, checks[c].promise, n)
		}
	}
	if len(r.Unfinished) > 0 {
		fmt.Fprintf(&b, "not judged to the end: keys %v were not read to their end after the producers had stopped\n", r.Unfinished)
	}
	if len(r.Anomalies) > 0 && len(r.Notes) > 0 {
		fmt.Fprintf(&b, "what was done meanwhile:\n")
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "  %9.3f s %s %s\n", float64(n.At)/1e9, n.What, n.Detail)
		}
	}
	fmt.Fprintf(&b, "%d operations (%d ok, %d failed, %d unknown), %d records sent, %d acknowledged, %d read, on %d partitions: %d lost",
		r.Ops, r.OKs, r.Fails, r.Infos, r.Sends, r.Acked, r.Reads, r.Keys, r.Lost)
	return b.String()
}

// String is the finding with its number, its promise and the log around it.
func (a Anomaly) String() string {
	return fmt.Sprintf("%s %s, against %s: key %d: %s\n%s", a.Check, a.Name, a.Promise, a.Key, a.Text, a.Around)
}

func (c *Checker) find(check string, k *key, offset int64, text string) {
	c.report.Counts[check]++
	if c.report.Counts[check] > anomaliesKept {
		return
	}
	c.report.Anomalies = append(c.report.Anomalies, Anomaly{Check: check, Name: checks[check].name, Promise: checks[check].promise,
		Key: k.id, Offset: offset, Text: text, Around: c.around(k, offset)})
}

// around shows the three occupied offsets on either side of one.
func (c *Checker) around(k *key, offset int64) string {
	if offset < 0 {
		return "   (the value has no known offset)\n"
	}
	const each = 3
	var before, after []int64
	k.log.each(func(o int64, first *int32) {
		switch {
		case *first == 0:
		case o < offset:
			if len(before) == each {
				before = append(before[:0], before[1:]...)
			}
			before = append(before, o)
		case o > offset && len(after) < each:
			after = append(after, o)
		}
	})
	var b strings.Builder
	for _, o := range append(append(before, offset), after...) {
		mark := " "
		if o == offset {
			mark = ">"
		}
		fmt.Fprintf(&b, " %s %8d: %s\n", mark, o, c.at(k, o))
	}
	return b.String()
}

func (c *Checker) at(k *key, offset int64) string {
	var held []string
	if first := *k.log.at(offset); first != 0 {
		held = append(held, c.describe(first-1))
	}
	for _, i := range k.conflict[offset] {
		held = append(held, c.describe(i))
	}
	for _, r := range k.phantoms {
		if r.Offset == offset {
			held = append(held, fmt.Sprintf("%d (sent by nobody)", r.Value))
		}
	}
	if len(held) == 0 {
		return "nothing"
	}
	return strings.Join(held, "; ")
}

func (c *Checker) describe(i int32) string {
	v := &c.values[i]
	o := &c.ops[v.op]
	outcome := map[Kind]string{Invoke: "never answered", OK: "acknowledged", Fail: "refused", Info: "answer unknown"}[o.kind]
	read := "never read"
	if v.read {
		read = "read"
	} else if v.seen {
		read = "read only by a poll that failed"
	}
	return fmt.Sprintf("%d (process %d, operation %d, %s, %s)", v.value, o.process, o.id, outcome, read)
}
