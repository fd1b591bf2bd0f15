package meta

import (
	"slices"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// checkNewISR judges a leader's proposal in Kafka's order: what is stale is told before what is wrong.
func checkNewISR(image *Image, leader int32, n NewISR) *problem {
	t := image.TopicByID(n.TopicID)
	if t == nil {
		return refuse(wire.UnknownTopicID, "There is no topic with the id %s.", n.TopicID)
	}
	p := t.Partition(n.Partition)
	if p == nil {
		return refuse(wire.UnknownTopicOrPartition, "The topic %q has no partition %d.", t.Name, n.Partition)
	}
	switch {
	case n.LeaderEpoch > p.LeaderEpoch || n.PartitionEpoch > p.PartitionEpoch:
		return refuse(wire.NotController, "The leader knows newer metadata than this controller: another one is active.")
	case n.LeaderEpoch < p.LeaderEpoch:
		return refuse(wire.FencedLeaderEpoch, "The leader epoch is %d, not %d.", p.LeaderEpoch, n.LeaderEpoch)
	case p.Leader != leader:
		return refuse(wire.InvalidRequest, "Broker %d does not lead the partition, broker %d does.", leader, p.Leader)
	case n.PartitionEpoch < p.PartitionEpoch:
		return refuse(wire.InvalidUpdateVersion, "The partition epoch is %d, not %d.", p.PartitionEpoch, n.PartitionEpoch)
	}
	return checkMembers(image, p, leader, n)
}

func checkMembers(image *Image, p *Partition, leader int32, n NewISR) *problem {
	hasLeader := false
	for i, m := range n.ISR {
		hasLeader = hasLeader || m.Broker == leader
		if !slices.Contains(p.Replicas, m.Broker) {
			return refuse(wire.InvalidRequest, "Broker %d has no replica of the partition.", m.Broker)
		}
		if slices.ContainsFunc(n.ISR[:i], func(o ISRMember) bool { return o.Broker == m.Broker }) {
			return refuse(wire.InvalidRequest, "Broker %d stands in the in-sync set twice.", m.Broker)
		}
	}
	switch {
	case !hasLeader:
		return refuse(wire.InvalidRequest, "The in-sync set lacks the leader %d.", leader)
	case n.Recovery != Recovered && n.Recovery != Recovering:
		return refuse(wire.InvalidRequest, "There is no leader recovery state %d.", n.Recovery)
	case n.Recovery == Recovering && len(n.ISR) > 1:
		return refuse(wire.InvalidRequest, "While the leader recovers, nobody else can be in sync.")
	case n.Recovery == Recovering && p.Recovery == Recovered:
		return refuse(wire.InvalidRequest, "A leader that has recovered does not recover again.")
	}
	for _, m := range n.ISR {
		if b := image.Broker(m.Broker); !b.Active() || m.Epoch != -1 && m.Epoch != b.Epoch {
			return refuse(wire.IneligibleReplica, "Broker %d is fenced, shutting down or registered anew and cannot be in sync.", m.Broker)
		}
	}
	return nil
}

// eligible is what KIP-966 makes of the replicas that leave the in-sync set. As long as the set has minISR members nobody
// else can have all that is committed; below that, nothing is committed any more, and whoever leaves still has all of
// it. unclean are replicas that came back without a proof of a clean shutdown: what they had may be gone.
func eligible(p *Partition, isr []int32, minISR int, unclean []int32) (elr, lastKnown []int32) {
	if len(isr) >= min(minISR, len(p.Replicas)) {
		return nil, nil
	}
	was := func(id int32) bool { return slices.Contains(p.ELR, id) || slices.Contains(p.ISR, id) }
	for _, id := range p.Replicas {
		switch {
		case slices.Contains(isr, id):
		case was(id) && !slices.Contains(unclean, id):
			elr = append(elr, id)
		case slices.Contains(p.LastKnownELR, id) || was(id):
			lastKnown = append(lastKnown, id)
		}
	}
	return elr, lastKnown
}

// completed is a reassignment of which all new replicas are in sync: the replicas that stay.
func completed(p *Partition, isr []int32) (replicas []int32, done bool) {
	if len(p.Adding) == 0 && len(p.Removing) == 0 {
		return nil, false
	}
	for _, id := range p.Adding {
		if !slices.Contains(isr, id) {
			return nil, false
		}
	}
	stay := func(ids []int32) []int32 {
		return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return slices.Contains(p.Removing, id) })
	}
	if len(stay(isr)) == 0 {
		return nil, false
	}
	return stay(p.Replicas), true
}

