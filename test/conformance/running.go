package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a node does of its own accord while it runs, and what its death means for the producers of other people.
func init() {
	register(
		Case{"node/compaction", false, nodeCompaction},
		Case{"node/retention-by-size", false, nodeRetention},
		Case{"node/kill-9-java-idempotent", false, killJava},
		Case{"node/kill-9-python-idempotent", false, killPython},
	)
}

// nodeCompaction: a compacted topic holds the last value of each key, a deleted key goes, offsets stay, and DumpLogSegments
// finds the files sound.
func nodeCompaction(t *T) {
	b := t.Own(0, map[string]string{"log.cleaner.backoff.ms": "200", "log.retention.check.interval.ms": "500", "log.initial.task.delay.ms": "500"})
	topic := t.Topic(1, "cleanup.policy=compact", "segment.ms=500", "min.cleanable.dirty.ratio=0.01", "delete.retention.ms=0", "file.delete.delay.ms=100")
	c := t.Client(kgo.DefaultProduceTopic(topic))
	for round := range 20 {
		for key := range 50 {
			c.TryProduce(t.ctx, &kgo.Record{Key: []byte(strconv.Itoa(key)), Value: fmt.Appendf(nil, "round %d", round)}, nil)
		}
		t.Must(c.Flush(t.ctx), "flush")
	}
	t.Must(c.ProduceSync(t.ctx, &kgo.Record{Key: []byte("7")}).FirstErr(), "a tombstone")
	end := int64(20*50 + 1)
	t.Eventually(func() error {
		// The active segment is never cleaned: one more record rolls it once segment.ms has passed.
		t.Must(c.ProduceSync(t.ctx, &kgo.Record{Key: []byte("roll"), Value: []byte("x")}).FirstErr(), "produce")
		end++
		time.Sleep(600 * time.Millisecond)
		last, seen := map[string]string{}, 0
		for _, r := range t.readTo(topic, end) {
			seen++
			last[string(r.Key)] = string(r.Value)
			if r.Value == nil {
				delete(last, string(r.Key))
			}
		}
		for key := range 50 {
			if want := "round 19"; key != 7 && last[strconv.Itoa(key)] != want {
				t.Fatalf("key %d is %q, want %q", key, last[strconv.Itoa(key)], want)
			}
		}
		if seen > 60 {
			return fmt.Errorf("%d records are left of %d", seen, end)
		}
		if _, there := last["7"]; there {
			t.Fatalf("a deleted key is back")
		}
		t.note = fmt.Sprintf("%d of %d records are left", seen, end)
		return nil
	})
	t.Must(b.Stop(), "stop")
	note := t.note
	t.dump(b.Dir)
	t.note = note + "; " + t.note
}

