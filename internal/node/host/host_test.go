package host

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

// What a fresh node does: it formats its directory, registers, makes a topic, and acknowledges what is flushed.
func TestAFreshNodeServes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.create("t", 2)
		for i, acks := range []int16{-1, 1, 0} {
			d, flushed := send(r.part("t", 1), acks, values("a", "b"))
			if d.Err != wire.None || d.BaseOffset != int64(2*i) {
				t.Fatalf("acks %d: %+v", acks, d)
			}
			if acks == -1 && flushed < d.BaseOffset+2 {
				t.Errorf("acks=all was answered at flushed end %d, before its own end %d (DUR-1)", flushed, d.BaseOffset+2)
			}
		}
		synctest.Wait() // acks 0 and 1 asked for a sync too
		if got := len(r.all("t", 1)); got != 6 {
			t.Errorf("%d records of 6 can be read", got)
		}
		if s := r.part("t", 0).State(); !s.Leader || s.LogEnd != 0 {
			t.Errorf("the other partition: %+v", s)
		}
		if d := r.h.Dirs(); len(d) != 1 || d[0].Err != nil || d[0].ID.IsZero() || d[0].Total == 0 {
			t.Errorf("directories: %+v", d)
		}
		if b := r.h.Image().Broker(1); b == nil || b.Fenced || b.Epoch != r.h.epoch.Load() {
			t.Errorf("broker: %+v", b)
		}
		r.close()
		if err := r.h.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		r.h.Control(meta.Bootstrap{}, func(_ any, code wire.ErrorCode) {
			if code != wire.NotController {
				t.Errorf("a command after Close: %v", code)
			}
		})
	})
}

// The high watermark never passes the flushed end, whatever syncs do meanwhile, and never goes back.
func TestHighWatermarkStaysBelowTheFlushedEnd(t *testing.T) {
	seeds(t, 20, func(t *testing.T, seed uint64, rng *rand.Rand) {
		r := newRig(t, seed, nil).open()
		r.create("t", 1)
		p := r.part("t", 0)
		highest := int64(0)
		p.log.OnFlushed(func(end int64) {
			p.flushed(end)
			if s := p.State(); !s.Leader {
				return // the node is closing
			} else if hw := s.HighWatermark; hw > p.log.FlushedEnd() || hw < highest {
				t.Errorf("high watermark %d after %d, flushed end %d", hw, highest, p.log.FlushedEnd())
			} else {
				highest = hw
			}
		})
		for i := range 100 {
			acks := []int16{-1, 0, 1}[rng.IntN(3)]
			d, flushed := send(p, acks, values(fmt.Sprint(i)))
			if acks == -1 && flushed <= d.BaseOffset {
				t.Fatalf("offset %d acknowledged at flushed end %d", d.BaseOffset, flushed)
			}
			if hw, end := p.State().HighWatermark, p.log.FlushedEnd(); hw > end {
				t.Fatalf("high watermark %d, flushed end %d", hw, end)
			}
		}
		r.close()
	})
}

// A topic that does not flush before the ack is answered without a sync: here the disk has not one to give.
func TestUnflushedTopicsAreAnsweredWithoutASync(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.create("t", 1)
		value := "false"
		reply := ask[meta.AlterConfigsReply](r, meta.IncrementalAlterConfigs{Resources: []meta.ConfigOps{{Type: meta.TopicResource, Name: "t",
			Ops: []meta.ConfigOp{{Name: "flush.before.ack", Value: &value, Op: meta.OpSet}}}}})
		if reply.Resources[0].Err != wire.None {
			t.Fatal(reply.Resources[0])
		}
		r.disk.Fail(simenv.Rule{Op: simenv.OpSync, Path: "/a/t-0/*.log", Times: -1})
		if d, _ := send(r.part("t", 0), -1, values("x")); d.Err != wire.None {
			t.Errorf("%+v", d)
		}
		r.kill()
	})
}

// model is what a client knows: what it was promised, and what it may find beside that.
type model struct {
	topics map[string]wire.UUID // acknowledged
	acked  map[wire.UUID]map[int32]map[int64]string
	sent   map[wire.UUID]map[string]bool
}

