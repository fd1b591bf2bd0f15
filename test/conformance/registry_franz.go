package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// franz-go's sr: a client of every path, and a serde that takes its encoders from the program.
func init() {
	for _, format := range formats {
		register(Case{"registry-franz/" + format, format == "protobuf", func(t *T) { franzStory(t, format) }})
	}
	register(
		Case{"registry-franz/references", false, franzReferences},
		Case{"registry-franz/administers", false, franzAdministers},
		Case{"registry-franz/import-keeps-ids", false, franzImport},
		Case{"registry-franz/names-and-contexts", false, franzNames},
	)
}

// formats are the three, and a Protobuf message that is not the first of its file.
var formats = []string{"avro", "json", "protobuf", "nested"}

var endings = map[string]string{"avro": ".avsc", "json": ".json", "protobuf": ".proto", "nested": ".proto"}

// srClient is a client of the run's registry.
func (t *T) srClient() *sr.Client {
	c, err := sr.NewClient(sr.URLs(t.Registry()))
	t.Must(err, "new registry client")
	return c
}

// schemaFile is one of the schemas that all clients use.
func (t *T) schemaFile(format, file string) sr.Schema {
	b, err := os.ReadFile(filepath.Join(t.schemas(), file+endings[format]))
	t.Must(err, "read")
	return sr.Schema{Schema: string(b), Type: schemaTypes[format]}
}

var schemaTypes = map[string]sr.SchemaType{"avro": sr.TypeAvro, "json": sr.TypeJSON, "protobuf": sr.TypeProtobuf, "nested": sr.TypeProtobuf}

// refused demands an error of the registry with a status and code.
func (t *T) refused(err error, status int, want *sr.Error, what string) {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) || answer.StatusCode != status || answer.ErrorCode != want.Code || answer.Message == "" {
		t.Errorf("%s: got %v, want %d and code %d", what, err, status, want.Code)
	}
}

// noted is an order of the second version.
type noted struct {
	order
	Note string `json:"note,omitempty" avro:"note"`
}

// coder turns values into the payload of a format and back, through JSON where the library wants messages of its own.
type coder struct {
	encode func(v any) ([]byte, error)
	decode func(b []byte, v any) error
	index  []int
}

// coder for data written as one file's schema and read as another's.
func (t *T) coder(format, written, read string) coder {
	switch format {
	case "avro":
		return t.avroCoder(written, read)
	case "json":
		return coder{encode: json.Marshal, decode: json.Unmarshal}
	case "protobuf":
		return t.protoCoder(read, "shop.Order", 0)
	}
	return t.protoCoder(read, "shop.Envelope.Sealed", 1, 0)
}

func (t *T) avroCoder(written, read string) coder {
	w, err := avro.Parse(t.schemaFile("avro", written).Schema)
	t.Must(err, "parse")
	r, err := avro.Parse(t.schemaFile("avro", read).Schema)
	t.Must(err, "parse")
	resolved, err := avro.Resolve(w, r)
	t.Must(err, "resolve")
	return coder{encode: func(v any) ([]byte, error) { return w.Encode(v) }, decode: func(b []byte, v any) error {
		_, err := resolved.Decode(b, v)
		return err
	}}
}

func (t *T) protoCoder(file, message string, index ...int) coder {
	m := t.message(file, message)
	return coder{
		encode: func(v any) ([]byte, error) {
			b, err := json.Marshal(v)
			p := dynamicpb.NewMessage(m)
			if err == nil {
				err = protojson.Unmarshal(b, p)
			}
			if err != nil {
				return nil, err
			}
			return proto.MarshalOptions{Deterministic: true}.Marshal(p)
		},
		decode: func(b []byte, v any) error {
			p := dynamicpb.NewMessage(m)
			if err := proto.Unmarshal(b, p); err != nil {
				return err
			}
			text, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(p)
			if err != nil {
				return err
			}
			return json.Unmarshal(text, v)
		},
		index: index,
	}
}

// message finds a message in the descriptor set of a file.
func (t *T) message(file, name string) protoreflect.MessageDescriptor {
	b, err := os.ReadFile(filepath.Join(t.schemas(), file+".desc"))
	t.Must(err, "read")
	var set descriptorpb.FileDescriptorSet
	t.Must(proto.Unmarshal(b, &set), "unmarshal")
	files, err := protodesc.NewFiles(&set)
	t.Must(err, "link")
	d, err := files.FindDescriptorByName(protoreflect.FullName(name))
	t.Must(err, name)
	return d.(protoreflect.MessageDescriptor)
}

