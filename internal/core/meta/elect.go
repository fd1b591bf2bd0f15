package meta

import (
	"slices"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// choice is who should lead a partition.
type choice struct {
	leader int32
	// unclean: the leader may lack committed records. It becomes the only member of the in-sync set and recovers.
	unclean bool
}

// choose picks a leader among live brokers: a member of the in-sync set in replica order; else, when the set is empty,
// an eligible replica; else the one last known to be eligible, when the set is empty and it is the only one known; else,
// when unclean elections are allowed, any live replica. The last two are unclean.
func choose(p *Partition, live func(int32) bool, unclean bool) (choice, bool) {
	for _, set := range [][]int32{p.ISR, p.ELR} {
		for _, id := range p.Replicas {
			if slices.Contains(set, id) && live(id) {
				return choice{leader: id}, true
			}
		}
	}
	if len(p.ISR) == 0 && len(p.ELR) == 0 && len(p.LastKnownELR) == 1 && live(p.LastKnownELR[0]) {
		return choice{p.LastKnownELR[0], true}, true
	}
	if unclean {
		for _, id := range p.Replicas {
			if live(id) {
				return choice{id, true}, true
			}
		}
	}
	return choice{leader: NoLeader}, false
}

// change begins a record that changes one partition.
func change(t *Topic, partition int32) *record.PartitionChangeRecord {
	r := record.NewPartitionChangeRecord()
	r.PartitionID, r.TopicID = partition, t.ID
	return r
}

// elected completes a record with an election.
func elected(r *record.PartitionChangeRecord, p *Partition, to choice) *record.PartitionChangeRecord {
	r.Leader = to.leader
	switch {
	case to.unclean:
		r.Isr = []int32{to.leader}
		if p.Recovery != Recovering {
			r.LeaderRecoveryState = Recovering
		}
	case to.leader != NoLeader && !slices.Contains(p.ISR, to.leader):
		r.Isr = []int32{to.leader} // out of the eligible replicas
	}
	if r.Isr != nil && p.ELR != nil {
		r.EligibleLeaderReplicas = []int32{}
	}
	if r.Isr != nil && p.LastKnownELR != nil {
		r.LastKnownElr = []int32{}
	}
	return r
}

// liveIn tells who may lead, with the items of the command so far applied.
func liveIn(image *Image) func(int32) bool {
	return func(id int32) bool { return image.Broker(id).Active() }
}

// startLeading is the new leader epoch of every start: no record of this life can be mistaken for one of the last.
func (c *Controller) startLeading(cmd StartLeading, w *writer) StartLeadingReply {
	b, p := current(w.image, cmd.Broker, cmd.Epoch)
	if p == nil && !b.Active() {
		p = refuse(wire.IneligibleReplica, "Broker %d is fenced or shutting down and cannot lead.", cmd.Broker)
	}
	if p != nil {
		return StartLeadingReply{Err: p.code, Message: p.message, Offset: w.offset()}
	}
	out := StartLeadingReply{After: cmd.After}
	w.image.TopicsFrom(cmd.After.Topic, func(t *Topic) bool {
		from := int32(0)
		if t.Name == cmd.After.Topic {
			from = cmd.After.Partition
		}
		for i := from; int(i) < len(t.Partitions); i++ {
			if out.Elections == ElectBatch {
				out.More, out.After = true, Cursor{t.Name, i}
				return false
			}
			if c.beginEpoch(t, i, cmd.Broker, w) {
				out.Elections++
			}
		}
		return true
	})
	if !out.More {
		out.After = Cursor{}
	}
	out.Offset = w.offset()
	return out
}

// beginEpoch re-elects the broker where it leads, and elects it where nobody leads and it may.
func (c *Controller) beginEpoch(t *Topic, partition, broker int32, w *writer) bool {
	p := &t.Partitions[partition]
	switch {
	case p.Leader == broker:
		w.add(elected(change(t, partition), p, choice{leader: broker}))
		return true
	case p.Leader != NoLeader || !slices.Contains(p.Replicas, broker):
		return false
	}
	to, ok := choose(p, liveIn(w.image), c.opts.UncleanElection(w.image, t.Name))
	if !ok || to.leader != broker {
		return false
	}
	w.add(elected(change(t, partition), p, to))
	return true
}

// giveUp takes a broker that is gone out of the in-sync sets, unless it is the last member: what the last member has is
// all that is left. Where it led, another member leads, or nobody.
func (c *Controller) giveUp(broker int32, w *writer) {
	others := func(id int32) bool { return id != broker && liveIn(w.image)(id) }
	w.image.Topics(func(t *Topic) bool {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			if !slices.Contains(p.ISR, broker) && p.Leader != broker {
				continue
			}
			if r := leave(t, int32(i), broker, others, c.opts.UncleanElection(w.image, t.Name)); r != nil {
				w.add(r)
			}
		}
		return true
	})
}

