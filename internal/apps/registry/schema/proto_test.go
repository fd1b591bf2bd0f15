package schema_test

import (
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
)

var protoForms = []struct{ name, text, canonical, normalized string }{
	{"comments and white space go",
		"// license\nsyntax = 'proto3' ; package a.b; /* x */\nmessage M{string f=1; // trailing\n}",
		"syntax = \"proto3\";\npackage a.b;\n\nmessage M {\n  string f = 1;\n}\n", ""},
	{"proto2 said or not said",
		"syntax = \"proto2\";\nmessage M {\n  required int32 a = 1;\n}\n",
		"syntax = \"proto2\";\n\nmessage M {\n  required int32 a = 1;\n}\n",
		"message M {\n  required int32 a = 1;\n}\n"},
	{"messages before enums, fields before oneofs",
		`syntax = "proto3"; package p; enum E { Z = 0; } message M { oneof o { int32 c = 3; int32 b = 2; } E a = 1; enum F { Y = 0; } message N {} } message L {}`,
		`syntax = "proto3";
package p;

message M {
  E a = 1;

  oneof o {
    int32 c = 3;
    int32 b = 2;
  }

  message N {
  }

  enum F {
    Y = 0;
  }
}

message L {
}

enum E {
  Z = 0;
}
`,
		`syntax = "proto3";
package p;

message M {
  .p.E a = 1;

  oneof o {
    int32 b = 2;
    int32 c = 3;
  }

  message N {
  }

  enum F {
    Y = 0;
  }
}

message L {
}

enum E {
  Z = 0;
}
`},
	{"everything a message of proto2 may hold",
		`syntax = "proto2"; package p;
message M {
  extensions 100 to 199, 50;
  extensions 1000 to max [verification = UNVERIFIED];
  reserved 9, 5 to 7; reserved "y", "x";
  optional group G = 3 { optional int32 g = 1; }
  repeated string s = 2 [deprecated = true, json_name = "S"];
  optional int32 i = 1 [default = -5];
  optional bytes b = 4 [default = "\x00\"a"];
  optional double d = 8 [default = inf];
  map<string, N> m = 10;
  message N { option deprecated = true; }
  extend M { optional int32 e = 101; }
}
extend M { optional int32 z = 102; optional string y = 100; }
enum E { B = 1; A = 0; reserved 5 to max; }`,
		`syntax = "proto2";
package p;

message M {
  reserved 9, 5 to 7;
  reserved "y", "x";
  repeated string s = 2 [
    deprecated = true,
    json_name = "S"
  ];
  optional int32 i = 1 [default = -5];
  optional bytes b = 4 [default = "\000\"a"];
  optional double d = 8 [default = inf];
  map<string, N> m = 10;

  optional group G = 3 {
    optional int32 g = 1;
  }

  extensions 100 to 199;
  extensions 50;
  extensions 1000 to max [verification = UNVERIFIED];

  message N {
    option deprecated = true;
  }

  extend M {
    optional int32 e = 101;
  }
}

enum E {
  reserved 5 to max;
  B = 1;
  A = 0;
}

extend M {
  optional int32 z = 102;
  optional string y = 100;
}
`,
		`package p;

message M {
  reserved 5 to 7, 9;
  reserved "x", "y";
  optional int32 i = 1 [default = -5];
  repeated string s = 2 [
    deprecated = true,
    json_name = "S"
  ];
  optional bytes b = 4 [default = "\000\"a"];
  optional double d = 8 [default = inf];
  map<string, .p.M.N> m = 10;

  optional group G = 3 {
    optional int32 g = 1;
  }

  extensions 50;
  extensions 100 to 199;
  extensions 1000 to max [verification = UNVERIFIED];

  message N {
    option deprecated = true;
  }

  extend .p.M {
    optional int32 e = 101;
  }
}

enum E {
  reserved 5 to max;
  B = 1;
  A = 0;
}

extend .p.M {
  optional string y = 100;
  optional int32 z = 102;
}
`},
	{"custom options and metadata",
		`syntax = "proto3"; package p; import "google/protobuf/descriptor.proto"; import "confluent/meta.proto";
option java_package = "x"; option go_package = "y";
extend google.protobuf.FieldOptions { string note = 50000; Deep deep = 50001; repeated int32 many = 50002; }
message Deep { Deep in = 1; string s = 2; map<string, int32> m = 3; }
message M {
  option (confluent.message_meta) = { doc: "d" tags: "a", tags: "b"; params: [{key: "k", value: "v"}] };
  string f = 1 [(note) = 'it''s', (deep).in.s = "x", (deep).s = "y", (many) = 1, (many) = 2];
}`,
		`syntax = "proto3";
package p;

import "google/protobuf/descriptor.proto";
import "confluent/meta.proto";

option java_package = "x";
option go_package = "y";

message Deep {
  Deep in = 1;
  string s = 2;
  map<string, int32> m = 3;
}

message M {
  option (confluent.message_meta) = {
    doc: "d",
    tags: "a",
    tags: "b",
    params: [
      {
        key: "k",
        value: "v"
      }
    ]
  };

  string f = 1 [
    (note) = "its",
    (deep).in.s = "x",
    (deep).s = "y",
    (many) = 1,
    (many) = 2
  ];
}

extend google.protobuf.FieldOptions {
  string note = 50000;
  Deep deep = 50001;
  repeated int32 many = 50002;
}
`,
		`syntax = "proto3";
package p;

import "confluent/meta.proto";
import "google/protobuf/descriptor.proto";

option go_package = "y";
option java_package = "x";

message Deep {
  .p.Deep in = 1;
  string s = 2;
  map<string, int32> m = 3;
}

message M {
  option (.confluent.message_meta) = {
    doc: "d",
    params: [
      {
        key: "k",
        value: "v"
      }
    ],
    tags: [
      "a",
      "b"
    ]
  };

  string f = 1 [
    (.p.deep) = {
      in: {
        s: "x"
      },
      s: "y"
    },
    (.p.many) = 1,
    (.p.many) = 2,
    (.p.note) = "its"
  ];
}

extend .google.protobuf.FieldOptions {
  string note = 50000;
  .p.Deep deep = 50001;
  repeated int32 many = 50002;
}
`},
	{"presence in proto3 and constants with numbers below zero",
		`syntax = "proto3"; message M { optional int32 a = 2; int32 b = 1; E e = 3; } enum E { option allow_alias = true; ZERO = 0; TWO = 2; MINUS = -1; ZWEI = 2; DEUX = 2 [deprecated = true]; }`,
		`syntax = "proto3";

message M {
  optional int32 a = 2;
  int32 b = 1;
  E e = 3;
}

enum E {
  option allow_alias = true;
  ZERO = 0;
  TWO = 2;
  MINUS = -1;
  ZWEI = 2;
  DEUX = 2 [deprecated = true];
}
`,
		`syntax = "proto3";

message M {
  int32 b = 1;
  optional int32 a = 2;
  .E e = 3;
}

enum E {
  option allow_alias = true;
  ZERO = 0;
  MINUS = -1;
  DEUX = 2 [deprecated = true];
  TWO = 2;
  ZWEI = 2;
}
`},
	{"editions",
		`edition = "2023"; package p; option features.field_presence = IMPLICIT; message M { reserved foo, bar; int32 a = 2 [features.field_presence = EXPLICIT]; M b = 1 [features.message_encoding = DELIMITED]; }`,
		`edition = "2023";
package p;

option features.field_presence = IMPLICIT;

message M {
  reserved foo, bar;
  int32 a = 2 [features.field_presence = EXPLICIT];
  M b = 1 [features.message_encoding = DELIMITED];
}
`,
		`edition = "2023";
package p;

option features = {
  field_presence: IMPLICIT
};

message M {
  reserved bar, foo;
  .p.M b = 1 [features = {
    message_encoding: DELIMITED
  }];
  int32 a = 2 [features = {
    field_presence: EXPLICIT
  }];
}
`},
	{"services keep the order of their methods",
		`syntax = "proto3"; package p; message Q {} service S { option deprecated = true; rpc B (stream Q) returns (p.Q) { option deprecated = true; } rpc A(Q) returns (stream Q); }`,
		`syntax = "proto3";
package p;

message Q {
}

service S {
  option deprecated = true;

  rpc B (stream Q) returns (p.Q) {
    option deprecated = true;
  }
  rpc A (Q) returns (stream Q);
}
`,
		`syntax = "proto3";
package p;

message Q {
}

service S {
  option deprecated = true;

  rpc B (stream .p.Q) returns (.p.Q) {
    option deprecated = true;
  }
  rpc A (.p.Q) returns (stream .p.Q);
}
`},
}