// Clean stops, kills and power cuts at random places: every acknowledged record, topic and deletion is still there,
// nothing else is, and every partition is led in a later epoch (DUR-1, DUR-3, decision 7).
func TestRestartsKeepWhatWasAcknowledged(t *testing.T) {
	seeds(t, 30, func(t *testing.T, seed uint64, rng *rand.Rand) {
		dirs := []string{"/a", "/b", "/c"}[:1+rng.IntN(3)]
		r := newRig(t, seed, func(o *Options) {
			o.Dirs = dirs
			o.SnapshotBytes = 1 << (8 + rng.IntN(6))
		}).open()
		m := &model{map[string]wire.UUID{}, map[wire.UUID]map[int32]map[int64]string{}, map[wire.UUID]map[string]bool{}}
		epochs := map[wire.UUID]int32{}
		for round := range 6 {
			crash := rng.IntN(4) != 0
			if crash {
				r.disk.CrashAt(r.disk.Ops() + 1 + uint64(rng.IntN(120)))
			}
			m.work(r, rng, 15)
			switch {
			case !crash:
				r.close()
			case rng.IntN(2) == 0:
				r.kill()
			default:
				r.cut([]float64{0, 0.5, 1}[rng.IntN(3)])
			}
			r.disk.ClearFaults()
			r.open()
			m.check(r, round)
			for name, id := range m.topics {
				e := r.part(name, 0).State().LeaderEpoch
				if was, ok := epochs[id]; ok && e <= was {
					t.Fatalf("%s is led in epoch %d after %d", name, e, was)
				}
				epochs[id] = e
			}
		}
		r.close()
	})
}

// work does what clients do until the disk is gone.
func (m *model) work(r *rig, rng *rand.Rand, steps int) {
	for step := range steps {
		names := slices.Sorted(maps.Keys(m.topics))
		switch n := rng.IntN(10); {
		case n == 0 && len(names) > 0:
			m.drop(r, names[rng.IntN(len(names))])
		case n <= 2 || len(names) == 0:
			m.make(r, fmt.Sprintf("t%d", rng.IntN(4)))
		default:
			m.produce(r, names[rng.IntN(len(names))], int32(rng.IntN(2)), fmt.Sprintf("%d/%d", step, rng.Uint64()), int16(rng.IntN(2))-1)
		}
	}
}

func (m *model) make(r *rig, name string) {
	if m.topics[name] != (wire.UUID{}) {
		return
	}
	out, err := control[meta.CreateTopicsReply](r.h, meta.CreateTopics{Topics: []meta.NewTopic{{Name: name, Partitions: 2, ReplicationFactor: 1}}})
	if err == nil && out.Topics[0].Err == wire.None {
		m.know(name, out.Topics[0].ID)
	}
}

func (m *model) know(name string, id wire.UUID) {
	m.topics[name] = id
	if m.acked[id] == nil {
		m.acked[id], m.sent[id] = map[int32]map[int64]string{0: {}, 1: {}}, map[string]bool{}
	}
}

func (m *model) drop(r *rig, name string) {
	id := m.topics[name]
	delete(m.topics, name) // whatever the answer, nothing is promised of it any more
	if out, err := control[meta.DeleteTopicsReply](r.h, meta.DeleteTopics{Topics: []meta.TopicRef{{Name: name}}}); err == nil && out.Topics[0].Err == wire.None {
		delete(m.acked, id)
		delete(m.sent, id)
	}
}

func (m *model) produce(r *rig, name string, partition int32, value string, acks int16) {
	p := r.h.Partition(name, partition)
	if p == nil {
		return
	}
	id := m.topics[name]
	m.sent[id][value] = true
	if d, _ := send(p, acks, values(value)); d.Err == wire.None && acks == -1 {
		m.acked[id][partition][d.BaseOffset] = value
	}
}

// check compares the node with the model, and learns what became of commands that were not answered.
func (m *model) check(r *rig, round int) {
	r.Helper()
	image := r.h.Image()
	for name, id := range m.topics {
		if topic := image.Topic(name); topic == nil || topic.ID != id {
			r.Fatalf("round %d: topic %s was acknowledged and is gone", round, name)
		}
	}
	for _, name := range image.TopicNames() {
		id := image.Topic(name).ID
		if m.topics[name] == id {
			continue
		}
		if m.acked[id] == nil && m.sent[id] == nil && len(m.acked) > 0 && m.topics[name] != (wire.UUID{}) {
			r.Fatalf("round %d: topic %s has the id %s, not %s", round, name, id, m.topics[name])
		}
		m.know(name, id)
	}
	for name, id := range m.topics {
		for partition := range int32(2) {
			got := r.all(name, partition)
			for offset, value := range m.acked[id][partition] {
				if got[offset] != value {
					r.Fatalf("round %d: %s-%d has %q at %d, acknowledged was %q (DUR-1)", round, name, partition, got[offset], offset, value)
				}
			}
			for offset, value := range got {
				if !m.sent[id][value] {
					r.Fatalf("round %d: %s-%d has %q at %d, which nobody sent to this topic", round, name, partition, value, offset)
				}
			}
		}
	}
}

