package checker

// Classify says what an answered error code of a produce tells about its effect. attempts is the number of requests that
// left for it: a definite error of a later attempt says nothing about an earlier one, so it is definite only for the first.
//
// What is not in the table is indefinite. That includes the errors that look like refusals but are not: NOT_LEADER_OR_FOLLOWER
// (the old leader may have appended), NOT_ENOUGH_REPLICAS_AFTER_APPEND (it did append), and OUT_OF_ORDER_SEQUENCE,
// PRODUCER_FENCED and INVALID_PRODUCER_EPOCH (this batch was refused, the one before it perhaps not).
func Classify(code int16, attempts int64) Kind {
	switch {
	case code == 0:
		return OK
	case refusals[code] != "" && attempts <= 1:
		return Fail
	}
	return Info
}

// ClassifyEnd says the same for the end of a transaction, and with it for all its sends. commit: EndTxn was sent to commit;
// answered: an answer came, with that code.
func ClassifyEnd(commit, answered bool, code int16) Kind {
	const invalidTxnState = 48
	switch {
	case !commit: // aborted, or the abort failed: either way nothing was ever asked to be committed
		return Fail
	case answered && code == 0:
		return OK
	case answered && code == invalidTxnState:
		return Fail
	}
	return Info
}

// refusals are the errors that a broker gives before it appends anything.
var refusals = map[int16]string{
	2:  "CORRUPT_MESSAGE",
	3:  "UNKNOWN_TOPIC_OR_PARTITION",
	10: "MESSAGE_TOO_LARGE",
	17: "INVALID_TOPIC_EXCEPTION",
	19: "NOT_ENOUGH_REPLICAS",
	21: "INVALID_REQUIRED_ACKS",
	29: "TOPIC_AUTHORIZATION_FAILED",
	31: "CLUSTER_AUTHORIZATION_FAILED",
	38: "INVALID_REPLICATION_FACTOR",
	53: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
	87: "INVALID_RECORD",
}
