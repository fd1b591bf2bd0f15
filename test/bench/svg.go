package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// picture draws how far every comparison with Kafka is from equal, on a scale of powers of two: to the right is better for
// us, whatever the metric. The mark is the bar that is to be met.
func picture(verdicts []verdict) string {
	const (
		left, width, rowHeight, top = 420, 460, 24, 54
		reach                       = 6.0 // powers of two on either side
	)
	x := func(better float64) float64 {
		return left + width/2 + width/2*max(-reach, min(reach, math.Log2(better)))/reach
	}
	var rows []verdict
	for _, v := range verdicts {
		if strings.HasPrefix(v.other, "kafka") && v.ratio > 0 && !math.IsInf(v.ratio, 0) {
			rows = append(rows, v)
		}
	}
	height := top + rowHeight*len(rows) + 30
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 %d" font-family="sans-serif" font-size="12">`+"\n", height)
	fmt.Fprintf(&s, `<rect width="960" height="%d" fill="#ffffff"/>`+"\n", height)
	s.WriteString(`<text x="16" y="22" font-size="15" font-weight="bold">Millrace beside Apache Kafka: times better, same machine, same run</text>` + "\n")
	for p := -4; p <= 6; p += 2 {
		at := x(math.Exp2(float64(p)))
		label := fmt.Sprintf("%gx", math.Exp2(float64(p)))
		if p < 0 {
			label = fmt.Sprintf("1/%g", math.Exp2(float64(-p)))
		}
		fmt.Fprintf(&s, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#666666">%s</text>`+"\n",
			at, top-8, at, height-24, at, top-12, label)
	}
	for i, v := range rows {
		y := top + rowHeight*i
		better, bar := v.ratio, v.limit
		if !v.least {
			better, bar = 1/better, 1/bar
		}
		colour := "#2e7d5b"
		if v.outcome == missed {
			colour = "#b5482f"
		}
		from, to := min(x(1), x(better)), max(x(1), x(better))
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s %s</text>`, left-10, y+15, html.EscapeString(v.row+". "+v.what+","), html.EscapeString(v.metric))
		fmt.Fprintf(&s, `<rect x="%.1f" y="%d" width="%.1f" height="14" fill="%s"/>`, from, y+4, max(1, to-from), colour)
		fmt.Fprintf(&s, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#000000" stroke-width="2"/>`, x(bar), y+1, x(bar), y+21)
		fmt.Fprintf(&s, `<text x="%d" y="%d">%sx</text>`+"\n", left+width+14, y+15, short(better))
	}
	fmt.Fprintf(&s, `<text x="%d" y="%d" fill="#666666">black mark: the bar; red: missed; F flushed before the acknowledgement, U not</text>`+"\n", left, height-8)
	s.WriteString("</svg>\n")
	return s.String()
}
