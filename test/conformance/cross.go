package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// One topic that every client writes in every codec and every client reads.
func init() {
	register(Case{"cross/codecs", false, crossCodecs})
}

var written = regexp.MustCompile(`^(kcat|java|franz|python) [a-z0-9]+ \d$`)

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

func crossCodecs(t *T) {
	topic := t.Topic(1)
	var want []string
	ten := func(client, codec string) (lines []string) {
		for i := range 10 {
			lines = append(lines, fmt.Sprintf("%s %s %d", client, codec, i))
		}
		want = append(want, lines...)
		return lines
	}
	c := t.Client()
	compress := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	for _, codec := range codecs {
		t.kcat(strings.Join(ten("kcat", codec), "\n")+"\n", "-P", "-t", topic, "-z", codec)
		t.Java(strings.Join(ten("java", codec), "\n")+"\n", tools+"ConsoleProducer", "--bootstrap-server", t.addr, "--topic", topic, "--compression-codec", codec)
		c = t.Client(kgo.ProducerBatchCompression(compress[codec]), kgo.DefaultProduceTopic(topic))
		for _, line := range ten("franz", codec) {
			t.Must(c.ProduceSync(t.ctx, kgo.StringRecord(line)).FirstErr(), "produce")
		}
		ten("python", codec)
	}
	t.python("write", append([]string{topic}, codecs...)...)
	slices.Sort(want)
	all := strings.Join(want, "\n")
	read := func(client, out string) {
		lines := slices.DeleteFunc(strings.Split(out, "\n"), func(l string) bool { return !written.MatchString(l) }) // without what the tool says
		slices.Sort(lines)
		t.Equal(strings.Join(lines, "\n"), all, "what "+client+" reads")
	}
	n := fmt.Sprint(len(want))
	read("kcat", t.kcat("", "-C", "-t", topic, "-e"))
	read("java", t.Java("", tools+"consumer.ConsoleConsumer", "--bootstrap-server", t.addr, "--topic", topic, "--from-beginning", "--max-messages", n, "--timeout-ms", "20000"))
	read("python", t.python("read", topic, n))
	var lines []string
	for _, r := range t.consume(topic, len(want)) {
		lines = append(lines, string(r.Value))
	}
	read("franz-go", strings.Join(lines, "\n"))
}
