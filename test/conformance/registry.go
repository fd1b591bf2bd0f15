package main

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"millrace/test/target"
)

// The schema registry under other people's clients. Millrace's node brings its own; beside Apache Kafka, and with -beside,
// `millrace registry` is started.
func init() {
	register(
		Case{"registry/requests-and-answers", true, registryRequests},
		Case{"registry/inside-serve", false, registryServe},
	)
}

// Registry is the address of the registry that belongs to the broker of this run.
func (t *T) Registry() string {
	if t.suite.registry == "" && t.kind == "millrace" && !t.beside {
		t.suite.registry = t.broker.URL()
	}
	if t.suite.registry == "" {
		p := t.startRegistry("")
		t.suite.registries = append(t.suite.registries, p)
		t.suite.registry = p.URL()
	}
	return t.suite.registry
}

// startRegistry starts a registry beside the broker, with its schemas in a topic that may be of its own.
func (t *T) startRegistry(topic string) *target.Process {
	p, err := target.Start(t.suite.ctx, target.Options{Kind: "registry", Binary: t.binary, Core: -1, Bootstrap: t.addr, Topic: topic,
		Dir: filepath.Join(t.work, t.Name("registry"))})
	t.Must(err, "start a registry")
	return p
}

// registryRequests: the table of requests and answers, which `make test` runs in memory, against a registry beside this broker.
// It wants an empty one, with a topic or a node of its own.
func registryRequests(t *T) {
	var p *target.Process
	if t.kind == "millrace" && !t.beside {
		p = t.Own(0, nil).Process
	} else {
		p = t.startRegistry(t.Name("schemas"))
		t.defers(p.Kill)
	}
	t.Cmd("", "go", "test", "./internal/apps/registry", "-count=1", "-run", "^TestRequests$", "-registry", p.URL())
}

// registryServe: a node that runs by a properties file serves its registry where schema.registry.listeners says, and has its schemas
// after kill -9.
func registryServe(t *T) {
	if t.kind != "millrace" {
		t.LeaveOut("only Millrace has one inside")
	}
	var ports [3]int
	for i := range ports {
		port, err := target.FreePort()
		t.Must(err, "port")
		ports[i] = port
	}
	config := t.File("server.properties", fmt.Sprintf("listeners=PLAINTEXT://127.0.0.1:%d\nadmin.listeners=127.0.0.1:%d\nschema.registry.listeners=http://127.0.0.1:%d\nlog.dirs=%s\n",
		ports[0], ports[1], ports[2], filepath.Join(t.work, t.Name("serve"))))
	begin := func() *process {
		p := t.begin(exec.Command(t.binary, "serve", "--config", config))
		t.Eventually(func() error {
			return cmp.Or(target.Answers(t.addr), target.RegistryAnswers(fmt.Sprintf("http://127.0.0.1:%d", ports[2])))
		})
		return p
	}
	t.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	p := begin()
	url := fmt.Sprintf("http://127.0.0.1:%d", ports[2])
	cl, err := sr.NewClient(sr.URLs(url))
	t.Must(err, "new registry client")
	one, err := cl.CreateSchema(t.ctx, "s", t.schemaFile("avro", "order-1"))
	t.Must(err, "register")
	t.Must(p.cmd.Process.Kill(), "kill")
	p.wait(t, 20*time.Second)
	begin()
	found, err := cl.LookupSchema(t.ctx, "s", t.schemaFile("avro", "order-1"))
	t.Must(err, "look-up after a kill")
	t.Equal([]any{found.ID, found.GUID}, []any{one.ID, one.GUID}, "id and GUID after a kill")
}

//go:embed schemas
var schemaFiles embed.FS

// schemas is a directory with the schemas that all clients use, and behind each Protobuf file a descriptor set with what it
// imports, for clients whose language would want a generator.
func (t *T) schemas() string {
	dir := filepath.Join(t.work, "schemas")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	t.Must(os.CopyFS(t.work, schemaFiles), "write the schemas")
	protos, err := filepath.Glob(filepath.Join(dir, "*.proto"))
	t.Must(err, "glob")
	for _, path := range protos {
		name := strings.TrimSuffix(path, ".proto")
		t.Must(os.WriteFile(name+".desc", t.descriptors(dir, filepath.Base(path)), 0o644), "write")
	}
	return dir
}

// descriptors compiles a Protobuf file to a descriptor set, imports first.
func (t *T) descriptors(dir, file string) []byte {
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{dir}})}
	files, err := compiler.Compile(t.ctx, file)
	t.Must(err, "compile "+file)
	var set descriptorpb.FileDescriptorSet
	for i := range files[0].Imports().Len() {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(files[0].Imports().Get(i).FileDescriptor))
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(files[0]))
	b, err := proto.Marshal(&set)
	t.Must(err, "marshal")
	return b
}

// client runs one case of a client's script and returns what it printed before its last line, ok.
func (t *T) registryClient(cmd *exec.Cmd, what string, args ...string) string {
	cmd.Args = append(cmd.Args, t.addr, t.Registry(), t.Name("x"), t.schemas(), what)
	cmd.Args = append(cmd.Args, args...)
	out := t.wait(cmd, "")
	said, done := strings.CutSuffix(strings.TrimSpace(out), "ok")
	if !done {
		t.Fatalf("%s", out)
	}
	return said
}

// order is the value number i of a writer, as every client writes it.
type order struct {
	Number   int      `json:"number" avro:"number"`
	Customer string   `json:"customer" avro:"customer"`
	Amount   float64  `json:"amount" avro:"amount"`
	Parts    []string `json:"parts" avro:"parts"`
}

func orderOf(writer string, i int) order {
	o := order{i, writer + " für " + strconv.Itoa(i), float64(i) + 0.5, []string{}}
	for p := range i % 3 {
		o.Parts = append(o.Parts, "part "+strconv.Itoa(p))
	}
	return o
}

// line is the order as one line of JSON; no parts and an empty list of them are the same.
func (o order) line() string {
	o.Parts = append([]string{}, o.Parts...)
	b, _ := json.Marshal(o)
	return string(b)
}