func (c *Controller) alterPartition(cmd AlterPartition, w *writer) AlterPartitionReply {
	out := AlterPartitionReply{Partitions: make([]AlteredPartition, len(cmd.Partitions))}
	if _, p := current(c.image, cmd.Broker, cmd.Epoch); p != nil {
		return AlterPartitionReply{Err: wire.StaleBrokerEpoch, Message: p.message, Offset: w.offset()}
	}
	for i, n := range cmd.Partitions {
		r := &out.Partitions[i]
		r.TopicID, r.Partition = n.TopicID, n.Partition
		if p := checkNewISR(w.image, cmd.Broker, n); p != nil {
			r.Err, r.Message = p.code, p.message
			continue
		}
		c.recordISR(cmd.Broker, n, r, w)
	}
	out.Offset = w.offset()
	return out
}

// recordISR writes an accepted set. A reassignment that it completes may take the leader's replica away: then the
// record stands, and the leader is told that it is none any more.
func (c *Controller) recordISR(leader int32, n NewISR, out *AlteredPartition, w *writer) {
	t := w.image.TopicByID(n.TopicID)
	p := t.Partitions[n.Partition]
	r := change(t, n.Partition)
	var isr []int32
	for _, m := range n.ISR {
		isr = append(isr, m.Broker)
	}
	if !slices.Equal(isr, p.ISR) {
		r.Isr = isr
	}
	if n.Recovery != p.Recovery {
		r.LeaderRecoveryState = n.Recovery
	}
	c.recordELR(t, &p, isr, r)
	if replicas, done := completed(&p, isr); done {
		finishReassignment(p, replicas, isr, r, liveIn(w.image))
	}
	if r.Leader == noLeaderChange && r.Isr == nil && r.LeaderRecoveryState == noRecoveryChange && r.Replicas == nil {
		out.State = p // nothing new: no record, no new partition epoch
		return
	}
	out.State = p.merge(r)
	w.add(r)
	w.accept()
	if out.State.Leader != leader {
		out.Err, out.Message = wire.NewLeaderElected, "The reassignment is complete, and another replica leads now."
	}
}

func (c *Controller) recordELR(t *Topic, p *Partition, isr []int32, r *record.PartitionChangeRecord) {
	if c.image.features["eligible.leader.replicas.version"] == 0 {
		return
	}
	elr, known := eligible(p, isr, c.opts.MinISR(c.image, t.Name), nil)
	if !slices.Equal(elr, p.ELR) {
		r.EligibleLeaderReplicas = append([]int32{}, elr...)
	}
	if !slices.Equal(known, p.LastKnownELR) {
		r.LastKnownElr = append([]int32{}, known...)
	}
}

// finishReassignment drops the replicas that go. A replica that goes begins a new leader epoch even where the leader
// stays, so that its fetches are refused.
func finishReassignment(p Partition, replicas, isr []int32, r *record.PartitionChangeRecord, live func(int32) bool) {
	isr = slices.DeleteFunc(slices.Clone(isr), func(id int32) bool { return !slices.Contains(replicas, id) })
	r.Replicas, r.Isr, r.AddingReplicas, r.RemovingReplicas = replicas, isr, []int32{}, []int32{}
	if len(p.Removing) == 0 {
		return
	}
	r.Leader = p.Leader
	if !slices.Contains(isr, p.Leader) {
		after := p
		after.Replicas, after.ISR, after.ELR = replicas, isr, nil
		to, _ := choose(&after, live, false)
		r.Leader = to.leader
	}
}
