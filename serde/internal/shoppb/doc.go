// Package shoppb holds generated messages for the tests of serde: imports, messages in messages, the entries of maps among them.
package shoppb

//go:generate go run ./gen
