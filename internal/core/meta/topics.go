package meta

import (
	"slices"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// MaxNewPartitions bounds what one request may create, as the records of one command are one batch.
const MaxNewPartitions = 10_000

func (c *Controller) createTopics(cmd CreateTopics, w *writer) CreateTopicsReply {
	reply := CreateTopicsReply{Topics: make([]CreatedTopic, len(cmd.Topics))}
	twice := repeated(len(cmd.Topics), func(i int) string { return cmd.Topics[i].Name })
	budget := MaxNewPartitions
	for i, t := range cmd.Topics {
		out := &reply.Topics[i]
		out.Name, out.Partitions, out.ReplicationFactor = t.Name, -1, -1
		p := refuse(wire.InvalidRequest, "The topic %q stands more than once in the request.", t.Name)
		if !twice[t.Name] {
			p = c.createTopic(t, out, &budget, w)
		}
		if p != nil {
			w.drop()
			*out = CreatedTopic{Name: t.Name, Err: p.code, Message: p.message, Partitions: -1, ReplicationFactor: -1}
			continue
		}
		w.accept()
		if cmd.ValidateOnly {
			out.ID = wire.UUID{}
		}
	}
	if cmd.ValidateOnly {
		w.dropAll()
	}
	reply.Offset = w.offset()
	return reply
}

// repeated finds the names that stand more than once: which of them is meant cannot be known.
func repeated(n int, name func(int) string) map[string]bool {
	seen, twice := map[string]bool{}, map[string]bool{}
	for i := range n {
		if seen[name(i)] {
			twice[name(i)] = true
		}
		seen[name(i)] = true
	}
	return twice
}

func (c *Controller) createTopic(t NewTopic, out *CreatedTopic, budget *int, w *writer) *problem {
	if p := checkName(t.Name); p != nil {
		return p
	}
	if w.image.Topic(t.Name) != nil {
		return refuse(wire.TopicAlreadyExists, "The topic %q exists already.", t.Name)
	}
	if other, found := w.image.collides(t.Name); found {
		return refuse(wire.InvalidTopicException, "The topic %q would have the same metric names as %q: '.' and '_' count as one character there.", t.Name, other)
	}
	configs, p := c.newConfigs(w.image, TopicResource, t.Name, t.Configs)
	if p != nil {
		return p
	}
	placed, p := c.placeTopic(t, budget, w.image)
	if p != nil {
		return p
	}
	out.ID = c.newTopicID(w.image)
	out.Partitions, out.ReplicationFactor, out.Configs = int32(len(placed)), int16(len(placed[0])), configs
	w.add(&record.TopicRecord{Name: t.Name, TopicID: out.ID})
	for i, replicas := range placed {
		w.add(newPartition(w.image, out.ID, int32(i), replicas))
	}
	for _, k := range sortedKeys(configs) {
		v := configs[k]
		w.add(&record.ConfigRecord{ResourceType: TopicResource, ResourceName: t.Name, Name: k, Value: &v})
	}
	return nil
}

// newTopicID never gives out an id twice, whatever the source of random numbers does.
func (c *Controller) newTopicID(image *Image) wire.UUID {
	for {
		id := c.opts.NewID()
		if !id.IsZero() && image.TopicByID(id) == nil {
			return id
		}
	}
}

// newPartition starts with every live replica in sync and the first of them leading.
func newPartition(image *Image, topic wire.UUID, id int32, replicas []int32) *record.PartitionRecord {
	isr := slices.DeleteFunc(slices.Clone(replicas), func(b int32) bool { return !image.Broker(b).Active() })
	return &record.PartitionRecord{PartitionID: id, TopicID: topic, Replicas: replicas, Isr: isr, Leader: isr[0],
		LeaderEpoch: 0, PartitionEpoch: 0, Directories: directories(image, replicas)}
}

// placeTopic gives the replicas of each partition, at least one partition of at least one replica.
func (c *Controller) placeTopic(t NewTopic, budget *int, image *Image) ([][]int32, *problem) {
	if len(t.Assignments) > 0 {
		return c.assigned(t, budget, image)
	}
	n, rf := t.Partitions, t.ReplicationFactor
	switch {
	case rf < -1 || rf == 0:
		return nil, refuse(wire.InvalidReplicationFactor, "The replication factor must be at least 1, or -1 for the default.")
	case n < -1 || n == 0:
		return nil, refuse(wire.InvalidPartitions, "The number of partitions must be at least 1, or -1 for the default.")
	}
	if n == -1 {
		n = max(c.opts.Partitions, 1)
	}
	if rf == -1 {
		rf = max(c.opts.ReplicationFactor, 1)
	}
	place := newPlacer(image)
	if t.Internal {
		rf = int16(min(int(rf), max(place.count, 1)))
	}
	if p := spend(budget, int(n)); p != nil {
		return nil, p
	}
	if p := place.check(int(rf)); p != nil {
		return nil, p
	}
	return c.place(place, int(n), int(rf)), nil
}

func (c *Controller) place(place *placer, n, rf int) [][]int32 {
	out := make([][]int32, n)
	for i := range out {
		out[i] = place.replicas(c.placed, rf)
		c.placed++
	}
	return out
}

func spend(budget *int, n int) *problem {
	if n > *budget {
		return refuse(wire.PolicyViolation, "One request may create at most %d partitions.", MaxNewPartitions)
	}
	*budget -= n
	return nil
}

// assigned checks a manual assignment.
func (c *Controller) assigned(t NewTopic, budget *int, image *Image) ([][]int32, *problem) {
	switch {
	case t.ReplicationFactor != -1:
		return nil, refuse(wire.InvalidRequest, "With a manual assignment the replication factor must be -1.")
	case t.Partitions != -1:
		return nil, refuse(wire.InvalidRequest, "With a manual assignment the number of partitions must be -1.")
	}
	if p := spend(budget, len(t.Assignments)); p != nil {
		return nil, p
	}
	out := make([][]int32, len(t.Assignments))
	for _, a := range t.Assignments {
		if a.Partition < 0 || int(a.Partition) >= len(out) {
			return nil, refuse(wire.InvalidReplicaAssignment, "The assigned partitions must be numbered from 0 to %d without a gap; %d is not among them.", len(out)-1, a.Partition)
		}
		if out[a.Partition] != nil {
			return nil, refuse(wire.InvalidReplicaAssignment, "Partition %d is assigned more than once.", a.Partition)
		}
		if p := checkReplicas(image, a.Partition, a.Replicas, len(t.Assignments[0].Replicas)); p != nil {
			return nil, p
		}
		out[a.Partition] = slices.Clone(a.Replicas)
	}
	return out, nil
}

// checkReplicas says why a partition may not be placed on these brokers.
func checkReplicas(image *Image, partition int32, replicas []int32, rf int) *problem {
	if len(replicas) == 0 {
		return refuse(wire.InvalidReplicaAssignment, "Partition %d is assigned to no broker.", partition)
	}
	if len(replicas) != rf {
		return refuse(wire.InvalidReplicaAssignment, "Partition %d is assigned to %d broker(s), others to %d: all must have the same replication factor.", partition, len(replicas), rf)
	}
	live := false
	for i, id := range replicas {
		b := image.Broker(id)
		if b == nil {
			return refuse(wire.InvalidReplicaAssignment, "Partition %d is assigned to broker %d, which is not registered.", partition, id)
		}
		if slices.Contains(replicas[:i], id) {
			return refuse(wire.InvalidReplicaAssignment, "Partition %d is assigned to broker %d twice.", partition, id)
		}
		live = live || b.Active()
	}
	if !live {
		return refuse(wire.InvalidReplicaAssignment, "All brokers that partition %d is assigned to are fenced or shutting down.", partition)
	}
	return nil
}

func (c *Controller) deleteTopics(cmd DeleteTopics, w *writer) DeleteTopicsReply {
	reply := DeleteTopicsReply{Topics: make([]DeletedTopic, len(cmd.Topics))}
	names := repeated(len(cmd.Topics), func(i int) string { return cmd.Topics[i].resolve(w.image) })
	image := w.image
	for i, ref := range cmd.Topics {
		t, p := findTopic(image, ref)
		switch {
		case p != nil:
		case c.opts.TopicDeletionDisabled:
			p = refuse(wire.TopicDeletionDisabled, "Topics cannot be deleted: delete.topic.enable is false.")
		case names[t.Name]:
			p = refuse(wire.InvalidRequest, "The topic %q stands more than once in the request.", t.Name)
		}
		if p != nil {
			reply.Topics[i] = DeletedTopic{Name: ref.Name, ID: ref.ID, Err: p.code, Message: p.message}
			continue
		}
		w.add(&record.RemoveTopicRecord{TopicID: t.ID})
		w.accept()
		reply.Topics[i] = DeletedTopic{Name: t.Name, ID: t.ID}
	}
	reply.Offset = w.offset()
	return reply
}

// resolve is the name of the topic meant, or something that names no topic.
func (r TopicRef) resolve(image *Image) string {
	if r.Name == "" && !r.ID.IsZero() {
		if t := image.TopicByID(r.ID); t != nil {
			return t.Name
		}
		return "\x00" + r.ID.String()
	}
	return r.Name
}

func findTopic(image *Image, ref TopicRef) (*Topic, *problem) {
	switch {
	case (ref.Name == "") == ref.ID.IsZero():
		return nil, refuse(wire.InvalidRequest, "A topic is named either by its name or by its id.")
	case ref.Name != "":
		if t := image.Topic(ref.Name); t != nil {
			return t, nil
		}
		return nil, refuse(wire.UnknownTopicOrPartition, "There is no topic %q.", ref.Name)
	}
	if t := image.TopicByID(ref.ID); t != nil {
		return t, nil
	}
	return nil, refuse(wire.UnknownTopicID, "There is no topic with the id %s.", ref.ID)
}

func (c *Controller) createPartitions(cmd CreatePartitions, w *writer) CreatePartitionsReply {
	reply := CreatePartitionsReply{Topics: make([]TopicResult, len(cmd.Topics))}
	twice := repeated(len(cmd.Topics), func(i int) string { return cmd.Topics[i].Topic })
	budget := MaxNewPartitions
	for i, t := range cmd.Topics {
		p := refuse(wire.InvalidRequest, "The topic %q stands more than once in the request.", t.Topic)
		if !twice[t.Topic] {
			p = c.morePartitions(t, &budget, w)
		}
		reply.Topics[i] = TopicResult{Topic: t.Topic}
		if p != nil {
			w.drop()
			reply.Topics[i].Err, reply.Topics[i].Message = p.code, p.message
			continue
		}
		w.accept()
	}
	if cmd.ValidateOnly {
		w.dropAll()
	}
	reply.Offset = w.offset()
	return reply
}

func (c *Controller) morePartitions(m MorePartitions, budget *int, w *writer) *problem {
	t := w.image.Topic(m.Topic)
	if t == nil {
		return refuse(wire.UnknownTopicOrPartition, "There is no topic %q.", m.Topic)
	}
	have := len(t.Partitions)
	if int(m.Count) <= have {
		return refuse(wire.InvalidPartitions, "The topic %q has %d partition(s) already; %d would not be an increase.", m.Topic, have, m.Count)
	}
	more, rf := int(m.Count)-have, len(t.Partitions[0].Replicas)
	if p := spend(budget, more); p != nil {
		return p
	}
	placed := m.Assignments
	if placed == nil {
		place := newPlacer(w.image)
		if p := place.check(rf); p != nil {
			return p
		}
		placed = c.place(place, more, rf)
	} else if len(placed) != more {
		return refuse(wire.InvalidReplicaAssignment, "%d partition(s) are to be added, but %d assigned.", more, len(placed))
	}
	for i, replicas := range placed {
		if p := checkReplicas(w.image, int32(have+i), replicas, rf); p != nil {
			return p
		}
		w.add(newPartition(w.image, t.ID, int32(have+i), replicas))
	}
	return nil
}
