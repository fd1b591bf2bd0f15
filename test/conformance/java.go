package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The Java tools and the Java client inside them, at 4.3.1.
func init() {
	register(
		Case{"java/console-producer-consumer", true, javaConsole},
		Case{"java/console-codecs", false, javaCodecs},
		Case{"java/topics", false, javaTopics},
		Case{"java/configs", false, javaConfigs},
		Case{"java/consumer-groups", false, javaGroups},
		Case{"java/get-offsets", false, javaOffsets},
		Case{"java/delete-records", false, javaDeleteRecords},
		Case{"java/log-dirs", false, javaLogDirs},
		Case{"java/broker-api-versions", false, javaVersions},
		Case{"java/verifiable-producer-consumer", false, javaVerifiable},
		Case{"java/performance", false, javaPerformance},
		Case{"java/broker-configs", false, javaBrokerConfigs},
		Case{"java/reset-to-a-time", false, javaResetToTime},
		Case{"java/cluster-and-producers", false, javaCluster},
		Case{"java/refusals", false, javaRefusals},
		Case{"java/transactional-id", false, javaTransactional},
	)
}

const tools = "org.apache.kafka.tools."

func javaConsole(t *T) {
	topic := t.Topic(2)
	t.Java("k1\tv1\nk2\tv2\nk3\tv3\n", tools+"ConsoleProducer", "--bootstrap-server", t.addr, "--topic", topic,
		"--reader-property", "parse.key=true")
	out := t.Java("", tools+"consumer.ConsoleConsumer", "--bootstrap-server", t.addr, "--topic", topic, "--from-beginning",
		"--max-messages", "3", "--timeout-ms", "20000", "--formatter-property", "print.key=true", "--formatter-property", "print.partition=true",
		"--formatter-property", "print.offset=true")
	t.Contains(out, "k1\tv1", "k2\tv2", "k3\tv3", "Offset:0", "Processed a total of 3 messages")
}

func javaCodecs(t *T) {
	topic := t.Topic(1)
	for i, codec := range []string{"gzip", "snappy", "lz4", "zstd"} {
		t.Java(strings.Join(Lines(200), "\n")+"\n", tools+"ConsoleProducer", "--bootstrap-server", t.addr, "--topic", topic,
			"--compression-codec", codec, "--command-property", "acks="+[]string{"all", "1", "0", "all"}[i])
	}
	out := t.Java("", tools+"consumer.ConsoleConsumer", "--bootstrap-server", t.addr, "--topic", topic, "--from-beginning",
		"--max-messages", "800", "--timeout-ms", "20000", "--isolation-level", "read_committed")
	t.Equal(strings.Count(out, "line 000199 of a text"), 4, "last line of each codec")
	t.Contains(out, "Processed a total of 800 messages")
}

func (t *T) topics(args ...string) string {
	return t.Java("", tools+"TopicCommand", append([]string{"--bootstrap-server", t.addr}, args...)...)
}

func javaTopics(t *T) {
	topic := t.Name("t")
	t.Contains(t.topics("--create", "--topic", topic, "--partitions", "2", "--replication-factor", "1", "--config", "retention.ms=3600000"),
		"Created topic "+topic)
	t.Contains(t.topics("--create", "--if-not-exists", "--topic", topic), "")
	t.Contains(t.topics("--list"), topic)
	out := t.topics("--describe", "--topic", topic)
	t.Contains(out, "Topic: "+topic, "PartitionCount: 2", "ReplicationFactor: 1", "retention.ms=3600000", "Partition: 1", "Isr: ")
	if !regexp.MustCompile(`TopicId: [A-Za-z0-9_-]{22}\s`).MatchString(out) {
		t.Errorf("no topic id: %s", out)
	}
	t.topics("--alter", "--topic", topic, "--partitions", "5")
	t.Contains(t.topics("--describe", "--topic", topic), "PartitionCount: 5")
	t.Equal(strings.TrimSpace(t.topics("--describe", "--under-replicated-partitions")), "", "under-replicated partitions")
	t.topics("--delete", "--topic", topic)
	t.Lacks(t.topics("--list"), topic)
}

