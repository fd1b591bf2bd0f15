package boot

import (
	"sync"
	"time"

	"millrace/internal/core/meta"
	"millrace/internal/metrics"
	"millrace/internal/node/admin"
	"millrace/internal/node/host"
)

// observeHost lets a scrape ask the host and the broker in front of it.
func (n *Node) observeHost() {
	h := n.host
	n.opened.Store(h)
	n.metrics.Partitions(func(yield func(metrics.Partition) bool) { eachPartition(h, yield) })
	n.metrics.Controller(func() metrics.Controller { return controller(h) })
}

func eachPartition(h *host.Host, yield func(metrics.Partition) bool) {
	offline := map[string]bool{}
	for _, d := range h.Dirs() {
		offline[d.ID.String()] = d.Err != nil
	}
	for _, p := range h.Partitions() {
		s := p.State()
		if !yield(metrics.Partition{Topic: p.Topic(), ID: p.Index(), Leader: s.Leader, Offline: offline[s.Dir.String()],
			SizeBytes: s.SizeBytes, LogStart: s.LogStart, LogEnd: s.LogEnd, HighWatermark: s.HighWatermark, LastStable: s.LastStable}) {
			return
		}
	}
}

func controller(h *host.Host) metrics.Controller {
	image := h.Image()
	c := metrics.Controller{Active: h.Controls(), Topics: image.TopicCount()}
	for _, b := range image.Brokers() {
		if b.Fenced {
			c.FencedBrokers++
		} else {
			c.ActiveBrokers++
		}
	}
	image.Topics(func(t *meta.Topic) bool {
		c.Partitions += len(t.Partitions)
		for i := range t.Partitions {
			if t.Partitions[i].Leader < 0 {
				c.PartitionsWithoutLeader++
			}
		}
		return true
	})
	return c
}

// logDirs joins what the host knows of the directories with how far their recovery is. While they are recovered there is
// no host to ask.
func (n *Node) logDirs() (all []metrics.LogDir) {
	failed := map[string]bool{}
	if h := n.opened.Load(); h != nil {
		for _, d := range h.Dirs() {
			failed[d.Path] = d.Err != nil
		}
	}
	for _, path := range n.o.Settings.LogDirs() {
		free, total, err := n.o.Env.Disk.Space(path)
		if err != nil && !failed[path] {
			continue // it does not exist yet
		}
		all = append(all, metrics.LogDir{Path: path, Offline: failed[path], Remaining: n.recovery.remaining(path), FreeBytes: free, TotalBytes: total})
	}
	return all
}

// recovery adds the directories' progress up, for /readyz and the metrics. Its zero value is starting.
type recovery struct {
	admin.Recovery

	mu   sync.Mutex
	dirs map[string]progress // guarded by mu
}

type progress struct{ done, total int }

// Progress says how far one directory is.
func (r *recovery) Progress(now time.Time, dir string, done, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dirs == nil {
		r.dirs = map[string]progress{}
	}
	r.dirs[dir] = progress{done, total}
	var sum progress
	for _, p := range r.dirs {
		sum.done, sum.total = sum.done+p.done, sum.total+p.total
	}
	r.Recovery.Progress(now, sum.done, sum.total)
}

// remaining are the logs of a directory that are not recovered yet, as far as they are known.
func (r *recovery) remaining(dir string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.dirs[dir]
	return p.total - p.done
}
