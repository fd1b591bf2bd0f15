package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"millrace/test/target"
)

// bar is one demand of a row: a ratio of two variants, or a figure of ours alone.
type bar struct {
	row, what string
	metric    string
	ours      string
	other     string // empty: the figure itself is judged
	limit     float64
	least     bool // at least the limit; otherwise at most
}

// bars are the demands on what is measured here.
var bars = []bar{
	{"1", "produce 1 KiB, ours F, Kafka U", "MB/s", "ours F", "kafka U", 1.3, true},
	{"1", "produce 1 KiB, ours F, Kafka U", "CPU s/GB", "ours F", "kafka U", 1. / 2, false},
	{"1", "produce 1 KiB, ours F, against the bare pipe", "CPU s/GB", "ours F", "pipe F", 2, false},
	{"2", "produce 1 KiB, both F", "MB/s", "ours F", "kafka F", 2, true},
	{"2", "produce 1 KiB, both F", "CPU s/GB", "ours F", "kafka F", 1. / 2, false},
	{"3", "produce 1 KiB, both U", "MB/s", "ours U", "kafka U", 2, true},
	{"3", "produce 1 KiB, both U", "CPU s/GB", "ours U", "kafka U", 0.45, false},
	{"4", "produce lz4, ours F, Kafka U", "CPU s/GB", "ours F", "kafka U", 1. / 2, false},
	{"4", "produce lz4, ours F, Kafka U", "MB/s", "ours F", "kafka U", 0.95, true},
	{"5", "64 connections, one 100-byte record each, both F", "requests/s", "ours F", "kafka F", 5, true},
	{"5", "64 connections, one 100-byte record each, ours F, Kafka U", "requests/s", "ours F", "kafka U", 1, true},
	{"5", "64 connections, one 100-byte record each, both U", "requests/s", "ours U", "kafka U", 1.5, true},
	{"6", "1,000 partitions, 4 KiB batches, both F", "MB/s", "ours F", "kafka F", 5, true},
	{"6", "1,000 partitions, 4 KiB batches, both U", "CPU s/GB", "ours U", "kafka U", 1. / 3, false},
	{"7", "100,000 records/s, linger 0, ours F, Kafka U", "p99 ms", "ours F", "kafka U", 1, false},
	{"7", "100,000 records/s, linger 0, ours F, Kafka U", "p99.9 ms", "ours F", "kafka U", 1. / 3, false},
	{"7", "100,000 records/s, linger 0, both U", "p99 ms", "ours U", "kafka U", 1. / 2, false},
	{"8", "20,000 records/s, both F, linger 0", "p99 ms", "ours F linger 0", "kafka F linger 0", 1. / 4, false},
	{"8", "20,000 records/s, both F, linger 5 ms", "p99 ms", "ours F linger 5", "kafka F linger 5", 1. / 2, false},
	{"9", "consume from cache, against bare sendfile", "CPU s/GB", "ours", "pipe out", 1.15, false},
	{"9", "consume from cache", "MB/s", "ours", "kafka", 0.95, true},
	{"10", "32 consumers at the tail of 20 MB/s, a delivered GB", "CPU s/GB", "ours F", "kafka U", 1. / 2, false},
	{"10", "32 consumers at the tail of 20 MB/s, delivery", "p99 ms", "ours F", "kafka U", 1. / 2, false},
	{"12", "start to the first API answer", "ready ms", "ours", "kafka", 1. / 40, false},
	{"12", "start to a record acked and read back", "read back ms", "ours", "", 150, false},
	{"13", "resident memory, idle", "resident MB", "ours idle", "", 50, false},
	{"13", "resident memory after row 1", "resident MB", "ours loaded", "kafka loaded", 1. / 5, false},
	{"13", "resident memory with 10,000 idle partitions", "resident MB", "ours 10,000 partitions", "", 200, false},
	{"15", "offset commits, 64 clients, ours F, Kafka U", "requests/s", "ours F", "kafka U", 1, true},
	{"15", "offset commits, 64 clients, both U", "requests/s", "ours U", "kafka U", 1.5, true},
}

// verdict of a bar.
type verdict struct {
	bar
	a, b    float64 // medians
	ratio   float64 // median of the ratios inside the pairs; a itself where nothing is compared
	low     float64 // the smallest and the largest of these ratios
	high    float64
	outcome string // met, missed, or why it is not judged
}

// judge takes the ratio inside each pair, so that a bad minute hits both sides.
func (b *bench) judge(r bar) (verdict, bool) {
	row := sharedFrom(r.row)
	ours, other := b.samples(row, r.ours), b.samples(row, r.other)
	if len(ours) == 0 || r.other != "" && len(other) == 0 {
		return verdict{}, false
	}
	v := verdict{bar: r, a: medianOf(ours, r.metric), b: medianOf(other, r.metric)}
	var ratios []float64
	for i := range ours {
		switch {
		case r.other == "":
			ratios = append(ratios, ours[i][r.metric])
		case i < len(other):
			ratios = append(ratios, ours[i][r.metric]/other[i][r.metric])
		}
	}
	v.ratio, v.low, v.high = median(ratios), slices.Min(ratios), slices.Max(ratios)
	met := v.ratio <= r.limit
	if r.least {
		met = v.ratio >= r.limit
	}
	switch {
	case met:
		v.outcome = "met"
	case r.metric == "MB/s" && medianOf(ours, "client %") >= 95:
		v.outcome = "client-bound: CPU per GB counts"
	default:
		v.outcome = missed
	}
	return v, true
}

const missed = "**missed**"

