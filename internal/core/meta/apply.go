package meta

import (
	"fmt"
	"maps"
	"slices"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

// ApplyBatch reads one batch of the metadata log. A control batch has no Records and takes one offset. An error means
// that the metadata cannot be understood: the node stops, and nothing is deleted (MET-4).
func (i *Image) ApplyBatch(b machine.Batch) (*Image, Delta, error) {
	if b.BaseOffset <= i.offset {
		return nil, Delta{}, fmt.Errorf("metadata batch at offset %d, but offset %d is applied already", b.BaseOffset, i.offset)
	}
	e := i.edit()
	for n, r := range b.Records {
		m, _, err := record.ParseMetadata(r.Value)
		if err != nil {
			return nil, Delta{}, fmt.Errorf("metadata record at offset %d: %w", b.BaseOffset+int64(n), err)
		}
		if err := e.apply(m); err != nil {
			return nil, Delta{}, fmt.Errorf("metadata record at offset %d: %w", b.BaseOffset+int64(n), err)
		}
	}
	next := e.finish(b.BaseOffset+int64(max(len(b.Records), 1))-1, b.LeaderEpoch)
	return next, e.delta(next), nil
}

// Apply reads records that begin at offset base.
func (i *Image) Apply(records []record.Metadata, base int64, epoch int32) (*Image, Delta, error) {
	e := i.edit()
	for n, m := range records {
		if err := e.apply(m); err != nil {
			return nil, Delta{}, fmt.Errorf("metadata record at offset %d: %w", base+int64(n), err)
		}
	}
	next := e.finish(base+int64(len(records))-1, epoch)
	return next, e.delta(next), nil
}

// edit is an image in the making. What it has copied once it may write until finish; everything else is shared.
type edit struct {
	old *Image
	new *Image

	topics  map[string]*Topic            // copied, by name
	configs map[string]map[string]string // copied, by resource key

	// What the delta looks at.
	touchedTopics  map[wire.UUID]bool
	touchedBrokers map[int32]bool
	touchedConfigs map[string]bool
	features       bool
}

func (i *Image) edit() *edit {
	next := *i
	return &edit{old: i, new: &next, topics: map[string]*Topic{}, configs: map[string]map[string]string{},
		touchedTopics: map[wire.UUID]bool{}, touchedBrokers: map[int32]bool{}, touchedConfigs: map[string]bool{}}
}

func (e *edit) finish(offset int64, epoch int32) *Image {
	e.new.offset, e.new.epoch = offset, epoch
	return e.new
}

// apply changes the image by one record, or keeps the record while a metadata transaction is open.
func (e *edit) apply(m record.Metadata) error {
	switch r := m.(type) {
	case *record.BeginTransactionRecord:
		if e.new.transaction != nil {
			return fmt.Errorf("a metadata transaction begins inside another")
		}
		e.new.transaction = &transaction{}
		return nil
	case *record.AbortTransactionRecord:
		e.new.transaction = nil
		return nil
	case *record.EndTransactionRecord:
		return e.endTransaction()
	default:
		if t := e.new.transaction; t != nil {
			e.new.transaction = &transaction{append(t.records[:len(t.records):len(t.records)], r)}
			return nil
		}
	}
	return e.applyNow(m)
}

func (e *edit) endTransaction() error {
	t := e.new.transaction
	if t == nil {
		return fmt.Errorf("a metadata transaction ends that did not begin")
	}
	e.new.transaction = nil
	for _, m := range t.records {
		if err := e.applyNow(m); err != nil {
			return err
		}
	}
	return nil
}

func (e *edit) applyNow(m record.Metadata) error {
	switch r := m.(type) {
	case *record.TopicRecord:
		return e.topic(r)
	case *record.PartitionRecord:
		return e.partition(r)
	case *record.PartitionChangeRecord:
		return e.partitionChange(r)
	case *record.RemoveTopicRecord:
		return e.removeTopic(r)
	case *record.ClearElrRecord:
		return e.clearELR(r)
	case *record.ConfigRecord:
		e.config(r)
	case *record.RegisterBrokerRecord:
		e.registerBroker(r)
	case *record.UnregisterBrokerRecord:
		return e.unregisterBroker(r)
	case *record.BrokerRegistrationChangeRecord:
		return e.registrationChange(r)
	case *record.FenceBrokerRecord:
		return e.fence(r.ID, r.Epoch, true)
	case *record.UnfenceBrokerRecord:
		return e.fence(r.ID, r.Epoch, false)
	case *record.FeatureLevelRecord:
		e.feature(r)
	case *record.ProducerIDsRecord:
		return e.producerIDs(r)
	case *record.NoOpRecord, *record.ZkMigrationStateRecord:
	default:
		return e.keep(m)
	}
	return nil
}

// Topics and partitions.

func (e *edit) topic(r *record.TopicRecord) error {
	if e.new.Topic(r.Name) != nil {
		return fmt.Errorf("topic %q exists already", r.Name)
	}
	t := &Topic{Name: r.Name, ID: r.TopicID}
	e.topics[r.Name] = t
	e.new.topics = e.new.topics.put(r.Name, t)
	e.new.names = e.new.names.put(string(r.TopicID[:]), r.Name)
	e.new.folded = foldIn(e.new.folded, r.Name)
	e.touchedTopics[r.TopicID] = true
	return nil
}

// own returns a copy of a topic that this edit may write.
func (e *edit) own(id wire.UUID) (*Topic, error) {
	t := e.new.TopicByID(id)
	if t == nil {
		return nil, fmt.Errorf("no topic has the id %s", id)
	}
	if e.topics[t.Name] == t {
		return t, nil
	}
	c := &Topic{Name: t.Name, ID: t.ID, Partitions: slices.Clone(t.Partitions)}
	e.topics[t.Name] = c
	e.new.topics = e.new.topics.put(t.Name, c)
	e.touchedTopics[id] = true
	return c, nil
}

func (e *edit) partition(r *record.PartitionRecord) error {
	t, err := e.own(r.TopicID)
	if err != nil {
		return err
	}
	if r.PartitionID < 0 || int(r.PartitionID) > len(t.Partitions) {
		return fmt.Errorf("partition %d of topic %q does not follow the %d before", r.PartitionID, t.Name, len(t.Partitions))
	}
	p := Partition{Replicas: r.Replicas, ISR: r.Isr, ELR: r.EligibleLeaderReplicas, LastKnownELR: r.LastKnownElr,
		Adding: r.AddingReplicas, Removing: r.RemovingReplicas, Directories: r.Directories, Leader: r.Leader,
		LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch, Recovery: r.LeaderRecoveryState}
	p.Directories = fitDirectories(p.Directories, nil, nil, p.Replicas)
	p.tidy()
	if int(r.PartitionID) == len(t.Partitions) {
		t.Partitions = append(t.Partitions, p)
	} else {
		t.Partitions[r.PartitionID] = p
	}
	return nil
}

func (e *edit) partitionChange(r *record.PartitionChangeRecord) error {
	t, err := e.own(r.TopicID)
	if err != nil {
		return err
	}
	p := t.Partition(r.PartitionID)
	if p == nil {
		return fmt.Errorf("topic %q has no partition %d", t.Name, r.PartitionID)
	}
	*p = p.merge(r)
	return nil
}

// merge is the partition after a change. A leader in the record is an election, of the same leader too: it begins a
// new leader epoch. Every change begins a new partition epoch.
func (p Partition) merge(r *record.PartitionChangeRecord) Partition {
	replicas := p.Replicas
	set := func(to *[]int32, v []int32) {
		if v != nil {
			*to = v
		}
	}
	set(&p.Replicas, r.Replicas)
	set(&p.ISR, r.Isr)
	set(&p.ELR, r.EligibleLeaderReplicas)
	set(&p.LastKnownELR, r.LastKnownElr)
	set(&p.Adding, r.AddingReplicas)
	set(&p.Removing, r.RemovingReplicas)
	p.Directories = fitDirectories(r.Directories, p.Directories, replicas, p.Replicas)
	if r.Leader != noLeaderChange {
		p.Leader = r.Leader
		p.LeaderEpoch++
	}
	if r.LeaderRecoveryState != noRecoveryChange {
		p.Recovery = r.LeaderRecoveryState
	}
	p.PartitionEpoch++
	p.tidy()
	return p
}

const (
	noLeaderChange   int32 = -2
	noRecoveryChange int8  = -1
)

// fitDirectories gives each replica its directory: as recorded, else as it was before, else not assigned.
func fitDirectories(recorded, before []wire.UUID, was, now []int32) []wire.UUID {
	if len(recorded) == len(now) {
		return recorded
	}
	if len(before) == len(now) && slices.Equal(was, now) {
		return before
	}
	out := make([]wire.UUID, len(now))
	for i, id := range now {
		if at := slices.Index(was, id); at >= 0 && at < len(before) {
			out[i] = before[at]
		}
	}
	return out
}

// tidy makes equal states look equal: no set is empty and not nil.
func (p *Partition) tidy() {
	for _, s := range []*[]int32{&p.Replicas, &p.ISR, &p.ELR, &p.LastKnownELR, &p.Adding, &p.Removing} {
		if len(*s) == 0 {
			*s = nil
		}
	}
}

// removeTopic takes the topic's settings away too, as no record does it.
func (e *edit) removeTopic(r *record.RemoveTopicRecord) error {
	t := e.new.TopicByID(r.TopicID)
	if t == nil {
		return fmt.Errorf("no topic has the id %s", r.TopicID)
	}
	delete(e.topics, t.Name)
	e.new.topics = e.new.topics.del(t.Name)
	e.new.names = e.new.names.del(string(r.TopicID[:]))
	e.new.folded = foldOut(e.new.folded, t.Name)
	e.touchedTopics[r.TopicID] = true
	e.dropConfigs(resourceKey(TopicResource, t.Name))
	return nil
}

// clearELR forgets the eligible leader replicas of one topic, or of all when it names none.
func (e *edit) clearELR(r *record.ClearElrRecord) error {
	var ids []wire.UUID
	if r.TopicName == "" {
		e.new.Topics(func(t *Topic) bool { ids = append(ids, t.ID); return true })
	} else if t := e.new.Topic(r.TopicName); t != nil {
		ids = append(ids, t.ID)
	} else {
		return fmt.Errorf("no topic %q", r.TopicName)
	}
	for _, id := range ids {
		t := e.new.TopicByID(id)
		if !slices.ContainsFunc(t.Partitions, func(p Partition) bool { return p.ELR != nil || p.LastKnownELR != nil }) {
			continue
		}
		t, _ = e.own(id)
		for i := range t.Partitions {
			if p := &t.Partitions[i]; p.ELR != nil || p.LastKnownELR != nil {
				p.ELR, p.LastKnownELR = nil, nil
			}
		}
	}
	return nil
}

// Configs.

func (e *edit) config(r *record.ConfigRecord) {
	key := resourceKey(r.ResourceType, r.ResourceName)
	m, ok := e.configs[key]
	if !ok {
		before, _ := e.new.configs.get(key)
		if m = maps.Clone(before); m == nil {
			m = map[string]string{}
		}
		e.configs[key] = m
	}
	if r.Value == nil {
		delete(m, r.Name)
	} else {
		m[r.Name] = *r.Value
	}
	e.touchedConfigs[key] = true
	if len(m) == 0 {
		e.dropConfigs(key)
		return
	}
	e.new.configs = e.new.configs.put(key, m)
}

func (e *edit) dropConfigs(key string) {
	if _, ok := e.new.configs.get(key); ok {
		e.new.configs = e.new.configs.del(key)
	}
	delete(e.configs, key)
	e.touchedConfigs[key] = true
}

// Brokers.

func (e *edit) registerBroker(r *record.RegisterBrokerRecord) {
	b := &Broker{ID: r.BrokerID, Epoch: r.BrokerEpoch, Incarnation: r.IncarnationID, Fenced: r.Fenced,
		Shutdown: r.InControlledShutdown, Dirs: r.LogDirs, Cordoned: r.CordonedLogDirs}
	for _, p := range r.EndPoints {
		b.Endpoints = append(b.Endpoints, Endpoint{p.Name, p.Host, p.Port, p.SecurityProtocol})
	}
	for _, f := range r.Features {
		b.Features = append(b.Features, FeatureRange{f.Name, f.MinSupportedVersion, f.MaxSupportedVersion})
	}
	if r.Rack != nil {
		b.Rack, b.HasRack = *r.Rack, true
	}
	e.putBroker(b)
}

func (e *edit) putBroker(b *Broker) {
	if len(b.Dirs) == 0 {
		b.Dirs = nil
	}
	if len(b.Cordoned) == 0 {
		b.Cordoned = nil
	}
	e.new.brokers = e.new.brokers.put(brokerKey(b.ID), b)
	e.touchedBrokers[b.ID] = true
}

// registered finds the broker that a record speaks of: its epoch has to be the one in force.
func (e *edit) registered(id int32, epoch int64) (Broker, error) {
	b := e.new.Broker(id)
	if b == nil || b.Epoch != epoch {
		return Broker{}, fmt.Errorf("broker %d is not registered with epoch %d", id, epoch)
	}
	return *b, nil
}

func (e *edit) unregisterBroker(r *record.UnregisterBrokerRecord) error {
	if _, err := e.registered(r.BrokerID, r.BrokerEpoch); err != nil {
		return err
	}
	e.new.brokers = e.new.brokers.del(brokerKey(r.BrokerID))
	e.touchedBrokers[r.BrokerID] = true
	return nil
}

// Values of BrokerRegistrationChangeRecord; 0 means no change.
const (
	changeFence      int8 = 1
	changeUnfence    int8 = -1
	changeToShutdown int8 = 1
)

func (e *edit) registrationChange(r *record.BrokerRegistrationChangeRecord) error {
	b, err := e.registered(r.BrokerID, r.BrokerEpoch)
	if err != nil {
		return err
	}
	switch r.Fenced {
	case changeFence:
		b.Fenced = true
	case changeUnfence:
		b.Fenced = false
	}
	b.Shutdown = b.Shutdown || r.InControlledShutdown == changeToShutdown
	if len(r.LogDirs) > 0 {
		b.Dirs = r.LogDirs
	}
	if r.CordonedLogDirs != nil {
		b.Cordoned = r.CordonedLogDirs
	}
	e.putBroker(&b)
	return nil
}

func (e *edit) fence(id int32, epoch int64, fenced bool) error {
	b, err := e.registered(id, epoch)
	if err != nil {
		return err
	}
	b.Fenced = fenced
	e.putBroker(&b)
	return nil
}

// Features, producer ids and what is only kept.

func (e *edit) feature(r *record.FeatureLevelRecord) {
	m := maps.Clone(e.new.features)
	if m == nil {
		m = map[string]int16{}
	}
	if r.FeatureLevel == 0 {
		delete(m, r.Name)
	} else {
		m[r.Name] = r.FeatureLevel
	}
	// The quorum was formed with voters in its log (kraft.version 1); that needs no record here.
	if m[MetadataVersionFeature] != 0 {
		m[KRaftVersionFeature] = KRaftVersion
	}
	e.new.features, e.features = m, true
}

func (e *edit) producerIDs(r *record.ProducerIDsRecord) error {
	if r.NextProducerID < e.new.producerID {
		return fmt.Errorf("producer ids go back from %d to %d (IDM-3)", e.new.producerID, r.NextProducerID)
	}
	e.new.producerID = r.NextProducerID
	return nil
}

func (e *edit) keep(m record.Metadata) error {
	key, remove, err := keptKey(m)
	if err != nil {
		return err
	}
	if remove {
		e.new.kept = e.new.kept.del(key)
	} else {
		e.new.kept = e.new.kept.put(key, m)
	}
	return nil
}

// keptKey names what a record speaks of: a later record of the same name replaces or removes it.
func keptKey(m record.Metadata) (key string, remove bool, err error) {
	switch r := m.(type) {
	case *record.ClientQuotaRecord:
		return quotaKey(r), r.Remove, nil
	case *record.UserScramCredentialRecord:
		return fmt.Sprintf("scram %d %s", r.Mechanism, r.Name), false, nil
	case *record.RemoveUserScramCredentialRecord:
		return fmt.Sprintf("scram %d %s", r.Mechanism, r.Name), true, nil
	case *record.AccessControlEntryRecord:
		return "acl " + string(r.ID[:]), false, nil
	case *record.RemoveAccessControlEntryRecord:
		return "acl " + string(r.ID[:]), true, nil
	case *record.DelegationTokenRecord:
		return "token " + r.TokenID, false, nil
	case *record.RemoveDelegationTokenRecord:
		return "token " + r.TokenID, true, nil
	case *record.RegisterControllerRecord:
		return "controller " + brokerKey(r.ControllerID), false, nil
	}
	return "", false, fmt.Errorf("a record of type %d has no place in the metadata", m.APIKey())
}

func quotaKey(r *record.ClientQuotaRecord) string {
	parts := make([]string, 0, len(r.Entity))
	for _, en := range r.Entity {
		name := "\x00default"
		if en.EntityName != nil {
			name = *en.EntityName
		}
		parts = append(parts, fmt.Sprintf("%q=%q", en.EntityType, name))
	}
	slices.Sort(parts)
	return fmt.Sprintf("quota %q %q", parts, r.Key)
}