func javaConfigs(t *T) {
	topic := t.Topic(1)
	config := func(args ...string) string {
		return t.Java("", "kafka.admin.ConfigCommand", append([]string{"--bootstrap-server", t.addr}, args...)...)
	}
	on := []string{"--entity-type", "topics", "--entity-name", topic}
	t.Contains(config(append(on, "--alter", "--add-config", "retention.ms=7200000,cleanup.policy=[compact,delete]")...), "Completed updating config for topic")
	out := config(append(on, "--describe")...)
	t.Contains(out, "retention.ms=7200000", "cleanup.policy=compact,delete", "DYNAMIC_TOPIC_CONFIG:retention.ms=7200000", "DEFAULT_CONFIG:log.cleanup.policy=delete")
	config(append(on, "--alter", "--delete-config", "retention.ms")...)
	t.Lacks(config(append(on, "--describe")...), "retention.ms=7200000")
	t.Contains(config(append(on, "--describe", "--all")...), "segment.bytes=1048576", "STATIC_BROKER_CONFIG:log.segment.bytes=1048576", "min.insync.replicas=1")
	brokers := []string{"--entity-type", "brokers", "--entity-default"}
	config(append(brokers, "--alter", "--add-config", "log.retention.ms=86400000")...)
	t.Contains(config(append(brokers, "--describe")...), "log.retention.ms=86400000")
	t.Contains(config(append(on, "--describe", "--all")...), "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=86400000")
	config(append(brokers, "--alter", "--delete-config", "log.retention.ms")...)
	t.Lacks(config(append(brokers, "--describe")...), "log.retention.ms=86400000")
}

func javaGroups(t *T) {
	topic, group := t.Topic(1), t.Name("g")
	t.kcat("a\nb\nc\nd\n", "-P", "-t", topic)
	t.Contains(t.Java("", tools+"consumer.ConsoleConsumer", "--bootstrap-server", t.addr, "--topic", topic, "--group", group, "--from-beginning",
		"--max-messages", "3", "--timeout-ms", "20000"), "Processed a total of 3 messages")
	groups := func(args ...string) string {
		return t.Java("", tools+"consumer.group.ConsumerGroupCommand", append([]string{"--bootstrap-server", t.addr}, args...)...)
	}
	t.Contains(groups("--list"), group)
	t.Contains(groups("--list", "--state"), group, "Empty")
	if out := groups("--describe", "--group", group); !regexp.MustCompile(regexp.QuoteMeta(topic) + `\s+0\s+3\s+4\s+1\s`).MatchString(out) {
		t.Errorf("offset 3, end 4, lag 1 wanted: %s", out)
	}
	t.Contains(groups("--describe", "--group", group, "--state"), "Empty")
	groups("--describe", "--group", group, "--members")
	groups("--reset-offsets", "--group", group, "--topic", topic, "--to-offset", "1", "--execute")
	if out := groups("--describe", "--group", group, "--offsets"); !regexp.MustCompile(regexp.QuoteMeta(topic) + `\s+0\s+1\s+4\s+3\s`).MatchString(out) {
		t.Errorf("offset 1, end 4, lag 3 wanted: %s", out)
	}
	t.Contains(groups("--delete-offsets", "--group", group, "--topic", topic), "Successful")
	t.Contains(groups("--delete", "--group", group), "Deletion of requested consumer groups", "was successful")
	t.Lacks(groups("--list"), group)
}

func javaOffsets(t *T) {
	topic := t.Topic(2)
	t.kcat("a\nb\nc\n", "-P", "-t", topic, "-p", "0")
	between := later()
	t.kcat("d\n", "-P", "-t", topic, "-p", "0")
	for at, want := range map[string]string{"-1": ":0:4", "-2": ":0:0", "-3": ":0:3", "-4": ":0:0", fmt.Sprint(between): ":0:3"} {
		t.Contains(t.Java("", tools+"GetOffsetShell", "--bootstrap-server", t.addr, "--topic", topic, "--time", at), topic+want)
	}
}

func javaDeleteRecords(t *T) {
	topic := t.Topic(1)
	t.kcat("a\nb\nc\nd\n", "-P", "-t", topic)
	file := t.File("offsets.json", fmt.Sprintf(`{"partitions":[{"topic":%q,"partition":0,"offset":3}],"version":1}`, topic))
	out := t.Java("", tools+"DeleteRecordsCommand", "--bootstrap-server", t.addr, "--offset-json-file", file)
	t.Contains(out, "partition: "+topic+"-0", "low_watermark: 3")
	t.Equal(t.kcat("", "-C", "-t", topic, "-e"), "d\n", "what is left")
}

func javaLogDirs(t *T) {
	topic := t.Topic(2)
	t.kcat("a\n", "-P", "-t", topic, "-p", "1")
	out := t.Java("", tools+"LogDirsCommand", "--bootstrap-server", t.addr, "--describe", "--topic-list", topic)
	t.Contains(out, topic+"-0", topic+"-1", `"offsetLag":0`, `"isFuture":false`, `"error":null`)
	if !regexp.MustCompile(`"size":[1-9]`).MatchString(out) {
		t.Errorf("a partition with a record has a size: %s", out)
	}
}

