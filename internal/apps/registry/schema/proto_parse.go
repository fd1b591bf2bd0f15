package schema

import (
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// wellKnown are the files that every registry lets a schema import without a reference, beside those of google/protobuf that the
// compiler brings along. They are written from the fields and numbers that make up their wire format.
//
//go:embed imports
var wellKnown embed.FS

// protoRoot is the path of the schema itself among its imports.
const protoRoot = "default"

// protoCompiler reads one schema with its references.
type protoCompiler struct {
	ctx   context.Context
	o     Options
	root  string
	files map[string]string // by import path; text or a descriptor in base64
}

func parseProtobuf(s Schema, refs []named, o Options) (*ProtobufSchema, error) {
	c := protoCompiler{ctx: o.context(), o: o, root: protoRoot, files: map[string]string{}}
	for _, ref := range refs {
		if t := ref.Schema.TypeOrDefault(); t != Protobuf {
			return nil, badReferencef(ref.place(), "%s schemas cannot refer to %s schemas; refer to a PROTOBUF schema", Protobuf, t)
		}
		if err := checkProtoText(ref.Schema.Text, o.Limits); err != nil {
			return nil, inReference(ref, err)
		}
		c.files[ref.Name] = ref.Schema.Text
	}
	for c.files[c.root] != "" {
		c.root += "_"
	}
	text := s.Text
	if raw, ok := descriptorText(text); ok {
		printed, err := within(c.ctx, func() (string, error) { return c.printDescriptor(raw) })
		if err != nil {
			return nil, err
		}
		text = printed
	}
	if err := checkProtoText(text, o.Limits); err != nil {
		return nil, err
	}
	if err := checkTime(c.ctx); err != nil {
		return nil, err
	}
	return within(c.ctx, func() (*ProtobufSchema, error) { return c.compile(text) })
}

func (n named) place() string { return "reference " + quoted(n.Name) }

// descriptorText decodes a schema that was sent as a FileDescriptorProto in base64, as some clients do. Text of a .proto file is never
// taken for one: it cannot do without a semicolon or a brace, which base64 has not.
func descriptorText(text string) ([]byte, bool) {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text, ";{}") {
		return nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	return raw, err == nil
}

// declarationLimit bounds the declarations of one text, counted by what separates them. The compiler looks some of them up among all
// their neighbours, so that a mebibyte full of oneofs would take it ten seconds.
const declarationLimit = 20_000

// checkProtoText bounds declarations and the nesting of braces and brackets before the compiler sees the text, since its own limit
// comes after it has read the whole.
func checkProtoText(text string, l Limits) error {
	if _, ok := descriptorText(text); ok {
		return nil
	}
	depth, declarations := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '{', '[', '(':
			depth++
			declarations++
		case '}', ']', ')':
			depth--
		case ';', ',':
			declarations++
		case '"', '\'':
			i = skipProtoString(text, i)
		case '/':
			i = skipProtoComment(text, i)
		}
		if depth > l.Depth {
			return tooLargef(lineOf(text, i), "the schema is nested more than %d levels deep; move inner messages out", l.Depth)
		}
		if declarations > declarationLimit {
			return tooLargef(lineOf(text, i), "the schema has more than %d declarations; split it and import the parts", declarationLimit)
		}
	}
	return nil
}

func lineOf(text string, at int) string {
	return fmt.Sprintf("line %d", 1+strings.Count(text[:min(at, len(text))], "\n"))
}

// lineLimit is the longest line given to the compiler as it is. It counts the letters of a line for every name on it, so a mebibyte
// in one line would take it minutes.
const lineLimit = 4096

// breakLines starts a new line behind every separator of a text with a long line.
func breakLines(text string) string {
	long := false
	for line := range strings.SplitSeq(text, "\n") {
		long = long || len(line) > lineLimit
	}
	if !long {
		return text
	}
	var b strings.Builder
	begin := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			i = skipProtoString(text, i)
		case '/':
			i = skipProtoComment(text, i)
		case ',', ';', '{', '}':
			b.WriteString(text[begin : i+1])
			b.WriteByte('\n')
			begin = i + 1
		}
	}
	b.WriteString(text[begin:])
	return b.String()
}

// skipProtoString gives the place of the closing quote of the text that opens at i.
func skipProtoString(text string, i int) int {
	for j := i + 1; j < len(text) && text[j] != '\n'; j++ {
		switch text[j] {
		case '\\':
			j++
		case text[i]:
			return j
		}
	}
	return i
}

func skipProtoComment(text string, i int) int {
	end := -1
	switch rest := text[i:]; {
	case strings.HasPrefix(rest, "//"):
		end = strings.IndexByte(rest, '\n')
	case strings.HasPrefix(rest, "/*"):
		if end = strings.Index(rest[2:], "*/"); end >= 0 {
			end += 3
		}
	default:
		return i
	}
	if end < 0 {
		return len(text)
	}
	return i + end
}

