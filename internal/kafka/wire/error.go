package wire

import "strconv"

// ErrorCode is Kafka's answer to a request or to one part of it. Zero (None) is success.
type ErrorCode int16

type errorEntry struct {
	name      string
	retriable bool
	meaning   string
	remedy    string // empty: this node does not answer it
}

// String is Kafka's name of the code.
func (e ErrorCode) String() string {
	if t := e.entry(); t != nil {
		return t.name
	}
	return "ERROR_" + strconv.Itoa(int(e))
}

// Error is the name followed by one sentence.
func (e ErrorCode) Error() string {
	if t := e.entry(); t != nil {
		return t.name + ": " + t.meaning
	}
	return e.String() + ": an error code that Kafka 4.3 does not have"
}

// Meaning is the sentence alone, for messages that already carry the code.
func (e ErrorCode) Meaning() string {
	if t := e.entry(); t != nil {
		return t.meaning
	}
	return "an error code that Kafka 4.3 does not have"
}

// Retriable says whether Kafka's clients send the request again by themselves.
func (e ErrorCode) Retriable() bool {
	t := e.entry()
	return t != nil && t.retriable
}

func (e ErrorCode) entry() *errorEntry {
	if i := int(e) + 1; i >= 0 && i < len(errorTable) {
		return &errorTable[i]
	}
	return nil
}
