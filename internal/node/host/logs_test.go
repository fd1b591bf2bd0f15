package host

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/kafka/batch"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

// plant puts a log into a closed node's directory, as somebody who copies files would.
func (r *rig) plant(dir, topic string, id wire.UUID, vs ...string) {
	r.Helper()
	cluster, err := commitlog.ReadClusterID(r.disk, dir)
	if err != nil {
		r.Fatal(err)
	}
	d, err := commitlog.OpenDir(commitlog.DirOptions{Env: env.Env{Clock: simClock(), Disk: r.disk.Process(), Random: r.random}, Path: dir, ClusterID: cluster, NodeID: 1})
	if err == nil {
		err = d.Load(nil)
	}
	if err != nil {
		r.Fatal(err)
	}
	l, err := d.Create(topic, 0, id, commitlog.DefaultConfig())
	if err != nil {
		r.Fatal(err)
	}
	b := valuesAt(time.Now().Add(-365*24*time.Hour), vs...)
	h, _ := batch.ParseHeader(b)
	if err := l.Append(time.Now(), 0, []commitlog.Append{{Batch: b, Header: h}}, make([]commitlog.Appended, 1)); err != nil {
		r.Fatal(err)
	}
	l.SetHighWatermark(l.EndOffset())
	if err := d.Close(-1); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) holds(part string) bool {
	return slices.ContainsFunc(r.disk.Tree(), func(line string) bool { return strings.Contains(line, part) })
}

// A log that the metadata does not know is reported and left alone, for ever; a topic that takes its name finds its
// place free, and the files stay.
func TestStrayLogsAreLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.create("t", 1)
		r.close()
		r.plant("/a", "stray", wire.NewUUID(7, 7), "precious")
		r.open()
		if !r.said.has("a log that the metadata does not know is left alone") || r.said.has("path=/a/t-0") {
			t.Errorf("said: %s", &r.said.text)
		}
		pass(20 * time.Minute) // its records are older than any retention, and that many rounds pass
		if !r.holds("/a/stray-0/00000000000000000000.log") || r.holds("-delete") {
			t.Fatalf("later:\n%s", strings.Join(r.disk.Tree(), "\n"))
		}
		r.kill()
		r.open()
		r.create("stray", 1)
		r.produce("stray", 0, "new")
		if got := r.all("stray", 0); len(got) != 1 || got[0] != "new" {
			t.Errorf("the new topic holds %v", got)
		}
		pass(time.Hour)
		if !r.holds("-stray/00000000000000000000.log") {
			t.Errorf("the stray log is gone:\n%s", strings.Join(r.disk.Tree(), "\n"))
		}
		r.close()
	})
}

// A log whose topic was removed while the log could not be is removed at the next start, because the committed record
// says so, and no snapshot hides that record before.
func TestRemovalsThatWereNotCarriedOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, func(o *Options) { o.Dirs, o.SnapshotBytes = []string{"/a", "/b"}, 600 }).open()
		r.create("t", 2)
		at := slices.IndexFunc([]int32{0, 1}, func(i int32) bool { return r.part("t", i).log.Dir().Path() == "/b" })
		name := fmt.Sprintf("/b/t-%d", at)
		r.produce("t", int32(at), "x")
		synctest.Wait() // a snapshot that is due from before is written
		r.disk.Fail(simenv.Rule{Op: simenv.OpRename, Path: name})
		r.delete("t")
		if !r.holds(name) {
			t.Fatal("the rule did not hold the removal up")
		}
		was := r.checkpointFiles()
		for i := range 20 {
			r.create(fmt.Sprint("u", i), 1)
		}
		synctest.Wait()
		if now := r.checkpointFiles(); !slices.Equal(was, now) {
			t.Errorf("a snapshot covers a removal that was not carried out: %v", now)
		}
		r.kill()
		r.disk.ClearFaults()
		r.open()
		if r.h.findLog("t", int32(at)) != nil || r.said.has("does not know") {
			t.Error("the log of the removed topic is still there")
		}
		r.grow("v", 2)
		r.close()
	})
}

