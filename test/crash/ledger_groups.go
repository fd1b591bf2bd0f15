package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinator makes sure that the group's coordinator is there.
func (c *caller) coordinator(group string) error {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey = group
	r, err := ask[*kmsg.FindCoordinatorResponse](c, req, 3)
	if err != nil {
		return err
	}
	return code(r.ErrorCode)
}

// commit commits an offset of partition 0 and returns what the group is told.
func (c *caller) commit(group, member string, generation int32, topic string, offset int64) error {
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.MemberID, req.Topics = group, generation, member, append(req.Topics, t)
	r, err := ask[*kmsg.OffsetCommitResponse](c, req, 6)
	if err != nil {
		return err
	}
	return code(r.Topics[0].Partitions[0].ErrorCode)
}

func (c *caller) committed(group, topic string) (int64, error) {
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic, t.Partitions = topic, []int32{0}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.Topics = group, append(req.Topics, t)
	r, err := ask[*kmsg.OffsetFetchResponse](c, req, 5)
	if err == nil {
		err = code(r.ErrorCode)
	}
	if err != nil {
		return -1, err
	}
	return r.Topics[0].Partitions[0].Offset, code(r.Topics[0].Partitions[0].ErrorCode)
}

// offsetsPage commits for a group without members: an acknowledged commit is returned by every later fetch (GRP-2).
type offsetsPage struct {
	l            *ledger
	topic, group string
	offset       register
}

func (p *offsetsPage) turn(c *caller) error {
	if err := errors.Join(c.create(p.topic, nil), c.coordinator(p.group)); err != nil {
		return err
	}
	for range 20 {
		p.offset.tried++
		if err := c.commit(p.group, "", -1, p.topic, p.offset.tried); err != nil {
			return err
		}
		p.offset.acked = p.offset.tried
	}
	return p.check(c)
}

func (p *offsetsPage) check(c *caller) error {
	return checkCommitted(p.l, c, p.group, p.topic, &p.offset)
}

func checkCommitted(l *ledger, c *caller, group, topic string, offset *register) error {
	got, err := c.committed(group, topic)
	if err == nil {
		offset.read(l, "the committed offset of "+group+" (GRP-2)", max(got, 0)) // -1: nothing is committed
	}
	return err
}

// groupPage is the one member of a classic group, which joins again and again: a generation that was acknowledged is never given
// again, commits of an earlier one are refused, and commits of this one stay (GRP-1, GRP-2).
type groupPage struct {
	l            *ledger
	topic, group string
	member       string
	synced       int32 // the last generation whose assignment was acknowledged
	offset       register
}

func (p *groupPage) turn(c *caller) error {
	if err := errors.Join(c.create(p.topic, nil), c.coordinator(p.group)); err != nil {
		return err
	}
	generation, err := p.join(c)
	if err != nil {
		return err
	}
	if generation <= p.synced {
		p.l.find("group %s: generation %d is given after %d was (GRP-1)", p.group, generation, p.synced)
	}
	if err := p.sync(c, generation); err != nil {
		return err
	}
	p.synced = generation
	p.offset.tried++
	if err := c.commit(p.group, p.member, generation, p.topic, p.offset.tried); err != nil {
		return err
	}
	p.offset.acked = p.offset.tried
	if err := c.commit(p.group, p.member, generation-1, p.topic, 1<<40); err == nil {
		p.l.find("group %s: a commit of generation %d is taken in generation %d (GRP-1)", p.group, generation-1, generation)
	} else if !errors.Is(err, kerr.IllegalGeneration) {
		return err
	}
	return p.check(c)
}

func (p *groupPage) join(c *caller) (int32, error) {
	proto := kmsg.NewJoinGroupRequestProtocol()
	proto.Name, proto.Metadata = "range", []byte("ledger")
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType, req.Protocols = p.group, p.member, "consumer", append(req.Protocols, proto)
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 6000, 6000
	r, err := ask[*kmsg.JoinGroupResponse](c, req, 3)
	if err != nil {
		return 0, err
	}
	if err := code(r.ErrorCode); err != nil {
		if errors.Is(err, kerr.UnknownMemberID) {
			p.member = ""
		}
		return 0, err
	}
	p.member = r.MemberID
	return r.Generation, nil
}

func (p *groupPage) sync(c *caller, generation int32) error {
	a := kmsg.NewSyncGroupRequestGroupAssignment()
	a.MemberID, a.MemberAssignment = p.member, []byte("all of it")
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation, req.GroupAssignment = p.group, p.member, generation, append(req.GroupAssignment, a)
	r, err := ask[*kmsg.SyncGroupResponse](c, req, 2)
	if err != nil {
		return err
	}
	return code(r.ErrorCode)
}

func (p *groupPage) check(c *caller) error {
	return checkCommitted(p.l, c, p.group, p.topic, &p.offset)
}

// consumerPage writes a queue and reads it with a group consumer of franz-go, which commits what it has read and lives through
// everything: it continues where it was, without a gap and never before what it has committed (GRP-2, GRP-3).
type consumerPage struct {
	l         *ledger
	w         writer
	group     string
	client    *kgo.Client
	next      int64 // after the last record that was read
	committed int64
}

func (p *consumerPage) turn(c *caller) error {
	if err := p.w.open(c, nil); err != nil {
		return err
	}
	for range 5 {
		if _, err := p.w.put(c, nil, []byte("a task")); err != nil {
			return err
		}
	}
	return p.read(c)
}

func (p *consumerPage) read(c *caller) (err error) {
	if p.client == nil {
		p.client, err = kgo.NewClient(kgo.SeedBrokers(p.l.addr), kgo.ConsumerGroup(p.group), kgo.ConsumeTopics(p.w.topic), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond),
			kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }))
		if err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var last *kgo.Record
	p.client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
		if r.Offset > p.next {
			p.l.find("group %s: offset %d comes after %d, what is between was skipped (GRP-3)", p.group, r.Offset, p.next-1)
		}
		if r.Offset < p.committed {
			p.l.find("group %s: offset %d is delivered again after %d was committed (GRP-2)", p.group, r.Offset, p.committed)
		}
		p.next, last = max(p.next, r.Offset+1), r
	})
	if last == nil {
		return ctx.Err()
	}
	if err := p.client.CommitRecords(ctx, last); err != nil {
		return err
	}
	p.committed = last.Offset + 1
	return nil
}

// check: a new client of the group continues where this one had committed.
func (p *consumerPage) check(c *caller) error {
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
	p.next = p.committed
	if _, err := p.w.put(c, nil, []byte("the last task")); err != nil {
		return err
	}
	for p.next <= p.w.acked() {
		if err := p.read(c); err != nil {
			return err
		}
	}
	p.client.Close()
	p.client = nil
	return nil
}
