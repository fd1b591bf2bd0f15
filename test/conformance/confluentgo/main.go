// Command confluentgo is a client of the conformance cases: confluent-kafka-go with its registry client and serializers. It is a module
// of its own, since it brings a C library and what its serializers can be extended with.
//
//	confluentgo BROKER REGISTRY NAME SCHEMAS CASE [ARGUMENTS]    prints ok at the end
package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"
)

var address, registry, name, schemas = os.Args[1], os.Args[2], os.Args[3], os.Args[4]

func main() {
	given := os.Args[6:]
	switch os.Args[5] {
	case "story":
		story(given[0], given[1])
	case "write":
		write(given[0], given[1], given[2], number(given[3]))
	case "read":
		read(given[0], given[1], number(given[2]))
	case "references":
		references()
	case "administer":
		administer()
	default:
		fail("no case %s", os.Args[5])
	}
	fmt.Println("ok")
}

func fail(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	os.Exit(1)
}

func must(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	must(err, "number")
	return n
}

func equal(got, want any, what string) {
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		fail("%s: got %s, want %s", what, g, w)
	}
}

// refused demands an error of the registry with one of the codes; the client shows no HTTP status.
func refused(err error, what string, codes ...int) {
	var answer *rest.Error
	if !errors.As(err, &answer) || !slices.Contains(codes, answer.Code) || answer.Message == "" {
		fail("%s: got %v, want one of the codes %v", what, err, codes)
	}
}

var (
	types   = map[string]string{"avro": "AVRO", "json": "JSON", "protobuf": "PROTOBUF", "nested": "PROTOBUF"}
	endings = map[string]string{"avro": ".avsc", "json": ".json", "protobuf": ".proto", "nested": ".proto"}
)

func client() schemaregistry.Client {
	c, err := schemaregistry.NewClient(schemaregistry.NewConfig(registry))
	must(err, "new client")
	return c
}

func text(format, file string) string {
	b, err := os.ReadFile(filepath.Join(schemas, file+endings[format]))
	must(err, "read")
	return string(b)
}

func info(format, file string) schemaregistry.SchemaInfo {
	return schemaregistry.SchemaInfo{Schema: text(format, file), SchemaType: types[format]}
}

// order is the first version; noted is the second one.
type order struct {
	Number   int32    `json:"number" avro:"number"`
	Customer string   `json:"customer" avro:"customer"`
	Amount   float64  `json:"amount" avro:"amount"`
	Parts    []string `json:"parts" avro:"parts"`
}

type noted struct {
	Number   int32    `json:"number" avro:"number"`
	Customer string   `json:"customer" avro:"customer"`
	Amount   float64  `json:"amount" avro:"amount"`
	Parts    []string `json:"parts" avro:"parts"`
	Note     string   `json:"note,omitempty" avro:"note"`
}

func orderOf(i int) order {
	o := order{int32(i), "confluentgo für " + strconv.Itoa(i), float64(i) + 0.5, []string{}}
	for p := range i % 3 {
		o.Parts = append(o.Parts, "part "+strconv.Itoa(p))
	}
	return o
}

func notedOf(o order, note string) noted { return noted{o.Number, o.Customer, o.Amount, o.Parts, note} }

func topic(suffix string) string {
	full := name + suffix
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": address})
	must(err, "new admin client")
	defer admin.Close()
	made, err := admin.CreateTopics(context.Background(), []kafka.TopicSpecification{{Topic: full, NumPartitions: 1, ReplicationFactor: 1}})
	must(err, "create topic")
	if code := made[0].Error.Code(); code != kafka.ErrNoError {
		fail("create topic: %v", made[0].Error)
	}
	return full
}

// record is what a serializer gives.
type record struct {
	headers []kafka.Header
	value   []byte
}

func produce(full string, records ...record) {
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": address, "linger.ms": 1})
	must(err, "new producer")
	defer p.Close()
	told := make(chan kafka.Event, len(records))
	for _, r := range records {
		m := kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &full, Partition: 0}, Value: r.value, Headers: r.headers}
		must(p.Produce(&m, told), "produce")
	}
	for range records {
		must((<-told).(*kafka.Message).TopicPartition.Error, "delivery")
	}
}

func consume(full string, count int) (out []*kafka.Message) {
	c, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": address, "group.id": name + "-g", "enable.auto.commit": false})
	must(err, "new consumer")
	defer c.Close()
	must(c.Assign([]kafka.TopicPartition{{Topic: &full, Partition: 0, Offset: 0}}), "assign")
	for len(out) < count {
		m, err := c.ReadMessage(30 * time.Second)
		must(err, fmt.Sprintf("record %d of %d", len(out), count))
		out = append(out, m)
	}
	return out
}

