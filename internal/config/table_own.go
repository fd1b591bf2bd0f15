package config

// ownSettings: what Kafka has no word for.
var ownSettings = []Setting{
	{Name: "log.flush.before.ack", Topic: "flush.before.ack", Type: Boolean, Default: "true", Scope: ClusterWide, Own: true,
		Doc: "Whether acks=all is answered only once the records are on disk; with false the page cache counts, as in Kafka."},
	{Name: "allow.anonymous", Type: Boolean, Default: "false", Own: true, PerListener: true,
		Doc: "Whether a listener without authentication may be open to other machines: listener.name.NAME.allow.anonymous=true."},
	{Name: "admin.listeners", Type: List, Default: "127.0.0.1:9644", Own: true, Rule: hostPorts(),
		Doc: "Where metrics, health and profiles are served over HTTP, as host:port, separated by commas; an empty list serves them nowhere."},
	{Name: "admin.allow.anonymous", Type: Boolean, Default: "false", Own: true,
		Doc: "Whether admin.listeners may be open to other machines, although nobody has to log in there."},
	{Name: "admin.allowed.hosts", Type: List, Own: true,
		Doc: "Further names by which admin.listeners may be called, besides localhost and addresses; requests for other names are refused."},
}

// removedSettings: keys of older Kafka releases that are still found in people's files.
var removedSettings = []Setting{
	{Name: "zookeeper.connect", Type: String, Class: NoEffect, Removed: true, Note: "there is no ZooKeeper: metadata is kept by the node itself"},
	{Name: "zookeeper.connection.timeout.ms", Type: Int, Class: NoEffect, Removed: true, Note: "there is no ZooKeeper: metadata is kept by the node itself"},
	{Name: "zookeeper.session.timeout.ms", Type: Int, Class: NoEffect, Removed: true, Note: "there is no ZooKeeper: metadata is kept by the node itself"},
	{Name: "zookeeper.max.in.flight.requests", Type: Int, Class: NoEffect, Removed: true, Note: "there is no ZooKeeper: metadata is kept by the node itself"},
	{Name: "zookeeper.set.acl", Type: Boolean, Class: NoEffect, Removed: true, Note: "there is no ZooKeeper: metadata is kept by the node itself"},
	{Name: "broker.id.generation.enable", Type: Boolean, Class: NoEffect, Removed: true, Note: "node.id names the node"},
	{Name: "reserved.broker.max.id", Type: Int, Class: NoEffect, Removed: true, Note: "node.id names the node"},
	{Name: "inter.broker.protocol.version", Type: String, Class: NoEffect, Removed: true, Note: "the finalized metadata.version takes its place"},
	{Name: "log.message.format.version", Type: String, Class: NoEffect, Removed: true, Note: "there is one message format"},
	{Name: "log.message.downconversion.enable", Type: Boolean, Class: NoEffect, Removed: true, Note: "there is one message format"},
	{Name: "log.message.timestamp.difference.max.ms", Type: Long, Class: NoEffect, Removed: true, Note: "log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms take its place"},
	{Name: "offsets.commit.required.acks", Type: Short, Class: NoEffect, Removed: true, Note: "an offset commit is answered when it is committed"},
	{Name: "control.plane.listener.name", Type: String, Class: NoEffect, Removed: true, Note: "controller.listener.names takes its place"},
	{Name: "controlled.shutdown.max.retries", Type: Int, Class: NoEffect, Removed: true, Note: "a stop always flushes, closes and marks the directory clean"},
	{Name: "controlled.shutdown.retry.backoff.ms", Type: Long, Class: NoEffect, Removed: true, Note: "a stop always flushes, closes and marks the directory clean"},
	{Name: "auto.include.jmx.reporter", Type: Boolean, Class: NoEffect, Removed: true, Note: "metrics are served for Prometheus on admin.listeners"},
	{Name: "group.coordinator.new.enable", Type: Boolean, Class: NoEffect, Removed: true, Note: "there is one group coordinator"},
	{Name: "quota.producer.default", Type: Long, Class: NoEffect, Removed: true, Note: "client quotas take its place, once they are built"},
	{Name: "quota.consumer.default", Type: Long, Class: NoEffect, Removed: true, Note: "client quotas take its place, once they are built"},
	{Name: "port", Type: Int, Class: NoEffect, Removed: true, Note: "listeners takes its place"},
	{Name: "host.name", Type: String, Class: NoEffect, Removed: true, Note: "listeners takes its place"},
	{Name: "advertised.port", Type: Int, Class: NoEffect, Removed: true, Note: "advertised.listeners takes its place"},
	{Name: "advertised.host.name", Type: String, Class: NoEffect, Removed: true, Note: "advertised.listeners takes its place"},
}

// removedTopicSettings: keys of older releases that clients still send with a new topic.
var removedTopicSettings = []Setting{
	{Name: "message.downconversion.enable", Type: Boolean, Scope: OfTopic, Class: NoEffect, Removed: true, Note: "there is one message format"},
	{Name: "message.format.version", Type: String, Scope: OfTopic, Class: NoEffect, Removed: true, Note: "there is one message format"},
	{Name: "message.timestamp.difference.max.ms", Type: Long, Scope: OfTopic, Class: NoEffect, Removed: true, Note: "message.timestamp.before.max.ms and message.timestamp.after.max.ms take its place"},
}
