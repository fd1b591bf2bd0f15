// Package group coordinates classic consumer groups and keeps their committed offsets: one machine for each partition
// of __consumer_offsets.
package group