func TestProtobufForms(t *testing.T) {
	for _, c := range protoForms {
		t.Run(c.name, func(t *testing.T) {
			normalized := c.normalized
			if normalized == "" {
				normalized = c.canonical
			}
			s := schema.Schema{Type: schema.Protobuf, Text: c.text}
			checkForms(t, s, nil, c.canonical, normalized)

			// The same schema sent as a descriptor, as clients that have no text do, is the same when normalized.
			p := mustParse(t, s, nil)
			binary := mustParse(t, schema.Schema{Type: schema.Protobuf, Text: p.Format("serialized")}, nil)
			if got := binary.Normalized().Text; got != normalized {
				t.Errorf("normalized from a descriptor\n got  %s\n want %s", got, normalized)
			}
			checkStable(t, binary, nil)
		})
	}
}

// Every file that needs no reference must itself be a valid schema, or importing it would fail.
func TestProtobufWellKnown(t *testing.T) {
	for path, name := range map[string]string{
		"confluent/meta.proto": "confluent.Meta", "confluent/type/decimal.proto": "confluent.type.Decimal", "confluent/type/variant.proto": "confluent.type.Variant",
		"google/type/calendar_period.proto": "google.type.CalendarPeriod", "google/type/color.proto": "google.type.Color", "google/type/date.proto": "google.type.Date",
		"google/type/datetime.proto": "google.type.DateTime", "google/type/dayofweek.proto": "google.type.DayOfWeek", "google/type/decimal.proto": "google.type.Decimal",
		"google/type/expr.proto": "google.type.Expr", "google/type/fraction.proto": "google.type.Fraction", "google/type/interval.proto": "google.type.Interval",
		"google/type/latlng.proto": "google.type.LatLng", "google/type/localized_text.proto": "google.type.LocalizedText", "google/type/money.proto": "google.type.Money",
		"google/type/month.proto": "google.type.Month", "google/type/phone_number.proto": "google.type.PhoneNumber", "google/type/postal_address.proto": "google.type.PostalAddress",
		"google/type/quaternion.proto": "google.type.Quaternion", "google/type/timeofday.proto": "google.type.TimeOfDay",
		"google/protobuf/timestamp.proto": "google.protobuf.Timestamp", "google/protobuf/struct.proto": "google.protobuf.Struct", "google/protobuf/any.proto": "google.protobuf.Any",
	} {
		p := mustParse(t, schema.Schema{Type: schema.Protobuf, Text: `syntax = "proto3"; import "` + path + `"; message M { ` + name + ` f = 1; }`}, nil)
		if kind := p.Protobuf.File.Messages().Get(0).Fields().Get(0); kind.Message() == nil && kind.Enum() == nil {
			t.Errorf("%s: the field has no type", path)
		}
		checkStable(t, p, nil)
		binary := mustParse(t, schema.Schema{Type: schema.Protobuf, Text: p.Format("serialized")}, nil)
		if a, b := p.Normalized().Text, binary.Normalized().Text; a != b {
			t.Errorf("%s: text and descriptor differ when normalized\n%s\n%s", path, a, b)
		}
	}
}