// options are the coder as the serde wants it.
func (c coder) options(generate func() any) []sr.EncodingOpt {
	o := []sr.EncodingOpt{sr.EncodeFn(c.encode), sr.DecodeFn(c.decode), sr.GenerateFn(generate)}
	if c.index != nil {
		o = append(o, sr.Index(c.index...))
	}
	return o
}

// franzStory registers, writes, reads and evolves.
func franzStory(t *T, format string) {
	cl, topic := t.srClient(), t.Topic(1)
	subject := topic + "-value"
	one, err := cl.CreateSchema(t.ctx, subject, t.schemaFile(format, "order-1"))
	t.Must(err, "register")
	var v1, v2 sr.Serde
	v1.Register(one.ID, order{}, t.coder(format, "order-1", "order-1").options(func() any { return new(order) })...)
	t.send(topic, v1.MustEncode(orderOf("franz", 2)))
	t.Equal(t.decoded(&v1, topic, 1), []any{orderOf("franz", 2)}, "the first version's record")

	check, err := cl.CheckCompatibility(t.ctx, subject, -1, t.schemaFile(format, "order-2"))
	t.Must(err, "check")
	two, err := cl.CreateSchema(t.ctx, subject, t.schemaFile(format, "order-2"))
	t.Must(err, "register the second version")
	t.Equal([]any{check.Is, one.Version, two.Version, two.ID > one.ID}, []any{true, 1, 2, true}, "verdict and versions")
	v2.Register(two.ID, noted{}, t.coder(format, "order-2", "order-2").options(func() any { return new(noted) })...)
	t.send(topic, v2.MustEncode(noted{orderOf("franz", 3), "n"}))
	v2.Register(one.ID, noted{}, t.coder(format, "order-1", "order-2").options(func() any { return new(noted) })...)
	old := map[string]string{"avro": "none"}[format]
	t.Equal(t.decoded(&v2, topic, 2), []any{noted{orderOf("franz", 2), old}, noted{orderOf("franz", 3), "n"}}, "all as the second version")

	_, err = cl.CreateSchema(t.ctx, subject, t.schemaFile(format, "order-3"))
	t.refused(err, 409, sr.ErrIncompatibleSchema, "the third version")
	check, err = cl.CheckCompatibility(sr.WithParams(t.ctx, sr.Verbose), subject, -1, t.schemaFile(format, "order-3"))
	t.Must(err, "check")
	if check.Is || len(check.Messages) == 0 {
		t.Errorf("the verdict on the third version: %+v", check)
	}
	bad := t.schemaFile(format, "order-3")
	bad.Schema = "{ nonsense"
	_, err = cl.CreateSchema(t.ctx, subject, bad)
	t.refused(err, 422, sr.ErrInvalidSchema, "nonsense")
	deleted, err := cl.DeleteSubject(t.ctx, subject, sr.SoftDelete)
	t.Must(err, "delete")
	t.Equal(deleted, []int{1, 2}, "deleted versions")
	_, err = cl.LookupSchema(t.ctx, subject, t.schemaFile(format, "order-1"))
	t.refused(err, 404, sr.ErrSubjectNotFound, "look-up in a deleted subject")
	_, err = cl.SchemaByID(t.ctx, one.ID)
	t.Must(err, "a soft-deleted schema by id")
}

// send writes one record.
func (t *T) send(topic string, value []byte, headers ...kgo.RecordHeader) {
	c := t.Client(kgo.DefaultProduceTopic(topic))
	t.Must(c.ProduceSync(t.ctx, &kgo.Record{Value: value, Headers: headers}).FirstErr(), "produce")
}

// decoded reads a topic and decodes it, values and not pointers.
func (t *T) decoded(serde *sr.Serde, topic string, count int) (out []any) {
	for _, r := range t.consume(topic, count) {
		v, err := serde.DecodeNew(r.Value)
		t.Must(err, "decode")
		switch v := v.(type) {
		case *order:
			out = append(out, *v)
		case *noted:
			out = append(out, *v)
		}
	}
	return out
}

