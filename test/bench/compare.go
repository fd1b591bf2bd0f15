package main

import (
	"fmt"
	"strings"
)

// comparison sets every figure of two builds side by side: before and after of a change, in one run.
func (b *bench) comparison() string {
	var s strings.Builder
	s.WriteString("| row | variant | metric | ours | other | ratio |\n|---|---|---|---|---|---|\n")
	for _, r := range b.results {
		rest, ok := strings.CutPrefix(r.Variant, b.ours.name)
		if !ok {
			continue
		}
		for _, m := range metrics {
			v, ok := b.judge(bar{row: r.Row, metric: m, ours: r.Variant, other: b.kafka.name + rest})
			if ok && v.a == v.a { // not NaN: measured
				fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s (%s-%s) |\n", r.Row, r.Variant, m, short(v.a), short(v.b), short(v.ratio), short(v.low), short(v.high))
			}
		}
	}
	return s.String()
}
