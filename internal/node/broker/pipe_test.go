package broker

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/internal/node/env"
)

// TestClientThroughThePipe: a real client that knows no other way than the pipe produces, consumes as a member of a group
// and commits; when it and the broker are closed, nobody is left.
func TestClientThroughThePipe(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("client", func(t *testing.T) { clientThroughThePipe(t) })
	goleak.VerifyNone(t, before)
}

func clientThroughThePipe(t *testing.T) {
	pipe := &Pipe{}
	s := settings(t, "node.id=1", "auto.create.topics.enable=true", "group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=4", "log.dirs="+t.TempDir())
	b := New(Options{Env: env.Real(), Settings: s, Limits: Limits{PoisonPooledBuffers: true, Memory: 1 << 30}, Listeners: []Listener{
		{Name: "PLAINTEXT", Address: "127.0.0.1:0"}, {Name: "APPS", Network: pipe, AnswerAs: "PLAINTEXT", Unlimited: true}}})
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	b.Serve(openRealHost(t, env.Real(), s, b.Endpoints()))
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	defer func() {
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
		if _, err := pipe.Dial(ctx, "", ""); err == nil {
			t.Error("the pipe is open after the broker stopped")
		}
	}()
	client, err := kgo.NewClient(kgo.SeedBrokers("pipe:1"), kgo.AllowAutoTopicCreation(), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			return pipe.Dial(ctx, network, address)
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range 100 {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for seen := 0; seen < 100; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) != fmt.Sprint(seen) {
				t.Fatalf("%s in the place of %d", r.Value, seen)
			}
			seen++
		})
	}
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	if at := client.CommittedOffsets()["t"][0].Offset; at != 100 {
		t.Errorf("%d is committed, not 100", at)
	}
}
