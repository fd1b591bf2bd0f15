package serde_test

import (
	"context"
	"fmt"
	"log"

	"millrace/serde"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

type Purchase struct {
	ID       int64  `avro:"id"`
	Customer string `avro:"customer"`
}

// A value is written as Avro and read again. "millrace dev" serves the two addresses.
func Example() {
	purchase, err := thereAndBack("localhost:9092", "http://localhost:8081", Purchase{ID: 7, Customer: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", purchase)
}

func thereAndBack(bootstrap, registryURL string, p Purchase) (Purchase, error) {
	ctx := context.Background()
	client, err := sr.NewClient(sr.URLs(registryURL))
	if err != nil {
		return Purchase{}, err
	}
	purchases, err := serde.NewAvro[Purchase](serde.New(client), "") // the schema is made of the struct
	if err != nil {
		return Purchase{}, err
	}
	kafka, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics("purchases"), kgo.AllowAutoTopicCreation())
	if err != nil {
		return Purchase{}, err
	}
	defer kafka.Close()

	record := &kgo.Record{Topic: "purchases"}
	if err := purchases.SetValue(ctx, record, p); err != nil { // the first time, the schema is registered
		return Purchase{}, err
	}
	if err := kafka.ProduceSync(ctx, record).FirstErr(); err != nil {
		return Purchase{}, err
	}

	fetches := kafka.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		return Purchase{}, err
	}
	return purchases.Value(ctx, fetches.Records()[0])
}