// story registers, writes, reads and evolves.
func story(format, position string) {
	c, full := client(), topic("")
	subject := full + "-value"
	first := serializer(format, "order-1", position, full)
	var want []any
	for i := range 3 {
		produce(full, first(orderOf(i)))
		want = append(want, orderOf(i))
	}
	records := consume(full, 3)
	equal(values(records, format, full, false), want, "the first version's records")
	known, err := client().GetLatestSchemaMetadata(subject)
	must(err, "latest")
	shape(format, position, known, records[1])
	found, err := client().GetID(subject, known.SchemaInfo, false)
	must(err, "look-up")
	equal(found, known.ID, "id that was looked up")
	compatible, err := c.TestSubjectCompatibility(subject, info(format, "order-2"))
	must(err, "check")
	equal(compatible, true, "verdict on the second version")
	second := serializer(format, "order-2", position, full)
	produce(full, second(notedOf(orderOf(3), "n")))
	versions, err := client().GetAllVersions(subject)
	must(err, "versions")
	equal(versions, []int{1, 2}, "versions")
	evolved := values(consume(full, 4), format, full, true)
	equal(evolved[0], notedOf(orderOf(0), map[string]string{"avro": "none"}[format]), "an old record as the second version")
	equal(evolved[3], notedOf(orderOf(3), "n"), "a new record")
	compatible, err = c.TestSubjectCompatibility(subject, info(format, "order-3"))
	must(err, "check")
	equal(compatible, false, "verdict on the third version")
	_, err = c.Register(subject, info(format, "order-3"), false)
	refused(err, "the third version", 409, 40901)
	_, err = c.Register(subject, schemaregistry.SchemaInfo{Schema: "{ nonsense", SchemaType: types[format]}, false)
	refused(err, "nonsense", 42201)
	deleted, err := c.DeleteSubject(subject, false)
	must(err, "delete")
	equal(deleted, []int{1, 2}, "deleted versions")
	_, err = client().GetID(subject, known.SchemaInfo, false)
	refused(err, "look-up in a deleted subject", 40401)
	_, err = client().GetLatestSchemaMetadata(subject)
	refused(err, "the latest of a deleted subject", 40401)
	equal(values(consume(full, 1), format, full, false), want[:1], "data of a deleted subject")
}

// shape demands what stands in front of a payload, or in a header.
func shape(format, position string, known schemaregistry.SchemaMetadata, m *kafka.Message) {
	indexes := map[string]string{"protobuf": "00", "nested": "040200"}[format]
	prefix := hex.EncodeToString(binary.BigEndian.AppendUint32([]byte{0}, uint32(known.ID)))
	if position == "prefix" {
		if !strings.HasPrefix(hex.EncodeToString(m.Value), prefix+indexes) || len(m.Headers) > 0 {
			fail("% x with headers %v", m.Value, m.Headers)
		}
		return
	}
	equal(len(m.Headers), 1, "headers")
	equal(m.Headers[0].Key+" "+hex.EncodeToString(m.Headers[0].Value), "__value_schema_id 01"+strings.ReplaceAll(known.GUID, "-", "")+indexes, "header")
}

func write(format, position, full string, count int) {
	s := serializer(format, "order-1", position, full)
	for i := range count {
		produce(full, s(orderOf(i)))
	}
}

func read(format, full string, count int) {
	for _, v := range values(consume(full, count), format, full, false) {
		b, err := json.Marshal(v)
		must(err, "marshal")
		fmt.Println(string(b))
	}
}

// references: what refers to what in each format, and that it is protected.
func references() {
	for format, part := range map[string]string{"avro": "shop.Customer", "json": "customer.json", "protobuf": "customer.proto"} {
		c, subject := client(), name+"-"+format
		_, err := c.Register(subject+"-customer", info(format, "customer"), false)
		must(err, "register what is referred to")
		sale := info(format, "sale")
		_, err = c.Register(subject, sale, false)
		refused(err, "without its reference", 42201)
		sale.References = []schemaregistry.Reference{{Name: part, Subject: subject + "-customer", Version: 1}}
		id, err := c.Register(subject, sale, false)
		must(err, "register what refers")
		back, err := client().GetBySubjectAndID(subject, id)
		must(err, "by id")
		equal(back.References, sale.References, "references")
		_, err = c.DeleteSubject(subject+"-customer", false)
		refused(err, "delete what is referred to", 42206)
	}
	full := topic("-sale")
	produce(full, saleRecord(full))
	got := sale(consume(full, 1)[0], full)
	equal(got, `{"number":7,"buyer":{"name":"Ann","town":"Ulm"}}`, "a message with an imported one")
}

