package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/kafka/wire"
)

// An API is one entry of ApiVersions: what is served, and how.
type API struct {
	Key wire.Key
	// Min and Max are the versions served, those of Kafka 4.3.1.
	Min, Max int16
	// FromZero advertises versions from 0 on (Produce: old clients look for that one).
	FromZero bool
	// BeforeAuthentication: served to everybody.
	BeforeAuthentication bool
	// Handle answers the request. An error means that it could not be parsed, and ends the connection; then
	// nothing was answered.
	Handle func(r *Request) error
	// Mismatch, if set, answers a request of a version that is not served; an error as with Handle.
	Mismatch func(r *Request) error
}

type apiTable [128]*API

func (t *apiTable) find(k wire.Key) *API {
	if k < 0 || int(k) >= len(t) {
		return nil
	}
	return t[k]
}

// registered holds every API of the package, put there beside its handler.
var registered apiTable

func register(a API) *API {
	if registered[a.Key] != nil {
		panic(fmt.Sprintf("broker: %v registered twice", a.Key))
	}
	registered[a.Key] = &a
	return &a
}

// message is a pointer to a request struct of kmsg.
type message[T any] interface {
	*T
	kmsg.Request
}

// decoded makes a handler of one that takes a message of kmsg. What is badly formed ends the connection before kmsg
// sees it and costs no more than its bytes; what is well formed may grow to DecodeFactor times the frame, which is
// taken from a budget first.
func decoded[T any, M message[T]](serve func(*Request, M)) func(*Request) error {
	return func(r *Request) error { return decode(r, serve) }
}

// decodedParked is for requests that may wait minutes for other clients (JoinGroup, SyncGroup): the budget is given
// back as soon as the handler has handed its copy on, or they would hold it against those they wait for.
func decodedParked[T any, M message[T]](serve func(*Request, M)) func(*Request) error {
	return func(r *Request) error {
		// Whoever answers owns r from then on, so the frame's charges are taken off it first.
		f, c := r.frame, r.conn
		m, charge, err := parse[T, M](r)
		if err != nil {
			return err
		}
		r.frame, r.decoded = frame{}, 0
		serve(r, m)
		c.b.drop(f)
		c.b.decoding.give(charge)
		return nil
	}
}

func decode[T any, M message[T]](r *Request, serve func(*Request, M)) error {
	m, charge, err := parse[T, M](r)
	if err != nil {
		return err
	}
	r.decoded = charge
	serve(r, m)
	return nil
}

func parse[T any, M message[T]](r *Request) (M, int64, error) {
	if err := wire.CheckShape(r.Key, r.Version, r.Body); err != nil {
		r.abandon()
		return nil, 0, err
	}
	charge, ok := r.b.decoding.take(int64(len(r.frame.bytes))*wire.DecodeFactor, r.conn.dead)
	if !ok {
		r.abandon()
		return nil, 0, fmt.Errorf("connection closed")
	}
	m := M(new(T))
	m.SetVersion(r.Version)
	if err := m.ReadFrom(r.Body); err != nil {
		r.b.decoding.give(charge)
		r.abandon()
		return nil, 0, err
	}
	return m, charge, nil
}

// abandon gives back what a request holds that will never be answered, because its connection ends.
func (r *Request) abandon() {
	r.b.drop(r.frame)
	r.frame = frame{}
}