// franzWrite writes orders into a topic, under its subject; the id is the registry's.
func franzWrite(t *T, format, topic string, count int) {
	cl := t.srClient()
	s, err := cl.CreateSchema(t.ctx, topic+"-value", t.schemaFile(format, "order-1"))
	t.Must(err, "register")
	var serde sr.Serde
	serde.Register(s.ID, order{}, t.coder(format, "order-1", "order-1").options(func() any { return new(order) })...)
	for i := range count {
		t.send(topic, serde.MustEncode(orderOf("franz", i)))
	}
}

// franzRead reads orders by whatever schema their prefix names.
func franzRead(t *T, format, topic string, count int) (out []string) {
	cl := t.srClient()
	var serde sr.Serde
	for _, r := range t.consume(topic, count) {
		id, _, err := serde.DecodeID(r.Value)
		t.Must(err, "id")
		if _, err := cl.SchemaByID(t.ctx, id); err != nil {
			t.Fatalf("id %d of % x: %v", id, r.Value, err)
		}
		serde.Register(id, order{}, t.coder(format, "order-1", "order-1").options(func() any { return new(order) })...)
		v, err := serde.DecodeNew(r.Value)
		if err != nil {
			t.Fatalf("% x: %v", r.Value, err)
		}
		out = append(out, v.(*order).line())
	}
	return out
}

// franzReferences: what refers to what, in all formats; what is referred to cannot go.
func franzReferences(t *T) {
	cl := t.srClient()
	for format, name := range map[string]string{"avro": "shop.Customer", "json": "customer.json", "protobuf": "customer.proto"} {
		part, whole := t.Name(format+"-part"), t.Name(format+"-whole")
		p, err := cl.CreateSchema(t.ctx, part, t.schemaFile(format, "customer"))
		t.Must(err, "register what is referred to")
		s := t.schemaFile(format, "sale")
		_, err = cl.CreateSchema(t.ctx, whole, s)
		t.refused(err, 422, sr.ErrInvalidSchema, format+" without its reference")
		s.References = []sr.SchemaReference{{Name: name, Subject: part, Version: p.Version}}
		w, err := cl.CreateSchema(t.ctx, whole, s)
		t.Must(err, "register what refers")
		t.Equal(w.References, s.References, "references")
		users, err := cl.SchemaReferences(t.ctx, part, 1)
		t.Must(err, "SchemaReferences")
		if !slices.ContainsFunc(users, func(u sr.SubjectSchema) bool { return u.Subject == whole && u.ID == w.ID }) {
			t.Errorf("%s is not among those who refer to %s: %v", whole, part, users)
		}
		_, err = cl.DeleteSubject(t.ctx, part, sr.SoftDelete)
		t.refused(err, 422, sr.ErrReferenceExists, "delete what is referred to")
		_, err = cl.DeleteSubject(t.ctx, whole, sr.SoftDelete)
		t.Must(err, "delete what refers")
		_, err = cl.DeleteSubject(t.ctx, whole, sr.HardDelete)
		t.Must(err, "delete for good")
		_, err = cl.DeleteSubject(t.ctx, part, sr.SoftDelete)
		t.Must(err, "delete what nobody refers to any more")
	}
}

// franzAdministers asks every other call of the client.
func franzAdministers(t *T) {
	cl, s := t.srClient(), t.Name("s")
	types, err := cl.SupportedTypes(t.ctx)
	t.Must(err, "SupportedTypes")
	t.Equal(len(types), 3, "types")
	one, err := cl.CreateSchema(t.ctx, s, t.schemaFile("avro", "order-1"))
	t.Must(err, "register")
	two, err := cl.CreateSchema(sr.WithParams(t.ctx, sr.Normalize), s, t.schemaFile("avro", "order-2"))
	t.Must(err, "register normalized")
	t.franzLooksUp(cl, s, one, two)
	t.franzSettings(cl, s)
	_, err = cl.CreateSchema(sr.WithParams(t.ctx, sr.Force), s, t.schemaFile("avro", "order-3"))
	t.Must(err, "register against the rules")
	t.refused(cl.DeleteSchema(t.ctx, s, 3, sr.HardDelete), 404, sr.ErrSchemaVersionNotSoftDeleted, "delete a live version for good")
	t.Must(cl.DeleteSchema(t.ctx, s, 3, sr.SoftDelete), "delete a version")
	t.refused(cl.DeleteSchema(t.ctx, s, 3, sr.SoftDelete), 404, sr.ErrSchemaVersionSoftDeleted, "delete it again")
	versions, err := cl.SubjectVersions(sr.WithParams(t.ctx, sr.DeletedOnly), s)
	t.Must(err, "SubjectVersions")
	t.Equal(versions, []int{3}, "deleted versions")
	t.Must(cl.DeleteSchema(t.ctx, s, 3, sr.HardDelete), "delete it for good")
	all, err := cl.Schemas(sr.WithParams(t.ctx, sr.ShowDeleted), s)
	t.Must(err, "Schemas")
	t.Equal([]any{len(all), all[1].ID, all[1].GUID}, []any{2, two.ID, two.GUID}, "schemas that are left")
	_, err = cl.DeleteSubject(t.ctx, s, sr.HardDelete)
	t.refused(err, 404, sr.ErrSubjectNotSoftDeleted, "delete a live subject for good")
}