// administer asks the client's other calls.
func administer() {
	c, s := client(), name+"-s"
	for _, level := range []schemaregistry.Compatibility{schemaregistry.None, schemaregistry.Backward, schemaregistry.BackwardTransitive,
		schemaregistry.Forward, schemaregistry.ForwardTransitive, schemaregistry.Full, schemaregistry.FullTransitive} {
		_, err := c.UpdateCompatibility(s, level)
		must(err, "update compatibility")
		got, err := c.GetCompatibility(s)
		must(err, "compatibility")
		equal(got, level, "level")
	}
	_, err := c.GetCompatibility(s + "-nobody")
	refused(err, "the level of nobody", 40408)
	byDefault, err := c.GetDefaultCompatibility()
	must(err, "default compatibility")
	equal(byDefault, schemaregistry.Compatibility(schemaregistry.Backward), "the level of all")
	_, err = c.UpdateConfig(s, schemaregistry.ServerConfig{CompatibilityUpdate: schemaregistry.None, Normalize: true, CompatibilityGroup: "major",
		DefaultMetadata: &schemaregistry.Metadata{Properties: map[string]string{"owner": "shop"}}})
	must(err, "update config")
	config, err := c.GetConfig(s, false)
	must(err, "config")
	equal(fmt.Sprintln(config.CompatibilityLevel.String(), config.Normalize, config.CompatibilityGroup, config.DefaultMetadata.Properties), "NONE true major map[owner:shop]\n", "settings")
	config, err = c.GetConfig(s+"-nobody", true)
	must(err, "config by default")
	equal(config.CompatibilityLevel, schemaregistry.Compatibility(schemaregistry.Backward), "settings by default")
	versionsOf(c, s)
	for _, odd := range []string{"a/b", "a b", "a:b", "ä€", "a%2Fb", "a?b#c", "a+b"} {
		_, err := c.Register(name+odd, info("avro", "order-1"), false)
		must(err, "register "+odd)
		got, err := client().GetLatestSchemaMetadata(name + odd)
		must(err, "latest of "+odd)
		equal(got.Subject, name+odd, "subject")
		_, err = c.DeleteSubject(name+odd, false)
		must(err, "delete "+odd)
	}
	own := "." + name
	_, err = c.Register(":"+own+":s", info("json", "order-1"), false)
	must(err, "register in a context")
	contexts, err := c.GetAllContexts()
	must(err, "contexts")
	equal(slices.Contains(contexts, own), true, "the context is listed")
}

func versionsOf(c schemaregistry.Client, s string) {
	one, err := c.RegisterFullResponse(s, info("avro", "order-1"), false)
	must(err, "register")
	_, err = c.Register(s, info("json", "order-1"), true)
	must(err, "register normalized")
	byGUID, err := client().GetByGUID(one.GUID)
	must(err, "by GUID")
	byID, err := client().GetBySubjectAndID(s, one.ID)
	must(err, "by id")
	equal(byGUID.Schema, byID.Schema, "by GUID and by id")
	latest, err := client().GetLatestWithMetadata(s, map[string]string{"owner": "shop"}, false)
	must(err, "with metadata")
	equal(latest.Version, 2, "the latest version with metadata")
	users, err := client().GetSubjectsAndVersionsByID(one.ID)
	must(err, "who uses an id")
	equal(slices.Contains(users, schemaregistry.SubjectAndVersion{Subject: s, Version: 1}), true, "who uses an id")
	_, err = client().GetSchemaMetadata(s, 9)
	refused(err, "a version that is not there", 40402)
	_, err = client().GetBySubjectAndID(s, 123456789)
	refused(err, "an id that is not there", 40403)
	_, err = client().GetID(s, info("json", "order-2"), false)
	refused(err, "a schema that is not there", 40403)
	version, err := c.DeleteSubjectVersion(s, 2, false)
	must(err, "delete a version")
	equal(version, 2, "deleted version")
	_, err = client().GetSchemaMetadata(s, 2)
	refused(err, "a deleted version", 40402)
	_, err = client().GetSchemaMetadataIncludeDeleted(s, 2, true)
	must(err, "a deleted version, asked for")
	_, err = client().DeleteSubjectVersion(s, 1, true)
	refused(err, "delete a live version for good", 40407)
	_, err = c.DeleteSubject(s, true)
	refused(err, "delete a live subject for good", 40405)
	_, err = c.DeleteSubject(s, false)
	must(err, "delete")
	_, err = c.DeleteSubject(s, true)
	must(err, "delete for good")
	all, err := c.GetAllSubjects()
	must(err, "subjects")
	equal(slices.Contains(all, s), false, "a deleted subject is listed")
}
