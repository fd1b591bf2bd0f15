package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// print writes v as JSON for programs, or calls people for people.
func (a *app) print(v any, people func(w io.Writer)) error {
	if a.output == "json" {
		return writeJSON(a.out, v)
	}
	people(a.out)
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// isTerminal is a guess that errs on the side of escaping: a character device.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// table is rows under a header. Columns of numbers are aligned to the right.
type table struct {
	header []string
	rows   [][]string
}

func newTable(header ...string) *table { return &table{header: header} }

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = escape(fmt.Sprint(c))
	}
	t.rows = append(t.rows, row)
}

func (t *table) write(w io.Writer) {
	widths, right := t.layout()
	t.line(w, t.header, widths, right)
	for _, row := range t.rows {
		t.line(w, row, widths, right)
	}
}

// layout measures the columns; a column is of numbers when each of its cells is one, or is missing.
func (t *table) layout() (widths []int, right []bool) {
	widths, right = make([]int, len(t.header)), make([]bool, len(t.header))
	for i, h := range t.header {
		widths[i], right[i] = utf8.RuneCountInString(h), len(t.rows) > 0
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
			right[i] = right[i] && numeric(row[i])
		}
	}
	return widths, right
}

func numeric(s string) bool {
	if s == "-" || s == "none" {
		return true
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func (t *table) line(w io.Writer, cells []string, widths []int, right []bool) {
	var b strings.Builder
	for i, c := range cells {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
		if right[i] {
			b.WriteString(pad + c)
		} else {
			b.WriteString(c + pad)
		}
		if i < len(cells)-1 {
			b.WriteString("  ")
		}
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

// none shows an absent value.
func none(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// count says "1 record" or "3 records".
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// size says how many bytes for people.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if f /= 1024; f < 1024 {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}

// span says how long a setting's milliseconds are: 7 d, 1 h 30 m.
func span(ms int64) string {
	if ms <= 0 {
		return ""
	}
	d := time.Duration(ms) * time.Millisecond
	if ms > int64(200*365*24*time.Hour/time.Millisecond) {
		return "unlimited"
	}
	var parts []string
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if n := d / u.unit; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			d %= u.unit
		}
	}
	return strings.Join(parts, " ")
}

// ints joins numbers: 1,2,3.
func ints(ns []int32) string {
	if len(ns) == 0 {
		return "-"
	}
	parts := make([]string, len(ns))
	for i, n := range ns {
		parts[i] = strconv.Itoa(int(n))
	}
	return strings.Join(parts, ",")
}
