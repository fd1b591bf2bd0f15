package meta

import (
	"slices"
	"strings"

	"millrace/internal/kafka/wire"
)

// placer hands out replicas round-robin: over the racks first, so that the replicas of one partition stand in as many
// racks as can be, then over the brokers of a rack. Brokers that are fenced or shutting down come last and never first
// in a replica list; cordoned brokers take no replicas at all.
type placer struct {
	active, others []rack
	activeCount    int
	count          int
}

type rack struct {
	name string
	ids  []int32
}

func newPlacer(image *Image) *placer {
	p := &placer{}
	for _, b := range image.Brokers() {
		if len(b.Dirs) > 0 && len(b.Cordoned) >= len(b.Dirs) {
			continue
		}
		p.count++
		if b.Active() {
			p.active = addToRack(p.active, b)
			p.activeCount++
		} else {
			p.others = addToRack(p.others, b)
		}
	}
	return p
}

func addToRack(racks []rack, b *Broker) []rack {
	at, ok := slices.BinarySearchFunc(racks, b.Rack, func(r rack, name string) int { return strings.Compare(r.name, name) })
	if !ok {
		racks = slices.Insert(racks, at, rack{name: b.Rack})
	}
	racks[at].ids = append(racks[at].ids, b.ID)
	return racks
}

// check says why replicas cannot be placed so often.
func (p *placer) check(rf int) *problem {
	switch {
	case p.count == 0:
		return refuse(wire.InvalidReplicationFactor, "No broker is registered yet that could take a replica.")
	case rf > p.count:
		return refuse(wire.InvalidReplicationFactor, "Replication factor %d is more than the %d registered broker(s).", rf, p.count)
	case p.activeCount == 0:
		return refuse(wire.InvalidReplicationFactor, "All brokers are fenced or shutting down at the moment.")
	}
	return nil
}

// replicas places partition number turn of an endless sequence.
func (p *placer) replicas(turn, rf int) []int32 {
	out := make([]int32, 0, rf)
	for r := range rf {
		id, ok := pick(p.active, turn, r, p.activeCount, out)
		if !ok {
			id, _ = pick(p.others, turn, r, p.count, out)
		}
		out = append(out, id)
	}
	return out
}

// pick takes the r-th replica of a turn: the next rack, and in it the next broker not taken yet. Every round over
// all brokers shifts the followers against the leaders, so that a broker's load, when it fails, goes to several.
func pick(racks []rack, turn, r, round int, taken []int32) (int32, bool) {
	shift := 0
	if r > 0 {
		shift = turn / max(round, 1)
	}
	for j := range racks {
		ids := racks[(turn+r+j)%len(racks)].ids
		from := (turn+r+j)/len(racks) + shift
		for k := range ids {
			if id := ids[(from+k)%len(ids)]; !slices.Contains(taken, id) {
				return id, true
			}
		}
	}
	return 0, false
}

// directories are where the replicas' logs will stand: a broker with one directory needs no decision.
func directories(image *Image, replicas []int32) []wire.UUID {
	out := make([]wire.UUID, len(replicas))
	for i, id := range replicas {
		out[i] = wire.DirectoryUnassigned
		if b := image.Broker(id); b != nil && len(b.Dirs) == 1 {
			out[i] = b.Dirs[0]
		}
	}
	return out
}