func javaVersions(t *T) {
	out := t.Java("", tools+"BrokerApiVersionsCommand", "--bootstrap-server", t.addr)
	t.Contains(out, "Produce(0): ", "Fetch(1): ", "Metadata(3): ", "ApiVersions(18): ", "[usable: ")
	t.Lacks(out, "ERROR", "Exception")
	usable := regexp.MustCompile(`\[usable: `).FindAllString(out, -1)
	t.note = fmt.Sprintf("%d APIs usable by the Java client", len(usable))
}

func javaVerifiable(t *T) {
	topic := t.Topic(2)
	out := t.Java("", tools+"VerifiableProducer", "--bootstrap-server", t.addr, "--topic", topic, "--max-messages", "2000", "--throughput", "-1", "--acks", "-1")
	sent := 0
	for _, line := range t.JSONLines(out) {
		if line["name"] == "producer_send_success" {
			sent++
		}
	}
	t.Equal(sent, 2000, "successes of the producer")
	out = t.Java("", tools+"VerifiableConsumer", "--bootstrap-server", t.addr, "--topic", topic, "--group-id", t.Name("g"), "--max-messages", "2000", "--reset-policy", "earliest")
	read, committed := 0, false
	for _, line := range t.JSONLines(out) {
		switch line["name"] {
		case "records_consumed":
			read += int(line["count"].(float64))
		case "offsets_committed":
			committed = committed || line["success"] == true
		}
	}
	t.Equal(read, 2000, "records of the consumer")
	t.Equal(committed, true, "its offsets were committed")
}

func javaPerformance(t *T) {
	topic := t.Topic(4)
	out := t.Java("", tools+"ProducerPerformance", "--topic", topic, "--num-records", "50000", "--record-size", "1000", "--throughput", "-1",
		"--bootstrap-server", t.addr, "--command-property", "compression.type=lz4")
	t.Contains(out, "50000 records sent", "99.9th")
	out = t.Java("", tools+"ConsumerPerformance", "--bootstrap-server", t.addr, "--topic", topic, "--num-records", "50000", "--timeout", "20000")
	t.Contains(out, "start.time", "50000")
}

// javaBrokerConfigs: a broker's own setting beats the cluster's default, which beats the file, and every answer names the chain.
func javaBrokerConfigs(t *T) {
	t.Own(0, nil)
	topic := t.Topic(1)
	config := func(args ...string) string {
		return t.Java("", "kafka.admin.ConfigCommand", append([]string{"--bootstrap-server", t.addr}, args...)...)
	}
	id := fmt.Sprint(t.brokerID())
	one, all := []string{"--entity-type", "brokers", "--entity-name", id}, []string{"--entity-type", "brokers", "--entity-default"}
	config(append(all, "--alter", "--add-config", "log.segment.bytes=2097152,log.cleaner.threads=1")...)
	config(append(one, "--alter", "--add-config", "log.segment.bytes=3145728")...)
	t.Contains(config(append(one, "--describe")...), "log.segment.bytes=3145728",
		"DYNAMIC_BROKER_CONFIG:log.segment.bytes=3145728, DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.bytes=2097152, STATIC_BROKER_CONFIG:log.segment.bytes=1048576, DEFAULT_CONFIG:log.segment.bytes=1073741824")
	t.Contains(config("--entity-type", "topics", "--entity-name", topic, "--describe", "--all"), "segment.bytes=3145728")
	t.Contains(config(append(one, "--describe", "--all")...), "node.id="+id, "log.dirs=")
	config(append(one, "--alter", "--delete-config", "log.segment.bytes")...)
	t.Contains(config("--entity-type", "topics", "--entity-name", topic, "--describe", "--all"), "segment.bytes=2097152")
	out, err, _ := t.JavaTry("", "kafka.admin.ConfigCommand", append([]string{"--bootstrap-server", t.addr, "--alter", "--add-config", "node.id=9"}, one...)...)
	if err == nil {
		t.Errorf("a setting that a running broker cannot change is taken: %s", out)
	}
	t.Contains(out, "InvalidRequestException")
}

// brokerID of the only broker.
func (t *T) brokerID() int32 {
	m, err := t.Admin().BrokerMetadata(t.ctx)
	t.Must(err, "Metadata")
	return m.Brokers[0].NodeID
}

