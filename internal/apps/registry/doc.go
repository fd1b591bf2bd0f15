// Package registry is the schema registry: an app that knows the cluster only through the Kafka protocol, and that people and
// serializers know by Confluent's REST interface.
//
// What is registered lies in the compacted topic _schemas and nowhere else. One goroutine writes: it decides a request on the state
// that the log has led to (package state), appends the records with acks=all, waits until the reader has applied them, and answers.
// So an answer is never ahead of the log, and whoever was answered reads his own write.
//
//	HTTP -> decide -> append -> log -> follow -> state -> answer
//
// A second registry on the same topic would give out the same ids. Writers sign their records, ask at start whether somebody else is
// there, and refuse to write once a record of somebody else appears (see writer.go). Where several nodes agree on one writer, that
// agreement takes the place of the question: Log and writer are the only places that know.
package registry
