// Produce (key 0), versions 3-13, advertised from 0
//
// Appends exactly one record batch of format 2 to each partition and answers as acks asks: 0 never (an error ends the
// connection), 1 after the append, all (-1) when the high watermark covers the batch, which means flushed wherever
// flush.before.ack holds. The batch is opaque: magic, checksum, sizes, counts and header timestamps are checked, records
// are decoded only for compacted topics (null keys are refused with RecordErrors) and for topics whose compression.type
// is not the producer's. Kafka's checks of single records are left out: the header's timestamps are believed. A topic with
// confluent.key.schema.validation or confluent.value.schema.validation takes only batches whose records all have a schema id
// that is registered under their subject; a null key or value passes. Others are refused with INVALID_RECORD, RecordErrors
// and a message. Internal topics are refused. A transactional id is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED: there are no
// transactions yet. Versions 0-2 are advertised because librdkafka looks for them, and answered with
// UNSUPPORTED_VERSION. Needs Write on each topic.
//
//	v3   transactional id; record batches of format 2
//	v5   log start offset in the answer
//	v7   zstd
//	v8   record errors and an error message
//	v9   flexible
//	v10  the current leader and its endpoint beside NOT_LEADER_OR_FOLLOWER
//	v13  topic ids instead of names

package broker

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"millrace/internal/core/auth"
	"millrace/internal/core/quota"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/metrics"
	"millrace/internal/node/env"
)

var _ = register(API{Key: wire.Produce, Min: 3, Max: 13, FromZero: true, Handle: handleProduce, Mismatch: refuseOldProduce})

// A produceCall is one Produce request in flight. It outlives its request where a partition answers after the
// request timed out: the batch memory belongs to the host until then.
type produceCall struct {
	b     *Broker // constant: whose clock the timer is of
	r     *Request
	req   wire.ProduceRequest
	items []*produceItem
	parts []wire.ProduceResponsePartition // the answer, being built

	open     atomic.Int32 // items not done, and one for the handler while it submits
	answered atomic.Bool
	users    atomic.Int32 // who may still touch this: open items, the one that answers, the handler
	expired  bool         // the timer could not be stopped: not reused
	timer    env.Timer
	armed    bool // the timer runs

	caughtUp   bool  // the schema registry has, after this request came
	schemasErr error // why it has not
}

// A produceItem is one partition's batch. Its callback is made once and lives as long as the item.
type produceItem struct {
	Produce
	call   *produceCall
	index  int
	buf    *buffer
	topic  *metrics.Topic // nil while the topic is not known
	later  bool           // waits for the schema registry
	done   atomic.Bool
	result Produced
}

func handleProduce(r *Request) error {
	c, ok := r.b.produces.Get().(*produceCall)
	if !ok {
		c = &produceCall{b: r.b}
	}
	if err := c.req.Parse(r.Version, r.Body); err != nil {
		r.abandon()
		return err
	}
	c.r = r
	if c.timer == nil {
		// Made before it is needed: a timer that fires while it is being stored could not be stopped.
		c.timer = r.b.clock.AfterFunc(time.Hour, c.answer)
		c.timer.Stop()
	}
	c.start()
	return nil
}

// refuseOldProduce answers versions 0-2, which Kafka gave up, where they can be read.
func refuseOldProduce(r *Request) error {
	var req wire.ProduceRequest
	if err := req.Parse(r.Version, r.Body); err != nil {
		r.abandon()
		return err
	}
	r.fail(wire.UnsupportedVersion)
	if req.Acks == 0 {
		r.closeAfter = true
		r.answerNothing()
		return nil
	}
	parts := make([]wire.ProduceResponsePartition, len(req.Partitions))
	for i, p := range req.Partitions {
		parts[i] = wire.ProduceResponsePartition{Topic: p.Topic, Partition: p.Partition, Err: wire.UnsupportedVersion,
			BaseOffset: -1, LogAppendTime: -1, LogStart: -1, LeaderID: -1, LeaderEpoch: -1}
	}
	buf := r.b.pool.get(512)
	r.answer(buf, wire.AppendProduceResponse(r.appendHead(buf.b[:0]), r.Version, parts, 0, nil))
	return nil
}

