package config

// observeSettings: metrics.
var observeSettings = []Setting{
	{Name: "metric.reporters", Type: List, Default: "org.apache.kafka.common.metrics.JmxReporter", Scope: ClusterWide, Class: NoEffect,
		Note: "metrics are served for Prometheus on admin.listeners",
		Doc:  "Java classes that report metrics."},
	{Name: "metrics.num.samples", Type: Int, Default: "2", Rule: atLeast(1), Class: NoEffect,
		Note: "Prometheus samples counters itself",
		Doc:  "How many samples a metric keeps."},
	{Name: "metrics.recording.level", Type: String, Default: "INFO", Class: NoEffect,
		Note: "every metric is always recorded",
		Doc:  "How much is recorded."},
	{Name: "metrics.sample.window.ms", Type: Long, Default: "30000", Rule: atLeast(1), Class: NoEffect,
		Note: "Prometheus samples counters itself",
		Doc:  "How long a sample lasts."},
	{Name: "kafka.metrics.reporters", Type: List, Class: NoEffect,
		Note: "metrics are served for Prometheus on admin.listeners",
		Doc:  "Java classes that report the older metrics."},
	{Name: "kafka.metrics.polling.interval.secs", Type: Int, Default: "10", Rule: atLeast(1), Class: NoEffect,
		Note: "metrics are served for Prometheus on admin.listeners",
		Doc:  "How often such a class is asked."},
	{Name: "telemetry.max.bytes", Type: Int, Default: "1048576", Rule: atLeast(1), Class: NotYet,
		Doc: "The most bytes of metrics a client may push at once."},
}
