package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"millrace/serde"
)

// decoder makes JSON of the parts of records that carry a schema id. Everything else, and what cannot be decoded, stays as it is. A nil
// decoder decodes nothing.
type decoder struct {
	ctx      context.Context
	read     func(ctx context.Context, r *kgo.Record, part serde.Part, reader *serde.Schema) (serde.Text, error)
	registry string           // its address
	tell     func(say string) // on standard error; nil: nobody wants to know
	told     map[string]bool
	guesses  map[topicPart]*guess
	places   *schemaPlaces // nil: nobody wants to know
}

type topicPart struct {
	topic string
	part  serde.Part
}

// guess remembers whether what begins with a zero byte in a part of a topic has ever been an id. In binary values of another kind there
// are as many different numbers as there are records, and each would be asked for.
type guess struct {
	known   bool
	unknown int
}

const (
	maxGuesses = 20 // unknown ids in front, and none known, before a topic's are left alone
	maxTold    = 20
)

// failuresKept is how long an id that is not known, or a registry that cannot be reached, is not asked for again.
const failuresKept = 30 * time.Second

func (a *app) newDecoder(ctx context.Context, o consumeOptions) (*decoder, error) {
	if o.noDecode {
		return nil, nil
	}
	r, err := a.serdeRegistry(serde.RememberFailures(failuresKept))
	if err != nil {
		return nil, err
	}
	d := newDecoder(ctx, r.Read, a.registryURL)
	if o.format == "json" {
		if d.places, err = a.newSchemaPlaces(ctx); err != nil {
			return nil, err
		}
	}
	if !o.quiet {
		d.tell = func(say string) { fmt.Fprintln(a.err, "millrace: "+escape(say)) }
	}
	return d, nil
}

func newDecoder(ctx context.Context, read func(context.Context, *kgo.Record, serde.Part, *serde.Schema) (serde.Text, error), registry string) *decoder {
	return &decoder{ctx: ctx, read: read, registry: registry, told: map[string]bool{}, guesses: map[topicPart]*guess{}}
}

// shown is a part of a record as it is shown.
type shown struct {
	raw  []byte // as it lies in the topic
	text serde.Text
	err  error // why it is shown as it is, although it carries an id
}

// bytes is what people see.
func (s shown) bytes() []byte {
	if s.text.JSON != nil {
		return s.text.JSON
	}
	return s.raw
}

func (d *decoder) part(r *kgo.Record, part serde.Part) shown {
	s := shown{raw: r.Value}
	if part == serde.Key {
		s.raw = r.Key
	}
	if d == nil {
		return s
	}
	id, ok := serde.FindID(r, part)
	if !ok || !d.worthAsking(r.Topic, part, id) {
		return s
	}
	s.text, s.err = d.read(d.ctx, r, part, nil)
	d.learn(r.Topic, part, id, s.err)
	if s.err != nil && d.ctx.Err() == nil {
		s.text = serde.Text{ID: id}
		d.complain(r, part, id, s.err)
	}
	return s
}

func (d *decoder) worthAsking(topic string, part serde.Part, id serde.ID) bool {
	g := d.guesses[topicPart{topic, part}]
	return id.Header || g == nil || g.known || g.unknown < maxGuesses
}

func (d *decoder) learn(topic string, part serde.Part, id serde.ID, err error) {
	g := d.guesses[topicPart{topic, part}]
	if g == nil {
		g = &guess{}
		d.guesses[topicPart{topic, part}] = g
	}
	switch {
	case err == nil || id.Header:
		g.known = g.known || err == nil
	default:
		g.unknown++
	}
}

// complain says once for each schema of a topic, and once for a registry that is gone, why something is not decoded.
func (d *decoder) complain(r *kgo.Record, part serde.Part, id serde.ID, err error) {
	about, say := fmt.Sprint(r.Topic, part, id), ""
	switch {
	case errors.Is(err, serde.ErrUnreachable):
		about = "registry"
		say = fmt.Sprintf("the %s carries %s, but the schema registry at %s cannot be reached: name it with --registry, or take --no-decode", part, id, d.registry)
	case errors.Is(err, serde.ErrNotFound) && !id.Header:
		say = fmt.Sprintf("the %s begins as if it had %s, which the registry at %s does not know", part, id, d.registry)
	case errors.Is(err, serde.ErrNotFound):
		say = fmt.Sprintf("the %s has %s, which the registry at %s does not know", part, id, d.registry)
	default:
		say = fmt.Sprintf("the %s cannot be decoded: %v", part, err)
	}
	if d.tell == nil || d.told[about] || len(d.told) > maxTold {
		return
	}
	d.told[about] = true
	if len(d.told) > maxTold {
		d.tell("there is more that cannot be decoded and is shown as it is")
		return
	}
	d.tell(fmt.Sprintf("topic %s, partition %d, offset %d: %s; it is shown as it is", r.Topic, r.Partition, r.Offset, say))
}

// schemaJSON says what a part of a record was written with.
type schemaJSON struct {
	ID      int    `json:"id,omitempty"`
	GUID    string `json:"guid,omitempty"`
	Subject string `json:"subject,omitempty"`
	Version int    `json:"version,omitempty"`
	Type    string `json:"type,omitempty"`
	Message string `json:"message,omitempty"` // of Protobuf
	Header  bool   `json:"header,omitempty"`  // the id stood in a header
}

// schema says what a part was written with; where says in which subject that is.
func (s shown) schema(where func(*schemaJSON)) *schemaJSON {
	known := s.text.Schema
	if known == nil {
		return nil
	}
	j := &schemaJSON{ID: s.text.ID.Number, GUID: s.text.ID.GUID, Header: s.text.ID.Header, Type: known.Text.Type.String()}
	if j.GUID == "" {
		j.GUID = known.GUID
	}
	if known.Text.Type == sr.TypeProtobuf {
		j.Message = s.text.Record
	}
	where(j)
	return j
}

// json gives the fields of a part: decoded JSON as it is, text as a string, everything else in base64.
func (d *decoder) json(r *kgo.Record, part serde.Part) (value json.RawMessage, base *string, schema *schemaJSON, failure string) {
	s := d.part(r, part)
	if s.text.JSON != nil {
		return s.text.JSON, nil, s.schema(func(j *schemaJSON) { d.places.fill(j, r.Topic+"-"+part.String()) }), ""
	}
	text, base := toJSON(s.raw)
	if text != nil {
		value = quoted(*text)
	}
	if s.err != nil {
		failure = s.err.Error()
	}
	return value, base, nil, failure
}

// quoted is a text in JSON, without escapes for HTML.
func quoted(text string) json.RawMessage {
	q, err := compactJSON(text)
	if err != nil { // a string can always be written
		return json.RawMessage(`""`)
	}
	return q
}
