package broker

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/quota"
	"millrace/internal/kafka/wire"
)

// A Request is one API call and the place for its answer. Its handler answers exactly once, on any goroutine,
// and does not touch it afterwards.
type Request struct {
	wire.Header
	api   *API
	conn  *conn
	b     *Broker
	frame frame
	start time.Time
	// decoded is what kmsg's decoding was charged.
	decoded int64

	// The answer; owned by the handler until complete, then by the connection's writer.
	parts      []part
	onePart    [1]part
	closeAfter bool
	failed     atomic.Int32 // the last error code in the answer
	size       int          // of the frame
	held       int          // memory of the answer, while it waits to be sent

	// Guarded by conn.mu.
	done   bool
	cancel func()
}

var requests = sync.Pool{New: func() any { return new(Request) }}

func newRequest(c *conn, api *API, h wire.Header, f frame) *Request {
	r := requests.Get().(*Request)
	*r = Request{Header: h, api: api, conn: c, b: c.b, frame: f, size: len(f.bytes), start: c.b.clock.Now()}
	r.parts = r.onePart[:0]
	return r
}

func (r *Request) free() { requests.Put(r) }

// inMemory counts the memory of an answer that is complete.
func (r *Request) inMemory() int {
	r.held = 0
	for i := range r.parts {
		r.held += len(r.parts[i].mem)
	}
	return r.held
}

// discard lets go of an answer that is not sent.
func (r *Request) discard() {
	for i := range r.parts {
		r.parts[i].letGo()
	}
	r.parts = nil
}

// allowed asks the authorizer.
func (r *Request) allowed(op auth.Operation, res auth.Resource) bool {
	return r.b.authorizer.Authorize(r.conn.principal, r.conn.host, op, res)
}

func (r *Request) operations(res auth.Resource) int32 {
	return auth.OperationBits(r.b.authorizer, r.conn.principal, r.conn.host, res)
}

// clusterOperations are none for a client that may not even describe the cluster.
func (r *Request) clusterOperations() int32 {
	if !r.allowed(auth.Describe, auth.Cluster) {
		return 0
	}
	return r.operations(auth.Cluster)
}

// Reply answers with a message of kmsg.
func (r *Request) Reply(resp kmsg.Response) {
	resp.SetVersion(r.Version)
	if t, ok := resp.(kmsg.SetThrottleResponse); ok {
		if wait := r.throttle(quota.Usage{}); wait > 0 {
			t.SetThrottle(int32(wait.Milliseconds()))
		}
	}
	buf := r.b.pool.get(1 << 10)
	head := r.appendHead(buf.b[:0])
	r.answer(buf, resp.AppendTo(head))
}

// appendHead writes the place of the length and the response header.
func (r *Request) appendHead(dst []byte) []byte {
	return wire.AppendResponseHeader(append(dst, 0, 0, 0, 0), r.Key, r.Version, r.CorrelationID)
}

// answer completes the request with a whole frame that was built in buf, or in memory that grew out of it.
func (r *Request) answer(buf *buffer, whole []byte) {
	binary.BigEndian.PutUint32(whole, uint32(len(whole)-4))
	r.parts = append(r.parts, part{mem: whole, buf: buf})
	r.finish(len(whole), false)
}

// answerNothing completes a request that has no answer (acks=0).
func (r *Request) answerNothing() { r.finish(0, false) }

// throttle charges the client and mutes its connection for as long as the answer tells it to wait.
func (r *Request) throttle(u quota.Usage) time.Duration {
	if r.b.unlimited {
		return 0
	}
	u.User, u.ClientID = r.conn.principal.String(), r.ClientID
	wait := r.b.quotas.Charge(r.b.clock.Now(), u)
	r.conn.mute(wait)
	return wait
}

// finish counts the request and gives its answer to the connection.
func (r *Request) finish(size int, mayWait bool) {
	r.b.metrics.answered(r, size)
	r.releaseFrame()
	r.conn.complete(r, mayWait)
}

// releaseFrame gives the request's bytes and budgets back; a produce's batches have owners of their own.
func (r *Request) releaseFrame() {
	if r.frame.bytes == nil {
		return
	}
	r.b.drop(r.frame)
	r.frame = frame{}
	r.settle()
}

// settle gives the decode budget back.
func (r *Request) settle() {
	r.b.decoding.give(r.decoded)
	r.decoded = 0
}