func (t *T) franzLooksUp(cl *sr.Client, s string, one, two sr.SubjectSchema) {
	found, err := cl.LookupSchema(t.ctx, s, t.schemaFile("avro", "order-1"))
	t.Must(err, "LookupSchema")
	t.Equal(found.Version, 1, "version that was looked up")
	_, err = cl.LookupSchema(t.ctx, s, t.schemaFile("avro", "order-3"))
	t.refused(err, 404, sr.ErrSchemaNotFound, "look-up of what is not there")
	_, err = cl.SchemaByVersion(t.ctx, s, 9)
	t.refused(err, 404, sr.ErrVersionNotFound, "a version that is not there")
	_, err = cl.SchemaByID(t.ctx, 123456789)
	t.refused(err, 404, sr.ErrSchemaNotFound, "an id that is not there")
	text, err := cl.SchemaTextByVersion(t.ctx, s, -1)
	t.Must(err, "SchemaTextByVersion")
	byID, err := cl.SchemaTextByID(t.ctx, two.ID)
	t.Must(err, "SchemaTextByID")
	t.Equal(text, byID, "text by version and by id")
	byGUID, err := cl.SchemaByGUID(t.ctx, one.GUID)
	t.Must(err, "SchemaByGUID")
	t.Equal(byGUID.Schema.Schema, one.Schema.Schema, "schema by GUID")
	ids, err := cl.SchemaIDsByGUID(t.ctx, one.GUID)
	t.Must(err, "SchemaIDsByGUID")
	if !slices.Contains(ids, sr.ContextID{Context: ".", ID: one.ID}) {
		t.Errorf("ids of the GUID: %v", ids)
	}
	subjects, err := cl.SubjectsByID(t.ctx, one.ID)
	t.Must(err, "SubjectsByID")
	users, err := cl.SchemaVersionsByID(t.ctx, one.ID)
	t.Must(err, "SchemaVersionsByID")
	if !slices.Contains(subjects, s) || !slices.Contains(users, sr.SubjectVersion{Subject: s, Version: 1}) {
		t.Errorf("who uses id %d: %v, %v", one.ID, subjects, users)
	}
	all, err := cl.AllSchemas(sr.WithParams(t.ctx, sr.SubjectPrefix(s)))
	t.Must(err, "AllSchemas")
	latest, err := cl.AllSchemas(sr.WithParams(t.ctx, sr.SubjectPrefix(s), sr.LatestOnly))
	t.Must(err, "AllSchemas, the latest only")
	t.Equal([]int{len(all), len(latest)}, []int{2, 1}, "all schemas with the prefix, and the latest of them")
}

func (t *T) franzSettings(cl *sr.Client, s string) {
	set := cl.SetCompatibility(t.ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive, Normalize: true, Group: "major"}, s)[0]
	t.Must(set.Err, "SetCompatibility")
	got := cl.Compatibility(t.ctx, s)[0]
	t.Must(got.Err, "Compatibility")
	t.Equal([]any{got.Level, got.Normalize, got.Group}, []any{sr.CompatFullTransitive, true, "major"}, "settings")
	t.Must(cl.ResetCompatibility(t.ctx, s)[0].Err, "ResetCompatibility")
	t.refused(cl.Compatibility(t.ctx, s)[0].Err, 404, sr.ErrSubjectLevelCompatibilityNotConfigured, "settings of nobody")
	byDefault := cl.Compatibility(sr.WithParams(t.ctx, sr.DefaultToGlobal), s)[0]
	t.Must(byDefault.Err, "Compatibility by default")
	t.Equal(byDefault.Level, sr.CompatBackward, "the level of all")
	t.Must(cl.SetMode(t.ctx, sr.ModeReadOnly, s)[0].Err, "SetMode")
	_, err := cl.CreateSchema(t.ctx, s, t.schemaFile("avro", "order-3"))
	t.refused(err, 422, sr.ErrOperationNotPermitted, "register read-only")
	t.Equal(cl.Mode(t.ctx, s)[0].Mode, sr.ModeReadOnly, "mode")
	t.Must(cl.ResetMode(t.ctx, s)[0].Err, "ResetMode")
	t.refused(cl.Mode(t.ctx, s)[0].Err, 404, sr.ErrSubjectLevelModeNotConfigured, "mode of nobody")
	t.Equal(cl.Mode(t.ctx)[0].Mode, sr.ModeReadWrite, "the mode of all")
}

