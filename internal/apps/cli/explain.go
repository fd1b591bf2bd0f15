package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// about is an error with what it happened to and what to do about it.
type about struct {
	what   string // topic "t1"
	err    error
	remedy string
}

func (e about) Unwrap() error { return e.err }

func (e about) Error() string {
	s := e.what + ": " + sentence(e.err)
	if p := predicates[code(e.err)]; p != "" && !enough(e.err) {
		s = e.what + " " + p
	}
	if e.remedy != "" {
		s += ": " + e.remedy
	}
	return s
}

// remedies say what to do about a Kafka error, for what stands before it.
var remedies = map[*kerr.Error]string{
	kerr.UnknownTopicOrPartition:      `create it with "millrace topic create", or see "millrace topic list"`,
	kerr.TopicAlreadyExists:           `add --if-not-exists to accept that, or see "millrace topic describe"`,
	kerr.InvalidReplicationFactor:     "ask for fewer with --replicas",
	kerr.InvalidTopicException:        "a name has 1 to 249 letters, digits, dots, underscores and hyphens, and is not . or ..",
	kerr.InvalidPartitions:            "partitions can only be added",
	kerr.GroupIDNotFound:              `see "millrace group list"`,
	kerr.NonEmptyGroup:                "stop its members first",
	kerr.UnknownMemberID:              "stop the group's members first",
	kerr.IllegalGeneration:            "stop the group's members first",
	kerr.RebalanceInProgress:          "stop the group's members first",
	kerr.MessageTooLarge:              "make it smaller, or raise max.message.bytes of the topic",
	kerr.OffsetOutOfRange:             `"millrace topic describe" shows which offsets there are`,
	kerr.NotEnoughReplicas:            "bring more replicas up, or lower min.insync.replicas",
	kerr.NotEnoughReplicasAfterAppend: "bring more replicas up, or lower min.insync.replicas",
	kerr.TopicDeletionDisabled:        "set delete.topic.enable=true on the brokers",
	kerr.CoordinatorNotAvailable:      "try again in a moment",
	kerr.CoordinatorLoadInProgress:    "try again in a moment",
	kerr.NotCoordinator:               "try again in a moment",
	kerr.LeaderNotAvailable:           "try again in a moment",
	kerr.ThrottlingQuotaExceeded:      "try again later",
	kerr.KafkaStorageError:            "look at the broker's log: one of its disks failed",
	kerr.InvalidRecord:                "a compacted topic needs a key with each record (--key or --key-separator), and one with confluent.value.schema.validation values written with a registered schema; the log of the node that leads the partition names the record and the reason",
	kerr.UnstableOffsetCommit:         "a transaction is still open: try again in a moment",
	kerr.GroupMaxSizeReached:          "raise group.max.size on the brokers, or stop a member",
	kerr.RequestTimedOut:              "give it longer with --timeout",
}

// failed wraps what the broker said about something; message is its own sentence, which says more than the code.
func failed(what string, err error, message string) error {
	if err == nil {
		return nil
	}
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) && len(shards.Errs) > 0 {
		err = shards.Errs[0].Err // the others failed for the same reason, and none of them says what a shard is
	}
	k := code(err)
	if k == nil {
		return about{what: what, err: err}
	}
	e := about{what: what, err: err, remedy: remedies[k]}
	if message != "" && message != k.Description && message != k.Message {
		e.err = brokerSaid{k, message}
	}
	if enough(e.err) {
		e.remedy = ""
	}
	return e
}

// enough tells that the broker's own sentence says it all: these codes have several causes, each with a remedy of its own.
func enough(err error) bool {
	k := code(err)
	return errors.As(err, new(brokerSaid)) && (k == kerr.InvalidTopicException || k == kerr.InvalidPartitions)
}

// brokerSaid shows the broker's own words and stays the code it is.
type brokerSaid struct {
	code    *kerr.Error
	message string
}

func (b brokerSaid) Error() string { return strings.TrimRight(b.message, ".") }
func (b brokerSaid) Unwrap() error { return b.code }

// predicates are the common codes in plain words, to stand right behind what they are about.
var predicates = map[*kerr.Error]string{
	kerr.UnknownTopicOrPartition:  "does not exist",
	kerr.TopicAlreadyExists:       "exists already",
	kerr.GroupIDNotFound:          "does not exist",
	kerr.NonEmptyGroup:            "has members",
	kerr.InvalidTopicException:    "is no topic name",
	kerr.MessageTooLarge:          "refuses the record, which is too large",
	kerr.OffsetOutOfRange:         "has no such offset",
	kerr.TopicAuthorizationFailed: "may not be accessed",
	kerr.GroupAuthorizationFailed: "may not be accessed",
}

func sentence(err error) string {
	var said brokerSaid
	if errors.As(err, &said) {
		return said.Error()
	}
	if k := code(err); k != nil {
		return strings.TrimRight(k.Description, ".") + " (" + k.Message + ")"
	}
	return err.Error()
}

// code is the Kafka error in an error, or nil.
func code(err error) *kerr.Error {
	var k *kerr.Error
	errors.As(err, &k)
	return k
}

// short is an error that fits into a table.
func short(err error) string {
	if k := code(err); k != nil {
		return k.Message
	}
	return err.Error()
}

// explain is what people are shown.
func explain(err error) string {
	switch {
	case errors.As(err, new(about)), errors.As(err, new(unreachable)), errors.As(err, new(registryUnreachable)), errors.As(err, new(usageError)):
		return err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer came in time: give it longer with --timeout, or look at the broker's log"
	}
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) && len(shards.Errs) > 0 {
		return explain(shards.Errs[0].Err)
	}
	if k := code(err); k != nil {
		s := sentence(err)
		if r := remedies[k]; r != "" {
			s += ": " + r
		}
		return s
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
