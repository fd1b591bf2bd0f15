package replica

// EffectiveMinISR is min.insync.replicas, but no more than there are replicas.
func (l *Leader) EffectiveMinISR() int { return min(l.minISR, l.replicas) }

// UnderMinISR reports whether the committed in-sync set is too small to acknowledge anything.
func (l *Leader) UnderMinISR() bool { return len(l.isr) < l.EffectiveMinISR() }

// CanAppend reports whether a produce request with these acks may append (R9); if not, the answer is
// NOT_ENOUGH_REPLICAS.
func (l *Leader) CanAppend(acks int16) bool { return acks != -1 || !l.UnderMinISR() }

// Ack is what can be said about records that end before an offset.
type Ack int8

const (
	Wait      Ack = iota // the high watermark does not cover them yet
	Acked                // they are committed
	AckedThin            // they are committed, but the in-sync set has shrunk: NOT_ENOUGH_REPLICAS_AFTER_APPEND
)

// Acknowledge decides acks=all for records whose last offset is next-1.
func (l *Leader) Acknowledge(next int64) Ack {
	switch {
	case l.hw < next:
		return Wait
	case l.UnderMinISR():
		return AckedThin
	}
	return Acked
}
