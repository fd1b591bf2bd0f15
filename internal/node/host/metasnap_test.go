package host

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/core/meta"
	"millrace/internal/kafka/wire"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

var kafkaDir = flag.String("kafka", "", "directory with Apache Kafka's jars: its DumpLogSegments judges our checkpoints")

const metaDir = "/a/__cluster_metadata-0"

// small makes a node write a snapshot after every few commands.
func small(o *Options) { o.SnapshotBytes = 600 }

func (r *rig) checkpointFiles() (names []string) {
	r.Helper()
	list, err := r.disk.List(metaDir)
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range list {
		if strings.Contains(e.Name(), meta.CheckpointSuffix) {
			names = append(names, e.Name())
		}
	}
	return names
}

// grow makes topics until n snapshots have been written since.
func (r *rig) grow(prefix string, n int) {
	r.Helper()
	for i := 0; n > 0; i++ {
		was := r.checkpointFiles()
		r.create(fmt.Sprintf("%s%d", prefix, i), 1)
		synctest.Wait()
		if now := r.checkpointFiles(); len(now) > 0 && (len(was) == 0 || now[len(now)-1] != was[len(was)-1]) {
			n--
		}
		if i > 1000 {
			r.Fatal("no snapshot is written")
		}
	}
}

// Two snapshots stay, the log begins at the older one, and a start from them comes to the same image.
func TestSnapshotsReplaceTheLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, small).open()
		r.grow("t", 5)
		names := r.checkpointFiles()
		if len(names) != 2 {
			t.Fatalf("files: %v", names)
		}
		older, _, _ := meta.ParseCheckpointName(names[0])
		if got := r.h.meta.log.StartOffset(); got != older || got == 0 {
			t.Errorf("the log begins at %d, the older snapshot ends at %d", got, older)
		}
		want, topics := r.h.Image().Hash(), r.h.Image().TopicCount()
		for _, end := range []func(){r.close, r.kill, func() { r.cut(0) }} {
			end()
			r.change = func(o *Options) { o.SnapshotBytes = 1 << 30 }
			r.open()
			if got := r.h.Image(); got.TopicCount() != topics {
				t.Fatalf("%d topics of %d", got.TopicCount(), topics)
			}
			want = r.h.Image().Hash()
		}
		// The same from the log that the newest snapshot does not cover, read by a controller of its own.
		found, err := readCheckpoint(r.disk, path.Join(metaDir, names[1]))
		if err != nil {
			t.Fatal(err)
		}
		end, epoch, _ := meta.ParseCheckpointName(names[1])
		image, err := found.Image(end, epoch)
		if err != nil || image.Offset() != end-1 || found.Timestamp == 0 || len(found.Voters) != 1 || found.Voters[0].VoterDirectoryID != r.h.Dirs()[0].ID {
			t.Errorf("checkpoint: %v, %+v", err, found.Voters)
		}
		r.close()
		r.change = small
		r.open()
		r.grow("u", 3)
		if r.h.Image().Hash() == want {
			t.Error("nothing has changed")
		}
		r.close()
	})
}

// A snapshot is due after a time too, when something has changed.
func TestSnapshotAfterAnInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, func(o *Options) { o.SnapshotInterval = 10 * time.Minute }).open()
		r.create("t", 1)
		pass(9 * time.Minute)
		if names := r.checkpointFiles(); len(names) != 0 {
			t.Errorf("too early: %v", names)
		}
		pass(2 * time.Minute)
		one := r.checkpointFiles()
		if len(one) != 1 {
			t.Fatalf("after the interval: %v", one)
		}
		pass(30 * time.Minute)
		if names := r.checkpointFiles(); !slices.Equal(names, one) {
			t.Errorf("nothing has changed, but: %v", names)
		}
		r.close()
	})
}

