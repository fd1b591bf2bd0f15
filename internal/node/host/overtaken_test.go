package host

import (
	"testing"
	"time"

	"millrace/internal/kafka/wire"
	"millrace/internal/node/commitlog"
)

// A sync that is over before the leader knows what was appended must still move the high watermark, or the producer
// waits until somebody else appends. Inline makes every sync as fast as that.
func TestSyncOvertakesTheAppend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1, func(o *Options) { o.Dir.SyncWorkers = commitlog.Inline }).open()
		r.create("t", 1)
		start := time.Now()
		for range 3 {
			if d, flushed := send(r.part("t", 0), -1, values("x")); d.Err != wire.None || flushed <= d.BaseOffset {
				t.Errorf("%+v at flushed end %d", d, flushed)
			}
		}
		if d := time.Since(start); d > 0 { // virtual: housekeeping came to the rescue
			t.Errorf("it took %v", d)
		}
		r.close()
	})
}