// start checks and submits every partition. From the first submission on the host may answer at any time.
func (c *produceCall) start() {
	n := len(c.req.Partitions)
	c.size(n)
	c.answered.Store(false)
	c.open.Store(int32(n + 1))
	c.users.Store(int32(n + 2))
	refused, later := c.refuseAll(), false
	for i := range c.req.Partitions {
		it := c.items[i]
		it.buf = c.r.frame.pooled
		it.buf.retain()
		it.done.Store(false)
		it.Batch, it.Acks, it.topic, it.later = nil, c.req.Acks, nil, false
		p, wrong := refused, refused != nil
		if !wrong {
			p = c.submit(it, &c.req.Partitions[i])
		}
		if p == schemasLater {
			it.later, later = true, true
		} else if p != nil {
			it.finish(*p)
		}
	}
	if later {
		c.submitLater()
	}
	if c.req.Acks == -1 && c.open.Load() > 1 {
		c.expireAfter(time.Duration(c.req.TimeoutMs) * time.Millisecond)
	}
	c.oneDone()
	c.leave()
}

// submitLater goes on with the partitions that wait for the schema registry.
func (c *produceCall) submitLater() {
	c.awaitSchemas()
	for i := range c.req.Partitions {
		if it := c.items[i]; it.later {
			if p := c.submit(it, &c.req.Partitions[i]); p != nil {
				it.finish(*p)
			}
		}
	}
}

func (c *produceCall) size(n int) {
	for len(c.items) < n {
		it := &produceItem{call: c, index: len(c.items)}
		it.Done = it.finish
		c.items = append(c.items, it)
	}
	if cap(c.parts) < n {
		c.parts = make([]wire.ProduceResponsePartition, n)
	}
	c.parts = c.parts[:n]
}

func refusal(code wire.ErrorCode, message string) *Produced {
	return &Produced{Err: code, Message: message, BaseOffset: -1, LogAppendTime: -1, LogStart: -1}
}

// refuseAll judges what concerns the whole request.
func (c *produceCall) refuseAll() *Produced {
	switch {
	case c.req.TransactionalID != nil:
		c.r.noTransactions(*c.req.TransactionalID)
		return refusal(wire.TransactionalIDAuthorizationFailed, "transactions are not supported by this broker")
	case c.req.Acks < -1 || c.req.Acks > 1:
		return refusal(wire.InvalidRequiredAcks, "")
	}
	return nil
}

// submit hands a batch to its partition, or returns why not.
func (c *produceCall) submit(it *produceItem, in *wire.ProducePartition) *Produced {
	b := c.r.b
	name := in.Topic
	if c.r.Version >= 13 {
		t := b.host.Image().TopicByID(in.TopicID)
		if t == nil {
			return refusal(wire.UnknownTopicID, "")
		}
		name = t.Name
	}
	if !c.r.allowed(auth.Write, auth.Topic(name)) {
		return refusal(wire.TopicAuthorizationFailed, "")
	}
	if isInternal(name) {
		return refusal(wire.InvalidTopicException, "internal topics are written by the broker only")
	}
	if b.host.Image().Topic(name) == nil {
		return refusal(wire.UnknownTopicOrPartition, "")
	}
	policy := b.policies.of(b, name)
	it.topic = policy.metrics
	if bad := c.check(it, in, policy); bad != nil {
		return bad
	}
	p := b.host.Partition(name, in.Partition)
	if p == nil {
		return refusal(b.absent(name, in.Partition), "")
	}
	p.Produce(&it.Produce)
	return nil
}

// check judges the batch by its header, and by its records where the topic asks for it.
func (c *produceCall) check(it *produceItem, in *wire.ProducePartition, policy *topicPolicy) *Produced {
	h, bad := c.checkHeader(in)
	if bad != nil {
		return bad
	}
	if len(in.Records) > policy.maxMessageBytes {
		return refusal(wire.MessageTooLarge, fmt.Sprintf("the batch of %d bytes exceeds max.message.bytes=%d", len(in.Records), policy.maxMessageBytes))
	}
	schemas := c.openSchemas(policy)
	if !schemas.checksum(in.Records, &h) {
		return refusal(wire.CorruptMessage, "the checksum of the batch is wrong")
	}
	if !policy.logAppendTime {
		if message := policy.judgeTime(h, c.r.start); message != "" {
			return refusal(wire.InvalidTimestamp, message)
		}
	}
	it.Batch, it.Header = in.Records, h
	if schemas != nil {
		if bad := c.checkSchemas(it, policy, schemas); bad != nil {
			return bad
		}
	}
	if policy.compact || policy.codec != codecOfProducer && policy.codec != h.Codec() {
		return c.checkRecords(it, h, policy)
	}
	return nil
}

