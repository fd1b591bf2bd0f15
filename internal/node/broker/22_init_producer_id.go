// InitProducerId (key 22), versions 0-5
//
// Gives an idempotent producer an id that nobody had before, with epoch 0. A transactional id is refused with
// TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which clients do not repeat: there are no transactions yet. Needs
// IdempotentWrite on the cluster, or Write on some topic.
//
//	v2  flexible
//	v3  the producer's present id and epoch
//	v5  TRANSACTION_ABORTABLE

package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/core/auth"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
)

var _ = register(API{Key: wire.InitProducerID, Min: 0, Max: 5, Handle: decoded(handleInitProducerID)})

func handleInitProducerID(r *Request, req *kmsg.InitProducerIDRequest) {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	refuse := func(code wire.ErrorCode) {
		resp.ErrorCode = int16(code)
		r.fail(code)
		r.Reply(resp)
	}
	if req.TransactionalID != nil {
		if *req.TransactionalID == "" {
			refuse(wire.InvalidRequest)
			return
		}
		r.noTransactions(*req.TransactionalID)
		refuse(wire.TransactionalIDAuthorizationFailed)
		return
	}
	if (req.ProducerID == -1) != (req.ProducerEpoch == -1) {
		refuse(wire.InvalidRequest)
		return
	}
	if !r.allowed(auth.IdempotentWrite, auth.Cluster) && !r.mayWriteSomewhere() {
		refuse(wire.ClusterAuthorizationFailed)
		return
	}
	q := askWithin(r, r.b.limits.request, wire.CoordinatorLoadInProgress, func(id int64, code wire.ErrorCode) {
		if code != wire.None {
			refuse(code)
			return
		}
		resp.ProducerID, resp.ProducerEpoch = id, 0
		r.Reply(resp)
	})
	r.b.host.AllocateProducerID(func(id int64, code wire.ErrorCode) { q.hear(id, code) })
}

// noTransactions tells the operator why a client gets an authorization error.
func (r *Request) noTransactions(id string) {
	r.b.log.Warn("transactional id refused: this broker has no transactions yet", "api", r.Key, "client", r.ClientID, "transactional.id", id)
}

func (r *Request) mayWriteSomewhere() (may bool) {
	r.b.host.Image().Topics(func(t *meta.Topic) bool {
		may = r.allowed(auth.Write, auth.Topic(t.Name))
		return !may
	})
	return may
}
