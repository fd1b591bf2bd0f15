package config

// quotaSettings: quotas.
var quotaSettings = []Setting{
	{Name: "quota.window.num", Type: Int, Default: "11", Rule: atLeast(1), Class: NotYet,
		Doc: "How many windows a client quota is measured over."},
	{Name: "quota.window.size.seconds", Type: Int, Default: "1", Rule: atLeast(1), Class: NotYet,
		Doc: "How long such a window is."},
	{Name: "replication.quota.window.num", Type: Int, Default: "11", Rule: atLeast(1), Class: NotYet,
		Doc: "How many windows a replication quota is measured over."},
	{Name: "replication.quota.window.size.seconds", Type: Int, Default: "1", Rule: atLeast(1), Class: NotYet,
		Doc: "How long such a window is."},
	{Name: "alter.log.dirs.replication.quota.window.num", Type: Int, Default: "11", Rule: atLeast(1), Class: NotYet,
		Doc: "How many windows the quota of moves between directories is measured over."},
	{Name: "alter.log.dirs.replication.quota.window.size.seconds", Type: Int, Default: "1", Rule: atLeast(1), Class: NotYet,
		Doc: "How long such a window is."},
	{Name: "controller.quota.window.num", Type: Int, Default: "11", Rule: atLeast(1), Class: NotYet,
		Doc: "How many windows the quota of topic changes is measured over."},
	{Name: "controller.quota.window.size.seconds", Type: Int, Default: "1", Rule: atLeast(1), Class: NotYet,
		Doc: "How long such a window is."},
	{Name: "client.quota.callback.class", Type: JavaClass, Unset: true, Class: Secures,
		Note: "a Java class cannot run here, and leaving it out would drop the quotas it sets",
		Doc:  "A Java class that sets quotas."},
}
