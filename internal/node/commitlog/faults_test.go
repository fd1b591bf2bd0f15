package commitlog

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

// simRig is a log on a simulated disk, synced by the caller of RequestSync.
func simRig(t *testing.T, config Config, workers int) (*rig, *simenv.Disk) {
	disk := simenv.NewDisk(1)
	e := env.Env{Clock: env.Real().Clock, Disk: disk, Random: simenv.NewRandom(1)}
	d, err := OpenDir(DirOptions{Env: e, Path: "/d", ClusterID: "c", NodeID: 1, Defaults: config, SyncWorkers: workers})
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.Create("t", 0, wire.NewUUID(1, 2), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Abandon)
	return &rig{TB: t, path: "/d", config: config, dir: d, log: l, now: start}, disk
}

// TestFullDisk: nothing of a refused append counts, and the log goes on when there is room again.
func TestFullDisk(t *testing.T) {
	for n := 1; n <= 12; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := DefaultConfig()
			c.SegmentBytes = 400
			r, disk := simRig(t, c, Inline)
			r.append(idempotent(1, 0, 0, 1, 5))
			end := r.log.EndOffset()
			disk.Fail(simenv.Rule{Op: simenv.OpWrite | simenv.OpCreate, Nth: n, Times: -1, Err: syscall.ENOSPC})
			sequence, refused := int32(1), 0
			for range 12 {
				out := make([]Appended, 1)
				err := r.log.Append(r.now, 0, input(Client, idempotent(1, 0, sequence, 1, 5)), out)
				switch {
				case err == nil && out[0].Err == nil:
					sequence, end = sequence+1, end+1
				case errors.Is(err, ErrNoSpace):
					refused++
				default:
					t.Fatal(err, out[0].Err)
				}
				r.wantEnd(end)
			}
			if refused == 0 {
				t.Skip("so many writes were not needed")
			}
			if err := r.dir.Failed(); err != nil {
				t.Fatalf("a full disk is no broken one: %v", err)
			}
			disk.ClearFaults()
			for range 5 {
				out := r.append(idempotent(1, 0, sequence, 1, 5))
				if out[0].Duplicate || out[0].BaseOffset != end {
					t.Fatalf("%+v", out[0])
				}
				sequence, end = sequence+1, end+1
			}
			if got := int64(len(r.offsets())); got != end {
				t.Fatalf("%d batches, end %d", got, end)
			}
		})
	}
}

// TestReserveIsNotOverrun: space is measured once a second, and a second is long: what was appended since counts.
func TestReserveIsNotOverrun(t *testing.T) {
	r, disk := simRig(t, DefaultConfig(), Inline)
	r.dir.options.Reserve = 1 << 20
	free, _, err := disk.Space("/d")
	if err != nil {
		t.Fatal(err)
	}
	disk.SetCapacity(2<<20 + 1<<40 - free)
	for n := 0; !r.dir.Low(); n++ {
		if n > 30 {
			t.Fatal("more than the reserve was taken, and the directory does not say that it is low")
		}
		r.append(plain(1, 100<<10, 5))
	}
	if free, _, _ := disk.Space("/d"); free < 800<<10 {
		t.Fatalf("%d bytes are left of a reserve of 1 MiB", free)
	}
}

// TestFailedSync: the directory is offline after the first failure, whatever the disk says later (L3, B17).
func TestFailedSync(t *testing.T) {
	for _, op := range []simenv.Op{simenv.OpSync, simenv.OpSyncDir} {
		r, disk := simRig(t, DefaultConfig(), Stepped)
		r.append(plain(1, 10, 5))
		flushed := int64(-1)
		r.log.OnFlushed(func(end int64) { flushed = end })
		told := make(chan error, 1)
		r.dir.OnFail(func(err error) { told <- err })
		disk.Fail(simenv.Rule{Op: op})
		r.log.RequestSync()
		r.dir.SyncOnce()
		if err := <-told; !errors.Is(err, ErrOffline) || !errors.Is(err, syscall.EIO) {
			t.Fatalf("%v: %v", op, err)
		}
		disk.ClearFaults()
		r.log.RequestSync()
		r.dir.SyncOnce()
		if flushed != -1 || r.log.FlushedEnd() != 0 {
			t.Fatalf("%v: flushed to %d, %d, after a failed sync", op, flushed, r.log.FlushedEnd())
		}
		if err := r.log.Append(r.now, 0, input(Client, plain(1, 1, 1)), make([]Appended, 1)); !errors.Is(err, ErrOffline) {
			t.Fatalf("%v: append on an offline directory: %v", op, err)
		}
		if _, err := r.dir.Create("t", 1, wire.NewUUID(1, 3), r.config); !errors.Is(err, ErrOffline) {
			t.Fatal(err)
		}
		if err := r.dir.Close(1); !errors.Is(err, ErrOffline) {
			t.Fatalf("%v: a clean stop of an offline directory: %v", op, err)
		}
		if _, err := disk.ReadFile("/d/" + cleanMarkerFile); err == nil {
			t.Fatal("the clean marker was written")
		}
	}
}

func TestReserve(t *testing.T) {
	r, disk := simRig(t, DefaultConfig(), Inline)
	clock := &handClock{Clock: env.Real().Clock, now: start}
	r.dir.options.Env.Clock = clock
	r.dir.options.Reserve = 100 << 10
	disk.SetCapacity(1 << 20)
	if r.dir.Low() {
		t.Fatal("low with a megabyte free")
	}
	disk.SetCapacity(80 << 10)
	if r.dir.Low() {
		t.Fatal("measured more than once a second")
	}
	clock.now = clock.now.Add(time.Second)
	if !r.dir.Low() {
		t.Fatal("not low below the reserve")
	}
}

type handClock struct {
	env.Clock
	now time.Time
}

func (c *handClock) Now() time.Time { return c.now }
