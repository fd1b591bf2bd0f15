//go:build failpoint

package failpoint

import (
	"errors"
	"testing"
)

func TestErrorAtTheNthHit(t *testing.T) {
	if err := Arm("sync.before=error@3; sync.after=error"); err != nil {
		t.Fatal(err)
	}
	for hit := 1; hit <= 5; hit++ {
		if err := Hit("sync.before"); errors.Is(err, ErrInjected) != (hit == 3) {
			t.Fatalf("hit %d: %v", hit, err)
		}
	}
	if err := Hit("sync.after"); !errors.Is(err, ErrInjected) {
		t.Fatal(err)
	}
	if err := Hit("log.append.after-write"); err != nil {
		t.Fatal("a point that is not armed:", err)
	}
}

func TestBadArming(t *testing.T) {
	for _, s := range []string{"sync.before", "sync.before=b", "sync.before=kill@0", "sync.before=kill@x", "=", "sync.before=kill;b", "sync.befor=kill"} {
		if Arm(s) == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}
