package broker

import (
	"millrace/internal/config"
	"millrace/internal/kafka/wire"
)

// reply takes an answer of a machine apart, by value or by pointer; an answer of another type is a broken invariant.
func replyAs[R any](reply any) (R, bool) {
	switch v := reply.(type) {
	case R:
		return v, true
	case *R:
		if v != nil {
			return *v, true
		}
	}
	var none R
	return none, false
}

// control asks the metadata controller. With a code other than None there is no reply.
func control[R any](r *Request, body any, then func(R, wire.ErrorCode)) {
	r.b.host.Control(body, answered(r, then))
}

// ask asks the coordinator of a group.
func ask[R any](r *Request, group string, body any, then func(R, wire.ErrorCode)) {
	p, code := r.b.coordinatorPartition(group)
	if code != wire.None {
		var none R
		then(none, code)
		return
	}
	askPartition(r, p, body, then)
}

func askPartition[R any](r *Request, partition int32, body any, then func(R, wire.ErrorCode)) {
	r.b.host.Ask(offsetsTopic, partition, body, answered(r, then))
}

func answered[R any](r *Request, then func(R, wire.ErrorCode)) func(any, wire.ErrorCode) {
	b := r.b
	return func(reply any, code wire.ErrorCode) {
		v, ok := replyAs[R](reply)
		if !ok && code == wire.None {
			b.log.Error("a machine gave an answer of the wrong type", "answer", reply)
			code = wire.UnknownServerError
		}
		then(v, code)
	}
}

// coordinatorPartition is where a group lives.
func (b *Broker) coordinatorPartition(group string) (int32, wire.ErrorCode) {
	t := b.host.Image().Topic(offsetsTopic)
	if t == nil || len(t.Partitions) == 0 {
		return 0, wire.NotCoordinator
	}
	return groupPartition(group, len(t.Partitions)), wire.None
}

// brokerValues are the settings that hold on this node now.
func (b *Broker) brokerValues() config.Values {
	image := b.host.Image()
	return config.Broker(b.settings, image.Config(brokerConfigs, ""), image.Config(brokerConfigs, b.nodeName()))
}

// fail notes the error that a request is counted under.
func (r *Request) fail(code wire.ErrorCode) {
	if code != wire.None {
		r.failed.Store(int32(code))
	}
}

// text is a nullable string: empty is null.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// message is the text that goes with a code: what is known, or what the code means.
func explain(code wire.ErrorCode, known string) *string {
	if code == wire.None {
		return nil
	}
	if known == "" {
		known = code.Meaning()
	}
	return &known
}