// javaResetToTime: a group is set to a time, and the console consumer goes on from there; and kcat from a time of its own.
func javaResetToTime(t *T) {
	topic, group := t.Topic(1), t.Name("g")
	t.kcat("early\n", "-P", "-t", topic)
	between := time.UnixMilli(later())
	t.kcat("late\n", "-P", "-t", topic)
	t.Java("", tools+"consumer.group.ConsumerGroupCommand", "--bootstrap-server", t.addr, "--reset-offsets", "--group", group, "--topic", topic,
		"--to-datetime", between.UTC().Format("2006-01-02T15:04:05.000Z"), "--execute")
	out := t.Java("", tools+"consumer.ConsoleConsumer", "--bootstrap-server", t.addr, "--topic", topic, "--group", group, "--max-messages", "1", "--timeout-ms", "20000",
		"--formatter-property", "print.timestamp=true")
	t.Contains(out, "late", "CreateTime:")
	t.Lacks(out, "early")
	t.Equal(t.kcat("", "-C", "-t", topic, "-e", "-o", fmt.Sprintf("s@%d", between.UnixMilli())), "late\n", "kcat from a time")
}

// javaCluster: the cluster's id and address, the kinds of things that have settings, and who writes into a partition.
func javaCluster(t *T) {
	topic := t.Topic(1)
	t.kcat("x\n", "-P", "-t", topic, "-X", "enable.idempotence=true")
	m, err := t.Admin().BrokerMetadata(t.ctx)
	t.Must(err, "Metadata")
	t.Contains(t.Java("", tools+"ClusterTool", "cluster-id", "--bootstrap-server", t.addr), "Cluster ID: "+m.Cluster)
	t.Contains(t.Java("", tools+"ClusterTool", "list-endpoints", "--bootstrap-server", t.addr), portOf(t.addr))
	out := t.Java("", tools+"TransactionsCommand", "--bootstrap-server", t.addr, "describe-producers", "--topic", topic, "--partition", "0")
	if !regexp.MustCompile(`(?m)^\d+\s+0\s+-?\d+\s+0\s+\d+\s+None`).MatchString(out) {
		t.Errorf("a producer of epoch 0 with last sequence 0 and no transaction wanted: %s", out)
	}
	t.Java("", "kafka.admin.ConfigCommand", "--bootstrap-server", t.addr, "--entity-type", "client-metrics", "--describe")
	t.Java("", "kafka.admin.ConfigCommand", "--bootstrap-server", t.addr, "--entity-type", "groups", "--describe")
}

// javaRefusals: what people read on their screen.
func javaRefusals(t *T) {
	produce := func(topic, text string, more ...string) string {
		return t.Java(text+"\n", tools+"ConsoleProducer", append([]string{"--bootstrap-server", t.addr, "--topic", topic}, more...)...)
	}
	t.Contains(produce(t.Topic(1, "max.message.bytes=1000"), strings.Repeat("x", 5000)), "RecordTooLargeException")
	t.Contains(produce("not/legal", "x"), "InvalidTopicException")
	out, _, _ := t.JavaTry("", tools+"VerifiableProducer", "--bootstrap-server", t.addr, "--topic", t.Topic(1, "message.timestamp.before.max.ms=60000"),
		"--max-messages", "1", "--acks", "-1", "--message-create-time", "1000000000000")
	t.Contains(out, "producer_send_error", "InvalidTimestampException")
	none := t.Name("none")
	for _, c := range []struct {
		class string
		args  []string
		want  string
	}{
		{"TopicCommand", []string{"--describe", "--topic", none}, "does not exist as expected"},
		{"TopicCommand", []string{"--create", "--topic", none, "--replication-factor", "3"}, "InvalidReplicationFactorException"},
		{"TopicCommand", []string{"--create", "--topic", none, "--config", "retention.ms=soon"}, "Invalid value soon for configuration retention.ms"},
	} {
		out, err, took := t.JavaTry("", tools+c.class, append(c.args, "--bootstrap-server", t.addr)...)
		if err == nil || took > 20*time.Second {
			t.Errorf("%s %v: error %v after %v", c.class, c.args, err, took)
		}
		t.Contains(out, c.want)
	}
}

// javaTransactional: where transactions are not advertised, the producer is refused for good and does not repeat itself.
func javaTransactional(t *T) {
	topic := t.Topic(1)
	out, err, took := t.JavaTry("", tools+"ProducerPerformance", "--topic", topic, "--num-records", "100", "--record-size", "10", "--throughput", "-1",
		"--bootstrap-server", t.addr, "--transactional-id", t.Name("tx"))
	if t.transactions() {
		t.Must(err, out)
		t.Contains(out, "100 records sent")
		return
	}
	if err == nil || took > 15*time.Second {
		t.Errorf("error %v after %v:\n%s", err, took, out)
	}
	t.Contains(out, "TransactionalIdAuthorizationException")
	t.note = fmt.Sprintf("refused after %.1f s", took.Seconds())
}
