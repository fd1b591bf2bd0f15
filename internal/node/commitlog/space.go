package commitlog

import (
	"sync"
	"time"
)

// space is what the file system has left, measured at most once a second.
type space struct {
	mu          sync.Mutex
	at          time.Time
	free, total int64
	appended    int64 // by all logs when it was measured
}

const defaultReserve = 64 << 20

// Space tells the free bytes and the size of the file system, as measured within the last second, less what the logs have
// taken since: a fast disk takes more in a second than the reserve holds.
func (d *Dir) Space() (free, total int64) {
	now := d.options.Env.Clock.Now()
	d.space.mu.Lock()
	defer d.space.mu.Unlock()
	if d.space.at.IsZero() || now.Sub(d.space.at) >= time.Second {
		appended := d.appended.Load()
		if free, total, err := d.disk.Space(d.path); err == nil {
			d.space.free, d.space.total, d.space.appended = free, total, appended
		}
		d.space.at = now
	}
	return max(0, d.space.free-(d.appended.Load()-d.space.appended)), d.space.total
}

// Low tells that the reserve is reached: new data should be refused now, so that checkpoints, deletions and a clean stop
// still find room.
func (d *Dir) Low() bool {
	free, total := d.Space()
	reserve := d.options.Reserve
	if reserve == 0 {
		reserve = max(defaultReserve, total/100)
	}
	return total > 0 && free < reserve
}

// SizeBytes is the size of all logs.
func (d *Dir) SizeBytes() int64 {
	var n int64
	for _, l := range d.Logs() {
		n += l.SizeBytes()
	}
	return n
}
