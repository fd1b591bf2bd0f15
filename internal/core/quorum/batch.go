package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Of a batch the quorum reads two fields: the control bit of the attributes and the last offset delta.
//
//	 0 base offset int64      8 length int32       12 leader epoch int32   16 magic int8
//	17 CRC uint32            21 attributes int16   23 last offset delta int32
const (
	batchHeader  = 61
	attributesAt = 21
	deltaAt      = 23
	controlBit   = 0x20
)

var errBatch = errors.New("not a batch")

func span(b []byte) int64 { return int64(binary.BigEndian.Uint32(b[deltaAt:])) + 1 }

func control(b []byte) bool { return binary.BigEndian.Uint16(b[attributesAt:])&controlBit != 0 }

func check(b []byte, wantControl bool) error {
	if len(b) < batchHeader || int32(binary.BigEndian.Uint32(b[deltaAt:])) < 0 {
		return fmt.Errorf("%d bytes are %w", len(b), errBatch)
	}
	if control(b) != wantControl {
		return fmt.Errorf("control bit of the proposed batch: %w of that kind", errBatch)
	}
	return nil
}

// checkEntry keeps a broken message from another voter out of the log.
func checkEntry(e *pb.Entry) error {
	b := e.GetData()
	if e.GetType() == pb.EntryConfChange {
		var err error
		if b, err = changeBatch(b); err != nil {
			return err
		}
		return check(b, true)
	}
	if len(b) < batchHeader {
		return fmt.Errorf("an entry of %d bytes is %w", len(b), errBatch)
	}
	return check(b, control(b))
}

// A membership change is raft's ConfChange with the voters batch as its context. What the change does is read from the
// batch when it is applied, not from the other fields: a log read back after a restart has the batch alone.
func changeData(batch []byte) []byte {
	out, err := proto.Marshal(&pb.ConfChange{Type: pb.ConfChangeAddNode.Enum(), Context: batch})
	if err != nil {
		panic(err) // a message of bytes always encodes
	}
	return out
}

func changeBatch(data []byte) ([]byte, error) {
	var c pb.ConfChange
	if err := proto.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("reading a membership change: %w", err)
	}
	return c.GetContext(), nil
}

// change is the single step from the set in force to the one in a voters batch.
func (n *Node) change(batch []byte) (*pb.ConfChange, error) {
	voters, err := n.cfg.VotersOf(batch)
	if err != nil {
		return nil, err
	}
	added, removed := minus(voters, n.state.Voters), minus(n.state.Voters, voters)
	c := &pb.ConfChange{Context: batch}
	switch {
	case len(added) == 1 && len(removed) == 0:
		c.Type, c.NodeId = pb.ConfChangeAddNode.Enum(), new(raftID(added[0]))
	case len(added) == 0 && len(removed) == 1 && len(voters) > 0:
		c.Type, c.NodeId = pb.ConfChangeRemoveNode.Enum(), new(raftID(removed[0]))
	default:
		return nil, fmt.Errorf("the voters %v cannot become %v: one voter at a time is added or removed", n.state.Voters, voters)
	}
	return c, nil
}

func minus(a, b []int32) (out []int32) {
	for _, v := range a {
		if !slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

func appendOffset(b []byte, o int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(o)) }