func TestProtobufReferences(t *testing.T) {
	inner := schema.Schema{Type: schema.Protobuf, Text: `syntax = "proto3"; package q; message Inner { string s = 1; }`}
	middle := schema.Schema{Type: schema.Protobuf, Text: `syntax = "proto3"; package q; import public "inner.proto"; message Middle { Inner i = 1; }`,
		References: []schema.Reference{{Name: "inner.proto", Subject: "inner", Version: 1}}}
	refs := []schema.Resolved{{Subject: "inner", Version: 1, Schema: inner}, {Subject: "middle", Version: 1, Schema: middle}}
	s := schema.Schema{Type: schema.Protobuf,
		Text:       `syntax = "proto3"; package p; import "q/middle.proto"; message M { q.Middle a = 1; q.Inner b = 2; }`,
		References: []schema.Reference{{Name: "q/middle.proto", Subject: "middle", Version: 1}}}
	p := mustParse(t, s, refs)
	if got := p.Protobuf.File.Messages().ByName("M").Fields().ByName("b").Message().FullName(); got != "q.Inner" {
		t.Errorf("the field b has type %s", got)
	}
	checkStable(t, p, refs)

	// A reference stored as a descriptor serves as well.
	refs[0].Schema.Text = mustParse(t, inner, nil).Format("serialized")
	checkStable(t, mustParse(t, s, refs), refs)
}

