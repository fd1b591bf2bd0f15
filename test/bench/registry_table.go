package main

import (
	"fmt"
	"strings"
)

// registryBar is a demand on a figure of the registry, with the limit that is measured beside it.
type registryBar struct {
	bar
	beside string // a variant of the row; empty: there is none
}

// registryBars are the demands of the registry's rows.
var registryBars = []registryBar{
	{bar{"R1", "GET by id, 1,000 schemas, 16 connections", "requests/s", "ours, 1000 schemas", "", 20_000, true}, "bare"},
	{bar{"R1", "GET by id, 100,000 schemas, 16 connections", "requests/s", "ours, 100000 schemas", "", 20_000, true}, "bare"},
	{bar{"R2", "GET by id at 10,000 a second, 1,000 schemas", "p99 ms", "ours, 1000 schemas", "", 2, false}, "bare"},
	{bar{"R2", "GET by id at 10,000 a second, 100,000 schemas", "p99 ms", "ours, 100000 schemas", "", 2, false}, "bare"},
	{bar{"R3", "start to an answer out of 100,000 schemas, inside a node", "ready ms", "ours inside a node", "", 3000, false}, "bare"},
	{bar{"R3", "start to an answer out of 100,000 schemas, beside a node", "ready ms", "ours beside a node", "", 3000, false}, "bare"},
	{bar{"R3", "resident memory at that answer, inside a node", "resident MB", "ours inside a node", "", 300, false}, ""},
	{bar{"R3", "resident memory at that answer, beside a node", "resident MB", "ours beside a node", "", 300, false}, ""},
	{bar{"R4", "registration, one client, 1,000 schemas", "p50 ms", "ours, 1000 schemas", "", 3, false}, "bare produce, 1000 schemas"},
	{bar{"R4", "registration, one client, 100,000 schemas", "p50 ms", "ours, 100000 schemas", "", 3, false}, "bare produce, 100000 schemas"},
	{bar{"R5", "compatibility of 200 fields, Avro, a text seen before", "p50 ms", "ours AVRO, seen text", "", 1, false}, ""},
	{bar{"R5", "compatibility of 200 fields, JSON Schema, seen before", "p50 ms", "ours JSON, seen text", "", 1, false}, ""},
	{bar{"R5", "compatibility of 200 fields, Protobuf, seen before", "p50 ms", "ours PROTOBUF, seen text", "", 1, false}, ""},
	{bar{"R5", "compatibility of 200 fields, Avro, a new text", "p50 ms", "ours AVRO, new text", "", 0, false}, ""},
	{bar{"R5", "compatibility of 200 fields, JSON Schema, new", "p50 ms", "ours JSON, new text", "", 0, false}, ""},
	{bar{"R5", "compatibility of 200 fields, Protobuf, new", "p50 ms", "ours PROTOBUF, new text", "", 0, false}, ""},
	{bar{"R6", "a node's start to a record acked and read back, registry on", "read back ms", "ours with", "", 150, false}, "ours without"},
	{bar{"R6", "a node's resident memory, idle, registry on", "resident MB", "ours with", "", 50, false}, "ours without"},
	{bar{"R7", "produce 1 KiB, unflushed, ids checked", "CPU s/GB", "ours checked, uncompressed", "ours unchecked, uncompressed", 1.05, false}, ""},
	{bar{"R7", "produce 1 KiB, flushed, ids checked", "CPU s/GB", "ours checked, uncompressed, flushed", "ours unchecked, uncompressed, flushed", 0, false}, ""},
	{bar{"R7", "produce 1 KiB, lz4, unflushed, ids checked", "CPU s/GB", "ours checked, lz4", "ours unchecked, lz4", 0, false}, ""},
	{bar{"R7", "produce 1 KiB, zstd, unflushed, ids checked", "CPU s/GB", "ours checked, zstd", "ours unchecked, zstd", 0, false}, ""},
}

// registryTable is the registry's part of the page.
func (b *bench) registryTable(s *strings.Builder) {
	var verdicts []verdict
	var rows strings.Builder
	for _, r := range registryBars {
		v, ok := b.judge(r.bar)
		if !ok {
			continue
		}
		if v.limit > 0 {
			verdicts = append(verdicts, v)
		}
		figure, beside := fmt.Sprintf("%s (%s-%s)", short(v.a), short(v.low), short(v.high)), ""
		switch {
		case v.other != "":
			figure = fmt.Sprintf("%s, %s times (%s-%s)", short(v.a), short(v.ratio), short(v.low), short(v.high))
			beside = short(v.b) + " " + v.other
		case r.beside != "":
			beside = short(medianOf(b.samples(r.row, r.beside), r.metric)) + " " + r.beside
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s | %s | %s | %s |\n", v.row, v.what, v.metric, figure, beside, bound(v.bar), outcome(v))
	}
	if len(verdicts) == 0 {
		return
	}
	s.WriteString(`
## The schema registry

The registry inside a node, or as a program beside one, on one core; a client written by hand on the other (one request in flight on
each connection, kept open). Figures are medians over the runs, in brackets the smallest and the largest. Schemas have about 1 KiB, one version under
each subject, each in a batch of its own. What stands beside is the limit: Go's HTTP server with a fixed body of the same size (R1,
R2), a client that reads the same topic and throws it away (R3), a record of the same size produced and flushed (R4), the same node
without a registry (R6), a topic that takes every record (R7). R5 is POST /compatibility over HTTP
with a body of 9 to 14 KB. Its bar is for comparing; a text that was never seen is parsed first, and that is the libraries' time: of its processor
time the Avro codec takes two thirds, the compiler for JSON Schema two thirds, Protobuf's parser and printer four fifths. In R2 requests are due at fixed times, and what waits for others counts its waiting.

| row | measure | metric | ours | beside it | bar | verdict |
|---|---|---|---|---|---|---|
`)
	s.WriteString(rows.String())
	explain(s, "###", verdicts)
	s.WriteString("\n### All figures of the registry\n\n")
	b.figures(s, isRegistry)
}

// bound prints the limit of a figure, of a ratio as times; what has none is only shown.
func bound(r bar) string {
	switch {
	case r.limit == 0:
		return ""
	case r.other != "":
		return fmt.Sprintf("%s %g times", sense(r), r.limit)
	}
	return fmt.Sprintf("%s %g", sense(r), r.limit)
}

func outcome(v verdict) string {
	if v.limit == 0 {
		return "shown"
	}
	return v.outcome
}
