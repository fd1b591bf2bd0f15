package config

// registrySettings: the schema registry inside the node. Confluent's names stand behind schema.registry., except the one that
// begins with schema already.
var registrySettings = []Setting{
	{Name: "schema.registry.listeners", Type: List, Own: true, Rule: webAddresses(),
		Doc: "Where the schema registry is served, as http://host:port, separated by commas; an empty list runs none, and millrace dev sets http://localhost:8081."},
	{Name: "schema.registry.allow.anonymous", Type: Boolean, Default: "false", Own: true,
		Doc: "Whether schema.registry.listeners may be open to other machines, although nobody has to log in there."},
	{Name: "schema.registry.topic", Type: String, Default: "_schemas", Own: true, Rule: topicName(),
		Doc: "The topic that holds the schemas (Confluent's kafkastore.topic); it has one partition and is compacted."},
	{Name: "schema.compatibility.level", Type: String, Default: "BACKWARD", Own: true,
		Rule: oneOfFold("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"),
		Doc:  "The compatibility level of the schema registry where nobody has set one."},
	{Name: "schema.registry.mode.mutability", Type: Boolean, Default: "true", Own: true,
		Doc: "Whether the modes of the schema registry can be changed (Confluent's mode.mutability)."},
	{Name: "schema.registry.request.timeout.ms", Type: Int, Default: "30000", Own: true, Rule: atLeast(1000),
		Doc: "How long one request to the schema registry may take."},
	{Name: "schema.registry.request.max.bytes", Type: Int, Default: "8388608", Own: true, Rule: atLeast(1),
		Doc: "The largest body of a request to the schema registry."},
	{Name: "schema.registry.parse.timeout.ms", Type: Int, Default: "2000", Own: true, Rule: atLeast(1),
		Doc: "How long parsing and comparing schemas may take in one request to the schema registry."},
}
