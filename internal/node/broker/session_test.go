package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env/simenv"
)

// TestSessionEviction: who has to go when all slots are taken (KIP-227).
func TestSessionEviction(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	const seed = 7
	newCache := func(sizes ...int) (*sessionCache, []*session) {
		c := newSessionCache(len(sizes), simenv.NewRandom(seed))
		var all []*session
		for _, size := range sizes {
			all = append(all, c.add(false, size, start))
		}
		return c, all
	}
	c, _ := newCache(3, 5)
	if c.add(false, 100, at(120)) != nil {
		t.Error("a session of two minutes made room")
	}
	c, all := newCache(3, 5)
	c.touch(all[0], 3, at(130))
	c.touch(all[1], 5, at(131))
	if c.add(false, 3, at(140)) != nil {
		t.Error("an equal made room")
	}
	if c.add(false, 4, at(140)) == nil || c.find(all[0].id) != nil || c.find(all[1].id) == nil {
		t.Error("the smallest was to make room for the larger")
	}
	if c.add(false, 4, at(141)) != nil {
		t.Error("a young session, or a larger one, made room")
	}
	c, all = newCache(3, 5)
	c.touch(all[0], 3, at(130))
	if c.add(false, 1, at(121)) == nil || c.find(all[1].id) != nil || c.find(all[0].id) == nil {
		t.Error("the one unused for longest was to make room")
	}
	if c, _ := newCache(); c.add(false, 1, start) != nil {
		t.Error("no slots, but a session")
	}
}

// sessionClient fetches in one session.
type sessionClient struct {
	*client
	version   int16
	id, epoch int32
}

func (c *sessionClient) fetch(change func(*kmsg.FetchRequest)) *kmsg.FetchResponse {
	c.t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 0, 1, 1<<20
	req.SessionID, req.SessionEpoch = c.id, c.epoch
	if change != nil {
		change(req)
	}
	resp := ask1[*kmsg.FetchResponse](c.client, req, c.version)
	if resp.ErrorCode == 0 {
		c.id, c.epoch = resp.SessionID, c.epoch+1
	}
	return resp
}

func asking(topic string, offset int64, partitions ...int32) func(*kmsg.FetchRequest) {
	return func(req *kmsg.FetchRequest) {
		t := kmsg.NewFetchRequestTopic()
		t.Topic = topic
		for _, partition := range partitions {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
}

func forgetting(topic string, partitions ...int32) func(*kmsg.FetchRequest) {
	return func(req *kmsg.FetchRequest) {
		req.ForgottenTopics = append(req.ForgottenTopics, kmsg.FetchRequestForgottenTopic{Topic: topic, Partitions: partitions})
	}
}

func told(resp *kmsg.FetchResponse) string {
	var all []string
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			all = append(all, fmt.Sprintf("%s%d:%d:%d", topic.Topic, p.Partition, p.ErrorCode, p.HighWatermark))
		}
	}
	return strings.Join(all, " ")
}

func TestSessionForgetsAndEnds(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 3)
	c := &sessionClient{client: n.dial(), version: 11}
	if got := told(c.fetch(asking("t", 0, 0, 1, 2))); got != "t0:0:0 t1:0:0 t2:0:0" {
		t.Fatal(got)
	}
	for p := range int32(3) {
		n.produce("t", p, "a")
	}
	if got := told(c.fetch(forgetting("t", 1, 9))); got != "t0:0:1 t2:0:1" {
		t.Errorf("after t1 was forgotten: %s", got)
	}
	if got := told(c.fetch(asking("t", 0, 1))); got != "t0:0:1 t2:0:1 t1:0:1" {
		t.Errorf("a partition that comes back: %s", got)
	}
	id := c.id
	if resp := c.fetch(forgetting("t", 0, 1, 2)); resp.SessionID != 0 || told(resp) != "" {
		t.Errorf("nothing is left, but: %+v", resp)
	}
	if n.sessions.find(id) != nil {
		t.Error("an empty session stays")
	}
}

// TestSessionTellsWhenAnErrorIsGone: an error is told every time, and its end too.
func TestSessionTellsWhenAnErrorIsGone(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	n.produce("t", 0, "a")
	c := &sessionClient{client: n.dial(), version: 11}
	c.fetch(asking("t", 1, 0))
	for range 2 {
		if got := told(c.fetch(asking("t", 99, 0))); got != "t0:1:1" {
			t.Errorf("out of range: %s", got)
		}
	}
	if got := told(c.fetch(asking("t", 1, 0))); got != "t0:0:1" {
		t.Errorf("the error is gone, but: %q", got)
	}
	if got := told(c.fetch(nil)); got != "" {
		t.Errorf("nothing is new, but: %s", got)
	}
}

func TestSessionErrors(t *testing.T) {
	n := newRealNode(t)
	n.create("t", 1)
	c := &sessionClient{client: n.dial(), version: 11}
	c.fetch(asking("t", 0, 0))
	other := &sessionClient{client: n.dial(), version: 13, id: c.id, epoch: 5}
	is(t, "the epoch is judged first", other.fetch(nil).ErrorCode, wire.InvalidFetchSessionEpoch)
	other.epoch = 1
	is(t, "a session by names, asked by ids", other.fetch(nil).ErrorCode, wire.FetchSessionTopicIDError)
	other.version = 11
	resp := other.fetch(nil)
	is(t, "the session goes on", resp.ErrorCode, wire.None)
	last := &sessionClient{client: n.dial(), version: 11, id: c.id, epoch: -1}
	if resp := last.fetch(asking("t", 0, 0)); resp.SessionID != 0 || told(resp) != "t0:0:0" {
		t.Errorf("the last fetch: %+v", resp)
	}
	is(t, "the session was closed", other.fetch(nil).ErrorCode, wire.FetchSessionIDNotFound)
}

// What is not flushed yet is nobody's largest timestamp.
func TestLargestTimestampIsCommitted(t *testing.T) {
	n := newNode(t)
	n.create("t", 1)
	n.produce("t", 0, "a")
	p := n.host.Partition("t", 0).(*testPartition)
	p.stuck.Store(true)
	b := records(t, batch.Options{BaseTimestamp: time.Now().UnixMilli() + 1000}, "later")
	call[*kmsg.ProduceResponse](n, produceRequest("t", 0, 1, b), 9)
	req := kmsg.NewPtrListOffsetsRequest()
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -3, CurrentLeaderEpoch: -1}}}}
	if got := call[*kmsg.ListOffsetsResponse](n, req, 7).Topics[0].Partitions[0]; got.Offset != -1 || got.Timestamp != -1 || got.ErrorCode != 0 {
		t.Errorf("%+v", got)
	}
	p.stuck.Store(false)
	p.flushed(p.l.EndOffset())
	if got := call[*kmsg.ListOffsetsResponse](n, req, 7).Topics[0].Partitions[0]; got.Offset != 1 {
		t.Errorf("%+v", got)
	}
}
