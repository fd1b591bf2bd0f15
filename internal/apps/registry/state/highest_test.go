package state

import (
	"fmt"
	"strings"
	"testing"
)

// deleteForGood deletes a subject softly, then for good.
func (l *log) deleteForGood(t *testing.T, subject string) {
	t.Helper()
	for _, permanent := range []bool{false, true} {
		writes, _, err := l.state.DeleteSubject(subject, permanent)
		wantCode(t, err, 0)
		l.append(writes)
	}
}

func (l *log) mode(t *testing.T, subject, mode string) {
	t.Helper()
	writes, err := l.state.SetMode(l.rules, subject, mode, true)
	wantCode(t, err, 0)
	l.append(writes)
}

// restarted is the log after a compaction that left no tombstone, with the state of a new start.
func (l *log) restarted() *log {
	n := newLog()
	for _, r := range l.compacted(0, false) {
		n.append([]Write{{r.Key, r.Value}})
	}
	return n
}

// An id that was deleted for good does not come again, whichever way it was deleted.
func TestDeletedIDStaysGone(t *testing.T) {
	for name, remove := range map[string]func(l *log, subject string){
		"subject": func(l *log, subject string) { l.deleteForGood(t, subject) },
		"versions": func(l *log, subject string) {
			for _, permanent := range []bool{false, true} {
				for version := range 2 {
					writes, _, err := l.state.DeleteVersion(subject, version+1, permanent)
					wantCode(t, err, 0)
					l.append(writes)
				}
			}
		},
		"an import begins": func(l *log, subject string) {
			writes, _, err := l.state.DeleteSubject(subject, false)
			wantCode(t, err, 0)
			l.append(writes)
			writes, err = l.state.SetMode(l.rules, subject, Import, false)
			wantCode(t, err, 0)
			l.append(writes)
			l.mode(t, subject, "")
		},
		"the context too": func(l *log, subject string) {
			l.deleteForGood(t, subject)
			writes, err := l.state.DeleteContext(ParseName(subject).Context)
			if err == nil {
				l.append(writes)
			}
		},
	} {
		for _, subject := range []string{"a", ":.c:a"} {
			l := newLog()
			l.register(t, plain(subject, "f"))
			l.register(t, plain(subject, "f", "g"))
			remove(l, subject)
			l = l.restarted()
			if v := l.register(t, plain(subject, "h")); v.ID != 3 {
				t.Errorf("%s of %s: id %d was given again", name, subject, v.ID)
			}
			if got := l.state.Contexts(); subject == "a" && len(got) != 1 {
				t.Errorf("contexts %v", got)
			}
		}
	}
}

// Other registries must see nothing in the record but a NOOP.
func TestHighestIsANoop(t *testing.T) {
	l := newLog()
	l.register(t, plain("a", "f"))
	l.deleteForGood(t, "a")
	last := l.records[len(l.records)-2]
	if got := string(last.Key) + string(last.Value); got != `{"keytype":"NOOP","context":".","magic":0}{"highestId":1}` {
		t.Error(got)
	}
}

// Ids and versions fit into 31 bits, and one import of the largest id does not stop a context.
func TestBounds(t *testing.T) {
	l := newLog()
	l.register(t, plain("a", "f"))
	l.mode(t, "imp", Import)
	for _, c := range []struct{ id, version, code int }{
		{0, 1, IDDoesNotMatch}, {MaxID + 1, 1, IDDoesNotMatch}, {1 << 40, 1, IDDoesNotMatch}, {9, MaxVersion + 1, InvalidVersion}, {MaxID, 20, 0},
	} {
		q := plain("imp", "f", "g")
		q.ID, q.Version = c.id, c.version
		_, err := l.try(q)
		wantCode(t, err, c.code)
	}
	q := plain("full", "f", "i")
	q.ID, q.Version = MaxID-1, MaxVersion
	l.mode(t, "full", Import)
	l.register(t, q)
	l.mode(t, "full", ReadWrite)
	_, err := l.try(plain("full", "h"))
	wantCode(t, err, NotPermitted)

	l.deleteForGood(t, "imp")
	l = l.restarted()
	if v := l.register(t, plain("b", "h")); v.ID != 2 {
		t.Errorf("id %d", v.ID)
	}
	if got := l.state.MaxID(l.state.Version("b", 1, LiveOnly)); got != MaxID {
		t.Errorf("highest id ever: %d", got)
	}
}

// The ids above lastCounted are the last to be given.
func TestIDsUsedUp(t *testing.T) {
	c := &ids{highest: highest{Counted: lastCounted}, versions: map[int][]*Version{}}
	if id, ok := c.free(); id != lastCounted+1 || !ok {
		t.Errorf("id %d %t", id, ok)
	}
	for id := lastCounted + 1; id <= MaxID; id++ {
		c.versions[id] = []*Version{{}}
	}
	if id, ok := c.free(); ok {
		t.Errorf("id %d was given", id)
	}
}

func TestRecordsOutOfRange(t *testing.T) {
	l := newLog()
	for i, id := range []int{0, -1, MaxID + 1, 1 << 40} {
		l.raw(fmt.Sprintf(`{"keytype":"SCHEMA","subject":"a","version":%d,"magic":1}`, i+1), fmt.Sprintf(`{"subject":"a","version":1,"id":%d,"schema":%s}`, id, text1))
	}
	l.raw(`{"keytype":"SCHEMA","subject":"b","version":2147483648,"magic":1}`, `{"subject":"b","version":2147483648,"id":1,"schema":`+text1+`}`)
	found := l.state.Fsck()
	for _, f := range found {
		if f.Kind != "OUT_OF_RANGE" || !strings.Contains(f.Words, "ignored") {
			t.Errorf("%+v", f)
		}
	}
	if len(found) != 5 || len(l.state.Subjects("", WithDeleted)) != 0 {
		t.Errorf("%d findings, subjects %v", len(found), l.state.Subjects("", WithDeleted))
	}
	if v := l.register(t, plain("a", "f")); v.ID != 1 {
		t.Errorf("id %d", v.ID)
	}
}
