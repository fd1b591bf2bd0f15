package commitlog

import (
	"flag"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var kafkaDir = flag.String("kafka", "", "directory with Apache Kafka's jars: its DumpLogSegments judges our files")

// TestDumpLogSegments lets Apache's tool read every file of a log, after a clean stop and after a kill. The tool exits with
// 0 whatever it finds, so its words count. go test ./internal/node/commitlog -run DumpLogSegments -kafka DIR
func TestDumpLogSegments(t *testing.T) {
	if *kafkaDir == "" {
		t.Skip("needs -kafka DIR")
	}
	r := newRig(t, func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 3000, 300 })
	for i := range int32(60) {
		r.append(idempotent(1, 0, i*2, 2, 1000+int64(i)), plain(1, 50, 900+int64(i)))
		if i%7 == 3 {
			r.append(transactional(2, 0, i/7, 1, 2000))
			r.must(Coordinator, endMarker(i%2 == 0, 2, 0, 0, 2000))
		}
	}
	r.flush()
	r.log.SetHighWatermark(r.log.EndOffset())
	r.restart()
	r.dump("after a clean stop")
	r.append(plain(1, 50, 3000))
	r.kill()
	r.dump("after a kill")
}

var complaint = regexp.MustCompile(`(?i)mismatch|invalid|non-consecutive|isvalid: false|exception|corrupt|error|trailing|not found`)

// firstOffset is what the tool says of every file that does not begin at 0: it starts counting at -1.
var firstOffset = regexp.MustCompile(`Non-consecutive offsets in \S+\n\s+-1 is followed by \d+\n`)

func (r *rig) dump(when string) {
	r.Helper()
	var files []string
	for _, ext := range []string{logExt, indexExt, timeExt, txnExt, snapshotExt} {
		list, _ := filepath.Glob(r.file("*" + ext))
		files = append(files, list...)
	}
	slices.Sort(files)
	for _, flags := range [][]string{{"--deep-iteration"}, {"--index-sanity-check"}} {
		args := append([]string{"-Xmx128m", "-cp", filepath.Join(*kafkaDir, "*"), "org.apache.kafka.tools.DumpLogSegments", "--files", strings.Join(files, ",")}, flags...)
		out, err := exec.Command("java", args...).CombinedOutput()
		if err != nil {
			r.Fatalf("%s: %v\n%s", when, err, out)
		}
		out = firstOffset.ReplaceAll(out, nil)
		if bad := complaint.FindAllString(string(out), -1); bad != nil {
			r.Errorf("%s: %v in\n%s", when, bad, out)
		}
		if n := strings.Count(string(out), "isvalid: true"); flags[0] == "--deep-iteration" && n < 130 {
			r.Errorf("%s: only %d batches in\n%s", when, n, out)
		}
	}
}
