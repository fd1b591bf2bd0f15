package broker

import (
	"bytes"
	"maps"
	"sync/atomic"
	"time"

	"millrace/internal/kafka/batch"
)

// mostVerdicts are kept of one side of one topic; one more, and remembering begins anew.
const mostVerdicts = 1024

// schemaSide is one side, keys or values, of a topic whose schemas are checked, with what is known of it.
type schemaSide struct {
	topic    string
	key      bool
	strategy string
	known    atomic.Pointer[verdictSet]
	said     atomic.Int64 // when a refusal was logged last
}

func (s *schemaSide) name() string {
	if s.key {
		return "key"
	}
	return "value"
}

// header and setting are called for records, so they build nothing.
func (s *schemaSide) header() string {
	if s.key {
		return "__key_schema_id"
	}
	return "__value_schema_id"
}

func (s *schemaSide) setting() string {
	if s.key {
		return "confluent.key.schema.validation"
	}
	return "confluent.value.schema.validation"
}

// verdictSet is what the registry said at one version of it. It is never written after publication.
type verdictSet struct {
	version int64
	of      map[string]verdict // by id or GUID with its magic byte, and for a Protobuf message by id and indexes
}

// verdict is an answer of the registry.
type verdict struct {
	refusal string    // empty: allowed
	indexed bool      // a Protobuf file: there is a verdict for each of its messages
	doubt   bool      // a refusal that may be out of date
	until   time.Time // how long a refusal counts
}

// sideVerdicts is what one batch knows of one side: the published set, what it has asked itself, and the last answer, since
// most batches use one schema.
type sideVerdicts struct {
	set     *verdictSet
	fresh   map[string]verdict
	lastKey []byte
	last    verdict
}

// passes says quickly of most records that they are as good as the last one: no headers, and the same id in front.
func (k *sideVerdicts) passes(side *schemaSide, r *batch.Raw) bool {
	data := r.Value
	if side.key {
		data = r.Key
	}
	return len(k.lastKey) > 0 && k.last.refusal == "" && !r.HasHeaders() && bytes.HasPrefix(data, k.lastKey) && data[0] == magicID
}

// same: the last record began with the same id, and the same indexes if they count.
func (k *sideVerdicts) same(id []byte) bool {
	return k.lastKey != nil && bytes.HasPrefix(id, k.lastKey)
}

// look makes the verdict about what id begins with the last one, or says what is wrong with it.
func (k *sideVerdicts) look(j *schemaJudge, side *schemaSide, id []byte) (refusal string) {
	key := id[:idSize(id)]
	v := k.of(j, side, key)
	if v.indexed {
		n, ok := indexesSize(id[len(key):])
		if !ok {
			return noIndexes
		}
		key = id[:len(key)+n]
		v = k.of(j, side, key)
	}
	k.last, k.lastKey = v, key
	return ""
}

// of is the verdict about an id, or about an id with message indexes. After a doubt the batch cannot pass, so nothing more is
// asked for it: a batch of unknown ids costs one question.
func (k *sideVerdicts) of(j *schemaJudge, side *schemaSide, key []byte) verdict {
	if v, found := k.fresh[string(key)]; found {
		return v
	}
	if k.set == nil {
		if k.set = side.known.Load(); k.set == nil || k.set.version != j.version {
			k.set = &verdictSet{version: j.version}
		}
	}
	if v, found := k.set.of[string(key)]; found && (v.refusal == "" || j.now.Before(v.until)) {
		return v
	}
	if j.doubts {
		return verdict{refusal: "not asked", doubt: true}
	}
	v := j.ask(side, key)
	if len(k.fresh) == mostVerdicts {
		k.fresh = nil
	}
	if k.fresh == nil {
		k.fresh = map[string]verdict{}
	}
	k.fresh[string(key)] = v
	return v
}

func (j *schemaJudge) ask(side *schemaSide, key []byte) verdict {
	use := SchemaUse{Topic: side.topic, Key: side.key, Strategy: side.strategy, ID: key[:idSize(key)]}
	use.Indexes = messageIndexes(key[idSize(key):])
	answer := j.schemas.Judge(use)
	v := verdict{refusal: answer.Refusal, indexed: answer.Indexed}
	if v.refusal != "" {
		v.doubt, v.until = !j.final, j.now.Add(schemaRefusalTime)
		j.doubts = j.doubts || v.doubt
	}
	return v
}

// publish adds what a batch has asked to what is known, but for doubts. Who loses the race asks again.
func (s *schemaSide) publish(version int64, fresh map[string]verdict) {
	maps.DeleteFunc(fresh, func(_ string, v verdict) bool { return v.doubt })
	if len(fresh) == 0 {
		return
	}
	next := &verdictSet{version: version, of: fresh}
	old := s.known.Load()
	if old != nil && old.version == version && len(old.of)+len(fresh) <= mostVerdicts {
		next.of = maps.Clone(old.of)
		maps.Copy(next.of, fresh)
	}
	s.known.CompareAndSwap(old, next)
}

// keepVerdicts takes what is known over from the policy that an older image gave the topic.
func (p *topicPolicy) keepVerdicts(old *topicPolicy) {
	if old == nil {
		return
	}
	for i, side := range p.schemas {
		for _, was := range old.schemas {
			if was.key == side.key && was.strategy == side.strategy {
				p.schemas[i] = was
			}
		}
	}
}
