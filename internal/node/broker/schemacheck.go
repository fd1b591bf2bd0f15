package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/internal/config"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
)

// Schemas is a schema registry as the schema check sees it.
type Schemas interface {
	// Loaded is nil until the registry has been loaded.
	Loaded() LoadedSchemas
	// CatchUp returns when the registry is loaded and everything that was in its log at the call counts.
	CatchUp(context.Context) error
}

// LoadedSchemas answer from memory.
type LoadedSchemas interface {
	// Version moves whenever the answers of Judge may have changed.
	Version() int64
	// Judge says whether records of this kind may be produced.
	Judge(SchemaUse) SchemaVerdict
}

// SchemaUse is one way in which records of a topic use a schema.
type SchemaUse struct {
	Topic    string
	Key      bool   // of the record's key, else of its value
	Strategy string // a class name, as the setting has it
	ID       []byte // 0 and the id, or 1 and the GUID, as the record has it
	Indexes  []int  // the Protobuf message; nil when they were not read
}

// SchemaVerdict is the registry's answer.
type SchemaVerdict struct {
	// Refusal is one sentence, empty when the use is allowed.
	Refusal string
	// Indexed: the schema is a Protobuf file, so ask again with the message indexes.
	Indexed bool
}

// The schema check looks into the batches of topics that ask for it with confluent.key.schema.validation or
// confluent.value.schema.validation. In this order, for the batch of one partition:
//
//  1. Every record is held against what is known (schemaSide). A record that no registry could save - too short, another
//     magic byte - refuses the batch at once.
//  2. What the registry has just refused may have been registered a moment ago, elsewhere. So the request waits once for the
//     registry to catch up, while the partitions without doubts go on, and then asks again. Only that answer counts, and a
//     refusal is remembered for a while: who sends unknown ids for ever waits once in a while, and alone.
//  3. A registry that does not catch up in time refuses nothing: the answer is a code that clients repeat.
//
// All this happens before the batch is handed to its log, so a refused batch leaves no gap in the sequence numbers.
const (
	schemaPatience    = time.Second // waiting for the registry, in one request
	schemaRefusalTime = time.Second // a refusal is not asked about again
	schemaSayEvery    = 10 * time.Second
	mostRecordErrors  = 16 // told of one batch; then the rest is not looked at
)

// schemasLater is no answer yet: the registry has to catch up first. As an answer it tells the client to come again. Of the codes
// that every client repeats it is the one that promises that nothing was appended and sends nobody away from this broker.
var schemasLater = refusal(wire.NotEnoughReplicas, "the schema registry of this node is being loaded")

// A schemaCheck is the check of one batch, in the steps in which the produce path takes it.
type schemaCheck struct {
	bad    *Produced // nobody can judge: why
	judge  schemaJudge
	walked bool  // over all records, while they were summed
	err    error // how the walk ended
}

// openSchemas is nil where the topic takes everything.
func (c *produceCall) openSchemas(policy *topicPolicy) *schemaCheck {
	if policy.schemas == nil {
		return nil
	}
	schemas := c.r.b.schemas
	if schemas == nil {
		return &schemaCheck{bad: refusal(wire.InvalidRecord, policy.schemas[0].noRegistry())}
	}
	if c.schemasErr != nil {
		return &schemaCheck{bad: refusal(schemasLater.Err, "the schema registry of this node cannot be asked yet: "+c.schemasErr.Error())}
	}
	loaded := schemas.Loaded()
	if loaded == nil {
		return &schemaCheck{bad: schemasLater}
	}
	return &schemaCheck{judge: schemaJudge{schemas: loaded, version: loaded.Version(), now: c.r.b.clock.Now(), final: c.caughtUp, sides: policy.schemas}}
}

// checksum says whether a batch carries the right one. Uncompressed records are held against what is known on the way, while they
// are in the processor's nearest caches; that counts for nothing when the checksum is wrong.
func (s *schemaCheck) checksum(b []byte, h *batch.Header) (sound bool) {
	if s == nil || s.bad != nil || h.Codec() != batch.None {
		return batch.CheckCRC(b)
	}
	s.walked = true
	sound, s.err = batch.ScanSummed(b, s.judge.record)
	return sound
}

