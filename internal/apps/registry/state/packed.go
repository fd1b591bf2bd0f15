package state

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"

	"millrace/internal/apps/registry/schema"
)

// packed is a schema whose text takes the room of its compressed form: most schemas are never asked for, and texts are most of what a
// registry remembers. Half a microsecond per KiB brings one back. All versions of one content share one.
type packed struct {
	about *schema.Schema // everything but the text; the same for all that have nothing to say
	text  string         // compressed
}

// silent are the schemas of each type that have a text and nothing else.
var silent = map[schema.Type]*schema.Schema{
	schema.Avro: {Type: schema.Avro}, schema.JSON: {Type: schema.JSON}, schema.Protobuf: {Type: schema.Protobuf},
}

func pack(s schema.Schema) *packed {
	var room [4 << 10]byte // most texts fit; longer ones are put elsewhere by the encoder
	p := &packed{text: string(s2.Encode(room[:], []byte(s.Text)))}
	s.Type, s.Text = s.TypeOrDefault(), ""
	if p.about = silent[s.Type]; p.about == nil || len(s.References) > 0 || s.Metadata != nil || s.RuleSet != nil {
		about := s
		p.about = &about
	}
	return p
}

// Text is the text of the schema.
func (p *packed) Text() string {
	text, err := s2.Decode(nil, []byte(p.text))
	if err != nil {
		panic(fmt.Sprintf("a text that was packed cannot be unpacked: %v", err)) // packed by us, in this process
	}
	return string(text)
}

// size is the length of the text.
func (p *packed) size() int {
	n, err := s2.DecodedLen([]byte(p.text[:min(len(p.text), binary.MaxVarintLen64)]))
	if err != nil {
		panic(fmt.Sprintf("a text that was packed has no length: %v", err)) // packed by us, in this process
	}
	return n
}

// Schema is the whole schema.
func (p *packed) Schema() schema.Schema {
	s := *p.about
	s.Text = p.Text()
	return s
}

func (p *packed) Type() schema.Type              { return p.about.Type }
func (p *packed) References() []schema.Reference { return p.about.References }
func (p *packed) Metadata() *schema.Metadata     { return p.about.Metadata }
func (p *packed) RuleSet() *schema.RuleSet       { return p.about.RuleSet }
