// Package meta is the cluster's metadata: the records of __cluster_metadata-0, the immutable image they build, and the
// controller, the machine that decides which records to write next.
//
// Three nouns carry it:
//
//   - an Image is the whole metadata at one offset. It never changes; Apply gives the next one and shares with the
//     old one everything that the records did not touch, so that a node publishes a pointer and ten thousand topics
//     are not copied because one of them changed.
//   - a Delta names what differs between two images, with the old and the new value. Apply gives it for the records it
//     read; Diff gives it for any two images, so that a node that was away and loads a snapshot reacts as if it had
//     read every record.
//   - the Controller is a machine.Machine: a command yields metadata records and a reply, and only Replay of those
//     records changes its image. It runs on the quorum's leader alone.
//
// The records are Apache Kafka's, at the versions that metadata.version 30 (4.3-IV0) writes, so that Kafka's tools read
// our metadata log and Kafka boots on it.
package meta
