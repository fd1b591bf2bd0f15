package cli

import (
	"slices"
	"strings"
	"testing"
)

// A file with layout and comments against the same in the registry's form: what differs is what was changed.
func TestProtoLines(t *testing.T) {
	file := `syntax = "proto3"; // with a comment; and a {brace}
package shop;

/* an order
   of two lines */
message Order { int64 id = 1; string name=2 [deprecated = true,json_name="a;{"];
	map<string,int32> parts = 3;
	message Line { repeated string articles = 1; };
}
service S { rpc Get (Order) returns (stream Order); }
enum Kind { A = 0; B = -1; }`
	stored := strings.NewReplacer(" // with a comment; and a {brace}", "\n", "/* an order\n   of two lines */\n", "", "string,int32", "string, int32", "{ int64", "{\n  int64", "name=2", "name = 2",
		"true,json", "true, json", `json_name="`, `json_name = "`, "Get (", "Get(", "};", "}", "string name", "bytes name").Replace(file)
	v := func(text string) []string { return diffText(schemaVersion{Type: "PROTOBUF", Text: text}) }
	var changed []string
	for _, line := range lineDiff(v(stored), v(file)) {
		if line[0] != ' ' {
			changed = append(changed, line)
		}
	}
	if want := []string{`-  bytes name = 2 [deprecated = true, json_name = "a;{"];`, `+  string name = 2 [deprecated = true, json_name = "a;{"];`}; !slices.Equal(changed, want) {
		t.Errorf("%q", changed)
	}
}
