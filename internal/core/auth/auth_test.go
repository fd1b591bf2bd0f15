package auth

import "testing"

type denyWrites struct{}

func (denyWrites) Authorize(_ Principal, _ string, op Operation, _ Resource) bool { return op != Write }

func TestOperationBits(t *testing.T) {
	all := OperationBits(AllowAll{}, Anonymous, "127.0.0.1", Topic("t"))
	// Kafka answers 3576 for a topic of a cluster without an authorizer: bits 3-8, 10 and 11.
	if all != 3576 {
		t.Errorf("topic bits = %d, want 3576", all)
	}
	if got := OperationBits(denyWrites{}, Anonymous, "", Topic("t")); got != all&^(1<<Write) {
		t.Errorf("without write = %b", got)
	}
	if got := OperationBits(AllowAll{}, Anonymous, "", Resource{Type: 99}); got != 0 {
		t.Errorf("unknown type = %b", got)
	}
}
