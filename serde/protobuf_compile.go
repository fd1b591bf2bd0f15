package serde

import (
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/reporter"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// wellKnown are the files that a schema may import without a reference, beside those of google/protobuf that the compiler brings along.
//
//go:embed imports
var wellKnown embed.FS

func compileProtobuf(ctx context.Context, s sr.Schema, refs []reference) (*protobuf, error) {
	texts := map[string]string{}
	for _, ref := range refs {
		if ref.Type != sr.TypeProtobuf {
			return nil, fmt.Errorf("reference %s is of type %s: refer to PROTOBUF schemas", ref.name, ref.Type)
		}
		texts[ref.name] = ref.Schema.Schema
	}
	root := "schema.proto"
	for texts[root] != "" {
		root = "_" + root
	}
	texts[root] = s.Schema
	compiler := protocompile.Compiler{
		MaxParallelism: 1,
		Resolver:       protocompile.WithStandardImports(protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) { return findProto(texts, path) })),
	}
	files, err := compiler.Compile(ctx, root)
	if err != nil {
		return nil, protoCompileError(root, err)
	}
	types, err := typesOf(files[0])
	if err != nil {
		return nil, fmt.Errorf("the Protobuf schema cannot be used: %s", sentence(err.Error()))
	}
	return newProtobuf(files[0], types), nil
}

// findProto finds an import: a reference of that name, or a file that needs none. Nothing on disk is ever looked for.
func findProto(texts map[string]string, path string) (protocompile.SearchResult, error) {
	text, ok := texts[path]
	if !ok {
		known, err := fs.ReadFile(wellKnown, "imports/"+path)
		if err != nil {
			return protocompile.SearchResult{}, missingImport(path)
		}
		text = string(known)
	}
	if raw, ok := descriptorText(text); ok {
		fd := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(raw, fd); err != nil {
			return protocompile.SearchResult{}, errors.New("it is neither the text of a .proto file nor a FileDescriptorProto in base64")
		}
		fd.Name = proto.String(path)
		return protocompile.SearchResult{Proto: fd}, nil
	}
	return protocompile.SearchResult{Source: strings.NewReader(text)}, nil
}

// descriptorText decodes a schema that is a descriptor in base64. The text of a .proto file cannot do without a semicolon or a brace.
func descriptorText(text string) ([]byte, bool) {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text, ";{}") {
		return nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	return raw, err == nil
}

type missingImport string

func (m missingImport) Error() string { return "the import " + string(m) + " is not known" }

func protoCompileError(root string, err error) error {
	place := ""
	var at reporter.ErrorWithPos
	if errors.As(err, &at) {
		pos := at.GetPosition()
		place = fmt.Sprintf(", line %d, column %d", pos.Line, pos.Col)
		if pos.Filename != root {
			place = ", import " + pos.Filename + place
		}
		err = at.Unwrap()
	}
	var missing missingImport
	if errors.As(err, &missing) {
		return fmt.Errorf("the Protobuf schema cannot be read%s: %w: register it and refer to it under that name", place, missing)
	}
	return fmt.Errorf("the Protobuf schema cannot be read%s: %s", place, sentence(err.Error()))
}
