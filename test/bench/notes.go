package main

import (
	"fmt"
	"slices"
	"strings"
)

// notes say of a row that misses a bar what its profile shows and what was tried. They are printed only while it does.
var notes = map[string]string{
	"1": `Flushing is what the disk takes: the same build spends 0.6 CPU s per GB unflushed, and the bare pipe needs as much more
for its fdatasync per MiB as we do. Profile (perf, unflushed): page cache 34 %, checksum 24 %, socket 22 %, Go's sysmon 7 %.
Tried: the checksum while the bytes are still in the cache, 1-11 %, not kept. A row near the bare pipe is done.`,
	"6": `Profile (unflushed): page cache 54 %, socket 16 %, checksum 15 %; broker, host and log together 5 %. Flushed, the file system
decides, see row 15.`,
	"7": `The unflushed runs of the same build have a p99 of 0.9-1.5 ms, so reader, appender and answers are not it. Of five flushed runs two
have a p99 of 5-6 ms, and three hold one stall of 120-190 ms, which every record of that time sees. Whether the disk stalls or the
sync loop makes it stall is not found out; Kafka does not sync in its runs of this comparison. Tried: two more runs under strace had no
such stall (70,000 fdatasyncs: median 0.4 ms, p99 0.9, p99.9 3.7, longest 31; delays p99 9-12 ms), and a bare loop of write and
fdatasync at the same 100 MB/s none above 28 ms in 36 s.`,
	"8": `Five of the milliseconds are the linger. The bar was set when Kafka took 45 ms at this rate; in these runs it
took 9, 10 and 77, and half of 9 is less than the linger.`,
	"10": `A gigabyte sent by bare sendfile takes 0.32-0.38 CPU s (row 9), and a warm Kafka 0.62-0.80 here: the bar asks for as little as the
sendfile itself. Reckoned, not profiled: at 100 KB a fetch what we take beyond it is some 20 µs, for the request, its parking and
its waking. The delay is mostly the producer's linger of 5 ms on both sides.`,
	"15": `64 groups lie on 50 partitions, so that hardly any sync covers two commits. The file system here has no journal: every fdatasync
writes its data block and its inode's block and waits for both, 50 µs of kernel CPU each (perf: syscalls of the sync loop 43 %,
answers 16 %, machines 9 %). Unflushed, the same build answers twice Kafka's. Tried: commands that wait together in one
batch; write-back begun before the sync's turn (sync_file_range): no gain beyond the noise, not kept. What is left is the
shared journal for internal topics of decision 0001.`,
	"R2": `Go's bare HTTP server with a fixed body does not keep to 2 ms in the same minutes either (2.6-3.6 ms): at 10,000 a second with pauses between, a
request costs it 60 µs, three times what it costs when there is always one waiting, for every request wakes a thread. With 100,000
schemas the collector is added: a cycle marks 67 MB of small objects, reckoned at 100 ms of this one core every two or three seconds, and Go,
which is told of two cores (GOMAXPROCS=2) and has one, may let it take half meanwhile. Not tried: GOMAXPROCS=1, and fewer objects a version.`,
	"R3": `A client that reads the topic and throws it away takes 0.3 s. Of the rest (pprof): JSON by hand 20 %, the collector 25 %, MD5 10 %,
indexes 7 %, packing 6 %. Beside a node 0.3 s are the wait for another registry to object.`,
	"R5": `Two runs of three, the second in a minute in which everything took half as long again. Three quarters
of the handler's time for a JSON Schema are the comparison (pprof); the rest is the body of 14 KB, read as JSON twice, and its digest.`,
	"R7": `Two pairs only, 7 and 15 % apart, taken before records were judged while their batch is summed, and not taken again since.
Profile of the build before that (perf, unflushed, on a busy machine): the check takes 33 ns a record, 4 % of its 0.8 CPU s per GB, and a
quarter of that was the second fetch of the record's last byte; the rest of those 7 and 15 % does not show in it. Compressed batches pay
their decompression: lz4 two to three times, zstd six times.`,
}

// explain prints the notes of the rows that miss a bar, under a heading of this level.
func explain(s *strings.Builder, level string, verdicts []verdict) {
	var told []string
	for _, v := range verdicts {
		if v.outcome != missed || slices.Contains(told, v.row) {
			continue
		}
		if told = append(told, v.row); len(told) == 1 {
			s.WriteString("\n" + level + " What misses its bar, and why\n\n")
		}
		note := notes[v.row]
		if note == "" {
			note = "Not looked into yet."
		}
		fmt.Fprintf(s, "Row %s. %s\n\n", v.row, note)
	}
}
