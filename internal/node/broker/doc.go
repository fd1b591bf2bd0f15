// Package broker speaks the Kafka protocol in front of a host: listeners, connections, the request pipeline and one
// file per API, named by key and API.
//
// The life of a request: the connection's reader goroutine reads a frame into a buffer, takes a slot in the
// connection's ring and calls the API's handler. The handler answers at once or hands the request to the host, whose
// callback answers later. Answers leave in the order of the requests: whoever completes the request at the front of
// the ring writes every completed one behind it too, so a produce costs no hand-off between goroutines.
//
// docs/compat.md is generated from the comments that head the API files.
package broker

//go:generate go test -run TestCompatPage -update .
