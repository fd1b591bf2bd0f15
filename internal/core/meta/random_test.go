package meta

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this one seed")
	seedsFlag = flag.Int("seeds", 40, "how many seeds to run")
)

// Random commands against a controller. After each: the delta of the batch is the difference of the images, the
// invariants of partitions hold, epochs never go back. At the end: a controller that replays the log, and an image read
// from a snapshot, equal the one that lived.
func TestRandomCommands(t *testing.T) {
	first, n := rand.Uint64()>>1|1, *seedsFlag
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		if _, err := randomLife(t, seed, 150); err != nil {
			t.Fatalf("seed %d: %v\nrepeat with: go test ./internal/core/meta -run RandomCommands -seed %d", seed, err, seed)
		}
	}
}

func TestOneSeedOneLife(t *testing.T) {
	a, err := randomLife(t, 99, 200)
	if err != nil {
		t.Fatal(err)
	}
	b, err := randomLife(t, 99, 200)
	if err != nil || a != b {
		t.Fatalf("the same seed led two lives: %v", err)
	}
}

type life struct {
	*lab
	r      *rand.Rand
	epochs map[int32]int64
	seen   map[string][2]int32 // by topic id and partition: the highest epochs
	ids    int64
}

func randomLife(t *testing.T, seed uint64, steps int) ([32]byte, error) {
	l := &life{r: rand.New(rand.NewPCG(seed, 2)), epochs: map[int32]int64{}, seen: map[string][2]int32{}}
	elr := l.r.IntN(2) == 0
	l.lab = newLab(t, func(o *Options) {
		o.SessionTimeout = 9 * time.Second
		o.MinISR = func(*Image, string) int { return 2 }
		unclean := l.r.IntN(3) == 0
		o.UncleanElection = func(*Image, string) bool { return unclean }
		if elr {
			o.Features = append(SupportedFeatures(), FeatureRange{"eligible.leader.replicas.version", 0, 1})
		}
	})
	l.do(Bootstrap{})
	for i := range steps {
		if err := l.step(); err != nil {
			return [32]byte{}, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return l.image().Hash(), l.checkEnd()
}

func (l *life) step() error {
	l.now = l.now.Add(time.Duration(l.r.IntN(1500)) * time.Millisecond)
	before := l.image()
	body := l.command()
	r := l.c.Handle(l.now, machine.Command{Token: 1, Body: body})
	if _, tick := body.(machine.Tick); !tick && len(r.Replies) != 1 {
		return fmt.Errorf("%T got %d replies", body, len(r.Replies))
	}
	if len(r.Records) > 0 {
		_, delta, err := before.ApplyBatch(machine.Batch{BaseOffset: l.end, LeaderEpoch: 1, Records: r.Records})
		if err != nil {
			return fmt.Errorf("%T: %w", body, err)
		}
		l.append(r.Records)
		// Two images made separately share no pointer for what changed: compare by value.
		if d := cmp.Diff(Diff(before, l.image()), delta, cmpopts.EquateEmpty()); d != "" {
			return fmt.Errorf("%T: the delta is not the difference:\n%s", body, d)
		}
	}
	l.learn(r.Replies)
	return l.check()
}

func (l *life) learn(replies []machine.Reply) {
	for _, r := range replies {
		switch b := r.Body.(type) {
		case RegisterBrokerReply:
			if b.Err == wire.None {
				l.epochs[l.image().brokerAt(b.Epoch)] = b.Epoch
			}
		}
	}
}

// brokerAt is the broker registered with an epoch.
func (i *Image) brokerAt(epoch int64) int32 {
	for _, b := range i.Brokers() {
		if b.Epoch == epoch {
			return b.ID
		}
	}
	return -1
}

func (l *life) topic() string    { return []string{"a", "b", "a.x", "a_x", "long-name"}[l.r.IntN(5)] }
func (l *life) aBroker() int32   { return int32(1 + l.r.IntN(4)) }
func (l *life) value() *string   { v := fmt.Sprint(l.r.IntN(3)); return &v }
func (l *life) someIDs() []int32 { return []int32{1, 2, 3, 4}[:1+l.r.IntN(4)] }

func (l *life) command() any {
	id := l.aBroker()
	switch l.r.IntN(16) {
	case 0, 1:
		inc := wire.UUID{0: byte(id), 1: byte(l.r.IntN(6)), 15: 1}
		return RegisterBroker{ID: id, Incarnation: inc, PreviousEpoch: l.epochs[id]}
	case 2, 3, 4:
		return BrokerHeartbeat{ID: id, Epoch: l.epochs[id], MetadataOffset: l.end, WantShutdown: l.r.IntN(12) == 0, WantFence: l.r.IntN(12) == 0}
	case 5, 6:
		return CreateTopics{Topics: []NewTopic{{Name: l.topic(), Partitions: int32(l.r.IntN(5)), ReplicationFactor: int16(l.r.IntN(5))}, {Name: l.topic(), Partitions: 2, ReplicationFactor: 3, Internal: true}}, ValidateOnly: l.r.IntN(8) == 0}
	case 7:
		if t := l.image().Topic(l.topic()); t != nil {
			return DeleteTopics{Topics: []TopicRef{{ID: t.ID}}}
		}
		return DeleteTopics{Topics: []TopicRef{{Name: l.topic()}}}
	case 8:
		return CreatePartitions{Topics: []MorePartitions{{Topic: l.topic(), Count: int32(l.r.IntN(8))}}}
	case 9:
		return IncrementalAlterConfigs{Resources: []ConfigOps{{TopicResource, l.topic(), []ConfigOp{{"retention.ms", int8(l.r.IntN(2)), l.value()}, {"cleanup.policy", int8(l.r.IntN(4)), l.value()}}}}}
	case 10:
		return AlterConfigs{Resources: []ConfigSet{{TopicResource, l.topic(), []ConfigValue{{"min.insync.replicas", l.value()}}}, {BrokerResource, "", []ConfigValue{{"log.retention.ms", l.value()}}}}}
	case 11:
		return StartLeading{Broker: id, Epoch: l.epochs[id]}
	case 12:
		return ElectLeaders{Type: int8(l.r.IntN(2))}
	case 13:
		return AllocateProducerIDs{id, l.epochs[id]}
	case 14:
		return l.alterPartition()
	}
	return machine.Tick{}
}

func (l *life) alterPartition() any {
	t := l.image().Topic(l.topic())
	if t == nil {
		return machine.Tick{}
	}
	n := int32(l.r.IntN(len(t.Partitions)))
	p := t.Partitions[n]
	b := l.image().Broker(p.Leader)
	if b == nil {
		return UnregisterBroker{l.aBroker()}
	}
	c := NewISR{TopicID: t.ID, Partition: n, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch - int32(l.r.IntN(5)/4), ISR: []ISRMember{{p.Leader, b.Epoch}}}
	for _, id := range p.Replicas {
		if id != p.Leader && l.r.IntN(2) == 0 {
			c.ISR = append(c.ISR, ISRMember{id, l.epochs[id]})
		}
	}
	return AlterPartition{Broker: p.Leader, Epoch: b.Epoch, Partitions: []NewISR{c}}
}

func (l *life) check() error {
	i := l.image()
	if i.NextProducerID() < l.ids {
		return fmt.Errorf("IDM-3: producer ids went back")
	}
	l.ids = i.NextProducerID()
	var err error
	i.Topics(func(t *Topic) bool {
		for n, p := range t.Partitions {
			if err = l.checkPartition(t, n, p); err != nil {
				err = fmt.Errorf("%s-%d %+v: %w", t.Name, n, p, err)
				return false
			}
		}
		return true
	})
	return err
}

func (l *life) checkPartition(t *Topic, n int, p Partition) error {
	key := fmt.Sprint(t.ID, n)
	was := l.seen[key]
	l.seen[key] = [2]int32{p.LeaderEpoch, p.PartitionEpoch}
	in := func(set []int32) func(int32) bool { return func(id int32) bool { return slices.Contains(set, id) } }
	switch {
	case p.LeaderEpoch < was[0] || p.PartitionEpoch < was[1]:
		return fmt.Errorf("the epochs went back from %v", was)
	case len(p.ISR) == 0 || len(p.Directories) != len(p.Replicas):
		return fmt.Errorf("no in-sync replica, or not a directory for each")
	case p.Leader != NoLeader && !in(p.ISR)(p.Leader):
		return fmt.Errorf("the leader is not in sync")
	case slices.ContainsFunc(slices.Concat(p.ISR, p.ELR, p.LastKnownELR), func(id int32) bool { return !in(p.Replicas)(id) }):
		return fmt.Errorf("a set holds what is no replica")
	case slices.ContainsFunc(p.ELR, in(p.ISR)):
		return fmt.Errorf("in-sync and eligible replicas overlap")
	case len(p.ISR) >= min(2, len(p.Replicas)) && len(p.ELR) > 0:
		return fmt.Errorf("eligible replicas with a full in-sync set")
	}
	for _, id := range p.ISR {
		if b := l.image().Broker(id); (b == nil || b.Fenced) && len(p.ISR) > 1 {
			return fmt.Errorf("broker %d is fenced, in sync, and not the last", id)
		}
	}
	return nil
}

func (l *life) checkEnd() error {
	o := l.c.opts
	o.Image = nil
	replayed := NewController(o)
	for _, b := range l.log {
		if err := replayed.Replay(b); err != nil {
			return err
		}
	}
	if replayed.Image().Hash() != l.image().Hash() || !Diff(replayed.Image(), l.image()).Empty() {
		return fmt.Errorf("replay gives another image than the run")
	}
	loader := NewLoader()
	if err := l.image().Snapshot(loader.Add); err != nil {
		return err
	}
	loaded := loader.Image(l.image().Offset(), l.image().Epoch())
	if loaded.Hash() != l.image().Hash() || !Diff(loaded, l.image()).Empty() || loaded.Offset() != l.image().Offset() {
		return fmt.Errorf("the snapshot gives another image:\n%s", cmp.Diff(l.image().Brokers(), loaded.Brokers()))
	}
	if d := Diff(Empty(), loaded); len(d.Topics) != loaded.TopicCount() || len(d.Brokers) != len(loaded.Brokers()) {
		return fmt.Errorf("the difference to nothing is not everything")
	}
	return nil
}
