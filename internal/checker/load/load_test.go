package load

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/checker"
)

// TestAgainstCluster runs the workload against the cluster of LOAD_BOOTSTRAP; the crash runs and the conformance cases set up
// one of their own.
func TestAgainstCluster(t *testing.T) {
	bootstrap := os.Getenv("LOAD_BOOTSTRAP")
	if bootstrap == "" {
		t.Skip("LOAD_BOOTSTRAP names no cluster")
	}
	res, err := Run(context.Background(), Options{Bootstrap: bootstrap, Duration: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(res.Report, "longest gap", res.LongestGap, "elapsed", res.Elapsed)
	if !res.Valid() {
		t.Errorf("seed %d, history %s, damaged %v", res.Seed, res.HistoryPath, res.Damaged)
	}
	if res.Report.Acked == 0 || res.Report.Reads == 0 {
		t.Error("nothing was tried")
	}
}

func TestEveryByteOfARecordIsChecked(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_123)
	fresh := func() *kgo.Record { return makeRecord("t", 1, 3, 991, 60, now) }
	if v, err := readRecord(fresh(), 3); err != nil || v != 991 {
		t.Fatal(v, err)
	}
	for i := range 60 {
		rec := fresh()
		rec.Value[i] ^= 1
		if _, err := readRecord(rec, 3); err == nil {
			t.Errorf("a flipped bit in byte %d is not seen", i)
		}
	}
	for name, change := range map[string]func(*kgo.Record){
		"key":     func(r *kgo.Record) { r.Key[0]++ },
		"header":  func(r *kgo.Record) { r.Headers = nil },
		"time":    func(r *kgo.Record) { r.Timestamp = now.Add(time.Millisecond) },
		"length":  func(r *kgo.Record) { r.Value = r.Value[:59] },
		"no body": func(r *kgo.Record) { r.Value = nil },
	} {
		rec := fresh()
		change(rec)
		if _, err := readRecord(rec, 3); err == nil {
			t.Errorf("a changed %s is not seen", name)
		}
	}
	if _, err := readRecord(fresh(), 4); err == nil {
		t.Error("a record in another partition is not seen")
	}
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		err      error
		attempts int64
		want     checker.Kind
	}{
		{nil, 3, checker.OK},
		{kerr.MessageTooLarge, 1, checker.Fail},
		{kerr.MessageTooLarge, 2, checker.Info},
		{kerr.NotLeaderForPartition, 1, checker.Info},
		{kgo.ErrRecordTimeout, 1, checker.Info},
		{kgo.ErrClientClosed, 1, checker.Info},
		{errors.New("connection reset"), 1, checker.Info},
	} {
		if got, _ := outcome(c.err, c.attempts); got != c.want {
			t.Errorf("%v after %d attempts is %v, want %v", c.err, c.attempts, got, c.want)
		}
	}
}
