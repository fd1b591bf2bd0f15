package state

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is a fault of the log.
type Finding struct {
	Kind    string  `json:"kind"` // DOUBLED_ID, OUT_OF_RANGE, UNREADABLE, UNDEAD, DANGLING_REFERENCE, DOUBLED_SCHEMA
	Subject string  `json:"subject,omitempty"`
	Version int     `json:"version,omitempty"`
	ID      int     `json:"id,omitempty"`
	Words   string  `json:"message"`
	Mend    []Write `json:"-"` // what would mend it; empty when a person has to decide
}

func doubledID(n, other *Version) Finding {
	return Finding{Kind: "DOUBLED_ID", Subject: n.Subject, Version: n.Version, ID: n.ID,
		Words: fmt.Sprintf("version %d of subject %q carries id %d, which belongs to another schema (version %d of subject %q); it is ignored",
			n.Version, n.Subject, n.ID, other.Version, other.Subject)}
}

func (s *State) unreadable(l logicalKey, r Record, why string) {
	s.findings[l] = Finding{Kind: "UNREADABLE", Subject: l.name, Version: l.version,
		Words: fmt.Sprintf("the record at offset %d is ignored: %s", r.Offset, why)}
}

func outOfRange(l logicalKey, id int, r Record) Finding {
	return Finding{Kind: "OUT_OF_RANGE", Subject: l.name, Version: l.version, ID: id,
		Words: fmt.Sprintf("the record at offset %d is ignored: version %d with id %d, but versions and ids go from 1 to %d", r.Offset, l.version, id, MaxID)}
}

// Fsck is everything that is wrong with the log, in a fixed order.
func (s *State) Fsck() []Finding {
	var found []Finding
	for l, f := range s.findings {
		if f.Kind == "DOUBLED_ID" {
			f.Mend = s.tombstones(l)
		}
		found = append(found, f)
	}
	for l, f := range s.keys {
		if !f.undue {
			continue
		}
		found = append(found, Finding{Kind: "UNDEAD", Subject: l.name, Version: l.version, Mend: s.tombstones(l),
			Words: fmt.Sprintf("the %s record of %q was deleted under another spelling of its key and comes back at a restart", l.kind, l.name)})
	}
	for _, versions := range s.subjects {
		for _, v := range versions {
			found = append(found, s.dangling(v)...)
		}
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Words, b.Words))
	})
	return found
}

func (s *State) dangling(v *Version) (found []Finding) {
	for _, ref := range v.References() {
		if s.Version(Qualify(v.Subject, ref.Subject), ref.Version, WithDeleted) != nil {
			continue
		}
		found = append(found, Finding{Kind: "DANGLING_REFERENCE", Subject: v.Subject, Version: v.Version, ID: v.ID,
			Words: fmt.Sprintf("version %d of subject %q refers to version %d of subject %q, which does not exist",
				v.Version, v.Subject, ref.Version, ref.Subject)})
	}
	return found
}
