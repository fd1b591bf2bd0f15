package house

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A line of the import table: what a package may import of ours and, where named, of others. Paths of ours are below
// internal/ unless they begin with another folder of the module.
type line struct {
	pkg    string
	ours   string // "*": all
	others string // prefixes; "*": all. The standard library is left to the purity test
}

// The hourglass: imports go downwards only. Formats know nothing; core decides and never does; node does and never decides;
// above the waist there is only the protocol.
var table = []line{
	{"config", "", ""},
	{"metrics", "", "github.com/prometheus/client_golang"},
	{"checker", "", ""},
	{"checker/load", "checker", franz},
	{"house", "", ""},

	{"kafka/wire", "", ""},
	{"kafka/batch", "kafka/wire", "github.com/klauspost/compress github.com/pierrec/lz4/v4"},
	{"kafka/record", "kafka/wire", ""},
	{"kafka/record/gen", "", ""},

	{"core/machine", "", ""},
	{"core/machine/toy", "core/machine", ""},
	{"core/quorum", "", "go.etcd.io/raft/v3 google.golang.org/protobuf/proto"},
	{"core/replica", "", ""},
	{"core/quota", "", ""},
	{"core/meta", "kafka/wire kafka/record core/machine config", ""},
	{"core/group", "kafka/wire kafka/record core/machine core/meta config", ""},
	{"core/auth", "kafka/wire kafka/record core/meta", ""},

	{"node/env", "", "golang.org/x/sys/unix"},
	{"node/env/failpoint", "", ""},
	{"node/env/simenv", "node/env", ""},
	// commitlog takes topic ids, a value of the protocol.
	{"node/commitlog", "node/env node/env/failpoint kafka/wire kafka/batch kafka/record metrics", ""},
	{"node/host", "node/env node/env/failpoint node/commitlog kafka/wire kafka/batch kafka/record core/machine core/quorum core/replica core/meta core/quota metrics", ""},
	// broker hands batches to the logs that host owns, in commitlog's values; it opens no log itself.
	{"node/broker", "node/env node/env/failpoint node/host node/commitlog kafka/wire kafka/batch core/machine core/meta core/auth core/quota core/group config metrics",
		"github.com/twmb/franz-go/pkg/kmsg golang.org/x/sys/unix"},
	{"node/admin", "node/env node/host core/auth core/meta config metrics", ""},

	{"apps/cli", "kafka/record checker checker/load config metrics serde", franz + " github.com/spf13/cobra"},
	{"apps/lag", "metrics", franz},
	{"apps/registry/schema", "", "github.com/twmb/avro github.com/santhosh-tekuri/jsonschema/v6 github.com/bufbuild/protocompile google.golang.org/protobuf"},
	{"apps/registry/schema/schemagen", "apps/registry/schema", "google.golang.org/protobuf github.com/bufbuild/protocompile pgregory.net/rapid"},
	{"apps/registry/compat", "apps/registry/schema", "github.com/twmb/avro github.com/santhosh-tekuri/jsonschema/v6 google.golang.org/protobuf"},
	{"apps/registry/state", "apps/registry/schema", "github.com/klauspost/compress/s2"},
	{"apps/registry", "apps/registry/schema apps/registry/compat apps/registry/state", franz},

	// serde is public: for programs on franz-go, ours and others'.
	{"serde", "", franz + " github.com/twmb/avro github.com/santhosh-tekuri/jsonschema/v6 github.com/bufbuild/protocompile google.golang.org/protobuf"},
	{"serde/internal/shoppb", "", "google.golang.org/protobuf"},
	{"serde/internal/shoppb/gen", "", "github.com/bufbuild/protocompile google.golang.org/protobuf"},

	{"boot", "*", "*"},
	{"cmd/millrace", "boot apps/cli", ""},
	{"test/target", "*", "*"},
	{"test/target/cmd", "*", "*"},
	{"test/bench", "*", "*"},
	{"test/conformance", "*", "*"},
	{"test/crash", "*", "*"},
}

const franz = "github.com/twmb/franz-go/pkg"

const importReason = "imports go downwards only, so that formats stay formats, core stays pure and apps run on any Kafka cluster: " +
	"move the code to the package that may, hand the value down as an argument, or argue for a new line in internal/house/imports_test.go"

func TestImports(t *testing.T) {
	for _, fault := range importFaults(packages(t), table) {
		t.Error(fault)
	}
}

// importFaults says which import the table does not have. Packages without a line and lines without a package are faults too.
func importFaults(list []listed, table []line) []string {
	var faults []string
	lines := map[string]line{}
	for _, l := range table {
		lines[place(l.pkg)] = l
	}
	for _, p := range list {
		l, ok := lines[p.name()]
		if !ok {
			faults = append(faults, fmt.Sprintf("%s has no line in the import table: %s", p.name(), importReason))
			continue
		}
		delete(lines, p.name())
		for _, i := range p.Imports {
			if !l.allows(i) {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", p.name(), i, importReason))
			}
		}
	}
	for name := range lines {
		faults = append(faults, fmt.Sprintf("the import table has a line for %s, which does not exist", name))
	}
	slices.Sort(faults)
	return faults
}

func (l line) allows(path string) bool {
	if of, ok := strings.CutPrefix(path, module+"/"); ok {
		return l.ours == "*" || slices.ContainsFunc(strings.Fields(l.ours), func(p string) bool { return place(p) == of })
	}
	if domain, _, _ := strings.Cut(path, "/"); !strings.Contains(domain, ".") {
		return true
	}
	return l.others == "*" || slices.ContainsFunc(strings.Fields(l.others), func(p string) bool {
		return path == p || strings.HasPrefix(path, p+"/")
	})
}

func place(pkg string) string {
	for _, top := range []string{"cmd/", "test/", "internal/", "serde"} {
		if strings.HasPrefix(pkg, top) {
			return pkg
		}
	}
	return "internal/" + pkg
}

func TestImportFaults(t *testing.T) {
	table := []line{{"core/x", "kafka/wire", "go.etcd.io/raft/v3"}, {"gone", "", ""}}
	cases := []struct {
		name    string
		list    []listed
		contain []string
	}{
		{"sideways", []listed{{ImportPath: "millrace/internal/core/x", Imports: []string{"fmt", "millrace/internal/kafka/wire", "millrace/internal/node/host"}}},
			[]string{"core/x imports millrace/internal/node/host", "line for internal/gone"}},
		{"a folder is not its subfolders", []listed{{ImportPath: "millrace/internal/core/x", Imports: []string{"millrace/internal/kafka/wire/deep"}}},
			[]string{"imports millrace/internal/kafka/wire/deep", "line for internal/gone"}},
		{"somebody else's", []listed{{ImportPath: "millrace/internal/core/x", Imports: []string{"go.etcd.io/raft/v3/raftpb", "go.etcd.io/raftish"}}},
			[]string{"imports go.etcd.io/raftish", "line for internal/gone"}},
		{"unknown", []listed{{ImportPath: "millrace/streams"}},
			[]string{"streams has no line", "line for internal/core/x", "line for internal/gone"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { wantFaults(t, importFaults(c.list, table), c.contain) })
	}
}

// wantFaults checks that there is one fault for each of the given parts, in any order, and no other.
func wantFaults(t *testing.T, got, parts []string) {
	t.Helper()
	if len(got) != len(parts) {
		t.Errorf("%d faults, not %d: %q", len(got), len(parts), got)
	}
	for _, part := range parts {
		if !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, part) }) {
			t.Errorf("no fault says %q: %q", part, got)
		}
	}
}
