// Package wire turns the frames of Kafka's protocol into values and back: request headers, error codes, API keys,
// topic ids, and by hand the two APIs that carry records, Produce and Fetch. Everything else is decoded by kmsg, after
// the broker has charged the frame against its memory budget (see MaxFrame and DecodeFactor).
//
// What is parsed aliases the frame it came from: a frame must outlive the values parsed out of it. No array is
// allocated before its length has been compared with the bytes that are left and the smallest size of an element.
package wire