// compile reads the text twice over: as it stands, for the canonical text, and linked with its imports, for everything else.
func (c *protoCompiler) compile(text string) (*ProtobufSchema, error) {
	handler := reporter.NewHandler(nil)
	file, err := parser.Parse(c.root, strings.NewReader(breakLines(text)), handler)
	if err != nil {
		return nil, c.sentence(err)
	}
	parsed, err := parser.ResultFromAST(file, true, handler)
	if err != nil {
		return nil, c.sentence(err)
	}
	if fd := parsed.FileDescriptorProto(); len(fd.MessageType)+len(fd.EnumType)+len(fd.Service)+len(fd.Extension)+len(fd.Dependency) == 0 {
		return nil, invalidf("", "the schema is empty; define a message")
	}
	// Printed now, since linking writes full names into the same descriptor.
	written := protoPrinter{options: writtenOptions{parsed: parsed}}
	bare := protoPrinter{options: writtenOptions{parsed: parsed, plain: true}, ignoreExtensions: true}
	p := &ProtobufSchema{
		text:       written.file(parsed.FileDescriptorProto(), file.Syntax != nil),
		extensible: bare.file(parsed.FileDescriptorProto(), file.Syntax != nil),
	}
	p.linked, err = c.link(protocompile.SearchResult{ParseResult: parsed})
	if err != nil {
		return nil, err
	}
	p.File = p.linked
	return p, nil
}

// printDescriptor writes a descriptor as text. From there on the schema is that text, so that it is checked like any other.
func (c *protoCompiler) printDescriptor(raw []byte) (string, error) {
	fd := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(raw, fd); err != nil {
		return "", invalidf("", "the schema is neither the text of a .proto file nor a FileDescriptorProto in base64; send one of them")
	}
	fd.Name = proto.String(c.root)
	fd.SourceCodeInfo = nil
	linked, err := c.link(protocompile.SearchResult{Proto: proto.Clone(fd).(*descriptorpb.FileDescriptorProto)})
	if err != nil {
		return "", err
	}
	printer := protoPrinter{options: interpretedOptions{linker.ResolverFromFile(linked), false}}
	return printer.file(fd, fd.GetSyntax() != ""), nil
}

func (c *protoCompiler) link(root protocompile.SearchResult) (linker.Result, error) {
	compiler := protocompile.Compiler{
		MaxParallelism: 1,
		Resolver: protocompile.WithStandardImports(protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
			if path == c.root {
				return root, nil
			}
			return c.imported(path)
		})),
	}
	files, err := compiler.Compile(c.ctx, c.root)
	if err != nil {
		if late := checkTime(c.ctx); late != nil {
			return nil, late
		}
		return nil, c.sentence(err)
	}
	linked, ok := files[0].(linker.Result)
	if !ok {
		return nil, invalidf("", "the schema has the path of a file that every schema may import; give it another")
	}
	return linked, nil
}

// imported finds a file: a reference of that name, or one that needs none. No file on disk is ever looked for.
func (c *protoCompiler) imported(path string) (protocompile.SearchResult, error) {
	if _, err := standardImports.FindFileByPath(path); err == nil {
		return protocompile.SearchResult{}, missingImport(path) // the compiler's own is taken, even if a copy of it was registered
	}
	text, ok := c.files[path]
	if !ok {
		known, err := fs.ReadFile(wellKnown, "imports/"+path)
		if err != nil {
			return protocompile.SearchResult{}, missingImport(path)
		}
		return protocompile.SearchResult{Source: strings.NewReader(string(known))}, nil
	}
	raw, ok := descriptorText(text)
	if !ok {
		return protocompile.SearchResult{Source: strings.NewReader(breakLines(text))}, nil
	}
	fd := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(raw, fd); err != nil {
		return protocompile.SearchResult{}, badReferencef("reference "+quoted(path), "it is neither text nor a descriptor; register it again")
	}
	fd.Name = proto.String(path)
	return protocompile.SearchResult{Proto: fd}, nil
}

// standardImports are the files of google/protobuf, to which the compiler's own types belong.
var standardImports = protocompile.WithStandardImports(protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
	return protocompile.SearchResult{}, missingImport(path)
}))

type missingImport string

func (m missingImport) Error() string { return "import " + string(m) + " is missing" }

// sentence makes one sentence of what the compiler found first.
func (c *protoCompiler) sentence(err error) error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	place := ""
	var at reporter.ErrorWithPos
	if errors.As(err, &at) {
		pos := at.GetPosition()
		place = fmt.Sprintf("line %d, column %d", pos.Line, pos.Col)
		if pos.Filename != c.root {
			place = "import " + quoted(pos.Filename) + ", " + place
		}
		err = at.Unwrap()
	}
	var missing missingImport
	if errors.As(err, &missing) {
		return badReferencef(place, "the import %q is not known; add a reference with that name to a registered schema", string(missing))
	}
	return invalidf(place, "%s; mend this line", oneLine(err.Error()))
}