// Partitions spread over the directories by number of logs, and stay where they are.
func TestPlacementSurvivesRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, func(o *Options) { o.Dirs = []string{"/a", "/b", "/c"} }).open()
		r.create("t", 11)
		where := func() map[int32]string {
			all := map[int32]string{}
			for i := range int32(11) {
				all[i] = r.part("t", i).log.Dir().Path()
			}
			return all
		}
		for i := range int32(11) {
			r.produce("t", i, fmt.Sprint(i))
		}
		want := where()
		count := map[string]int{}
		for _, dir := range want {
			count[dir]++
		}
		if count["/a"] != 3 || count["/b"] != 4 || count["/c"] != 4 { // the metadata log is one of /a's
			t.Errorf("placement: %v", count)
		}
		for i, end := range []func(){r.close, r.kill, func() { r.cut(0) }, r.close} {
			end()
			if i == 3 {
				r.change = func(o *Options) { o.Dirs = []string{"/a", "/c", "/b"} } // another order, metadata first
			}
			r.open()
			if got := where(); !maps.Equal(got, want) {
				t.Fatalf("placed as %v, before the restart %v", got, want)
			}
			for i := range int32(11) {
				if got := r.all("t", i); got[0] != fmt.Sprint(i) {
					t.Errorf("t-%d holds %v", i, got)
				}
			}
		}
		r.close()
	})
}

// A directory that is gone, or came back empty, takes its partitions with it: they are not served, and above all do not
// begin anew; start after start, until the directory is back or the topic deleted.
func TestALostDirectoryIsNotForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		both := func(o *Options) { o.Dirs = []string{"/a", "/b"} }
		r := newRig(t, 1, both).open()
		r.create("t", 4)
		var lost, kept []int32
		for i := range int32(4) {
			r.produce("t", i, fmt.Sprint(i))
			if r.part("t", i).log.Dir().Path() == "/b" {
				lost = append(lost, i)
			} else {
				kept = append(kept, i)
			}
		}
		check := func(what string) {
			t.Helper()
			for _, i := range lost {
				if r.h.Partition("t", i) != nil || r.h.findLog("t", i) != nil {
					t.Errorf("%s: t-%d is served", what, i)
				}
			}
			for _, i := range kept {
				if got := r.all("t", i); got[0] != fmt.Sprint(i) {
					t.Errorf("%s: t-%d holds %v", what, i, got)
				}
			}
		}
		r.close()
		r.change = nil
		r.change = func(o *Options) { o.Dirs = []string{"/a"} }
		for range 3 {
			r.open()
			check("without /b")
			r.close()
		}
		r.change = func(o *Options) { o.Dirs = []string{"/a", "/c"} }
		r.open()
		check("with another directory")
		r.create("u", 2)
		r.produce("u", 0, "x")
		r.produce("u", 1, "x")
		r.close()
		r.change = func(o *Options) { o.Dirs = []string{"/a", "/b", "/c"} }
		r.open()
		for i := range int32(4) {
			if got := r.all("t", i); got[0] != fmt.Sprint(i) {
				t.Errorf("with /b back: t-%d holds %v", i, got)
			}
		}
		r.close()
		if err := r.disk.RemoveAll("/b"); err != nil {
			t.Fatal(err)
		}
		r.open()
		check("with /b wiped")
		r.delete("t")
		r.create("t", 4)
		for i := range int32(4) {
			r.produce("t", i, "new")
		}
		r.close()
		r.open()
		if got := len(r.h.Image().Broker(1).Dirs); got != 3 || len(r.h.lost) > 1 {
			t.Errorf("%d directories are registered, %v missed", got, r.h.lost)
		}
		r.close()
		r.open()
		if len(r.h.lost) != 0 {
			t.Errorf("the lost directory is remembered though nothing misses it: %v", r.h.lost)
		}
		r.close()
	})
}

// Two logs of one partition: nobody can know which was acknowledged.
func TestTwinsAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, func(o *Options) { o.Dirs = []string{"/a", "/b"} }).open()
		id := r.create("t", 2)
		dir := "/a"
		if r.part("t", 0).log.Dir().Path() == "/a" {
			dir = "/b"
		}
		r.close()
		r.plant(dir, "t", id, "twin")
		r.refused(nil, "hold a log of t-0: move one of them away")
	})
}