// A topic deleted and made again under its name begins empty; the old log's directory goes away.
func TestRecreatedTopicBeginsEmpty(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		for i := range 3 {
			id := r.create("t", 1)
			r.produce("t", 0, "old", "older")
			p := r.part("t", 0)
			r.delete("t")
			if d, _ := send(p, -1, values("late")); d.Err != wire.UnknownTopicOrPartition {
				t.Errorf("a late batch to the deleted topic: %v", d.Err)
			}
			if r.h.Partition("t", 0) != nil || r.h.Image().TopicByID(id) != nil {
				t.Fatal("the topic is still there")
			}
			if i == 1 {
				r.close()
				r.open()
			}
		}
		r.create("t", 1)
		if got := r.all("t", 0); len(got) != 0 {
			t.Errorf("the new topic holds %v", got)
		}
		r.produce("t", 0, "new")
		pass(2 * time.Minute) // of virtual time: file.delete.delay.ms
		for _, line := range r.disk.Tree() {
			if strings.Contains(line, "-delete") {
				t.Errorf("%s was not removed", line)
			}
		}
		r.kill()
		r.open()
		if got := r.all("t", 0); len(got) != 1 || got[0] != "new" {
			t.Errorf("after a kill: %v", got)
		}
		r.close()
	})
}

// The directory of another node, or of another cluster beside our own, is refused.
func TestForeignDirectoriesAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newRig(t, 1, func(o *Options) { o.Dirs = []string{"/a"} }).open()
		a.close()
		a.change = func(o *Options) { o.NodeID = 2 }
		a.refused(commitlog.ErrForeign, "node")

		b := newRig(t, 2, func(o *Options) { o.Dirs = []string{"/b"} })
		b.disk, b.random = a.disk, simenv.NewRandom(99)
		b.open().close()
		b.change = func(o *Options) { o.Dirs = []string{"/a", "/b"} }
		b.refused(commitlog.ErrForeign, "cluster")

		// A new first directory would be a new cluster over the logs of an old one.
		b.change = func(o *Options) { o.Dirs = []string{"/c", "/b"} }
		b.refused(nil, "the metadata directory /c is empty")
		// The right order is served.
		b.change = func(o *Options) { o.Dirs = []string{"/b", "/c"} }
		b.open().close()
	})
}

func (r *rig) refused(target error, words string) {
	r.Helper()
	err := r.tryOpen()
	if err == nil {
		r.h.Close()
		r.Fatalf("it started, but should say: %s", words)
	}
	if target != nil && !errors.Is(err, target) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
		r.Errorf("refused with %q, want one sentence about %q", err, words)
	}
}

// A second node on the same directory is refused while the first one runs, and does the first no harm.
func TestSecondHostIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.create("t", 1)
		if h, err := Open(r.options()); !errors.Is(err, env.ErrLocked) {
			if err == nil {
				h.Close()
			}
			t.Errorf("second host: %v", err)
		}
		r.produce("t", 0, "x")
		r.close()
		r.open().close()
	})
}

