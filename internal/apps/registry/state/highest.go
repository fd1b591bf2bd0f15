package state

import "encoding/json"

const (
	// MaxID and MaxVersion are the largest numbers that there are: the wire format has four bytes for an id, and clients read both as
	// an int of Java.
	MaxID      = 1<<31 - 1
	MaxVersion = 1<<31 - 1

	// lastCounted is the last id after which the next one follows. Larger ones can be imported, and the count goes on below them: else
	// a single import of the largest id would leave a context none to give.
	lastCounted = MaxID - 1<<20
)

// highest are the highest ids that were ever seen in a context. Records carry ids for ever, so one that was deleted for good is not
// given again, and compaction may have taken away its last trace. Therefore a decision that deletes for good also writes, before its
// tombstones:
//
//	{"keytype":"NOOP","context":".c","magic":0} -> {"highestId":64}
//
// Other registries pass over every NOOP, whatever else is in it, and never read its value. (Of a keytype that it does not know
// Confluent's reader dies; a CONTEXT record would open the context for all to see.) highestIdBeyond stands beside it when an id past
// lastCounted was imported.
type highest struct {
	Counted int `json:"highestId"`
	Beyond  int `json:"highestIdBeyond,omitempty"`
}

func (h highest) with(id int) highest {
	switch {
	case id > MaxID:
	case id > lastCounted:
		h.Beyond = max(h.Beyond, id)
	default:
		h.Counted = max(h.Counted, id)
	}
	return h
}

func (s *State) putHighest(context string, value []byte) error {
	var v highest
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	c := s.context(context)
	c.highest = c.highest.with(v.Counted).with(v.Beyond)
	c.kept = v
	return nil
}

// keepHighest is the record that remembers a context's ids when the log has none that does. It comes before the tombstones of schemas.
func (s *State) keepHighest(context string) []Write {
	c := s.known(context)
	if c.kept == c.highest {
		return nil
	}
	return s.puts(logicalKey{kind: keyNoop, name: context}, marshal(c.highest))
}

// free is the next id: the one after the highest counted. Past lastCounted, after two thousand million schemas, it is the lowest that is
// free, so that there, and only there, one that was deleted for good can come again.
func (c *ids) free() (id int, ok bool) {
	for id := c.highest.Counted + 1; id <= MaxID; id++ {
		if len(c.versions[id]) == 0 {
			return id, true
		}
	}
	return 0, false
}
