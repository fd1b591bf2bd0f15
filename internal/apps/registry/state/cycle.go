package state

import (
	"fmt"
	"slices"
	"strings"
)

// cycles finds the versions that refer to themselves by way of others, each cycle once: the strongly connected parts of the graph of
// references, by Tarjan's algorithm.
type cycles struct {
	*State
	number map[*Version]int // in the order of discovery
	low    map[*Version]int // the lowest number that is reached from it and still open
	open   []*Version
	closed map[*Version]bool
	found  [][]*Version
}

func (s *State) cycles() [][]*Version {
	c := &cycles{State: s, number: map[*Version]int{}, low: map[*Version]int{}, closed: map[*Version]bool{}}
	for _, versions := range s.subjects {
		for _, v := range versions {
			if len(v.References()) > 0 && c.number[v] == 0 {
				c.visit(v)
			}
		}
	}
	return c.found
}

func (c *cycles) visit(v *Version) {
	c.number[v] = len(c.number) + 1
	c.low[v] = c.number[v]
	c.open = append(c.open, v)
	itself := false
	for _, ref := range v.References() {
		to := c.version(Qualify(v.Subject, ref.Subject), ref.Version)
		switch {
		case to == nil || c.closed[to]:
			continue
		case to == v:
			itself = true
		case c.number[to] == 0:
			c.visit(to)
		}
		c.low[v] = min(c.low[v], c.low[to])
	}
	if c.low[v] < c.number[v] {
		return
	}
	at := slices.Index(c.open, v)
	part := slices.Clone(c.open[at:])
	c.open = c.open[:at]
	for _, w := range part {
		c.closed[w] = true
	}
	if len(part) > 1 || itself {
		slices.SortFunc(part, compareVersions)
		c.found = append(c.found, part)
	}
}

// cyclic is the finding of one cycle, under its first version.
func (s *State) cyclic(cycle []*Version) Finding {
	var names []string
	live := false
	for _, v := range cycle {
		names = append(names, fmt.Sprintf("version %d of subject %q", v.Version, v.Subject))
		live = live || !v.Deleted
	}
	f := Finding{Kind: "REFERENCE_CYCLE", Subject: cycle[0].Subject, Version: cycle[0].Version, ID: cycle[0].ID,
		Words: "a circle of references, so that none can be read or deleted: " + strings.Join(names, ", ")}
	for _, v := range cycle {
		if v.Deleted == live {
			continue // first all of them softly
		}
		writes := s.drop(v, cycle)
		if writes == nil {
			f.Mend = nil
			break
		}
		f.Mend = append(f.Mend, writes...)
	}
	f.Words += dropped(live, f.Mend)
	return f
}
