package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// client makes a client that comes back quickly when the broker does.
func (r *run) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.Bootstrap),
		kgo.ClientID("millrace-verify"),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DialTimeout(2 * time.Second),
		kgo.FetchMaxWait(250 * time.Millisecond),
	}, opts...)...)
}

func (r *run) createTopics() error {
	client, err := r.client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(r.ctx, 30*time.Second)
	defer cancel()
	configs := map[string]*string{}
	for k, v := range r.TopicConfig {
		configs[k] = &v
	}
	for i := range (r.Keys + 1) / 2 {
		r.topics = append(r.topics, fmt.Sprintf("%s-%d-%d", r.TopicPrefix, r.Seed, i))
	}
	answers, err := kadm.NewClient(client).CreateTopics(ctx, 2, -1, configs, r.topics...)
	if err != nil {
		return fmt.Errorf("create topics on %s: %w", r.Bootstrap, err)
	}
	for _, a := range answers {
		if a.Err != nil && !errors.Is(a.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w %s", a.Topic, a.Err, a.ErrMessage)
		}
	}
	return nil
}

// deleteTopics tidies up; what it cannot delete stays, which harms nobody.
func (r *run) deleteTopics() {
	client, err := r.client()
	if err != nil {
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Second)
	defer cancel()
	kadm.NewClient(client).DeleteTopics(ctx, r.topics...)
}
