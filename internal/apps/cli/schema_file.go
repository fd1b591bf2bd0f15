package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// schemaFile are the arguments that make a schema of a file.
type schemaFile struct {
	path       string
	kind       string
	references []string
	normalize  bool
}

func (f *schemaFile) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.kind, "type", "", "AVRO, JSON or PROTOBUF (default: by the file's ending, .avsc, .json or .proto)")
	c.Flags().StringArrayVar(&f.references, "reference", nil, "what the schema refers to, as NAME=SUBJECT:VERSION; may be given more than once")
	c.Flags().BoolVar(&f.normalize, "normalize", false, "let the registry bring it into its normal form, in which order does not matter")
	c.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"AVRO", "JSON", "PROTOBUF"}, cobra.ShellCompDirectiveNoFileComp))
}

// schemaBody is a schema on its way to the registry.
type schemaBody struct {
	Text       string            `json:"schema"`
	Type       string            `json:"schemaType,omitempty"`
	References []schemaReference `json:"references,omitempty"`
	Metadata   json.RawMessage   `json:"metadata,omitempty"`
	RuleSet    json.RawMessage   `json:"ruleSet,omitempty"`
	Version    int               `json:"version,omitempty"`
	ID         int               `json:"id,omitempty"`
}

// read reads the file; - is standard input.
func (f *schemaFile) read(a *app) (schemaBody, error) {
	var b schemaBody
	text, err := a.readFile(f.path)
	if err != nil {
		return b, err
	}
	if strings.TrimSpace(string(text)) == "" {
		return b, fmt.Errorf("%s is empty: a schema is needed", f.path)
	}
	b.Text = string(text)
	if b.Type, err = f.format(); err != nil {
		return b, err
	}
	for _, r := range f.references {
		ref, err := parseReference(r)
		if err != nil {
			return b, err
		}
		b.References = append(b.References, ref)
	}
	return b, nil
}

// readFile reads a file that is named on the command line; - is standard input.
func (a *app) readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(a.in)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, cause(err))
	}
	return text, nil
}

// schemaEndings are the formats of files by the ends of their names.
var schemaEndings = map[string]string{".avsc": "AVRO", ".avro": "AVRO", ".json": "JSON", ".jsonschema": "JSON", ".proto": "PROTOBUF"}

func (f *schemaFile) format() (string, error) {
	if f.kind != "" {
		switch kind := strings.ToUpper(f.kind); kind {
		case "AVRO", "JSON", "PROTOBUF":
			return kind, nil
		}
		return "", usagef("--type %s is unknown: it is AVRO, JSON or PROTOBUF", f.kind)
	}
	if kind := schemaEndings[strings.ToLower(filepath.Ext(f.path))]; kind != "" {
		return kind, nil
	}
	return "", usagef("%s does not end in .avsc, .json or .proto: say --type AVRO, JSON or PROTOBUF", f.path)
}

// parseReference reads NAME=SUBJECT:VERSION; without a version it is the latest. A subject may hold colons.
func parseReference(s string) (schemaReference, error) {
	name, subject, ok := strings.Cut(s, "=")
	if !ok || name == "" || subject == "" {
		return schemaReference{}, usagef("--reference %s is not of the form NAME=SUBJECT:VERSION", s)
	}
	r := schemaReference{Name: name, Subject: subject, Version: -1}
	at := strings.LastIndexByte(subject, ':')
	if at <= 0 {
		return r, nil
	}
	if subject[at+1:] == "latest" {
		r.Subject = subject[:at]
	} else if n, err := strconv.Atoi(subject[at+1:]); err == nil {
		r.Subject, r.Version = subject[:at], n
	}
	return r, nil
}

// names are the subjects that a file's schema may belong to: by the file's name, as it is or as the value or key of a topic, and by the
// schema's own name.
func (b schemaBody) names(path string) []string {
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	names := []string{base, base + "-value", base + "-key"}
	if own := b.ownName(); own != "" {
		names = append(names, own)
	}
	return names
}

var (
	protoPackage = regexp.MustCompile(`(?m)^\s*package\s+([\w.]+)\s*;`)
	protoMessage = regexp.MustCompile(`(?m)^\s*message\s+(\w+)`)
)

// ownName is what a schema calls itself: a record's full name, a title, the first message.
func (b schemaBody) ownName() string {
	if b.Type == "PROTOBUF" {
		message := protoMessage.FindStringSubmatch(b.Text)
		if message == nil {
			return ""
		}
		if in := protoPackage.FindStringSubmatch(b.Text); in != nil {
			return in[1] + "." + message[1]
		}
		return message[1]
	}
	var named struct{ Name, Namespace, Title string }
	if json.Unmarshal([]byte(b.Text), &named) != nil {
		return ""
	}
	if named.Namespace != "" && named.Name != "" && !strings.Contains(named.Name, ".") {
		return named.Namespace + "." + named.Name
	}
	return cmp.Or(named.Name, named.Title)
}