func leave(t *Topic, partition, broker int32, others func(int32) bool, unclean bool) *record.PartitionChangeRecord {
	p := t.Partitions[partition]
	r := change(t, partition)
	if isr := minus(p.ISR, broker); len(isr) > 0 && len(isr) < len(p.ISR) {
		p.ISR, r.Isr = isr, isr
	}
	if p.Leader == broker {
		to, _ := choose(&p, others, unclean)
		return elected(r, &p, to)
	}
	if r.Isr == nil {
		return nil
	}
	return r
}

func minus(ids []int32, id int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(x int32) bool { return x == id })
}

// moveLeaders moves what the broker leads to other live members of the in-sync sets, and takes it out of those sets. It
// returns how many partitions it had to move; a partition that nobody else can lead stays, and is not counted.
func (c *Controller) moveLeaders(broker int32, w *writer) (moved int) {
	others := func(id int32) bool { return id != broker && liveIn(w.image)(id) }
	w.image.Topics(func(t *Topic) bool {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			if !slices.Contains(p.ISR, broker) || !slices.ContainsFunc(p.ISR, others) {
				continue
			}
			w.add(leave(t, int32(i), broker, others, false))
			moved++
		}
		return true
	})
	return moved
}

func (c *Controller) electLeaders(cmd ElectLeaders, w *writer) ElectLeadersReply {
	out := ElectLeadersReply{Partitions: []PartitionResult{}}
	all := cmd.Partitions == nil
	seen := map[TopicPartition]bool{}
	for _, tp := range candidates(cmd, w) {
		if seen[tp] {
			continue
		}
		seen[tp] = true
		p := c.electOne(cmd.Type, tp, w)
		r := PartitionResult{Topic: tp.Topic, Partition: tp.Partition}
		if p != nil {
			r.Err, r.Message = p.code, p.message
		}
		if all && r.Err == wire.ElectionNotNeeded {
			continue
		}
		out.Partitions = append(out.Partitions, r)
	}
	out.Offset = w.offset()
	return out
}

func candidates(cmd ElectLeaders, w *writer) []TopicPartition {
	if cmd.Partitions != nil {
		return cmd.Partitions
	}
	var out []TopicPartition
	w.image.Topics(func(t *Topic) bool {
		for i := range t.Partitions {
			out = append(out, TopicPartition{t.Name, int32(i)})
		}
		return true
	})
	return out
}

func (c *Controller) electOne(kind int8, tp TopicPartition, w *writer) *problem {
	p := w.image.Partition(tp.Topic, tp.Partition)
	if p == nil {
		return refuse(wire.UnknownTopicOrPartition, "There is no partition %d of a topic %q.", tp.Partition, tp.Topic)
	}
	t := w.image.Topic(tp.Topic)
	switch kind {
	case PreferredElection:
		preferred := p.Replicas[0]
		switch {
		case p.Leader == preferred:
			return refuse(wire.ElectionNotNeeded, "The preferred replica %d leads already.", preferred)
		case !slices.Contains(p.ISR, preferred) || !liveIn(w.image)(preferred):
			return refuse(wire.PreferredLeaderNotAvailable, "The preferred replica %d is not live and in sync.", preferred)
		}
		w.add(elected(change(t, tp.Partition), p, choice{leader: preferred}))
		return nil
	case UncleanElection:
		if p.Leader != NoLeader {
			return refuse(wire.ElectionNotNeeded, "Replica %d leads already.", p.Leader)
		}
		to, ok := choose(p, liveIn(w.image), true)
		if !ok {
			return refuse(wire.EligibleLeadersNotAvailable, "None of the replicas %v is live.", p.Replicas)
		}
		w.add(elected(change(t, tp.Partition), p, to))
		return nil
	}
	return refuse(wire.InvalidRequest, "There is no election of type %d.", kind)
}
