package commitlog

import (
	"errors"
	"syscall"
)

// Refusals of one batch: Appended.Err wraps one of these, and nothing of that batch was written.
var (
	ErrOutOfOrderSequence         = errors.New("out of order sequence number")
	ErrInvalidProducerEpoch       = errors.New("invalid producer epoch")
	ErrInvalidTxnState            = errors.New("not a transactional write while a transaction is open")
	ErrTxnCoordinatorFenced       = errors.New("transaction coordinator fenced")
	ErrBatchTooLarge              = errors.New("batch larger than a segment can hold")
	ErrOffsetOrder                = errors.New("offsets not above the end of the log")
	ErrInvalidControlBatch        = errors.New("control batch that cannot be read")
	ErrFencedLeaderEpoch          = errors.New("leader epoch older than the log's latest")
	ErrOffsetOutOfRange           = errors.New("offset out of range")
	ErrCorrupt                    = errors.New("corrupt data")
	ErrOffline                    = errors.New("log directory is offline")
	ErrDeleted                    = errors.New("log is deleted")
	ErrForeign                    = errors.New("directory belongs to another cluster or node")
	ErrNoSpace              error = syscall.ENOSPC
	errSnapshot                   = errors.New("producer snapshot cannot be used")
)
