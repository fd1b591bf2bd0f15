package main

import (
	"fmt"
	"time"
)

// Eventually asks until the answer is right or thirty seconds have passed: for effects that Kafka does not promise at once, such
// as the sight of an acks=0 record.
func (t *T) Eventually(ask func() error) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || t.ctx.Err() != nil {
			t.Fatalf("still after thirty seconds: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func same(got, want any) error {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		return fmt.Errorf("got %s, want %s", clip(g, 1500), clip(w, 1500))
	}
	return nil
}
