package meta

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"millrace/internal/kafka/record"
)

// A snapshot is the image as the fewest records that rebuild it, in this order:
//
//	FeatureLevelRecord   metadata.version first, the others by name
//	RegisterBrokerRecord by id
//	TopicRecord, then its PartitionRecords, topic by topic by name
//	ConfigRecord         by resource type, resource name and setting
//	ProducerIdsRecord    when ids have been given out
//	what is kept for later versions, by kind and name
//
// Equal images give equal bytes. The host wraps them in batches, between the header and footer records of a
// checkpoint file <20 digits of end offset>-<10 digits of epoch>.checkpoint.

// Snapshot calls f with the framed value of each record of the snapshot, until f fails. An image inside a metadata
// transaction has no snapshot: the caller waits for its end.
func (i *Image) Snapshot(f func(value []byte) error) error {
	if i.transaction != nil {
		return fmt.Errorf("a metadata transaction is open at offset %d", i.offset)
	}
	var err error
	i.records(func(m record.Metadata) bool {
		err = f(record.AppendMetadata(nil, m, writeVersion(m)))
		return err == nil
	})
	return err
}

// InTransaction reports whether a metadata transaction is open, which only a log written by Apache Kafka has.
func (i *Image) InTransaction() bool { return i.transaction != nil }

func (i *Image) records(f func(record.Metadata) bool) {
	_ = i.featureRecords(f) && i.brokerRecords(f) && i.topicRecords(f) && i.configRecords(f) && i.producerRecord(f) &&
		i.kept.root.each("", func(_ string, m record.Metadata) bool { return f(m) })
}

func (i *Image) featureRecords(f func(record.Metadata) bool) bool {
	names := slices.Sorted(maps.Keys(i.features))
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	for _, name := range names {
		if name != KRaftVersionFeature && !f(&record.FeatureLevelRecord{Name: name, FeatureLevel: i.features[name]}) {
			return false
		}
	}
	return true
}

func rank(feature string) int {
	if feature == MetadataVersionFeature {
		return 0
	}
	return 1
}

func (i *Image) brokerRecords(f func(record.Metadata) bool) bool {
	for _, b := range i.Brokers() {
		if !f(b.record()) {
			return false
		}
	}
	return true
}

func (b *Broker) record() *record.RegisterBrokerRecord {
	r := &record.RegisterBrokerRecord{BrokerID: b.ID, IncarnationID: b.Incarnation, BrokerEpoch: b.Epoch, Fenced: b.Fenced,
		InControlledShutdown: b.Shutdown, LogDirs: b.Dirs, CordonedLogDirs: b.Cordoned}
	for _, p := range b.Endpoints {
		r.EndPoints = append(r.EndPoints, record.BrokerEndpoint{Name: p.Name, Host: p.Host, Port: p.Port, SecurityProtocol: p.Protocol})
	}
	for _, x := range b.Features {
		r.Features = append(r.Features, record.BrokerFeature{Name: x.Name, MinSupportedVersion: x.Min, MaxSupportedVersion: x.Max})
	}
	if b.HasRack {
		r.Rack = &b.Rack
	}
	return r
}

func (i *Image) topicRecords(f func(record.Metadata) bool) bool {
	return i.topics.root.each("", func(_ string, t *Topic) bool {
		if !f(&record.TopicRecord{Name: t.Name, TopicID: t.ID}) {
			return false
		}
		for p := range t.Partitions {
			if !f(t.Partitions[p].record(t, int32(p))) {
				return false
			}
		}
		return true
	})
}

func (p *Partition) record(t *Topic, id int32) *record.PartitionRecord {
	return &record.PartitionRecord{PartitionID: id, TopicID: t.ID, Replicas: p.Replicas, Isr: p.ISR,
		RemovingReplicas: p.Removing, AddingReplicas: p.Adding, Leader: p.Leader, LeaderRecoveryState: p.Recovery,
		LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, Directories: p.Directories,
		EligibleLeaderReplicas: p.ELR, LastKnownElr: p.LastKnownELR}
}

func (i *Image) configRecords(f func(record.Metadata) bool) bool {
	return i.configs.root.each("", func(key string, m map[string]string) bool {
		typ, name := splitResourceKey(key)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			v := m[k]
			if !f(&record.ConfigRecord{ResourceType: typ, ResourceName: name, Name: k, Value: &v}) {
				return false
			}
		}
		return true
	})
}

func (i *Image) producerRecord(f func(record.Metadata) bool) bool {
	return i.producerID == 0 || f(&record.ProducerIDsRecord{BrokerID: -1, BrokerEpoch: -1, NextProducerID: i.producerID})
}

// writeVersion is the version that metadata.version 30 writes of a record.
func writeVersion(m record.Metadata) int16 {
	switch m.(type) {
	case *record.RegisterBrokerRecord:
		return 4
	case *record.BrokerRegistrationChangeRecord:
		return 3
	case *record.PartitionRecord, *record.PartitionChangeRecord:
		return 2
	}
	return 0
}

// Loader rebuilds an image from a snapshot, record by record.
type Loader struct{ e *edit }

// NewLoader begins with the empty image.
func NewLoader() *Loader { return &Loader{Empty().edit()} }

// Add reads the next record's value.
func (l *Loader) Add(value []byte) error {
	m, _, err := record.ParseMetadata(value)
	if err != nil {
		return fmt.Errorf("metadata snapshot: %w", err)
	}
	if err := l.e.apply(m); err != nil {
		return fmt.Errorf("metadata snapshot: %w", err)
	}
	return nil
}

// Image is what was loaded, at the offset of the last record that the snapshot stands for (one less than the end
// offset in the file's name) and at its epoch. The loader is not used any more.
func (l *Loader) Image(offset int64, epoch int32) *Image {
	i := l.e.finish(offset, epoch)
	l.e = nil
	return i
}

// Hash is equal for images of equal content, wherever they have been read from.
func (i *Image) Hash() [32]byte {
	h := sha256.New()
	var size [4]byte
	i.records(func(m record.Metadata) bool {
		v := record.AppendMetadata(nil, m, writeVersion(m))
		binary.BigEndian.PutUint32(size[:], uint32(len(v)))
		h.Write(size[:])
		h.Write(v)
		return true
	})
	return [32]byte(h.Sum(nil))
}
