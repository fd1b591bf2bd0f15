package group

import (
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/internal/core/machine"
	"millrace/internal/kafka/record"
)

// parsePosition reads an offset's key, of type 0 or 1, which look alike.
func parsePosition(key []byte) (position, error) {
	var k record.OffsetCommitKey
	if err := k.ReadFrom(key[2:], 0); err != nil {
		return position{}, fmt.Errorf("an offset's key: %w", err)
	}
	return position{group: k.Group, topic: k.Topic, partition: k.Partition}, nil
}

// parseCommitted reads an offset's value. One of type 0 has versions of its own.
func parseCommitted(r machine.Record) (committed, error) {
	version, body, err := versioned(r.Value)
	if err != nil {
		return committed{}, err
	}
	if binary.BigEndian.Uint16(r.Key) == legacyOffsetKey {
		var v record.LegacyOffsetCommitValue
		if err := v.ReadFrom(body, version); err != nil {
			return committed{}, fmt.Errorf("an offset's value, type 0 version %d: %w", version, err)
		}
		return committed{offset: v.Offset, leaderEpoch: -1, metadata: v.Metadata, commitMs: v.CommitTimestamp, expireMs: -1}, nil
	}
	var v record.OffsetCommitValue
	if err := v.ReadFrom(body, version); err != nil {
		return committed{}, fmt.Errorf("an offset's value, version %d: %w", version, err)
	}
	return committed{
		offset: v.Offset, leaderEpoch: v.LeaderEpoch, metadata: v.Metadata,
		commitMs: v.CommitTimestamp, expireMs: v.ExpireTimestamp, topicID: v.TopicID,
	}, nil
}

func parseGroupKey(key []byte) (string, error) {
	var k record.GroupMetadataKey
	if err := k.ReadFrom(key[2:], 0); err != nil {
		return "", fmt.Errorf("a group's key: %w", err)
	}
	return k.Group, nil
}

func parseGroupValue(value []byte) (*record.GroupMetadataValue, error) {
	version, body, err := versioned(value)
	if err != nil {
		return nil, err
	}
	v := &record.GroupMetadataValue{}
	if err := v.ReadFrom(body, version); err != nil {
		return nil, fmt.Errorf("a group's value, version %d: %w", version, err)
	}
	return v, nil
}

func versioned(value []byte) (int16, []byte, error) {
	if len(value) < 2 {
		return 0, nil, errors.New("the value has no version")
	}
	return int16(binary.BigEndian.Uint16(value)), value[2:], nil
}
