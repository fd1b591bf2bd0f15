package state

import (
	"cmp"
	"fmt"
	"slices"

	"millrace/internal/apps/registry/schema"
)

// Finding is a fault of the log.
type Finding struct {
	Kind    string  `json:"kind"` // see the table in docs/schemas.md
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
		Words: fmt.Sprintf("the record at offset %d is ignored: %s; if nobody needs it, write a record with its key %q and a null value",
			r.Offset, why, r.Key)}
}

func outOfRange(l logicalKey, id int, r Record) Finding {
	return Finding{Kind: "OUT_OF_RANGE", Subject: l.name, Version: l.version, ID: id,
		Words: fmt.Sprintf("the record at offset %d is ignored: version %d with id %d, but versions and ids go from 1 to %d", r.Offset, l.version, id, MaxID)}
}

// Fsck is everything that is wrong with the log, in a fixed order.
func (s *State) Fsck() []Finding {
	var found []Finding
	for l, f := range s.findings {
		switch f.Kind {
		case "DOUBLED_ID":
			f.Mend = s.tombstones(l)
		case "KEY_DIFFERS":
			v := s.version(l.name, l.version)
			if v == nil {
				continue // an import cleared it
			}
			f.Mend = s.write(v)
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
			found = append(found, s.unknownType(v)...)
		}
	}
	for _, cycle := range s.cycles() {
		found = append(found, s.cyclic(cycle))
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Words, b.Words))
	})
	return found
}

// dangling references cannot be restored: what they mean is known to nobody. So the version that refers is deleted, in two steps.
func (s *State) dangling(v *Version) (found []Finding) {
	for _, ref := range v.References() {
		if s.Version(Qualify(v.Subject, ref.Subject), ref.Version, WithDeleted) != nil {
			continue
		}
		mend := s.drop(v, nil)
		found = append(found, Finding{Kind: "DANGLING_REFERENCE", Subject: v.Subject, Version: v.Version, ID: v.ID, Mend: mend,
			Words: fmt.Sprintf("version %d of subject %q refers to version %d of subject %q, which does not exist, so it cannot be read",
				v.Version, v.Subject, ref.Version, ref.Subject) + dropped(!v.Deleted, mend)})
	}
	return found
}

// drop deletes a version of no use, softly at first, and for good when it is deleted softly. It gives nothing while others than those of
// its cycle refer to the version.
func (s *State) drop(v *Version, cycle []*Version) []Write {
	f := LiveOnly
	if v.Deleted {
		f = WithDeleted
	}
	for _, by := range s.ReferencedBy(v.Subject, v.Version, f) {
		if !slices.Contains(cycle, by) {
			return nil
		}
	}
	if v.Deleted {
		return append(s.keepHighest(v.Context()), s.tombstones(logicalKey{keySchema, v.Subject, v.Version})...)
	}
	gone := *v
	gone.Deleted = true
	return s.write(&gone)
}

// dropped says what mending means.
func dropped(live bool, mend []Write) string {
	switch {
	case mend == nil:
		return "; other schemas refer to it: delete them first"
	case live:
		return "; mending deletes softly what refers"
	}
	return "; what refers is deleted softly, and mending takes it away for good"
}

// differs is a record whose key and value tell of two versions. The key holds, for compaction goes by it.
func (s *State) differs(l logicalKey, v schemaValue, r Record) {
	s.findings[l] = Finding{Kind: "KEY_DIFFERS", Subject: l.name, Version: l.version, ID: v.ID,
		Words: fmt.Sprintf("the record at offset %d is taken as version %d of subject %q, as its key says, but its value says version %d of subject %q; mending writes it as it is taken",
			r.Offset, l.version, l.name, v.Version, v.Subject)}
}

func (s *State) unknownType(v *Version) (found []Finding) {
	switch v.Type() {
	case schema.Avro, schema.JSON, schema.Protobuf:
		return nil
	}
	return []Finding{{Kind: "UNKNOWN_TYPE", Subject: v.Subject, Version: v.Version, ID: v.ID,
		Words: fmt.Sprintf("version %d of subject %q is of type %q, which this registry does not know; delete it, or use the registry that wrote it", v.Version, v.Subject, v.Type())}}
}

// Unparsed is the finding of a version that its format refuses.
func Unparsed(v *Version, why error) Finding {
	return Finding{Kind: "INVALID_SCHEMA", Subject: v.Subject, Version: v.Version, ID: v.ID,
		Words: fmt.Sprintf("version %d of subject %q cannot be read: %v", v.Version, v.Subject, why)}
}

// All are the versions of all subjects, in no order.
func (s *State) All() (all []*Version) {
	for _, versions := range s.subjects {
		all = append(all, versions...)
	}
	return all
}
