package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unread are settings the table calls implemented although no code asks for them yet. Each is a debt: build it, or
// change its class.
var unread = strings.Fields(`
	admin.allowed.hosts auto.create.topics.enable broker.rack compression.gzip.level compression.lz4.level
	compression.type compression.zstd.level connections.max.idle.ms fetch.max.bytes
	group.initial.rebalance.delay.ms group.max.size log.cleaner.backoff.ms log.cleaner.delete.retention.ms
	log.cleaner.min.cleanable.ratio log.cleanup.policy log.flush.interval.messages
	log.flush.offset.checkpoint.interval.ms log.flush.start.offset.checkpoint.interval.ms log.index.interval.bytes
	log.index.size.max.bytes log.message.timestamp.after.max.ms log.message.timestamp.before.max.ms
	log.message.timestamp.type log.retention.bytes log.retention.check.interval.ms log.segment.bytes
	log.segment.delete.delay.ms max.connections max.connections.per.ip max.connections.per.ip.overrides
	max.incremental.fetch.session.cache.slots max.request.partition.size.limit message.max.bytes
	num.recovery.threads.per.data.dir offset.metadata.max.bytes offsets.commit.timeout.ms
	offsets.retention.check.interval.ms offsets.retention.minutes offsets.topic.num.partitions
	offsets.topic.replication.factor offsets.topic.segment.bytes producer.id.expiration.ms
	replica.high.watermark.checkpoint.interval.ms socket.request.max.bytes ssl.enabled.protocols
	default.replication.factor delete.topic.enable min.insync.replicas num.partitions
`)

// TestImplementedMeansRead: a setting that the table calls implemented is asked for by name somewhere in the program;
// ssl.keystore.type need not be, for its one value is all that is possible.
func TestImplementedMeansRead(t *testing.T) {
	asked := namesAsked(t)
	for i := range brokerTable.rows {
		r := &brokerTable.rows[i]
		if r.Class != Implemented || r.Removed || readAs(r, asked) || r.Name == "ssl.keystore.type" {
			continue
		}
		if !contains(unread, r.Name) {
			t.Errorf("%s is called implemented, and nothing reads it: build it, or change its class", r.Name)
		}
	}
	for _, name := range unread {
		if r := Lookup(name); r == nil || r.Class != Implemented || readAs(r, asked) {
			t.Logf("%s need not be listed as unread any more", name)
		}
	}
}

// readAs: under its own name, its topic's, or the name that it is another spelling of.
func readAs(r *Setting, asked map[string]bool) bool {
	if asked[r.Name] || r.Topic != "" && asked[r.Topic] {
		return true
	}
	for first, names := range spellings {
		for _, s := range names {
			if s.name == r.Name && first != r.Name && readAs(Lookup(first), asked) {
				return true
			}
		}
	}
	return false
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

var quoted = regexp.MustCompile(`"([a-z][a-z0-9]*(?:\.[a-z0-9]+)+|listeners)"`)

// namesAsked are the dotted names in quotes in the program's sources, the table itself and tests left out.
func namesAsked(t *testing.T) map[string]bool {
	t.Helper()
	asked := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := filepath.Base(path)
		if d.IsDir() && (strings.HasPrefix(base, ".") && base != ".." || path == filepath.Join(root, "test")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") || filepath.Dir(path) == filepath.Join(root, "internal", "config") && strings.HasPrefix(base, "table_") {
			return nil
		}
		raw, err := os.ReadFile(path)
		for _, m := range quoted.FindAllStringSubmatch(string(raw), -1) {
			asked[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return asked
}