func TestProtobufRefused(t *testing.T) {
	deep := strings.Repeat("message M {", 70) + strings.Repeat("}", 70)
	wrapped := "syntax = \"proto3\";\n" + strings.Repeat("message M {\n", 40) + strings.Repeat("}\n", 40)
	for _, c := range []struct {
		name, text, says string
		kind             schema.Kind
	}{
		{"nothing", " \n", "the schema is empty", schema.Invalid},
		{"nothing but comments", "// a\nsyntax = \"proto2\"; /* b */", "the schema is empty", schema.Invalid},
		{"text that makes the compiler panic", `message A{extensions 0[]`, "stumble", schema.Invalid},
		{"no language", `hello world;`, "line 1, column", schema.Invalid},
		{"base64 of nothing", "aGVsbG8gd29ybGQ=", "neither", schema.Invalid},
		{"an unknown type", "syntax = \"proto3\";\nmessage M {\n  Foo f = 1;\n}", `line 3, column 3: `, schema.Invalid},
		{"an unknown import", `syntax = "proto3"; import "other.proto";`, `the import "other.proto" is not known; add a reference`, schema.BadReference},
		{"a file of the machine", `syntax = "proto3"; import "/etc/hostname";`, "not known", schema.BadReference},
		{"a number twice", `syntax = "proto3"; message M { int32 a = 1; int32 b = 1; }`, "mend this line", schema.Invalid},
		{"an unknown option", `syntax = "proto3"; option (foo) = 1; message M {}`, "foo", schema.Invalid},
		{"too deep for us", deep, "64 levels", schema.TooLarge},
		{"too deep for the language", wrapped, "32", schema.Invalid},
		{"an edition of tomorrow", `edition = "2099";`, "2023", schema.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkRefused(t, schema.Schema{Type: schema.Protobuf, Text: c.text}, schema.Options{}, c.says, c.kind)
		})
	}
}

func TestProtobufFormats(t *testing.T) {
	text := `syntax = "proto2"; import "google/protobuf/descriptor.proto"; import "confluent/meta.proto";
extend google.protobuf.FieldOptions { optional string note = 50000; }
message M { extensions 100; optional int32 a = 1 [(note) = "x", (confluent.field_meta).doc = "kept"]; }`
	want := `syntax = "proto2";

import "google/protobuf/descriptor.proto";
import "confluent/meta.proto";

message M {
  optional int32 a = 1 [(confluent.field_meta).doc = "kept"];
}
`
	p := mustParse(t, schema.Schema{Type: schema.Protobuf, Text: text}, nil)
	if got := p.Format("ignore_extensions"); got != want {
		t.Errorf("got %s", got)
	}
	if p.Format("resolved") != p.Format("") {
		t.Error("a form of another format should give the canonical text")
	}
}

func TestProtobufNames(t *testing.T) {
	p := mustParse(t, schema.Schema{Type: schema.Protobuf,
		Text: `syntax = "proto3"; package p; message A {} message B { message C {} message D {} }`}, nil)
	if p.Name() != "p.A" {
		t.Errorf("name %q", p.Name())
	}
	d := p.Protobuf.Message([]int{1, 1})
	if d == nil || d.FullName() != "p.B.D" {
		t.Fatalf("message 1, 1 is %v", d)
	}
	if ix := schema.MessageIndexes(d); len(ix) != 2 || ix[0] != 1 || ix[1] != 1 {
		t.Errorf("indexes %v", ix)
	}
	for _, nowhere := range [][]int{{2}, {0, 0}, {-1}} {
		if p.Protobuf.Message(nowhere) != nil {
			t.Errorf("%v should point nowhere", nowhere)
		}
	}
	if p.Protobuf.Message(nil).FullName() != "p.A" {
		t.Error("no index should mean the first message")
	}
}
