// Command gen writes records_gen.go from schema.txt. With -check it only compares, and fails if the file is not what
// it would write.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

func main() {
	check := flag.Bool("check", false, "compare, do not write")
	schema := flag.String("schema", "schema.txt", "the table")
	out := flag.String("out", "records_gen.go", "the Go file")
	flag.Parse()
	if err := run(*schema, *out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(schema, out string, check bool) error {
	text, err := os.ReadFile(schema)
	if err != nil {
		return err
	}
	records, err := parseSchema(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", schema, err)
	}
	code, err := generate(records)
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(out, code, 0o644)
	}
	have, err := os.ReadFile(out)
	if err == nil && !bytes.Equal(have, code) {
		err = fmt.Errorf("%s is not what %s makes: run go generate ./internal/kafka/record", out, schema)
	}
	return err
}
