package registry

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// Use is one way in which records of a topic use a schema.
type Use struct {
	Topic    string
	Key      bool   // of the record's key, else of its value
	Strategy string // of naming the subject: the class name that Java's serializers have for it
	ID       []byte // 0 and an id of four bytes, or 1 and a GUID: as records carry it
	Indexes  []int  // of the Protobuf message; nil when they were not read
}

// Judgement says whether records may use a schema so.
type Judgement struct {
	Refusal string // one sentence; empty when they may
	Indexed bool   // the schema is a Protobuf file: judge again with the message indexes
}

// Version moves with every record of the log, so also with everything that may change a Judgement.
func (r *Registry) Version() int64 { return r.view.next.Load() }

// CatchUp returns when everything that is in the log at the call is applied.
func (r *Registry) CatchUp(ctx context.Context) error {
	end, err := r.log.End(ctx)
	if err != nil {
		return err
	}
	return r.view.wait(ctx, end-1)
}

// Judge looks for the schema under the subject that the use has. That subject is one of the default context, or what an alias
// makes of it. A version that was deleted softly does not count: it can be read, but nothing new shall be written with it.
func (r *Registry) Judge(u Use) Judgement {
	switch name := u.Strategy[strings.LastIndexByte(u.Strategy, '.')+1:]; name {
	case "TopicNameStrategy":
		return r.judgeUnder(u, u.Topic+u.suffix())
	case "RecordNameStrategy":
		return r.judgeByRecord(u, "")
	case "TopicRecordNameStrategy":
		return r.judgeByRecord(u, u.Topic+"-")
	default:
		return Judgement{Refusal: "there is no subject name strategy " + quote(name)}
	}
}

func (u Use) suffix() string {
	if u.Key {
		return "-key"
	}
	return "-value"
}

// schema is how a refusal names the schema.
func (u Use) schema() string {
	if u.ID[0] == 1 {
		return "schema GUID " + schema.Digest(u.ID[1:]).GUID()
	}
	return fmt.Sprintf("schema id %d", u.number())
}

func (u Use) number() int { return int(int32(binary.BigEndian.Uint32(u.ID[1:]))) }

func (r *Registry) judgeUnder(u Use, subject string) Judgement {
	var known bool
	var found *state.Version
	r.Look(func(s *state.State) {
		target := s.Alias(subject)
		uses := u.versions(s, state.ParseName(target).Context)
		known, found = len(uses) > 0, under(uses, target)
	})
	switch {
	case !known:
		return Judgement{Refusal: fmt.Sprintf("%s does not exist; register the schema under subject %s", u.schema(), subject)}
	case found == nil:
		return Judgement{Refusal: fmt.Sprintf("%s is not registered under subject %s; register the schema there, or produce with one of that subject's", u.schema(), subject)}
	case found.Deleted:
		return Judgement{Refusal: fmt.Sprintf("%s was deleted from subject %s; register the schema there again, or produce with a version that is left", u.schema(), subject)}
	}
	return r.judgeMessage(u, found)
}

// versions are all that have the schema of the use in a context, deleted ones too.
func (u Use) versions(s *state.State, context string) (uses []*state.Version) {
	if u.ID[0] == 0 {
		return s.Uses(u.number(), state.ContextPrefix(context), state.WithDeleted)
	}
	for _, id := range s.ByGUID(schema.Digest(u.ID[1:])) {
		if id.Context == context {
			uses = append(uses, s.Uses(id.ID, state.ContextPrefix(context), state.WithDeleted)...)
		}
	}
	return uses
}

// under is the version of a subject, a live one if there is one.
func under(uses []*state.Version, subject string) (found *state.Version) {
	for _, v := range uses {
		if v.Subject == subject && (found == nil || found.Deleted) {
			found = v
		}
	}
	return found
}

// judgeMessage judges the message indexes of a Protobuf schema. One that cannot be read any more is left alone: its id is right.
func (r *Registry) judgeMessage(u Use, v *state.Version) Judgement {
	if v.Type() != schema.Protobuf {
		return Judgement{}
	}
	if u.Indexes == nil {
		return Judgement{Indexed: true}
	}
	if names := r.names(v); names.err == nil && names.message(u.Indexes) == "" {
		return Judgement{Refusal: fmt.Sprintf("%s has no message with the indexes %v; produce with the Protobuf file that is registered", u.schema(), u.Indexes)}
	}
	return Judgement{}
}

// judgeByRecord looks under the name that the schema gives its records.
func (r *Registry) judgeByRecord(u Use, prefix string) Judgement {
	var v *state.Version
	r.Look(func(s *state.State) {
		if uses := u.versions(s, state.DefaultContext); len(uses) > 0 {
			v = uses[0]
		}
	})
	if v == nil {
		return Judgement{Refusal: u.schema() + " does not exist; register the schema under the name of its record"}
	}
	if j := r.judgeMessage(u, v); j != (Judgement{}) {
		return j
	}
	names := r.names(v)
	switch name := names.of(u.Indexes); {
	case names.err != nil:
		return Judgement{Refusal: fmt.Sprintf("%s cannot be read, so nobody knows the name of its record: %v", u.schema(), names.err)}
	case name == "":
		return Judgement{Refusal: fmt.Sprintf("%s gives its record no name, which the topic's subject name strategy needs: an Avro schema must be a record, a JSON Schema have a title", u.schema())}
	default:
		return r.judgeUnder(u, prefix+name)
	}
}
