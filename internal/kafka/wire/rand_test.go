package wire

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the randomised tests (0: a new one)")

// seeded is a generator whose seed is printed if the test fails, with the command that repeats it.
func seeded(t testing.TB) *rng {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/kafka/wire -run '^%s$' -seed %d", t.Name(), seed)
		}
	})
	return &rng{rand.New(rand.NewPCG(seed, 1))}
}

type rng struct{ *rand.Rand }

func (r *rng) text() string {
	b := make([]byte, r.IntN(3)*r.IntN(100))
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

func (r *rng) textOrNull() *string {
	if r.IntN(2) == 0 {
		return nil
	}
	s := r.text()
	return &s
}

func (r *rng) bytes() []byte {
	b := make([]byte, r.IntN(3)*r.IntN(200))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r *rng) uuid() (u [16]byte) {
	for i := range u {
		u[i] = byte(r.Uint32())
	}
	return u
}

func (r *rng) i8() int8   { return int8(r.Uint32()) }
func (r *rng) i16() int16 { return int16(r.Uint32()) }

// tags are fields that nobody knows.
func (r *rng) tags() (t kmsg.Tags) {
	for range r.IntN(4) * r.IntN(2) {
		t.Set(1000+r.Uint32N(1<<20), r.bytes())
	}
	return t
}