// A part file that a crash left is removed. A damaged newest snapshot is said so, and the older one with the log gives
// the same image. When no snapshot can be used and the log before is gone, the node does not start, and deletes nothing;
// with the file back it does (MET-4).
func TestDamagedSnapshots(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, small).open()
		r.grow("t", 3)
		topics := r.h.Image().TopicCount()
		r.produce("t0", 0, "x")
		r.close()
		r.change = func(o *Options) { o.SnapshotBytes = 1 << 30 }
		names := r.checkpointFiles()
		part := path.Join(metaDir, names[1]+meta.PartSuffix)
		if _, err := r.disk.Create(part); err != nil {
			t.Fatal(err)
		}
		r.damage(names[1])
		r.open()
		if got := r.h.Image().TopicCount(); got != topics || !r.said.has("a metadata snapshot is not used") {
			t.Errorf("%d topics of %d", got, topics)
		}
		if _, err := r.disk.Stat(part); !env.NotExist(err) {
			t.Errorf("the part file: %v", err)
		}
		r.close()

		r.damage(names[0])
		before := r.disk.Tree()
		r.refused(meta.ErrCheckpoint, "the node does not start and deletes nothing")
		if after := r.disk.Tree(); !slices.Equal(strip(before), strip(after)) {
			t.Errorf("the refused start changed\n%v\nto\n%v", before, after)
		}
		r.damage(names[0]) // the same bit: whole again
		r.open()
		if got := r.all("t0", 0); r.h.Image().TopicCount() != topics || got[0] != "x" {
			t.Errorf("with the file back: %d topics, %v", r.h.Image().TopicCount(), got)
		}
		r.close()
		for _, name := range names {
			if err := r.disk.Remove(path.Join(metaDir, name)); err != nil {
				t.Fatal(err)
			}
		}
		r.refused(nil, "there is none")
	})
}

// strip leaves the names of a tree, without the files that every start writes.
func strip(tree []string) (names []string) {
	for _, line := range tree {
		if !strings.Contains(line, "clean") && !strings.Contains(line, "lock") {
			names = append(names, strings.Fields(line)[0])
		}
	}
	return names
}

func (r *rig) damage(name string) {
	r.Helper()
	f, err := r.disk.Open(path.Join(metaDir, name))
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	b := []byte{0}
	_, err = f.ReadAt(b, 100)
	b[0] ^= 0x10
	_, err2 := f.WriteAt(b, 100)
	if err := errors.Join(err, err2, f.Sync()); err != nil {
		r.Fatal(err)
	}
}

// A disk error is not damage: it stops the start whatever older snapshots say.
func TestASnapshotThatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, small).open()
		r.grow("t", 3)
		r.close()
		names := r.checkpointFiles()
		r.disk.Fail(simenv.Rule{Op: simenv.OpRead, Path: metaDir + "/" + names[1]})
		r.refused(nil, "cannot be read, and the node does not start without it")
		r.disk.ClearFaults()
		r.open().close()
	})
}

// No room for a snapshot: the node goes on and writes it later.
func TestNoRoomForASnapshot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, small).open()
		r.disk.Fail(simenv.Rule{Op: simenv.OpWrite, Path: "*" + meta.PartSuffix, Err: syscall.ENOSPC, Times: 3})
		for i := range 10 {
			r.create(fmt.Sprint("t", i), 1)
		}
		synctest.Wait()
		if names := r.checkpointFiles(); len(names) != 0 || !r.said.has("no room for a snapshot") {
			t.Errorf("files: %v", names)
		}
		pass(10 * time.Minute)
		if names := r.checkpointFiles(); len(names) != 1 {
			t.Errorf("with room: %v", names)
		}
		// Any other error is the end of the metadata directory.
		r.disk.Fail(simenv.Rule{Op: simenv.OpSync, Path: "*" + meta.PartSuffix})
		for i := range 20 {
			_, _ = control[meta.CreateTopicsReply](r.h, meta.CreateTopics{Topics: []meta.NewTopic{{Name: fmt.Sprint("u", i), Partitions: 1, ReplicationFactor: 1}}})
		}
		r.ended()
		if err := r.h.Err(); err == nil || !strings.Contains(err.Error(), "writing a snapshot of the metadata") {
			t.Errorf("the node says %v", err)
		}
		r.h.Close()
	})
}

// The power is cut at every operation of a history with snapshots: what was acknowledged is there afterwards.
func TestPowerCutAtEveryOperationOfSnapshots(t *testing.T) {
	for _, keep := range []float64{0, 0.5, 1} {
		for at := uint64(1); ; at++ {
			over := false
			bubble(t, func(t *testing.T) { over = cutAt(t, at, keep) })
			if t.Failed() {
				t.Fatalf("keep %v, operation %d", keep, at)
			}
			if over {
				break
			}
		}
	}
}

