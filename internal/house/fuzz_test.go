package house

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// fuzzed names a fuzz target for everything that bytes from outside reach first.
var fuzzed = []struct{ what, pkg, target string }{
	{"frames of a connection", "internal/node/broker", "FuzzFrames"},
	{"request headers", "internal/kafka/wire", "FuzzHeader"},
	{"Produce", "internal/kafka/wire", "FuzzProduce"},
	{"Fetch", "internal/kafka/wire", "FuzzFetch"},
	{"record batches", "internal/kafka/batch", "FuzzBatch"},
	{"records that are not decoded whole", "internal/kafka/batch", "FuzzScan"},
	{"schema ids of records", "internal/node/broker", "FuzzSchemaCheck"},
	{"offset, time and transaction indexes", "internal/node/commitlog", "FuzzIndexes"},
	{"producer snapshots", "internal/node/commitlog", "FuzzSnapshot"},
	{"records of internal topics", "internal/kafka/record", "FuzzRecords"},
	{"records of the metadata log", "internal/kafka/record", "FuzzMetadata"},
	{"replay of a group's log", "internal/core/group", "FuzzReplay"},
	{"values with schemas", "serde", "FuzzRead"},
	{"server.properties", "internal/config", "FuzzParseProperties"},
}

func TestFuzzTargets(t *testing.T) {
	for _, fault := range fuzzFaults(t, packages(t)) {
		t.Error(fault)
	}
}

func fuzzFaults(t *testing.T, list []listed) []string {
	t.Helper()
	texts := map[string]string{}
	for _, p := range list {
		for _, f := range p.files(true) {
			if strings.HasSuffix(f, "_test.go") {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				texts[p.name()] += string(text)
			}
		}
	}
	var faults []string
	for _, f := range fuzzed {
		if !regexp.MustCompile(`(?m)^func ` + f.target + `\(\w+ \*testing\.F\)`).MatchString(texts[f.pkg]) {
			faults = append(faults, fmt.Sprintf("%s has no %s for %s: whatever reads bytes from outside is fuzzed", f.pkg, f.target, f.what))
		}
	}
	return faults
}

func TestFuzzFaults(t *testing.T) {
	if got := fuzzFaults(t, nil); len(got) != len(fuzzed) {
		t.Errorf("a module without tests has %d faults, not %d", len(got), len(fuzzed))
	}
}
