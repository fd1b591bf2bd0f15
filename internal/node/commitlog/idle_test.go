package commitlog

import (
	"runtime"
	"testing"

	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
)

// TestIdlePartitions: a partition that nobody uses costs kilobytes and no handle.
func TestIdlePartitions(t *testing.T) {
	const n = 2000
	if testing.Short() {
		t.Skip("makes thousands of files")
	}
	options := DirOptions{Env: env.Real(), Path: t.TempDir(), ClusterID: "c", NodeID: 1, SyncWorkers: Inline, MaxOpenFiles: 50}
	d, err := OpenDir(options)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]Appended, 1)
	for i := range n {
		l, err := d.Create("idle", int32(i), wire.NewUUID(1, uint64(i)+1), DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		if i%20 != 0 { // some hold data
			continue
		}
		if err := l.Append(start, 0, input(Client, idempotent(int64(i), 0, 0, 1, 5)), out); err != nil {
			t.Fatal(err)
		}
		l.RequestSync()
		l.SetHighWatermark(l.EndOffset())
		s, err := l.Read(0, 1, 1000, true)
		if err != nil {
			t.Fatal(err)
		}
		s.Release()
		if open := d.handles.openCount(); open > options.MaxOpenFiles {
			t.Fatalf("%d files are open", open)
		}
	}
	if err := d.Close(1); err != nil {
		t.Fatal(err)
	}
	before := heap()
	if d, err = OpenDir(options); err != nil {
		t.Fatal(err)
	}
	defer d.Abandon()
	if err := d.Load(nil); err != nil {
		t.Fatal(err)
	}
	perLog := (heap() - before) / n
	t.Logf("%d bytes a log, %d open files", perLog, d.handles.openCount())
	if perLog > 4<<10 {
		t.Errorf("an idle log costs %d bytes", perLog)
	}
	if open := d.handles.openCount(); open > options.MaxOpenFiles {
		t.Errorf("%d files are open after a start", open)
	}
	if got := len(d.Logs()); got != n {
		t.Fatalf("%d logs were found", got)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
