// Package state is what the log of the registry says, and what may be written to it next. It is pure.
//
// The log is the compacted topic _schemas in Confluent's record format. State is a fold over its records (Apply), and the only thing
// that changes a State. A request is decided on the present State and yields the records to write and the reply to give once they
// are applied, or an *Error with the registry's code. A decision changes nothing: the State moves when the records come back.
//
//	request -> Decide -> records -> log -> Apply -> State
//
// What must hold:
//
//	S1  The State after a replay, after a replay of the compacted log and the live State are equal.
//	S2  Within a context an id has one content for ever, and a content gets one id unless an import says otherwise.
//	    An id that was deleted for good is not given again (highest).
//	S3  A deletion tombstones every form of the key that was seen in the log: compaction works on bytes, and releases differ in the
//	    order of fields and in "magic".
package state
