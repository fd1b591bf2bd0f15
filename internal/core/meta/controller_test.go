package meta

import (
	"encoding/binary"
	"testing"
	"time"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/wire"
)

var t0 = time.UnixMilli(1_700_000_000_000)

// lab is a controller with the log it has written.
type lab struct {
	t   testing.TB
	c   *Controller
	log []machine.Batch
	now time.Time
	end int64
}

func newLab(t testing.TB, change ...func(*Options)) *lab {
	var n uint64
	o := Options{ClusterID: "c1", Settings: fewSettings{}, Partitions: 1, ReplicationFactor: 1,
		NewID: func() (id wire.UUID) {
			n++
			binary.BigEndian.PutUint64(id[8:], n+1000)
			return id
		}}
	for _, f := range change {
		f(&o)
	}
	return &lab{t: t, c: NewController(o), now: t0}
}

// do hands one command in, replays its records and returns the reply.
func (l *lab) do(body any) any {
	l.t.Helper()
	r := l.c.Handle(l.now, machine.Command{Token: 7, Body: body})
	l.append(r.Records)
	if len(r.Replies) != 1 || r.Replies[0].To != 7 {
		l.t.Fatalf("replies %+v", r.Replies)
	}
	return r.Replies[0].Body
}

func (l *lab) append(records []machine.Record) {
	l.t.Helper()
	if len(records) == 0 {
		return
	}
	b := machine.Batch{BaseOffset: l.end, LeaderEpoch: 1, Records: records}
	l.end += int64(len(records))
	l.log = append(l.log, b)
	if err := l.c.Replay(b); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) broker(id int32) int64 {
	l.t.Helper()
	r := l.do(RegisterBroker{ID: id, Incarnation: wire.UUID{0: byte(id), 15: 9}, Dirs: []wire.UUID{{0: byte(id), 15: 200}}, PreviousEpoch: -1}).(RegisterBrokerReply)
	if r.Err != wire.None {
		l.t.Fatalf("register %d: %s", id, r.Message)
	}
	if u := l.do(UnfenceBroker{id, r.Epoch}).(BrokerReply); u.Err != wire.None {
		l.t.Fatalf("unfence %d: %s", id, u.Message)
	}
	return r.Epoch
}

func (l *lab) image() *Image { return l.c.Image() }

func TestAFreshClusterOfOne(t *testing.T) {
	l := newLab(t)
	l.do(Bootstrap{})
	if f := l.image().Features(); f[MetadataVersionFeature] != 30 || f[KRaftVersionFeature] != 1 || len(f) != 2 {
		t.Fatalf("features %v", f)
	}
	epoch := l.broker(1)
	if epoch != 1 || l.image().Broker(1).Epoch != 1 {
		t.Fatalf("broker epoch %d is not the offset of the registration", epoch)
	}
	r := l.do(CreateTopics{Topics: []NewTopic{{Name: "a", Partitions: 3, ReplicationFactor: -1}}}).(CreateTopicsReply)
	if r.Topics[0].Err != wire.None || r.Offset != l.end-1 {
		t.Fatalf("%+v, log end %d", r, l.end)
	}
	for i := range 3 {
		p := l.image().Partition("a", int32(i))
		if p.Leader != 1 || p.LeaderEpoch != 0 || p.Directories[0] != (wire.UUID{0: 1, 15: 200}) {
			t.Fatalf("partition %d: %+v", i, *p)
		}
	}
	// A restart: the same id, another incarnation, while still unfenced.
	again := l.do(RegisterBroker{ID: 1, Incarnation: wire.UUID{15: 77}, PreviousEpoch: epoch}).(RegisterBrokerReply)
	if again.Err != wire.None || !again.Clean || again.Epoch <= epoch {
		t.Fatalf("restart: %+v", again)
	}
	if s := l.do(StartLeading{Broker: 1, Epoch: again.Epoch}).(StartLeadingReply); s.Err != wire.IneligibleReplica {
		t.Fatalf("a fenced broker led: %+v", s)
	}
	l.do(UnfenceBroker{1, again.Epoch})
	s := l.do(StartLeading{Broker: 1, Epoch: again.Epoch}).(StartLeadingReply)
	if s.Elections != 3 || s.More || s.Offset != l.end-1 {
		t.Fatalf("%+v", s)
	}
	if p := l.image().Partition("a", 2); p.Leader != 1 || p.LeaderEpoch != 1 || p.PartitionEpoch != 1 {
		t.Fatalf("after the restart: %+v", *p)
	}
}

func TestFeaturesAreRaisedTogetherOrNotAtAll(t *testing.T) {
	l := newLab(t)
	l.do(Bootstrap{})
	l.broker(1)
	// The next binary supports more, and the broker says so when it registers again.
	newer := append(SupportedFeatures(), FeatureRange{"group.version", 0, 1}, FeatureRange{"share.version", 0, 1})
	l.c.opts.Features = newer
	l.do(RegisterBroker{ID: 1, Incarnation: wire.UUID{1: 5}, Features: newer[:3]})
	cmd, ok := Raise(l.image(), newer)
	if !ok || len(cmd.Updates) != 2 {
		t.Fatalf("%+v", cmd)
	}
	r := l.do(cmd).(UpdateFeaturesReply)
	if r.Err != wire.InvalidUpdateVersion || r.Features[0].Err != wire.None || r.Features[1].Err == wire.None || l.image().Features()["group.version"] != 0 {
		t.Fatalf("%+v %v", r, l.image().Features())
	}
	dry := UpdateFeatures{Updates: cmd.Updates[:1], ValidateOnly: true}
	if r = l.do(dry).(UpdateFeaturesReply); r.Err != wire.None || l.image().Features()["group.version"] != 0 {
		t.Fatalf("%+v %v", r, l.image().Features())
	}
	before := l.image().FeaturesEpoch()
	dry.ValidateOnly = false
	if r = l.do(dry).(UpdateFeaturesReply); r.Err != wire.None || l.image().Features()["group.version"] != 1 || l.image().FeaturesEpoch() <= before {
		t.Fatalf("%+v %v", r, l.image().Features())
	}
	if _, ok := Raise(l.image(), newer[:3]); ok {
		t.Fatal("nothing is left to raise")
	}
}
