package main

import (
	"os"
	"os/exec"
)

// Our own command line, the other way round: a client that any cluster must be able to serve.
func init() {
	register(Case{"verbs/against-cluster", true, verbs})
}

// verbs runs the tests of the command line and of group lag that want a cluster: the life of a topic and of a group, and
// records decoded for `schema check --against`.
func verbs(t *T) {
	cmd := exec.CommandContext(t.ctx, "go", "test", "./internal/apps/cli", "./internal/apps/lag", "-count=1", "-run", "AgainstCluster")
	cmd.Env = append(os.Environ(), "LOAD_BOOTSTRAP="+t.addr)
	t.wait(cmd, "")
}