// cutAt reports whether the history was over before the operation.
func cutAt(t *testing.T, at uint64, keep float64) (over bool) {
	r := newRig(t, at, small).open()
	want := map[string]wire.UUID{}
	r.disk.CrashAt(r.disk.Ops() + at)
	for i := range 9 {
		name := fmt.Sprint("t", i)
		out, err := control[meta.CreateTopicsReply](r.h, meta.CreateTopics{Topics: []meta.NewTopic{{Name: name, Partitions: 1, ReplicationFactor: 1}}})
		if err == nil && out.Topics[0].Err == wire.None {
			want[name] = out.Topics[0].ID
		}
		if i%3 == 2 {
			out, err := control[meta.DeleteTopicsReply](r.h, meta.DeleteTopics{Topics: []meta.TopicRef{{Name: fmt.Sprint("t", i-1)}}})
			delete(want, fmt.Sprint("t", i-1))
			if err == nil && out.Topics[0].Err == wire.None {
				want[fmt.Sprint("t", i-1)] = wire.UUID{}
			}
		}
	}
	synctest.Wait()
	over = !r.disk.Down()
	if over && len(r.checkpointFiles()) != 2 {
		t.Errorf("the history has not two snapshots: %v", r.checkpointFiles())
	}
	r.cut(keep)
	r.disk.ClearFaults()
	r.open()
	for name, id := range want {
		topic := r.h.Image().Topic(name)
		if (topic == nil) != id.IsZero() || topic != nil && topic.ID != id {
			t.Errorf("%s: %+v, acknowledged was %v", name, topic, id)
		}
	}
	r.create("last", 1)
	r.produce("last", 0, "x")
	r.close()
	return over
}

// Random histories with snapshots, stops and cuts: the image after each start is that before it.
func TestImagesSurvive(t *testing.T) {
	seeds(t, 20, func(t *testing.T, seed uint64, rng *rand.Rand) {
		r := newRig(t, seed, func(o *Options) { o.SnapshotBytes = int64(200 + rng.IntN(3000)) }).open()
		have := map[string]bool{}
		for range 8 {
			for range rng.IntN(12) {
				name := fmt.Sprint("t", rng.IntN(12))
				if have[name] {
					r.delete(name)
				} else {
					r.create(name, int32(1+rng.IntN(3)))
				}
				have[name] = !have[name]
			}
			want := topicsOf(r.h.Image())
			switch rng.IntN(3) {
			case 0:
				r.close()
			case 1:
				r.kill()
			default:
				r.cut(0.5)
			}
			r.open()
			if got := topicsOf(r.h.Image()); !maps.Equal(got, want) {
				t.Fatalf("topics %v, before the restart %v", got, want)
			}
		}
		r.close()
	})
}

func topicsOf(image *meta.Image) map[string]string {
	all := map[string]string{}
	image.Topics(func(t *meta.Topic) bool {
		all[t.Name] = fmt.Sprint(t.ID, len(t.Partitions))
		return true
	})
	return all
}

// TestDumpCheckpoint lets Apache's tool read our checkpoint files. It exits with 0 whatever it finds, so its words
// count. go test ./internal/node/host -run DumpCheckpoint -kafka DIR
func TestDumpCheckpoint(t *testing.T) {
	if *kafkaDir == "" {
		t.Skip("needs -kafka DIR")
	}
	dir := t.TempDir()
	r := newRig(t, 1, func(o *Options) { o.Env, o.Dirs, o.SnapshotBytes = env.Real(), []string{dir}, 2000 })
	r.open()
	for i := range 100 {
		r.create(fmt.Sprintf("topic-%d", i), 2)
	}
	r.close()
	files, err := filepath.Glob(filepath.Join(dir, "__cluster_metadata-0", "*"+meta.CheckpointSuffix))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "__cluster_metadata-0", "*.log"))
	args := []string{"-Xmx128m", "-cp", filepath.Join(*kafkaDir, "*"), "org.apache.kafka.tools.DumpLogSegments", "--cluster-metadata-decoder",
		"--files", strings.Join(append(files, logs...), ",")}
	out, err := exec.Command("java", args...).CombinedOutput()
	text := string(out)
	for _, bad := range []string{"isvalid: false", "Exception", "ERROR", "trailing bytes", "Could not", "could not", "Mismatches", "Skipping"} {
		if err != nil || strings.Contains(text, bad) {
			t.Fatalf("%v, %q in\n%s", err, bad, text)
		}
	}
	for _, word := range []string{"SnapshotHeader", "SnapshotFooter", "KRaftVoters", "FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD", "TOPIC_RECORD", "PARTITION_RECORD"} {
		if !strings.Contains(text, word) {
			t.Errorf("nothing is told of %s:\n%s", word, text)
		}
	}
}