// franzImport: in mode IMPORT a subject takes ids and versions as they were elsewhere.
func franzImport(t *T) {
	cl, err := sr.NewClient(sr.URLs(t.Registry()), sr.DefaultSchemaContext("."+t.Name("ctx")))
	t.Must(err, "new registry client")
	_, err = cl.CreateSchemaWithIDAndVersion(t.ctx, "s", t.schemaFile("avro", "order-1"), 4711, 7)
	t.refused(err, 422, sr.ErrOperationNotPermitted, "an id that is given, outside IMPORT")
	t.Must(cl.SetMode(t.ctx, sr.ModeImport, "s")[0].Err, "SetMode")
	got, err := cl.CreateSchemaWithIDAndVersion(t.ctx, "s", t.schemaFile("avro", "order-1"), 4711, 7)
	t.Must(err, "register with id and version")
	t.Equal([]int{got.ID, got.Version}, []int{4711, 7}, "id and version")
	t.Must(cl.ResetMode(t.ctx, "s")[0].Err, "ResetMode")
	next, err := cl.CreateSchema(t.ctx, "s", t.schemaFile("avro", "order-2"))
	t.Must(err, "register")
	t.Equal([]int{next.ID, next.Version}, []int{4712, 8}, "id and version of the next")
}

// franzNames: subjects that have to be escaped, and contexts given to the client and in names.
func franzNames(t *T) {
	cl := t.srClient()
	for _, odd := range []string{"a/b", "a b", "a:b", "ä€", "a%2Fb", "a?b#c", "a+b", "x.", "a//b", "a/../b"} {
		s := t.Name("n") + odd
		got, err := cl.CreateSchema(t.ctx, s, t.schemaFile("json", "order-1"))
		t.Must(err, "register "+s)
		t.Equal(got.Subject, s, "subject")
		deleted, err := cl.DeleteSubject(t.ctx, s, sr.SoftDelete)
		t.Must(err, "delete "+s)
		t.Equal(deleted, []int{1}, "deleted versions of "+s)
	}
	context := "." + t.Name("ctx")
	inside, err := sr.NewClient(sr.URLs(t.Registry()), sr.DefaultSchemaContext(context))
	t.Must(err, "new registry client")
	got, err := inside.CreateSchema(t.ctx, "s", t.schemaFile("avro", "order-1"))
	t.Must(err, "register in a context")
	t.Equal(got.ID, 1, "ids of a context begin at 1")
	outside, err := cl.SchemaByVersion(t.ctx, ":"+context+":s", 1)
	t.Must(err, "by the qualified name")
	t.Equal(outside.GUID, got.GUID, "GUID inside and outside")
	contexts, err := cl.Contexts(t.ctx)
	t.Must(err, "Contexts")
	if !slices.Contains(contexts, context) {
		t.Errorf("%s is not among the contexts %v", context, contexts)
	}
	t.refused(cl.DeleteContext(t.ctx, context), 422, sr.ErrContextNotEmpty, "delete a context that is not empty")
	for _, how := range []sr.DeleteHow{sr.SoftDelete, sr.HardDelete} {
		_, err = inside.DeleteSubject(t.ctx, "s", how)
		t.Must(err, "delete")
	}
	t.Must(cl.DeleteContext(t.ctx, context), "delete an empty context")
}

// prefixOf is what stands in front of a payload: magic, id and message indexes.
func prefixOf(format string, id int) string {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(id))
	return fmt.Sprintf("% x", append(b, indexesOf(format)...))
}

// indexesOf are the message indexes: the count and each as zig-zag varints, and the first message as a single zero.
func indexesOf(format string) []byte {
	return map[string][]byte{"protobuf": {0}, "nested": {4, 2, 0}}[format]
}
