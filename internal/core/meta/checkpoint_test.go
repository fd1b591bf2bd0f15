package meta

import (
	"bytes"
	"errors"
	"testing"

	"millrace/internal/kafka/record"
	"millrace/internal/kafka/wire"
)

func TestCheckpointRoundTrip(t *testing.T) {
	image := many(t, 20_000)
	voters := []record.VotersVoter{{VoterID: 1, VoterDirectoryID: wire.UUID{1}, KRaftVersionFeature: record.KRaftVersionFeature{MaxSupportedVersion: 1}}}
	var all []Section
	if err := image.Checkpoint(voters, 77, func(s Section) error { all = append(all, s); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(all) < 4 || !all[0].Control || !all[len(all)-1].Control || all[1].Control {
		t.Fatalf("%d sections", len(all))
	}
	read := func(sections []Section) (*Image, *CheckpointReader, error) {
		r := NewCheckpointReader()
		for _, s := range sections {
			if err := r.Add(s); err != nil {
				return nil, r, err
			}
		}
		i, err := r.Image(image.Offset()+1, image.Epoch())
		return i, r, err
	}
	got, r, err := read(all)
	if err != nil || got.Hash() != image.Hash() || got.Offset() != image.Offset() || r.Timestamp != 77 || len(r.Voters) != 1 || r.Voters[0].VoterID != 1 {
		t.Fatalf("read back: %v, %+v", err, r)
	}
	for name, sections := range map[string][]Section{
		"without its footer": all[:len(all)-1], "without its header": all[1:], "with something behind": append(all[:len(all):len(all)], all[1]), "empty": nil,
	} {
		if _, _, err := read(sections); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("a checkpoint %s: %v", name, err)
		}
	}
}

func TestCheckpointNames(t *testing.T) {
	name := CheckpointName(12345, 7)
	if name != "00000000000000012345-0000000007.checkpoint" {
		t.Fatal(name)
	}
	if end, epoch, ok := ParseCheckpointName(name); end != 12345 || epoch != 7 || !ok {
		t.Fatal(end, epoch, ok)
	}
	for _, bad := range []string{"", name + PartSuffix, name + ".deleted", "bootstrap.checkpoint", "0000000000000001234x-0000000007.checkpoint", "-0000000000000000001-0000000007.checkpoint"} {
		if _, _, ok := ParseCheckpointName(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestLeaderChange: the bytes that Kafka 4.3.1 writes for leader 2 of the voters 1 and 2. It reads each at version 0, so the
// directory ids of version 1 would be taken for the next field.
func TestLeaderChange(t *testing.T) {
	r := LeaderChange(2, []record.LeaderChangeVoter{{VoterID: 1}, {VoterID: 2}})
	if want := []byte{0, 0, 0, 2}; !bytes.Equal(r.Key, want) {
		t.Errorf("key % x, want % x", r.Key, want)
	}
	voters := []byte{3, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0} // two, each with an empty tag section
	want := append(append([]byte{0, 0, 0, 0, 0, 2}, voters...), append(voters, 0)...)
	if !bytes.Equal(r.Value, want) {
		t.Errorf("value % x, want % x", r.Value, want)
	}
}