// A failed fsync takes one directory of two offline: its partitions answer KAFKA_STORAGE_ERROR, it is reported, the
// others go on, and no sync of it is ever tried again (DUR-5).
func TestAFailedSyncTakesOneDirectoryOffline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, func(o *Options) { o.Dirs = []string{"/a", "/b"} }).open()
		r.create("t", 4)
		var good, bad []int32
		for i := range int32(4) {
			r.produce("t", i, "before")
			if r.part("t", i).log.Dir().Path() == "/b" {
				bad = append(bad, i)
			} else {
				good = append(good, i)
			}
		}
		if len(bad) == 0 || len(good) == 0 {
			t.Fatalf("placement: %v in /a, %v in /b", good, bad)
		}
		w := &Watcher{Wake: func() {}}
		r.part("t", bad[0]).Watch(w)
		r.disk.Fail(simenv.Rule{Op: simenv.OpSync, Path: fmt.Sprintf("/b/t-%d/*.log", bad[0])})
		if d, _ := send(r.part("t", bad[0]), -1, values("lost")); d.Err != wire.KafkaStorageError {
			t.Errorf("the batch whose sync failed: %v", d.Err)
		}
		synctest.Wait()
		syncs := r.disk.Ops()
		for _, i := range bad {
			for _, acks := range []int16{-1, 1, 0} {
				if d, _ := send(r.part("t", i), acks, values("x")); d.Err != wire.KafkaStorageError {
					t.Errorf("t-%d acks %d: %v", i, acks, d.Err)
				}
			}
			if s := r.part("t", i).State(); s.Leader {
				t.Errorf("t-%d still leads", i)
			}
		}
		if r.disk.Ops() != syncs {
			t.Errorf("an offline directory was written: %d operations", r.disk.Ops()-syncs)
		}
		dirs := r.h.Dirs()
		if dirs[0].Err != nil || !errors.Is(dirs[1].Err, syscall.EIO) || !errors.Is(dirs[1].Err, commitlog.ErrOffline) {
			t.Errorf("directories: %v, %v", dirs[0].Err, dirs[1].Err)
		}
		for _, i := range good {
			r.produce("t", i, "after")
		}
		r.create("u", 3) // all in the directory that is left
		for i := range int32(3) {
			r.produce("u", i, "after")
		}
		// New metadata about the partitions does not bring them back.
		if _, err := r.h.startLeading(); err != nil {
			t.Error(err)
		}
		if d, _ := send(r.part("t", bad[0]), -1, values("x")); d.Err != wire.KafkaStorageError || r.part("t", bad[0]).State().Leader {
			t.Errorf("after a new epoch: %v, %+v", d.Err, r.part("t", bad[0]).State())
		}
		if r.h.Err() != nil {
			t.Errorf("the node stopped: %v", r.h.Err())
		}
		r.delete("t") // a topic with partitions there can still be deleted
		if err := r.h.Close(); err == nil {
			t.Error("a directory that failed was closed cleanly")
		}
		r.disk.ClearFaults()
		r.open()
		r.produce("u", 0, "again")
		if r.h.findLog("t", bad[0]) != nil {
			t.Errorf("t-%d was deleted while its directory was offline, and is back", bad[0])
		}
		r.close()
	})
}

// The end of the metadata directory is the end of the node, said in one sentence; a waiting command is answered.
func TestTheMetadataDirectoryFails(t *testing.T) {
	for _, op := range []simenv.Op{simenv.OpSync, simenv.OpWrite} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, 1, func(o *Options) { o.Dirs = []string{"/a", "/b"} }).open()
			r.create("t", 1)
			r.disk.Fail(simenv.Rule{Op: op, Path: "/a/__cluster_metadata-0/*.log"})
			_, err := control[meta.CreateTopicsReply](r.h, meta.CreateTopics{Topics: []meta.NewTopic{{Name: "u", Partitions: 1, ReplicationFactor: 1}}})
			if err == nil {
				t.Fatal("the topic was acknowledged")
			}
			r.ended()
			if got := r.h.Err(); got == nil || !strings.HasPrefix(got.Error(), "the metadata directory /a has failed, and the node stops") || !errors.Is(got, syscall.EIO) || strings.Contains(got.Error(), "\n") {
				t.Errorf("the node says: %v", got)
			}
			if r.h.Image().Topic("u") != nil {
				t.Error("a topic that is not on disk is in the image")
			}
			r.h.Close()
			r.disk.ClearFaults()
			r.open().close()
		})
	}
}

// Nobody uses the metadata log when the directory fails for another reason: the node stops all the same.
func TestTheMetadataDirectoryFailsUnderAnotherLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.create("t", 1)
		r.disk.Fail(simenv.Rule{Op: simenv.OpSync, Path: "/a/t-0/*.log"})
		if d, _ := send(r.part("t", 0), -1, values("x")); d.Err != wire.KafkaStorageError {
			t.Errorf("%+v", d)
		}
		r.ended()
		if r.h.Err() == nil {
			t.Error("no reason is given")
		}
		r.h.Close()
	})
}

// A disk that fills up: batches are refused with a definite error while the reserve is there, reads and deletions
// work, and room brings everything back without a restart.
func TestAFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const capacity, reserve = 4 << 20, 1 << 20
		r := newRig(t, 1, func(o *Options) { o.Dir.Reserve = reserve })
		r.disk.SetCapacity(capacity)
		r.open()
		r.create("t", 1)
		r.create("full", 1)
		big := strings.Repeat("x", 100<<10)
		acked := 0
		var d Produced
		for d.Err == wire.None {
			if d, _ = send(r.part("full", 0), -1, values(big)); d.Err == wire.None {
				acked++
			}
			pass(time.Second) // the free space is measured once a second
			if acked > 100 {
				t.Fatal("the disk does not fill up")
			}
		}
		free, _, _ := r.disk.Space("/a")
		if d.Err != wire.PolicyViolation || d.Message == "" || free < reserve/2 {
			t.Errorf("refused with %v %q at %d free bytes", d.Err, d.Message, free)
		}
		if got := len(r.all("full", 0)); got != acked {
			t.Errorf("%d of %d records can be read", got, acked)
		}
		r.create("more", 1)
		if d, _ := send(r.part("more", 0), 1, values("x")); d.Err != wire.PolicyViolation {
			t.Errorf("another partition: %v", d.Err)
		}
		r.delete("full")
		pass(2 * time.Minute)
		r.produce("t", 0, "x")
		r.produce("more", 0, "x")
		r.close()
	})
}