// checkSchemas gives the verdict about every record of a batch whose checksum is right.
func (c *produceCall) checkSchemas(it *produceItem, policy *topicPolicy, s *schemaCheck) *Produced {
	if s.bad != nil {
		if c.r.b.schemas == nil {
			c.sayRefused(policy.schemas[0], c.r.b.clock.Now(), s.bad.Message)
		}
		return s.bad
	}
	j := &s.judge
	if !s.walked {
		limit := policy.maxMessageBytes * c.r.b.limits.decompressed
		charge, ok := c.r.b.decoding.take(int64(limit), c.r.conn.dead)
		if !ok {
			return refusal(schemasLater.Err, "the connection was closed")
		}
		defer c.r.b.decoding.give(charge)
		s.err = batch.Scan(it.Batch, limit, j.record)
	}
	j.remember()
	switch {
	case s.err != nil && !errors.Is(s.err, errEnough):
		return refusal(wire.CorruptMessage, "the records cannot be decoded: "+s.err.Error())
	case len(j.errs) > 0:
		it.recordErrors(j.errs)
		c.sayRefused(policy.schemas[0], j.now, j.summary())
		return refusal(wire.InvalidRecord, j.summary())
	case j.doubts:
		return schemasLater
	}
	return nil
}

// sayRefused logs a refusal of a topic's records now and then: many clients show their users the code alone.
func (c *produceCall) sayRefused(side *schemaSide, now time.Time, why string) {
	last := side.said.Load()
	if now.UnixNano()-last < int64(schemaSayEvery) || !side.said.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	c.r.b.log.Warn("records were refused by the schema check", "topic", side.topic, "client", c.r.ClientID, "remote", c.r.conn.host,
		"principal", c.r.conn.principal.String(), "reason", why)
}

// awaitSchemas lets the registry catch up, once in a request. It holds this connection's reader back, so what the producer
// has sent after stays behind it.
func (c *produceCall) awaitSchemas() {
	b, dead := c.r.b, c.r.conn.dead
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer b.clock.AfterFunc(schemaPatience, cancel).Stop()
	go func() {
		select {
		case <-b.stopped:
		case <-dead:
		case <-ctx.Done():
		}
		cancel()
	}()
	err := b.schemas.CatchUp(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("it did not answer within %v", schemaPatience)
	}
	c.caughtUp, c.schemasErr = true, err
}

// errEnough ends the walk over a batch.
var errEnough = errors.New("enough record errors")

// schemaJudge goes over the records of one batch.
type schemaJudge struct {
	schemas LoadedSchemas
	version int64 // before anything was asked
	now     time.Time
	final   bool // the registry has caught up: its refusals count
	sides   []*schemaSide
	known   [2]sideVerdicts // as sides
	errs    []wire.RecordError
	doubts  bool // the registry refused something, and may not have caught up
}

func (j *schemaJudge) record(i int, r *batch.Raw) error {
	for n, side := range j.sides {
		if j.known[n].passes(side, r) {
			continue
		}
		why := j.judge(side, &j.known[n], r)
		if why == "" {
			continue
		}
		j.errs = append(j.errs, wire.RecordError{Index: int32(i), Message: fmt.Sprintf("record %d, %s: %s", i, side.name(), why)})
		if len(j.errs) == mostRecordErrors {
			return errEnough
		}
	}
	return nil
}

// judge is the refusal of one side of a record, empty when there is none or it is in doubt.
func (j *schemaJudge) judge(side *schemaSide, known *sideVerdicts, r *batch.Raw) string {
	id, why := side.idOf(r)
	if id == nil {
		return why
	}
	if !known.same(id) {
		if why := known.look(j, side, id); why != "" {
			return why
		}
	}
	if known.last.doubt {
		return ""
	}
	return known.last.refusal
}

func (j *schemaJudge) remember() {
	for n, side := range j.sides {
		side.publish(j.version, j.known[n].fresh)
	}
}

// summary is the message for the whole batch.
func (j *schemaJudge) summary() string {
	switch n := len(j.errs); n {
	case 1:
		return j.errs[0].Message
	case mostRecordErrors:
		return j.errs[0].Message + "; more records of the batch are refused"
	default:
		return fmt.Sprintf("%s; %d more are refused", j.errs[0].Message, n-1)
	}
}

// schemaSides are the sides of a topic's records that are checked.
func schemaSides(topic string, v config.Values) (sides []*schemaSide) {
	for _, key := range []bool{true, false} {
		s := &schemaSide{topic: topic, key: key}
		if v.Bool(s.setting()) {
			s.strategy = v.String("confluent." + s.name() + ".subject.name.strategy")
			sides = append(sides, s)
		}
	}
	return sides
}

// noRegistry is why nothing can be produced to a topic whose check nobody can make.
func (s *schemaSide) noRegistry() string {
	return fmt.Sprintf("the topic has %s=true and no schema registry runs in this node: set schema.registry.listeners and restart it, or set %s=false on the topic",
		s.setting(), s.setting())
}