// checkHeader checks what kafka.apache.org calls the v2 batch header, cheapest first.
func (c *produceCall) checkHeader(in *wire.ProducePartition) (h batch.Header, bad *Produced) {
	if in.RecordsNull || len(in.Records) < batch.HeaderSize {
		return h, refusal(wire.InvalidRecord, "a produce request must carry exactly one record batch per partition")
	}
	if magic := in.Records[16]; magic != 2 {
		return h, refusal(wire.InvalidRecord, fmt.Sprintf("record batches of format %d are not accepted, only 2", int8(magic)))
	}
	h, err := batch.ParseHeader(in.Records)
	switch {
	case err != nil:
		return h, refusal(wire.CorruptMessage, err.Error())
	case h.Size() != len(in.Records):
		return h, refusal(wire.InvalidRecord, "a produce request must carry exactly one record batch per partition")
	case h.Count <= 0 || h.LastOffsetDelta != h.Count-1:
		return h, refusal(wire.InvalidRecord, fmt.Sprintf("%d records do not fit the last offset delta %d", h.Count, h.LastOffsetDelta))
	case h.Control():
		return h, refusal(wire.InvalidRecord, "control batches are written by the broker only")
	case h.Transactional(): // Kafka asks for the right to the transactional id, and there is none
		return h, refusal(wire.TransactionalIDAuthorizationFailed, "transactions are not supported by this broker")
	case h.ProducerID >= 0 && (h.BaseSequence < 0 || h.ProducerEpoch < 0):
		return h, refusal(wire.InvalidRecord, "an idempotent batch needs a sequence and an epoch")
	case h.Codec() > batch.Zstd || h.Codec() < 0:
		return h, refusal(wire.UnsupportedCompressionType, "unknown compression")
	case h.Codec() == batch.Zstd && c.r.Version < 7:
		return h, refusal(wire.UnsupportedCompressionType, "zstd needs version 7 of Produce")
	}
	return h, nil
}

// checkRecords decodes the batch, within limits: for null keys in a compacted topic, and to recompress it.
func (c *produceCall) checkRecords(it *produceItem, h batch.Header, policy *topicPolicy) *Produced {
	recs, err := batch.Records(it.Batch, policy.maxMessageBytes*c.r.b.limits.decompressed)
	if err != nil {
		return refusal(wire.CorruptMessage, "the records cannot be decoded: "+err.Error())
	}
	if len(recs) != int(h.Count) {
		return refusal(wire.InvalidRecord, fmt.Sprintf("the batch holds %d records, its header says %d", len(recs), h.Count))
	}
	if policy.compact {
		if bad := c.nullKeys(it.index, recs); bad != nil {
			return bad
		}
	}
	if policy.codec == codecOfProducer || policy.codec == h.Codec() {
		return nil
	}
	o := batch.Options{Codec: policy.codec, Level: policy.level, BaseTimestamp: h.BaseTimestamp, ProducerID: h.ProducerID,
		ProducerEpoch: h.ProducerEpoch, BaseSequence: h.BaseSequence}
	again, err := batch.Build(nil, o, recs)
	if err != nil {
		return refusal(wire.UnknownServerError, "recompression failed")
	}
	if it.Header, err = batch.ParseHeader(again); err != nil {
		return refusal(wire.UnknownServerError, "recompression failed")
	}
	it.Batch = again
	return nil
}

func (c *produceCall) nullKeys(index int, recs []batch.Record) *Produced {
	var errs []wire.RecordError
	for i := range recs {
		if recs[i].Key == nil {
			errs = append(errs, wire.RecordError{Index: int32(i), Message: "Compacted topic cannot accept message without key in topic partition"})
		}
	}
	if errs == nil {
		return nil
	}
	c.items[index].recordErrors(errs)
	return refusal(wire.InvalidRecord, "One or more records have been rejected")
}

func (it *produceItem) recordErrors(errs []wire.RecordError) {
	it.call.parts[it.index].RecordErrors = errs
}

// finish is the host's callback, on any goroutine.
func (it *produceItem) finish(p Produced) {
	c := it.call
	it.result = p
	it.done.Store(true)
	it.buf.release()
	it.Batch = nil
	c.oneDone()
	c.leave()
}

// oneDone answers after the last one.
func (c *produceCall) oneDone() {
	if c.open.Add(-1) == 0 {
		c.answer()
	}
}