// A disk that somebody else fills to the last byte: metadata waits for room, logs that could not be made are made
// later, and nobody was told anything that is not so.
func TestADiskWithoutOneByte(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.create("t", 1)
		r.produce("t", 0, "x")
		r.disk.Fail(simenv.Rule{Op: simenv.OpWrite | simenv.OpCreate | simenv.OpMkdir, Err: syscall.ENOSPC, Times: -1})
		if d, _ := send(r.part("t", 0), -1, values("y")); d.Err != wire.PolicyViolation {
			t.Errorf("produce: %+v", d)
		}
		answered := make(chan error, 1)
		go func() {
			_, err := control[meta.CreateTopicsReply](r.h, meta.CreateTopics{Topics: []meta.NewTopic{{Name: "u", Partitions: 1, ReplicationFactor: 1}}})
			answered <- err
		}()
		pass(10 * time.Second)
		select {
		case err := <-answered:
			t.Errorf("a topic was answered on a full disk: %v", err)
		default:
		}
		if !r.said.has("the disk is full") {
			t.Error("nothing was said")
		}
		r.disk.ClearFaults()
		r.disk.Fail(simenv.Rule{Op: simenv.OpMkdir, Err: syscall.ENOSPC, Times: 1}) // the log of u-0 only
		if err := <-answered; err != nil {
			t.Errorf("with room again: %v", err)
		}
		pass(3 * time.Second)
		r.produce("t", 0, "y")
		r.produce("u", 0, "y")
		if got := r.all("t", 0); got[1] != "y" || len(got) != 2 {
			t.Errorf("%v", got)
		}
		r.close()
		r.open().close()
	})
}

// More proposals than the quorum lets wait go to disk in turns.
func TestManyCommandsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		const n = 300
		done := make(chan wire.ErrorCode, n)
		for i := range n {
			body := meta.CreateTopics{Topics: []meta.NewTopic{{Name: fmt.Sprintf("t%03d", i), Partitions: 1, ReplicationFactor: 1}}}
			r.h.Control(body, func(reply any, code wire.ErrorCode) {
				if code == wire.None {
					code = reply.(meta.CreateTopicsReply).Topics[0].Err
				}
				done <- code
			})
		}
		for range n {
			if code := <-done; code != wire.None {
				t.Fatal(code)
			}
		}
		if got := r.h.Image().TopicCount(); got != n {
			t.Errorf("%d topics of %d", got, n)
		}
		r.close()
	})
}

// Producer ids are never given twice, not even over a power cut (IDM-3).
func TestProducerIDsAreGivenOnce(t *testing.T) {
	seeds(t, 10, func(t *testing.T, seed uint64, rng *rand.Rand) {
		r := newRig(t, seed, nil).open()
		seen := map[int64]bool{}
		for range 4 {
			for range 1 + rng.IntN(1500) {
				c := make(chan int64, 1)
				r.h.AllocateProducerID(func(id int64, code wire.ErrorCode) {
					if code != wire.None {
						t.Errorf("no id: %v", code)
					}
					c <- id
				})
				if id := <-c; seen[id] {
					t.Fatalf("id %d was given twice", id)
				} else {
					seen[id] = true
				}
			}
			r.cut(0)
			r.open()
		}
		r.close()
	})
}

// Close answers every command that waits, and every goroutine ends; a bubble proves the same for all other tests.
func TestCloseLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := newRig(t, 1, func(o *Options) {
		o.Env = env.Real()
		o.Dirs = []string{t.TempDir(), t.TempDir()}
	})
	r.open()
	r.create("t", 10)
	for i := range int32(10) {
		r.produce("t", i, "x")
	}
	answers := make(chan wire.ErrorCode, 1000)
	for range 1000 {
		r.h.Control(meta.AllocateProducerIDs{Broker: 1, Epoch: r.h.epoch.Load()}, func(_ any, code wire.ErrorCode) { answers <- code })
	}
	r.close()
	for range 1000 {
		<-answers
	}
}
