package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/checker"
)

// producer is one process of the history that sends. After an indefinite outcome it drops its client, and with it the
// producer id: what a late request of the old one may still do cannot be confused with what the new one does.
type producer struct {
	*run
	process int
	rng     *rand.Rand
	counter int64
}

func (p *producer) loop(ctx context.Context) {
	begin := time.Now()
	for ctx.Err() == nil && p.failed() == nil {
		p.session(ctx, begin)
	}
}

// requests counts the produce requests that left a client, for the attempts of a send. With several sends under way it counts
// too many, which makes an outcome indefinite that might be definite, and never the other way.
type requests struct{ n atomic.Int64 }

func (r *requests) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.Produce) {
		r.n.Add(1)
	}
}

// session sends with one client until the time is over or an outcome is indefinite.
func (p *producer) session(ctx context.Context, begin time.Time) {
	count := &requests{}
	client, err := p.client(append(p.producing(), kgo.WithHooks(count))...)
	if err != nil {
		p.check(err)
		return
	}
	var doubtful atomic.Bool
	var pending sync.WaitGroup
	slots := make(chan struct{}, p.InFlight)
	for ctx.Err() == nil && !doubtful.Load() && p.failed() == nil {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		p.pace(ctx, begin)
		pending.Add(1)
		p.send(client, count, func(kind checker.Kind) {
			if kind == checker.Info {
				doubtful.Store(true)
			}
			<-slots
			pending.Done()
		})
	}
	// Closing fails what is still unanswered, so nothing stays without completion.
	last, cancel := context.WithTimeout(p.ctx, p.SendTimeout+5*time.Second)
	defer cancel()
	client.Flush(last)
	client.Close()
	pending.Wait()
}

func (p *producer) producing() []kgo.Opt {
	opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(p.SendTimeout), kgo.ProducerLinger(0),
		kgo.ProduceRequestTimeout(p.SendTimeout), kgo.UnknownTopicRetries(-1)}
	if p.Acks == -1 {
		return append(opts, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.AllowIdempotentProduceCancellation())
	}
	return append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
}

// pace waits until the next send is due.
func (p *producer) pace(ctx context.Context, begin time.Time) {
	if p.Rate < 0 {
		return
	}
	due := time.Duration(p.counter) * time.Second * time.Duration(p.Producers) / time.Duration(p.Rate)
	if wait := due - time.Since(begin); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (p *producer) send(client *kgo.Client, count *requests, done func(checker.Kind)) {
	key := p.rng.IntN(p.Keys)
	p.counter++
	value := checker.Value(p.process, p.counter)
	sends := []checker.Send{{Key: int32(key), Offset: -1, Value: value}}
	id, err := p.history.Invoke(p.process, "send", sends, 0)
	if err != nil {
		p.check(err)
		done(checker.Info)
		return
	}
	topic, partition := p.place(key)
	before := count.n.Load()
	client.Produce(context.Background(), makeRecord(topic, partition, key, value, p.Size, time.Now()), func(rec *kgo.Record, err error) {
		e := &checker.Event{ID: id, Process: int64(p.process), Func: "send", Sends: sends, Attempts: max(1, count.n.Load()-before)}
		e.Kind, e.Err = outcome(err, e.Attempts)
		if e.Kind == checker.OK {
			p.acked()
			e.Sends[0].Offset = rec.Offset
			e.ProducerID, e.Epoch = rec.ProducerID, int64(rec.ProducerEpoch)
		}
		p.check(p.history.Complete(e))
		done(e.Kind)
	})
}

// outcome is the class of a send's error: Kafka's codes by the checker's table, and whatever else the client says, such as a
// broken connection or its own timeout, indefinite.
func outcome(err error, attempts int64) (checker.Kind, string) {
	if err == nil {
		return checker.OK, ""
	}
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return checker.Classify(ke.Code, attempts), ke.Message
	}
	return checker.Info, err.Error()
}