func (c *produceCall) answer() {
	if c.answered.Swap(true) {
		return
	}
	if c.armed && !c.timer.Stop() {
		c.expired = true // the timer's own goroutine may still be on its way here
	}
	c.collect()
	c.reply()
	c.leave()
}

// expireAfter answers REQUEST_TIMED_OUT for what is not done by then; the records may still be appended.
func (c *produceCall) expireAfter(d time.Duration) {
	c.armed = true
	c.timer.Reset(d)
}

func (c *produceCall) leave() {
	if c.users.Add(-1) > 0 || c.expired {
		return
	}
	c.r, c.armed, c.caughtUp, c.schemasErr = nil, false, false, nil
	c.req.Reset()
	if cap(c.items) <= 1024 {
		c.b.produces.Put(c)
	}
}

// collect fills the answer from the items; who is not done has timed out.
func (c *produceCall) collect() {
	for i := range c.parts {
		in, it, out := &c.req.Partitions[i], c.items[i], &c.parts[i]
		errs := out.RecordErrors
		p := Produced{Err: wire.RequestTimedOut, BaseOffset: -1, LogAppendTime: -1, LogStart: -1}
		if it.done.Load() {
			p = it.result
		}
		it.count(p.Err)
		*out = wire.ProduceResponsePartition{Topic: in.Topic, TopicID: in.TopicID, Partition: in.Partition, Err: p.Err,
			BaseOffset: p.BaseOffset, LogAppendTime: p.LogAppendTime, LogStart: p.LogStart, ErrorMessage: p.Message,
			RecordErrors: errs, LeaderID: -1, LeaderEpoch: -1}
	}
}

// count adds one partition to its topic's figures.
func (it *produceItem) count(code wire.ErrorCode) {
	switch {
	case it.topic == nil:
	case code == wire.None:
		it.topic.Produced(int(it.Header.Count), it.Header.Size())
	default:
		it.topic.ProduceFailed()
	}
}

func (c *produceCall) reply() {
	r := c.r
	nodes := c.hintLeaders()
	for i := range c.parts {
		r.fail(c.parts[i].Err)
	}
	if c.req.Acks == 0 {
		r.closeAfter = r.failed.Load() != 0
		c.clear()
		r.answerNothing()
		return
	}
	throttle := int32(r.throttle(quota.Usage{Produced: r.size}).Milliseconds())
	buf := r.b.pool.get(512)
	whole := wire.AppendProduceResponse(r.appendHead(buf.b[:0]), r.Version, c.parts, throttle, nodes)
	c.clear()
	r.answer(buf, whole)
}

// clear forgets what aliases the frame, before the frame goes.
func (c *produceCall) clear() { clear(c.parts) }

// hintLeaders tells clients whose metadata is stale where the leader is (KIP-951).
func (c *produceCall) hintLeaders() []wire.NodeEndpoint {
	var h leaderHints
	for i := range c.parts {
		p := &c.parts[i]
		if p.Err != wire.NotLeaderOrFollower {
			continue
		}
		name := p.Topic
		if t := c.r.b.host.Image().TopicByID(p.TopicID); c.r.Version >= 13 && t != nil {
			name = t.Name
		}
		p.LeaderID, p.LeaderEpoch = h.add(c.r, name, p.Partition)
	}
	return h.nodes
}

// codecOfProducer: compression.type=producer keeps what came.
const codecOfProducer = batch.Codec(-1)

// judgeTime checks the header's timestamps against the topic's limits, as far as they can be told from the header.
func (p *topicPolicy) judgeTime(h batch.Header, now time.Time) string {
	ms := now.UnixMilli()
	switch {
	case p.afterMax != math.MaxInt64 && h.MaxTimestamp-ms > p.afterMax:
		return fmt.Sprintf("timestamp %d is further in the future than message.timestamp.after.max.ms=%d allows", h.MaxTimestamp, p.afterMax)
	case p.beforeMax != math.MaxInt64 && ms-h.BaseTimestamp > p.beforeMax:
		return fmt.Sprintf("timestamp %d is older than message.timestamp.before.max.ms=%d allows", h.BaseTimestamp, p.beforeMax)
	}
	return ""
}

// isInternal: topics that only the broker writes, even under a wildcard right (reliability T5).
func isInternal(topic string) bool {
	if !strings.HasPrefix(topic, "__") {
		return false
	}
	switch topic {
	case offsetsTopic, "__transaction_state", "__share_group_state", "__cluster_metadata":
		return true
	}
	return false
}

const offsetsTopic = "__consumer_offsets"
