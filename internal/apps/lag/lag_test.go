package lag

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/internal/metrics"
)

func TestOffsets(t *testing.T) {
	lag := func(n int32, committed, behind int64, err error) kadm.GroupMemberLag {
		return kadm.GroupMemberLag{Topic: "t", Partition: n, Commit: kadm.Offset{At: committed}, Lag: behind, Err: err}
	}
	got := offsets(kadm.DescribedGroupLags{
		"b": {Group: "b", Lag: kadm.GroupLag{"t": {0: lag(0, 5, 3, nil), 1: lag(1, -1, 9, nil), 2: lag(2, 1, -1, kerr.LeaderNotAvailable)}}},
		"a": {Group: "a", Lag: kadm.GroupLag{"t": {0: lag(0, 8, 0, nil)}}},
		"c": {Group: "c", DescribeErr: kerr.NotCoordinator, Lag: kadm.GroupLag{"t": {0: lag(0, 8, 0, nil)}}},
	})
	want := []metrics.GroupOffset{{Group: "a", Topic: "t", Committed: 8}, {Group: "b", Topic: "t", Committed: 5, Lag: 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAskedOnce: an answer, good or bad, holds for a while, and then there is a new one.
func TestAskedOnce(t *testing.T) {
	now := time.Unix(0, 1)
	asked := 0
	var fails error
	collect := collector(func(ctx context.Context) (kadm.DescribedGroupLags, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the question has no deadline")
		}
		asked++
		return kadm.DescribedGroupLags{"g": {Group: "g", Lag: kadm.GroupLag{"t": {0: {Topic: "t", Lag: int64(asked)}}}}}, fails
	}, Options{Now: func() time.Time { return now }})
	step := func(wantLag int64, wantErr error) {
		t.Helper()
		rows, err := collect()
		if !errors.Is(err, wantErr) || wantErr == nil && (len(rows) != 1 || rows[0].Lag != wantLag) || wantErr != nil && rows != nil {
			t.Errorf("%v %v", rows, err)
		}
	}
	step(1, nil)
	step(1, nil)
	now, fails = now.Add(10*time.Second), kerr.CoordinatorNotAvailable
	step(0, kerr.CoordinatorNotAvailable)
	now, fails = now.Add(9*time.Second), nil
	step(0, kerr.CoordinatorNotAvailable)
	now = now.Add(time.Second)
	step(3, nil)
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}
