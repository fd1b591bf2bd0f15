package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/apps/registry/schema"
)

const (
	schemasTopic = "_schemas"
	manySchemas  = 100_000
	oneRecord    = 2800 // bytes of a batch that has room for one record of recordOf
)

// subject and text of the i-th schema: of about 1 KiB, no two alike, one version under each subject.
func subjectOf(i int) string { return fmt.Sprintf("orders.region-%d.topic-%d-value", i%50, i) }

func textOf(i int) string {
	var s strings.Builder
	fmt.Fprintf(&s, `{"type":"record","name":"Order%d","namespace":"com.example.orders","fields":[{"name":"id","type":"long"}`, i)
	for f := range 14 {
		fmt.Fprintf(&s, `,{"name":"field_number_%d_%d","type":["null","string"],"default":null}`, f, i%97)
	}
	return s.String() + `]}`
}

// recordOf is the i-th schema as a registry writes it, with id i+1.
func recordOf(i int) *kgo.Record {
	subject, text := subjectOf(i), textOf(i)
	digest := schema.Schema{Text: text}.Digest()
	value, _ := json.Marshal(struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
		ID      int    `json:"id"`
		MD5     string `json:"md5"`
		Schema  string `json:"schema"`
		Deleted bool   `json:"deleted"`
	}{subject, 1, i + 1, base64.StdEncoding.EncodeToString(digest[:]), text, false})
	return &kgo.Record{Topic: schemasTopic, Key: fmt.Appendf(nil, `{"keytype":"SCHEMA","subject":%q,"version":1,"magic":1}`, subject), Value: value,
		Headers: []kgo.RecordHeader{{Key: "millrace-registry", Value: []byte("the bench")}}}
}

// fill writes n schemas into the registry's topic, each in a batch of its own, as registering them one by one leaves them. No registry
// may run meanwhile.
func fill(ctx context.Context, addr string, n int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ProducerBatchMaxBytes(oneRecord), kgo.MaxBufferedRecords(1000))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	compact, unflushed := "compact", "false"
	made, err := admin.CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": &compact, "flush.before.ack": &unflushed}, schemasTopic)
	if err == nil {
		err = made.Err
	}
	if err != nil {
		return err
	}
	var failed error // the callbacks are called one at a time
	for i := range n {
		client.Produce(ctx, recordOf(i), func(_ *kgo.Record, err error) {
			if err != nil && failed == nil {
				failed = err
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	answers, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.DeleteConfig, Name: "flush.before.ack"}}, schemasTopic)
	if err == nil {
		err = answers[0].Err
	}
	return err
}
