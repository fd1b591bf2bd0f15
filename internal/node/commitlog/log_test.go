package commitlog

import (
	"errors"
	"testing"

	"millrace/internal/node/env"
)

func TestAppendReadRestart(t *testing.T) {
	r := newRig(t, nil)
	r.append(plain(3, 100, 5), plain(1, 10, 6))
	r.append(plain(2, 10, 7))
	r.wantOffsets([2]int64{0, 2}, [2]int64{3, 3}, [2]int64{4, 5})
	r.flush()
	if got := r.log.FlushedEnd(); got != 6 {
		t.Fatalf("flushed end %d", got)
	}
	for range 3 {
		r.restart()
		if !r.dir.Clean() || r.dir.BrokerEpoch() != 7 {
			t.Fatalf("clean %v, epoch %d", r.dir.Clean(), r.dir.BrokerEpoch())
		}
		r.wantEnd(6)
		r.wantOffsets([2]int64{0, 2}, [2]int64{3, 3}, [2]int64{4, 5})
	}
	r.kill()
	if r.dir.Clean() {
		t.Fatal("a kill is no clean stop")
	}
	r.wantEnd(6)
	r.append(plain(1, 10, 8))
	r.wantEnd(7)
	r.kill()
	r.wantEnd(7)
	r.wantOffsets([2]int64{0, 2}, [2]int64{3, 3}, [2]int64{4, 5}, [2]int64{6, 6})
}

func TestReadBounds(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SegmentBytes = 2000; c.IndexIntervalBytes = 100 })
	for range 20 {
		r.append(plain(2, 100, 5))
	}
	for range 2 {
		for from := int64(0); from <= 40; from++ {
			for below := from; below <= 40; below++ {
				s, err := r.log.Read(from, below, 700, true)
				if err != nil {
					t.Fatal(err)
				}
				if wants := from/2*2 + 2; (s.Size() > 0) != (wants <= below) || s.Size() > 700 {
					t.Fatalf("Read(%d, %d) has %d bytes", from, below, s.Size())
				}
				s.Release()
			}
		}
		if _, err := r.log.Read(41, 50, 700, true); !errors.Is(err, ErrOffsetOutOfRange) {
			t.Fatal(err)
		}
		if s, err := r.log.Read(0, 40, 10, false); err != nil || s.Size() != 0 {
			t.Fatalf("%d bytes, %v", s.Size(), err)
		}
		if s, err := r.log.Read(0, 40, 10, true); err != nil || s.Size() == 0 {
			t.Fatalf("%d bytes, %v", s.Size(), err)
		} else {
			s.Release()
		}
		r.restart()
	}
}

func TestForeign(t *testing.T) {
	r := newRig(t, nil)
	if err := r.dir.Close(1); err != nil {
		t.Fatal(err)
	}
	for _, o := range []DirOptions{{ClusterID: "other", NodeID: 1}, {ClusterID: "c", NodeID: 2}} {
		o.Env, o.Path = env.Real(), r.path
		if _, err := OpenDir(o); !errors.Is(err, ErrForeign) {
			t.Fatalf("%+v: %v", o, err)
		}
	}
	r.open()
	if _, err := OpenDir(DirOptions{Env: env.Real(), Path: r.path, ClusterID: "c", NodeID: 1}); !errors.Is(err, env.ErrLocked) {
		t.Fatal(err)
	}
}