// Without the metadata log nobody knows what the other logs are: nothing is begun over them (MET-4).
func TestALostMetadataLogIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.create("t", 1)
		r.close()
		if err := r.disk.RemoveAll(metaDir); err != nil {
			t.Fatal(err)
		}
		r.refused(nil, "the node does not start without its metadata")
		if !r.holds("/a/t-0/") {
			t.Error("the log was touched")
		}
	})
}

// The directories are named in another order: that is refused, and leaves nothing behind that would refuse the right one.
func TestDirectoriesInAnotherOrder(t *testing.T) {
	for _, partitions := range []int32{0, 4} {
		bubble(t, func(t *testing.T) {
			dirs := []string{"/a", "/b"}
			r := newRig(t, 1, func(o *Options) { o.Dirs = dirs }).open()
			if partitions > 0 {
				r.create("t", partitions)
				r.produce("t", 0, "v")
			}
			r.close()
			dirs = []string{"/b", "/a"}
			r.refused(nil, "name first")
			if r.holds("/b/__cluster_metadata-0/") {
				t.Error("a refused start made a second metadata log")
			}
			dirs = []string{"/a", "/b"}
			r.open()
			if partitions > 0 {
				if got := r.all("t", 0); got[0] != "v" {
					t.Errorf("after the right order: %v", got)
				}
			}
			r.close()
		})
	}
}

// A log below whose recovery point data is damaged does not shorten: it is not served, the others are (DUR-8). A lost
// partition.metadata costs nothing.
func TestDamagedLogs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.create("t", 2)
		r.produce("t", 0, "a")
		r.produce("t", 1, "b")
		id := r.h.Image().Topic("t").ID
		r.kill()
		if err := r.disk.Remove("/a/t-1/partition.metadata"); err != nil {
			t.Fatal(err)
		}
		r.open()
		if got := r.all("t", 1); got[0] != "b" || r.part("t", 1).log.ID() != id {
			t.Errorf("without partition.metadata: %v", got)
		}
		r.cut(0)
		r.open()
		if got := r.all("t", 1); got[0] != "b" || r.part("t", 1).log.ID() != id {
			t.Errorf("after a power cut: %v, id %v", got, r.part("t", 1).log.ID())
		}
		r.close()
	})
}

// The metadata log is damaged in its middle: the node does not start, and says where (MET-4).
func TestDamagedMetadataStopsTheNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		for i := range 20 {
			r.create(fmt.Sprint("t", i), 1)
		}
		r.close()
		f, err := r.disk.Open(metaDir + "/00000000000000000000.log")
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		_, err1 := f.ReadAt(b, 700)
		b[0] ^= 1
		_, err2 := f.WriteAt(b, 700)
		if err := errors.Join(err1, err2, f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
		before := r.disk.Tree()
		r.refused(nil, "metadata")
		if after := r.disk.Tree(); !slices.Equal(strip(before), strip(after)) {
			t.Errorf("the refused start changed\n%v\nto\n%v", before, after)
		}
	})
}

// A partition that a full disk gave no log gets one later, without a restart.
func TestALogThatWasRefusedIsMadeLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, nil).open()
		r.disk.Fail(simenv.Rule{Op: simenv.OpMkdir, Path: "t-1", Err: syscall.ENOSPC, Times: 3})
		r.create("t", 2)
		if r.h.Partition("t", 1) != nil {
			t.Fatal("it has a log")
		}
		r.produce("t", 0, "x")
		pass(10 * time.Second)
		r.produce("t", 1, "x")
		r.disk.Fail(simenv.Rule{Op: simenv.OpMkdir, Path: "u-0", Err: syscall.ENOSPC, Times: -1})
		r.create("u", 1)
		r.delete("u")
		pass(10 * time.Second)
		if len(r.h.logs.wanting) != 0 {
			t.Errorf("still wanted: %v", r.h.logs.wanting)
		}
		r.close()
	})
}
