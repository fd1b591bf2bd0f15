// Command gen makes Go of the .proto files beside it, without anything that has to be installed. With -check it only compares.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

var check = flag.Bool("check", false, "fail if the files are not what they should be")

func main() {
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	paths := []string{"shop/customer.proto", "shop/order.proto"}
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(texts(paths)),
	})}
	files, err := c.Compile(context.Background(), paths...)
	if err != nil {
		return err
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: paths, Parameter: proto.String("paths=source_relative")}
	seen := map[string]bool{}
	for _, f := range files {
		request.ProtoFile = add(request.ProtoFile, f, seen)
	}
	in, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	generator := exec.Command("go", "run", "google.golang.org/protobuf/cmd/protoc-gen-go")
	generator.Stdin, generator.Stderr = bytes.NewReader(in), os.Stderr
	out, err := generator.Output()
	if err != nil {
		return err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &response); err != nil {
		return err
	}
	if response.Error != nil {
		log.Fatal(*response.Error)
	}
	for _, f := range response.File {
		if err := write(filepath.Base(f.GetName()), f.GetContent()); err != nil {
			return err
		}
	}
	return nil
}

func write(name, text string) error {
	if !*check {
		return os.WriteFile(name, []byte(text), 0o644)
	}
	if was, err := os.ReadFile(name); err != nil || string(was) != text {
		return fmt.Errorf("%s is not what the .proto files say: run go generate", name)
	}
	return nil
}

func texts(paths []string) map[string]string {
	all := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Base(path))
		if err != nil {
			log.Fatal(err)
		}
		all[path] = string(text)
	}
	return all
}

// add puts what a file imports before it.
func add(list []*descriptorpb.FileDescriptorProto, f protoreflect.FileDescriptor, seen map[string]bool) []*descriptorpb.FileDescriptorProto {
	if seen[f.Path()] {
		return list
	}
	seen[f.Path()] = true
	for i := range f.Imports().Len() {
		list = add(list, f.Imports().Get(i).FileDescriptor, seen)
	}
	return append(list, protodesc.ToFileDescriptorProto(f))
}
