package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"
)

// filled is a run in which ours makes 600 MB/s and Kafka 400, pair by pair on a machine that slows down.
func filled() *bench {
	b := &bench{machine: "EPYC, Linux 6", pairs: 3, began: time.Now()}
	for _, slow := range []float64{1, 2, 4} {
		b.add("1", "ours F", sample{"MB/s": 600 / slow, "CPU s/GB": 0.9 * slow, "client %": 80})
		b.add("1", "kafka U", sample{"MB/s": 400 / slow, "CPU s/GB": 2 * slow, "client %": 60})
		b.add("1", "pipe F", sample{"MB/s": 1000 / slow, "CPU s/GB": 0.4 * slow})
	}
	b.add("12", "ours", sample{"ready ms": 40, "read back ms": 151})
	b.add("12", "kafka", sample{"ready ms": 4000, "read back ms": 4100})
	return b
}

func TestVerdictsComeFromTheRatioInsideThePairs(t *testing.T) {
	b := filled()
	want := map[string]string{
		"1 MB/s kafka U": "1.50 met", "1 CPU s/GB kafka U": "0.450 met", "1 CPU s/GB pipe F": "2.25 **missed**",
		"12 ready ms kafka": "0.010 met", "12 read back ms ": "151 **missed**",
	}
	got := b.verdicts()
	if len(got) != len(want) {
		t.Errorf("%d verdicts, want %d", len(got), len(want))
	}
	for _, v := range got {
		if text := short(v.ratio) + " " + v.outcome; text != want[v.row+" "+v.metric+" "+v.other] {
			t.Errorf("row %s %s against %q: %s", v.row, v.metric, v.other, text)
		}
	}
}

func TestClientBoundRatesAreNotJudged(t *testing.T) {
	b := &bench{}
	b.add("9", "ours", sample{"MB/s": 100, "CPU s/GB": 1, "client %": 97})
	b.add("9", "kafka", sample{"MB/s": 200, "CPU s/GB": 1, "client %": 97})
	b.add("9", "pipe out", sample{"MB/s": 200, "CPU s/GB": 0.5, "client %": 97})
	for _, v := range b.verdicts() {
		if bound := strings.Contains(v.outcome, "client-bound"); bound != (v.metric == "MB/s") {
			t.Errorf("%s: %s", v.metric, v.outcome)
		}
	}
}

func TestPages(t *testing.T) {
	b := filled()
	page := b.markdown()
	for _, part := range []string{"| 1 | produce 1 KiB, ours F, Kafka U | MB/s | 300 | 200 kafka U | 1.50 (1.50-1.50) | ≥ 1.3 | met |", "≤ 1/40", "≤ 150", "## All figures", "Linux ", "## What misses its bar, and why\n\nRow 1. Flushing is"} {
		if !strings.Contains(page, part) {
			t.Errorf("%q is missing in\n%s", part, page)
		}
	}
	d := xml.NewDecoder(strings.NewReader(picture(b.verdicts())))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestMedian(t *testing.T) {
	if m := median([]float64{5, 1, 3}); m != 3 {
		t.Error(m)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Error(m)
	}
}

// A run of some rows takes the place of their kept samples, and of no others.
func TestRowsArePutTogether(t *testing.T) {
	dir := t.TempDir()
	first := filled()
	if err := first.load(dir); err != nil {
		t.Fatal(err)
	}
	if err := first.save([]string{"1", "12"}); err != nil {
		t.Fatal(err)
	}
	second := &bench{}
	if err := second.load(dir); err != nil {
		t.Fatal(err)
	}
	second.add("12", "ours", sample{"ready ms": 20})
	if err := second.save([]string{"12"}); err != nil {
		t.Fatal(err)
	}
	third := &bench{}
	if err := third.load(dir); err != nil {
		t.Fatal(err)
	}
	if n := len(third.samples("1", "ours F")); n != 3 {
		t.Errorf("%d samples of row 1, want the 3 of the first run", n)
	}
	if s := third.samples("12", "ours"); len(s) != 1 || s[0]["ready ms"] != 20 {
		t.Errorf("row 12 has %v, want the second run's", s)
	}
	if s := third.samples("12", "kafka"); s != nil {
		t.Errorf("row 12 keeps %v of the first run beside ours of the second", s)
	}
}

// The registry's rows stand in a table of their own, behind those of the broker.
func TestTheRegistryHasItsOwnTable(t *testing.T) {
	b := filled()
	b.add("R1", "ours, 1000 schemas", sample{"requests/s": 21_000})
	b.add("R1", "bare", sample{"requests/s": 40_000})
	b.add("R2", "ours, 1000 schemas", sample{"p99 ms": 2.5})
	broker, registry, ok := strings.Cut(b.markdown(), "\n## The schema registry\n")
	if !ok || strings.Contains(broker, "| R1 |") {
		t.Fatalf("the registry's rows are not behind the broker's:\n%s", broker)
	}
	for _, part := range []string{"| 21000 (21000-21000) | 40000 bare | ≥ 20000 | met |", "| 2.50 (2.50-2.50) |", "| ≤ 2 | **missed** |", "| R1 | bare |"} {
		if !strings.Contains(registry, part) {
			t.Errorf("%q is missing in\n%s", part, registry)
		}
	}
	for _, row := range registryRows {
		if number(row) <= number("15") {
			t.Errorf("row %s does not stand behind row 15", row)
		}
	}
}
