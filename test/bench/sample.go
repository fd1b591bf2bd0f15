package main

import (
	"fmt"
	"math"
	"slices"
	"syscall"
	"time"
)

// sample is what one measurement gave, by metric: "MB/s", "CPU s/GB", "requests/s", "CPU us/request", "p50 ms", "p99 ms",
// "p99.9 ms", "resident MB", "client %", "ready ms", "read back ms", "CPU s".
type sample map[string]float64

// result is a row's measurements of one variant, such as "ours F", in the order of the pairs.
type result struct {
	Row     string   `json:"row"`
	Variant string   `json:"variant"`
	Taken   string   `json:"taken"` // when, and of which commit
	Samples []sample `json:"samples"`
	fresh   bool     // of this run
}

func (b *bench) add(row, variant string, s sample) {
	b.progress("row %-2s %-16s %s", row, variant, s)
	for i := range b.results {
		r := &b.results[i]
		if r.Row != row || r.Variant != variant {
			continue
		}
		if !r.fresh {
			r.Samples, r.fresh = nil, true
		}
		r.Samples = append(r.Samples, s)
		return
	}
	b.results = append(b.results, result{Row: row, Variant: variant, Samples: []sample{s}, fresh: true})
}

func (b *bench) samples(row, variant string) []sample {
	for _, r := range b.results {
		if r.Row == row && r.Variant == variant {
			return r.Samples
		}
	}
	return nil
}

// sharedFrom names the row that has the measurements of another: the same runs in other ratios.
func sharedFrom(row string) string {
	if row == "2" || row == "3" {
		return "1"
	}
	return row
}

// metrics in the order in which they are shown.
var metrics = []string{"MB/s", "requests/s", "CPU s/GB", "CPU us/request", "p50 ms", "p99 ms", "p99.9 ms", "ready ms", "read back ms", "resident MB", "CPU s", "client %"}

func (s sample) String() string {
	text := ""
	for _, m := range metrics {
		if v, ok := s[m]; ok {
			text += fmt.Sprintf("%s %s  ", m, short(v))
		}
	}
	return text
}

// short prints three significant digits.
func short(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "-"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func medianOf(samples []sample, metric string) float64 {
	var v []float64
	for _, s := range samples {
		if x, ok := s[metric]; ok {
			v = append(v, x)
		}
	}
	return median(v)
}

// meter takes the processor time of a broker, of this client, and the clock, between two points.
type meter struct {
	cpu    func() float64
	began  time.Time
	broker float64
	client float64
}

// startMeter begins a measurement of how much goes through.
func startMeter(cpu func() float64) *meter {
	warmMemory()
	return startPacedMeter(cpu)
}

// startPacedMeter begins one of delays. Its memory is not warmed: the gigabyte would go back to the host seconds later, in the
// midst of the measurement, and everything stands still meanwhile.
func startPacedMeter(cpu func() float64) *meter {
	return &meter{cpu: cpu, broker: cpu(), client: clientCPU(), began: time.Now()}
}

func (m *meter) stop() (seconds, broker, clientShare float64) {
	seconds = time.Since(m.began).Seconds()
	return seconds, m.cpu() - m.broker, 100 * (clientCPU() - m.client) / seconds
}

func clientCPU() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// throughput makes the sample of n bytes moved since the meter began.
func (m *meter) throughput(n int64) sample {
	seconds, cpu, client := m.stop()
	return sample{"MB/s": float64(n) / 1e6 / seconds, "CPU s/GB": cpu / (float64(n) / 1e9), "client %": client}
}

// latencies adds percentiles to a sample.
func (s sample) latencies(d []time.Duration) sample {
	slices.Sort(d)
	for name, p := range map[string]float64{"p50 ms": 0.5, "p99 ms": 0.99, "p99.9 ms": 0.999} {
		if len(d) > 0 {
			s[name] = float64(d[min(len(d)-1, int(p*float64(len(d))))]) / 1e6
		}
	}
	return s
}