// readTo reads a topic of one partition from its start to an end offset, past the holes of compaction.
func (t *T) readTo(topic string, end int64) (recs []*kgo.Record) {
	c, err := kgo.NewClient(kgo.SeedBrokers(t.addr), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	t.Must(err, "new client")
	defer c.Close()
	for len(recs) == 0 || recs[len(recs)-1].Offset < end-1 {
		f := c.PollFetches(t.ctx)
		t.Must(f.Err(), "fetch")
		recs = append(recs, f.Records()...)
	}
	return recs
}

// nodeRetention: what is more than retention.bytes goes, whole segments from the start; the rest is served, the files are gone
// from the disk, and the sizes that log-dirs reports fall.
func nodeRetention(t *T) {
	b := t.Own(0, map[string]string{"log.retention.check.interval.ms": "300", "log.initial.task.delay.ms": "300"})
	topic := t.Topic(1, "segment.bytes=1048576", "retention.bytes=2097152", "file.delete.delay.ms=100")
	t.produce(topic, 100000, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(50000))
	admin := t.Admin()
	var start int64
	t.Eventually(func() error {
		starts, err := admin.ListStartOffsets(t.ctx, topic)
		t.Must(err, "ListStartOffsets")
		o, _ := starts.Lookup(topic, 0)
		start = o.Offset
		dirs, err := admin.DescribeAllLogDirs(t.ctx, kadm.TopicsSet{topic: {0: {}}})
		t.Must(err, "DescribeLogDirs")
		var size int64
		dirs.Each(func(d kadm.DescribedLogDir) { size += d.Size() })
		files, err := filepath.Glob(filepath.Join(b.Dir, topic+"-0", "*.log*"))
		t.Must(err, "glob")
		if start == 0 || size >= 2097152+1048576 || len(files) > 4 {
			return fmt.Errorf("start offset %d, %d bytes, files %v", start, size, files)
		}
		t.note = fmt.Sprintf("starts at %d of 100000, %d bytes", start, size)
		return nil
	})
	recs := t.readTo(topic, 100000)
	t.Equal(recs[0].Offset, start, "first record that is served")
	t.Equal(len(recs), 100000-start, "records that are served")
	t.Must(b.Stop(), "stop")
	note := t.note
	t.dump(b.Dir)
	t.note = note + "; " + t.note
}

// through kills the broker while a producer of numbers from 0 runs, starts it again, and demands that every number is there
// once, in order: an idempotent producer with five requests in flight repeats what was not answered, and the broker knows it.
func (t *T) through(b *own, topic string, count int, p *process, acked func() int) {
	t.Eventually(func() error {
		if n := acked(); n < count/5 {
			return fmt.Errorf("%d acknowledged; it has printed\n%s", n, clip(p.printed(), 1000))
		}
		return nil
	})
	atKill := acked()
	b.Kill()
	b.restart()
	err, gap := t.patience(p, acked)
	if err != nil || gap > 10*time.Second {
		t.Fatalf("the producer ended with %v; once nothing was acknowledged for %v although the broker was back: %s", err, gap, t.File("producer.log", p.printed()))
	}
	t.Equal(acked(), count, "acknowledged")
	for i, r := range t.consume(topic, count) {
		if string(r.Value) != strconv.Itoa(i) {
			t.Fatalf("record %d is %s at offset %d: %s", i, r.Value, r.Offset, "lost, doubled or out of order")
		}
	}
	if atKill == count {
		t.Errorf("all was acknowledged before the kill")
	}
	ends, err := t.Admin().ListEndOffsets(t.ctx, topic)
	t.Must(err, "ListEndOffsets")
	o, _ := ends.Lookup(topic, 0)
	t.Equal(o.Offset, count, "end offset")
	t.note = fmt.Sprintf("%d of %d acknowledged before the kill, the longest wait after it %.1f s", atKill, count, gap.Seconds())
}

// patience waits for the producer's end and measures the longest time without an acknowledgement.
func (t *T) patience(p *process, acked func() int) (err error, longest time.Duration) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last, at := acked(), time.Now()
	for {
		select {
		case err := <-p.ended:
			return err, max(longest, time.Since(at))
		case <-t.ctx.Done():
			return t.ctx.Err(), max(longest, time.Since(at))
		case <-tick.C:
		}
		if n := acked(); n != last {
			last, longest, at = n, max(longest, time.Since(at)), time.Now()
		}
	}
}

func killJava(t *T) {
	b := t.Own(0, nil)
	topic := t.Topic(1)
	config := t.File("producer.properties", "enable.idempotence=true\nmax.in.flight.requests.per.connection=5\nretries=2147483647\nlinger.ms=1\nbatch.size=2000\n"+
		"delivery.timeout.ms=60000\nreconnect.backoff.max.ms=500\n")
	p := t.beginJava(tools+"VerifiableProducer", "--bootstrap-server", t.addr, "--topic", topic, "--max-messages", "20000", "--throughput", "4000",
		"--acks", "-1", "--command-config", config)
	t.through(b, topic, 20000, p, func() int { return strings.Count(p.out.String(), `"name":"producer_send_success"`) })
}

func killPython(t *T) {
	b := t.Own(0, nil)
	topic := t.Topic(1)
	p := t.begin(exec.Command(t.venv(), t.script("kill", topic, "20000", "4000")...))
	t.through(b, topic, 20000, p, func() int {
		return strings.Count(strings.TrimSuffix(p.out.String(), "ok\n"), "\n")
	})
}
