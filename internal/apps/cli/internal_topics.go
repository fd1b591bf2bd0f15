package cli

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/kafka/record"
)

// internalParsers decode the records of the topics that coordinators keep.
var internalParsers = map[string]struct {
	key   func([]byte) (any, error)
	value func(recordType int16, value []byte) (any, error)
}{
	"__consumer_offsets":  {record.ParseOffsetsKey, record.ParseOffsetsValue},
	"__transaction_state": {record.ParseTxnKey, record.ParseTxnValue},
	"__share_group_state": {record.ParseShareKey, record.ParseShareValue},
}

type internalJSON struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Timestamp string `json:"timestamp"`
	Type      string `json:"type"`
	Key       any    `json:"key"`
	Value     any    `json:"value"`
}

// decodingInternal writes records of internal topics decoded, one JSON object a line, and all others as next does.
// What cannot be decoded is written as next does too.
func decodingInternal(next recordFormat) recordFormat {
	return func(w io.Writer, r *kgo.Record) error {
		j, ok := decodeInternal(r)
		if !ok {
			return next(w, r)
		}
		line, err := json.Marshal(j)
		if err != nil {
			return next(w, r)
		}
		_, err = fmt.Fprintln(w, strings.TrimSuffix(jsonSafe(string(line)+"\n"), "\n"))
		return err
	}
}

func decodeInternal(r *kgo.Record) (internalJSON, bool) {
	j := internalJSON{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: date(r.Timestamp)}
	parse, ok := internalParsers[r.Topic]
	if !ok || len(r.Key) < 2 {
		return j, false
	}
	key, err := parse.key(r.Key)
	if err != nil {
		return j, false
	}
	j.Key, j.Type = key, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", key), "*record."), "Key")
	if r.Value == nil {
		return j, true // a tombstone
	}
	j.Value, err = parse.value(int16(binary.BigEndian.Uint16(r.Key)), r.Value)
	return j, err == nil
}
