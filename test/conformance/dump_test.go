package main

import "testing"

// What DumpLogSegments says when something is wrong, and what it says of sound files, in its own words.
func TestComplaints(t *testing.T) {
	for line, bad := range map[string]bool{
		"baseOffset: 0 lastOffset: 0 count: 1 baseSequence: -1 isTransactional: false CreateTime: 1 size: 69 magic: 2 compresscodec: none crc: 5 isvalid: true\n":  false,
		"baseOffset: 0 lastOffset: 0 count: 1 baseSequence: -1 isTransactional: false CreateTime: 1 size: 69 magic: 2 compresscodec: none crc: 5 isvalid: false\n": true,
		"Dumping /data/t-0/00000000000000000000.log\n":                false,
		"Mismatches in :/data/t-0/00000000000000000000.index\n":       true,
		"Non-consecutive offsets in /data/t-0/00000000000000.log\n":   false, // the pairs below it decide
		"  -1 is followed by 1024\n":                                  false,
		"  17 is followed by 19\n":                                    true,
		"Found 12 invalid bytes at the end of 00000000000000.log\n":   true,
		"Found timestamp mismatch in :/data/t-0/0.timeindex\n":        true,
		"Exception in thread \"main\" java.lang.RuntimeException\n":   true,
		"/data/t-0/00000000000000000000.index passed sanity check.\n": false,
		"/data/t-0/00000000000000000000.index is empty.\n":            false,
	} {
		if got := complaint(line) != ""; got != bad {
			t.Errorf("complaint(%q) is %v", line, got)
		}
	}
}