func (b *bench) verdicts() (out []verdict) {
	for _, r := range bars {
		if v, ok := b.judge(r); ok {
			out = append(out, v)
		}
	}
	return out
}

func (b *bench) markdown() string {
	var s strings.Builder
	fmt.Fprintf(&s, "# Millrace beside Apache Kafka %s\n\n", target.KafkaVersion)
	fmt.Fprintf(&s, "Written by `make bench`. Taken on %s.\n\n", b.machine)
	s.WriteString(`Both brokers run on one core, the client (franz-go; a raw client in rows 5 and 15) on another. F: flushed before the acknowledgement
(ours: the default; Kafka: flush.messages=1). U: not flushed before it (ours: flush.before.ack=false; Kafka: the default). The bare
pipe is a Go program of a few lines on the brokers' core: socket, CRC-32C, write, fdatasync per MiB (F); out by sendfile.
The ratio is the median of the ratios inside the pairs, in brackets the smallest and the largest. Where the client's core is
at least 95 % busy, MB/s says nothing about the broker, and the row is judged by CPU per GB alone.

Rows 1 to 15 are to be taken again: until 2026-11-24 04:00 a broker of ours inherited GOGC=400 from this program, and now runs with Go's
default like everybody's.

| row | measure | metric | ours | other | ratio | bar | verdict |
|---|---|---|---|---|---|---|---|
`)
	for _, v := range b.verdicts() {
		other, ratio := "", short(v.ratio)
		if v.other != "" {
			other = short(v.b) + " " + v.other
			ratio = fmt.Sprintf("%s (%s-%s)", short(v.ratio), short(v.low), short(v.high))
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s | %s %s | %s |\n", v.row, v.what, v.metric, short(v.a), other, ratio, sense(v.bar), limit(v.bar), v.outcome)
	}
	for _, f := range b.failed {
		fmt.Fprintf(&s, "\nNot measured: %s\n", f)
	}
	explain(&s, "##", b.verdicts())
	s.WriteString("\n## All figures\n\n")
	b.figures(&s, func(row string) bool { return !isRegistry(row) })
	b.registryTable(&s)
	return s.String()
}

func sense(r bar) string {
	if r.least {
		return "≥"
	}
	return "≤"
}

// limit prints a third as 1/3.
func limit(r bar) string {
	if inverse := 1 / r.limit; r.limit < 0.4 && math.Abs(inverse-math.Round(inverse)) < 1e-9 {
		return fmt.Sprintf("1/%.0f", inverse)
	}
	return fmt.Sprintf("%g", r.limit)
}

// figures lists the medians of every variant of some rows, in those metrics that one of them has.
func (b *bench) figures(s *strings.Builder, shown func(row string) bool) {
	results := slices.DeleteFunc(slices.Clone(b.results), func(r result) bool { return !shown(r.Row) })
	metrics := slices.DeleteFunc(slices.Clone(metrics), func(m string) bool {
		return !slices.ContainsFunc(results, func(r result) bool { return !math.IsNaN(medianOf(r.Samples, m)) })
	})
	s.WriteString("| row | variant |")
	for _, m := range metrics {
		s.WriteString(" " + m + " |")
	}
	s.WriteString(" pairs | taken |\n|---|---|" + strings.Repeat("---|", len(metrics)+2) + "\n")
	for _, r := range results {
		fmt.Fprintf(s, "| %s | %s |", r.Row, r.Variant)
		for _, m := range metrics {
			if v := medianOf(r.Samples, m); !math.IsNaN(v) {
				s.WriteString(" " + short(v))
			}
			s.WriteString(" |")
		}
		fmt.Fprintf(s, " %d | %s |\n", len(r.Samples), r.Taken)
	}
}

// hardware says on what the figures are taken; dir is where the brokers keep their data.
func hardware(dir string) string {
	var u syscall.Utsname
	syscall.Uname(&u)
	return fmt.Sprintf("%s, %d cores, %s of memory, Linux %s, data on %s, %s, Java %s",
		field("/proc/cpuinfo", "model name"), cores(), field("/proc/meminfo", "MemTotal"), text(u.Release[:]), fileSystem(dir), runtime.Version(), javaVersion())
}

// cores of the machine; runtime.NumCPU tells only those that this program may use.
func cores() int {
	b, _ := os.ReadFile("/proc/cpuinfo")
	return strings.Count(string(b), "processor\t")
}

func field(file, name string) string {
	b, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(b), "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown " + name
}

func text(b []int8) string {
	var out []byte
	for _, c := range b {
		if c == 0 {
			break
		}
		out = append(out, byte(c))
	}
	return string(out)
}

// fileSystem is the type of the file system that holds a path: the longest mount point that is a prefix of it.
func fileSystem(path string) string {
	b, _ := os.ReadFile("/proc/mounts")
	best, kind := "", "unknown file system"
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 2 && strings.HasPrefix(path, f[1]) && len(f[1]) > len(best) {
			best, kind = f[1], f[2]
		}
	}
	return kind
}

func javaVersion() string {
	out, _ := exec.Command("java", "-version").CombinedOutput()
	if f := strings.Fields(string(out)); len(f) > 2 {
		return strings.Trim(f[2], `"`)
	}
	return "unknown"
}

func (b *bench) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	page := strings.Replace(b.markdown(), "\n\n", "\n\n![ratios to Apache Kafka](bench.svg)\n\n", 1)
	if err := os.WriteFile(filepath.Join(dir, "bench.md"), []byte(page), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.svg"), []byte(picture(b.verdicts())), 0o644)
}
