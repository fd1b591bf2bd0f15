package main

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/checker/load"
	"millrace/test/target"
)

// Apache's DumpLogSegments over every file of the data directory. It exits 0 whatever it finds: its output is read. These
// cases stop the broker, so they come last and need one that this program has started.
var lastCases = []Case{
	{"dump/clean-stop", true, dumpCleanStop},
	{"dump/kill-9-under-load", true, dumpKilled},
}

// complaints are what the tool says when something is wrong.
var complaints = []string{"isvalid: false", "Mismatches in", " is followed by ", "trailing bytes", "Exception", "ERROR", "WARN",
	"out of order timestamp", "timestamp mismatch", "Could not", "could not", "corrupt", "Invalid", "invalid bytes"}

func (t *T) ownBroker() *target.Process {
	if t.broker == nil {
		t.LeaveOut("the broker was not started here, so its files are not known")
	}
	return t.broker
}

// restart starts the broker again on the same directory and port.
func (s *suite) restart() error {
	o := s.options()
	o.Port, o.Registry = s.broker.Port, s.broker.Registry
	p, err := target.Start(s.ctx, o)
	if err == nil {
		s.broker = p
	}
	return err
}

// fill makes files of every kind that the earlier cases may not have made.
func (t *T) fill() {
	topic := t.Topic(2, "segment.bytes=1048576")
	t.produce(topic, 20000, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(10000))
	t.consume(topic, 20000, kgoGroup(t.Name("g"))...)
}

func dumpCleanStop(t *T) {
	t.ownBroker()
	t.fill()
	t.stopAndDump()
}

// stopAndDump judges the files of the stopped broker and starts it again, whatever they were like.
func (t *T) stopAndDump() {
	t.Must(t.broker.Stop(), "stop")
	t.defers(func() {
		if err := t.restart(); err != nil {
			t.Errorf("start again: %v", err)
		}
	})
	t.dump(t.broker.Dir)
}

func dumpKilled(t *T) {
	t.ownBroker()
	var res load.Result
	var err error
	var done sync.WaitGroup
	done.Go(func() {
		res, err = load.Run(t.ctx, load.Options{Bootstrap: t.addr, Duration: 8 * time.Second, TopicPrefix: t.Name("load"), KeepTopics: true,
			TopicConfig: map[string]string{"segment.bytes": "1048576"}})
	})
	time.Sleep(3 * time.Second)
	t.broker.Kill()
	restarted := t.restart()
	done.Wait()
	t.Must(restarted, "start after kill -9")
	t.Must(err, "load")
	if !res.Valid() {
		t.Errorf("history %s, seed %d\n%s\n%v", res.HistoryPath, res.Seed, res.Report, res.Damaged)
	}
	note := fmt.Sprintf("%d acknowledged over kill -9, %d lost; ", res.Report.Acked, res.Report.Lost)
	t.stopAndDump()
	t.note = note + t.note
}

// dump judges every file of a data directory.
func (t *T) dump(dir string) {
	groups := map[string][]string{} // decoder -> files
	var indexes []string
	t.Must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		ext := filepath.Ext(path)
		if !slices.Contains([]string{".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".checkpoint"}, ext) {
			return nil
		}
		if strings.HasSuffix(filepath.Dir(path), "-delete") {
			return nil
		}
		decoder := decoderOf(filepath.Base(filepath.Dir(path)))
		groups[decoder] = append(groups[decoder], path)
		if ext == ".index" || ext == ".timeindex" {
			indexes = append(indexes, path)
		}
		return nil
	}), "walk "+dir)
	var files, batches int
	for decoder, paths := range groups {
		args := []string{"--deep-iteration"}
		if decoder != "" {
			args = append(args, decoder)
		}
		for chunk := range slices.Chunk(paths, 300) {
			f, b := t.read(append(args, "--files", strings.Join(chunk, ",")), "Dumping ")
			t.Equal(f, len(chunk), "files that the tool has read with "+decoder)
			files, batches = files+f, batches+b
		}
	}
	for chunk := range slices.Chunk(indexes, 300) {
		passed, _ := t.read([]string{"--index-sanity-check", "--files", strings.Join(chunk, ",")}, " passed sanity check", "index is empty")
		t.Equal(passed, len(chunk), "indexes that pass the sanity check")
	}
	if batches == 0 || len(indexes) == 0 {
		t.Errorf("%d batches and %d indexes: there was nothing to judge", batches, len(indexes))
	}
	t.note = fmt.Sprintf("%d files, %d batches, %d indexes: nothing to say", files, batches, len(indexes))
}

func decoderOf(partition string) string {
	switch {
	case strings.HasPrefix(partition, "__consumer_offsets-"):
		return "--offsets-decoder"
	case strings.HasPrefix(partition, "__transaction_state-"):
		return "--transaction-log-decoder"
	case strings.HasPrefix(partition, "__share_group_state-"):
		return "--share-group-state-decoder"
	case strings.HasPrefix(partition, "__cluster_metadata-"):
		return "--cluster-metadata-decoder"
	}
	return ""
}

// read runs the tool, counts the lines with one of the marks and the valid batches, and fails the case on every complaint.
func (t *T) read(args []string, mark ...string) (marks, valid int) {
	cmd, err := target.Java(tools+"DumpLogSegments", args...)
	t.Must(err, "java")
	out, in, err := os.Pipe()
	t.Must(err, "pipe")
	defer out.Close()
	cmd.Stdout, cmd.Stderr = in, in
	t.Must(cmd.Start(), "DumpLogSegments")
	in.Close()
	r, shown, about := bufio.NewReaderSize(out, 1<<20), 0, ""
	for {
		line, err := r.ReadString('\n')
		if strings.HasPrefix(line, "Dumping ") || strings.HasPrefix(line, "Non-consecutive offsets in ") {
			about = line
		}
		if slices.ContainsFunc(mark, func(m string) bool { return strings.Contains(line, m) }) {
			marks++
		}
		if strings.Contains(line, "isvalid: true") {
			valid++
		}
		if gap(line) && compacted(about) {
			continue
		}
		if c := complaint(line); c != "" && shown < 5 {
			shown++
			t.Errorf("%q in: %s(after %s)", c, clip(line, 600), strings.TrimSpace(about))
		}
		if err == io.EOF {
			break
		}
		t.Must(err, "read the output")
	}
	t.Must(cmd.Wait(), "DumpLogSegments")
	return marks, valid
}

// gap is the tool's line for an offset that does not follow the one before.
func gap(line string) bool { return strings.Contains(line, " is followed by ") }

// compacted: the file that a line names is of a topic where gaps are the purpose.
func compacted(line string) bool {
	return strings.Contains(line, "/__consumer_offsets-") || strings.Contains(line, "/__transaction_state-") || strings.Contains(line, "/node-compaction-t-")
}

func complaint(line string) string {
	// The tool begins every file with offset -1, so of a segment that is not the first of its log it says that -1 is followed
	// by its base offset. It says so of Apache Kafka's own files; a real gap names the offset before it.
	if strings.HasPrefix(line, "  -1 is followed by ") {
		return ""
	}
	for _, c := range complaints {
		if strings.Contains(line, c) {
			return c
		}
	}
	return ""
}
