package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// refers writes a version of its own subject that refers to version 1 of others.
func (l *log) refers(subject string, id int, to ...string) {
	var refs []string
	for _, other := range to {
		refs = append(refs, fmt.Sprintf(`{"name":%q,"subject":%q,"version":1}`, other, other))
	}
	l.raw(fmt.Sprintf(`{"keytype":"SCHEMA","subject":%q,"version":1,"magic":1}`, subject),
		fmt.Sprintf(`{"subject":%q,"version":1,"id":%d,"references":[%s],"schema":%s}`, subject, id, strings.Join(refs, ","), text1))
}

func (l *log) kinds() (kinds []string) {
	for _, f := range l.state.Fsck() {
		kinds = append(kinds, f.Kind+" "+f.Subject)
	}
	return kinds
}

func (l *log) mend() {
	for _, f := range l.state.Fsck() {
		l.append(f.Mend)
	}
}

// What refers to nothing is deleted softly, then for good; but not while others refer to it.
func TestMendDangling(t *testing.T) {
	l := newLog()
	l.refers("a", 1, "gone")
	l.refers("b", 2, "a")
	if found := l.state.Fsck(); len(found) != 1 || found[0].Mend != nil || !strings.Contains(found[0].Words, "delete them first") {
		t.Fatalf("%+v", found)
	}
	writes, _, err := l.state.DeleteSubject("b", false)
	wantCode(t, err, 0)
	l.append(writes)
	l.mend()
	if v := l.state.Version("a", 1, WithDeleted); v == nil || !v.Deleted {
		t.Fatalf("after the first mending: %+v", v)
	}
	if l.mend(); l.state.Version("a", 1, WithDeleted) == nil {
		t.Fatal("a was taken away although b, deleted softly, refers to it")
	}
	writes, _, err = l.state.DeleteSubject("b", true)
	wantCode(t, err, 0)
	l.append(writes)
	l.mend()
	if got := l.kinds(); len(got) != 0 || l.state.Version("a", 1, WithDeleted) != nil {
		t.Errorf("at the end: %v", got)
	}
	if v := l.restarted().register(t, plain("c", "f")); v.ID != 3 {
		t.Errorf("id %d was given again", v.ID)
	}
}

func TestCycles(t *testing.T) {
	l := newLog()
	l.refers("cyc1", 1, "cyc2", "leaf")
	l.refers("cyc2", 2, "cyc3")
	l.refers("cyc3", 3, "cyc1")
	l.refers("self", 4, "self")
	l.refers("leaf", 5)
	l.refers("user", 6, "leaf")
	l.refers("victim", 7, "self")
	if got := l.kinds(); !slices.Equal(got, []string{"REFERENCE_CYCLE cyc1", "REFERENCE_CYCLE self"}) {
		t.Fatalf("found %v", got)
	}
	l.mend()
	l.mend()
	if got := l.state.Subjects("", WithDeleted); !slices.Equal(got, []string{"leaf", "self", "user", "victim"}) {
		t.Fatalf("left %v", got) // self is needed by victim
	}
	for _, permanent := range []bool{false, true} {
		writes, _, err := l.state.DeleteSubject("victim", permanent)
		wantCode(t, err, 0)
		l.append(writes)
	}
	l.mend()
	l.mend()
	if got := l.kinds(); len(got) != 0 {
		t.Errorf("after mending %v", got)
	}
}

func TestKeyDiffersFromValue(t *testing.T) {
	for _, value := range []string{`"subject":"b","version":1`, `"subject":"a","version":3`} {
		l := newLog()
		l.raw(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{`+value+`,"id":1,"schema":`+text1+`}`)
		if got := l.kinds(); !slices.Equal(got, []string{"KEY_DIFFERS a"}) || l.state.Version("a", 1, LiveOnly) == nil {
			t.Fatalf("found %v", got)
		}
		cleared := replay(l.records)
		cleared.Apply(Record{Offset: 1, Key: []byte(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`), Value: []byte(`{` + value + `,"id":1,"deleted":true,"schema":` + text1 + `}`)})
		cleared.Apply(Record{Offset: 2, Key: []byte(`{"keytype":"CLEAR_SUBJECT","subject":"a","magic":0}`), Value: []byte(`{"subject":"a"}`)})
		if got := cleared.Fsck(); len(got) != 0 {
			t.Errorf("of a version that was cleared: %v", got)
		}
		l.mend()
		if got := l.kinds(); len(got) != 0 || len(l.state.Subjects("", WithDeleted)) != 1 {
			t.Errorf("after mending %v", got)
		}
	}
}

func TestUnknownType(t *testing.T) {
	l := newLog()
	l.raw(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{"subject":"a","version":1,"id":1,"schemaType":"XML","schema":"<a/>"}`)
	if found := l.state.Fsck(); len(found) != 1 || found[0].Kind != "UNKNOWN_TYPE" || found[0].Mend != nil {
		t.Errorf("%+v", found)
	}
}
