package state

import (
	"slices"
	"strings"
	"testing"
)

const text1, text2 = `"{\"type\":\"int\"}"`, `"{\"type\":\"long\"}"`

// Logs of older releases: other orders of fields, magic 0, values without subject, DELETE_SUBJECT, holes.
func TestRecordsOfOlderReleases(t *testing.T) {
	l := newLog()
	l.raw(`{"keytype":"NOOP","magic":0}`, "")
	l.raw(`{"magic":0,"keytype":"CONFIG"}`, `{"compatibilityLevel":"FULL"}`)
	l.raw(`{"keytype":"CONFIG","subject":"a","magic":0}`, `{"compatibilityLevel":"NONE"}`)
	l.raw(`{"keytype":"MODE","magic":0,"subject":"a"}`, `{"mode":"IMPORT"}`)
	l.raw(`{"subject":"a","version":1,"magic":0,"keytype":"SCHEMA"}`, `{"subject":"a","version":1,"id":7,"schema":`+text1+`,"deleted":false}`)
	l.raw(`{"keytype":"SCHEMA","subject":"a","version":2,"magic":1}`, `{"subject":"a","version":2,"id":8,"schemaType":"AVRO","schema":`+text2+`}`)
	l.raw(`{"keytype":"SCHEMA","subject":"a","version":3,"magic":1}`, `{"subject":"a","version":3,"id":7,"schema":`+text1+`}`)
	l.raw(`{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}`, `{"subject":"a","version":2}`)
	l.raw(`{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}`, `{"tenant":"default","context":".c"}`)
	l.raw(`{"keytype":"ASSOC","tenant":"default","magic":0}`, `{"x":1}`)
	s := l.state
	if got := s.ConfigInScope("b").Level; got != "FULL" {
		t.Errorf("level of all: %s", got)
	}
	if got := s.ConfigInScope("a").Level; got != "NONE" {
		t.Errorf("level of a: %s", got)
	}
	if got := s.ModeInScope("a"); got != Import {
		t.Errorf("mode of a: %s", got)
	}
	if got := len(s.Versions("a", LiveOnly)); got != 1 {
		t.Errorf("%d live versions of a", got)
	}
	if got := len(s.Versions("a", DeletedOnly)); got != 2 {
		t.Errorf("%d deleted versions of a", got)
	}
	if v := s.ByID(8, ""); v == nil || !v.Deleted {
		t.Errorf("id 8 of a softly deleted version: %v", v)
	}
	if got := s.Contexts(); len(got) != 2 || got[1] != ".c" {
		t.Errorf("contexts %v", got)
	}
	if got := s.Fsck(); len(got) != 0 {
		t.Errorf("findings %v", got)
	}
	if s.Next() != 10 {
		t.Errorf("next offset %d", s.Next())
	}
}

// An id that is known with another text keeps its text, and fsck tells.
func TestDoubledIDIsIgnored(t *testing.T) {
	l := newLog()
	l.raw(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{"subject":"a","version":1,"id":1,"schema":`+text1+`}`)
	l.raw(`{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}`, `{"subject":"b","version":1,"id":1,"schema":`+text2+`}`)
	l.raw(`{"keytype":"SCHEMA","subject":":.c:b","version":1,"magic":1}`, `{"subject":":.c:b","version":1,"id":1,"schema":`+text2+`}`)
	if l.state.Version("b", 1, WithDeleted) != nil {
		t.Error("the second schema of id 1 was taken")
	}
	if l.state.Version(":.c:b", 1, WithDeleted) == nil {
		t.Error("ids of another context are other ids")
	}
	found := l.state.Fsck()
	if len(found) != 1 || found[0].Kind != "DOUBLED_ID" {
		t.Fatalf("findings %v", found)
	}
	l.append(found[0].Mend)
	if got := l.state.Fsck(); len(got) != 0 {
		t.Errorf("findings after mending: %v", got)
	}
}

// S3: a deletion tombstones every spelling; what another registry deleted in one spelling only is found.
func TestKeySpellings(t *testing.T) {
	old, now := `{"subject":"a","version":1,"magic":0,"keytype":"SCHEMA"}`, `{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`
	l := newLog()
	l.raw(old, `{"subject":"a","version":1,"id":1,"schema":`+text1+`,"deleted":true}`)
	writes, _, err := l.state.DeleteVersion("a", 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(writes) != 2 || string(writes[1].Key) != old { // the first remembers the id
		t.Fatalf("tombstones %q", writes)
	}

	l.raw(now, "") // as a newer release would
	found := l.state.Fsck()
	if len(found) != 1 || found[0].Kind != "UNDEAD" || !strings.Contains(found[0].Words, "restart") {
		t.Fatalf("findings %v", found)
	}
	l.append(found[0].Mend)
	for _, s := range []*State{l.state, replay(l.compacted(0, false))} {
		if s.Version("a", 1, WithDeleted) != nil || len(s.Fsck()) != 0 {
			t.Errorf("after mending: %s", s.Dump())
		}
	}
}

func TestUnreadableRecords(t *testing.T) {
	l := newLog()
	l.raw(`not json`, `{}`)
	l.raw(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{"id":"x"}`)
	l.raw(`{"keytype":"SCHEMA","subject":"a","version":0,"magic":1}`, `{"id":1,"schema":"x"}`)
	if got := l.state.Fsck(); len(got) != 3 || !strings.Contains(got[0].Words+got[1].Words+got[2].Words, `its key "not json" and a null value`) {
		t.Errorf("findings %v", got)
	}
	// What the findings say to do.
	for _, r := range slices.Clone(l.records) {
		l.append([]Write{{Key: r.Key}})
	}
	if got := l.state.Fsck(); len(got) != 0 {
		t.Errorf("findings after the tombstones %v", got)
	}
}

func TestDanglingReference(t *testing.T) {
	l := newLog()
	l.raw(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`,
		`{"subject":"a","version":1,"id":1,"references":[{"name":"b","subject":"b","version":1}],"schema":`+text1+`}`)
	found := l.state.Fsck()
	if len(found) != 1 || found[0].Kind != "DANGLING_REFERENCE" {
		t.Errorf("findings %v", found)
	}
}
