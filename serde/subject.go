package serde

import (
	"fmt"
	"strings"
)

// SubjectName says under which subject a schema is registered: by the topic, the part of the record, and the name of the record in the
// schema (an Avro record's full name, a Protobuf message's full name, a JSON Schema's title; empty where there is none). A subject like
// :.staging:orders-value lies in the registry's context .staging, and ids are then looked up there too.
type SubjectName func(topic string, part Part, record string) (string, error)

// TopicName is topic-key and topic-value: one line of schemas for each topic. It is what is used unless told otherwise.
func TopicName(topic string, part Part, _ string) (string, error) {
	if topic == "" {
		return "", fmt.Errorf("the record has no topic to name its subject by: set Record.Topic before the %s, or choose RecordName", part)
	}
	return topic + "-" + part.String(), nil
}

// RecordName is the name of the record: one line of schemas for each kind of record, whatever topic it is in.
func RecordName(_ string, _ Part, record string) (string, error) {
	if record == "" {
		return "", fmt.Errorf("the schema has no record name to name its subject by: give it one (a title, in JSON Schema), or choose TopicName")
	}
	return record, nil
}

// TopicRecordName is topic-record: a line of schemas for each kind of record in each topic.
func TopicRecordName(topic string, part Part, record string) (string, error) {
	if _, err := TopicName(topic, part, record); err != nil {
		return "", err
	}
	if _, err := RecordName(topic, part, record); err != nil {
		return "", err
	}
	return topic + "-" + record, nil
}

// contextOf is the context that a subject names in front, like :.staging: in :.staging:orders-value; empty for the registry's default.
func contextOf(subject string) string {
	if !strings.HasPrefix(subject, ":.") {
		return ""
	}
	end := strings.IndexByte(subject[1:], ':')
	if end < 0 {
		return ""
	}
	return subject[:end+2]
}
