// Package schema holds the three schema formats of the registry as values: Avro, JSON Schema and Protobuf.
//
// Parse turns the text of a schema and the closure of what it refers to into a Parsed, which knows its canonical text (what is
// stored), its normalized text (equal for schemas that differ only in what carries no meaning), its name, and a tree that the
// compatibility rules can walk. The package is pure: it opens no file and no address, reads no clock, and starts a goroutine only
// where a library cannot be stopped at a deadline.
//
// The chain of one schema:
//
//	text, references -> Closure (loads what is referred to, refuses cycles)
//	                 -> Parse   (own parser or the format's library, behind the limits)
//	                 -> Parsed  (Canonical, Normalized, Format, Name; Avro, JSON or Protobuf)
package schema
