package broker

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"millrace/internal/config"
	"millrace/internal/core/meta"
	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// sink is a host whose logs keep nothing: what is measured is the broker's own part of a produce.
type sink struct {
	*testHost
	log sinkPartition
}

type sinkPartition struct{ Partition }

func (sinkPartition) Produce(r *Produce)              { r.Done(Produced{LogAppendTime: -1}) }
func (s *sink) Partition(t string, p int32) Partition { return &s.log }

// BenchmarkProduceChecked is a Produce request of 100 records of 1 KiB over a loopback socket, from its first byte to the
// answer, with the schema check and without; nothing is written to a log, so the check looks as large as it can.
func BenchmarkProduceChecked(b *testing.B) {
	s, _, err := config.Load(config.Properties{{Key: "node.id", Value: "1"}, {Key: "log.dirs", Value: b.TempDir()}}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	registry := newTinyRegistry()
	br := New(Options{Env: env.Real(), Settings: s, Schemas: registry, Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}}})
	if err := br.Listen(); err != nil {
		b.Fatal(err)
	}
	host := openHost(b, env.Real(), s, br.Endpoints()).(*testHost)
	yes := "true"
	for _, t := range []meta.NewTopic{{Name: "values", Partitions: 1, ReplicationFactor: 1, Configs: []meta.ConfigValue{{Name: "confluent.value.schema.validation", Value: &yes}}},
		{Name: "plain", Partitions: 1, ReplicationFactor: 1}} {
		host.Control(meta.CreateTopics{Topics: []meta.NewTopic{t}}, func(any, wire.ErrorCode) {})
	}
	br.Serve(&sink{testHost: host})
	if err := br.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { br.Stop(b.Context()) })
	rng := rand.New(rand.NewPCG(1, 2))
	var recs []batch.Record
	for range 100 {
		text := strings.Builder{}
		for text.Len() < 1024 {
			fmt.Fprintf(&text, `{"id":%d,"user":"user-%05d","amount":%d},`, rng.Int64N(1e12), rng.IntN(1e5), rng.IntN(1000))
		}
		recs = append(recs, rec("key", idBytes(1)+text.String()[:1019]))
	}
	for codec := batch.None; codec <= batch.Zstd; codec++ {
		for _, topic := range []string{"plain", "values"} {
			b.Run(codec.String()+"/"+topic, func(b *testing.B) {
				nc, err := net.Dial("tcp", br.Endpoints()[0].Bound)
				if err != nil {
					b.Fatal(err)
				}
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(time.Minute))
				frame := request(produceRequest(topic, 0, 1, batchOf(b, codec, recs...)), 9, 1)
				answer := make([]byte, 1024)
				b.SetBytes(100 * 1024)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := nc.Write(frame); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadAtLeast(nc, answer, 20); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSchemaJudge is the check alone, of 1,000 records of 1 KiB whose id is known: what the produce path pays.
func BenchmarkSchemaJudge(b *testing.B) {
	value := idBytes(1) + strings.Repeat("x", 1019)
	for _, kind := range []struct {
		name string
		rec  batch.Record
	}{{"prefix", rec("key", value)}, {"header", rec("key", value, "__value_schema_id="+someGUID)}, {"protobuf", rec("key", idBytes(5)+"\x00"+value)}} {
		recs := make([]batch.Record, 1000)
		for i := range recs {
			recs[i] = kind.rec
		}
		whole := batchOf(b, batch.None, recs...)
		side := &schemaSide{topic: "values", strategy: strategies + "TopicNameStrategy"}
		registry := newTinyRegistry()
		b.Run(kind.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(whole)))
			for b.Loop() {
				j := schemaJudge{schemas: registry, final: true, sides: []*schemaSide{side}}
				if err := batch.Scan(whole, 0, j.record); err != nil || len(j.errs) > 0 {
					b.Fatal(err, j.errs)
				}
				j.remember()
			}
		})
	}
}
