package compat

import (
	"bufio"
	"encoding/base64"
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"
)

var avroJars = flag.String("compat.avro.jars", "", "class path of Apache Avro for Java and Jackson, such as 'jars/*'; the comparison with it is left out without")

// TestJavaAvro asks Apache Avro for Java, whose verdicts users compare ours with, about the oracle's pairs: the verdict, whether it reads
// the records of pairs that fit, and whether it refuses the examples of those that do not. docs/compatibility.md judges the differences.
func TestJavaAvro(t *testing.T) {
	if *avroJars == "" {
		t.Skip("needs -compat.avro.jars")
	}
	cmd := exec.Command("java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", *avroJars, "testdata/JavaAvro.java")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	out := bufio.NewScanner(stdout)
	out.Buffer(nil, 1<<20)
	c := newTally()
	eachPair(t, schema.Avro, c, func(seed uint64, reader, writer *schema.Parsed) error {
		return c.java(seed, reader, writer, func(line string) []string {
			fmt.Fprintln(in, line)
			if !out.Scan() {
				t.Fatal("java is gone: ", out.Err())
			}
			return strings.Split(out.Text(), "\t")
		})
	})
}

func (c *tally) java(seed uint64, reader, writer *schema.Parsed, ask func(string) []string) error {
	r := Check(reader, writer, Options{})
	if err := c.verdict(r, reader, writer); err != nil {
		return err
	}
	var records []string
	if codec, err := writer.Avro.Codec(); err == nil {
		values := schemagen.AvroValue(writer.Avro.Root)
		for i := range valuesPerPair {
			if encoded, err := codec.Encode(values.Example(int(seed) + i)); err == nil && len(encoded) > 0 {
				records = append(records, base64.StdEncoding.EncodeToString(encoded))
			}
		}
	}
	example := "-"
	if r.Example != nil {
		example = r.Example.Record
	}
	cell := ask(strings.Join([]string{reader.Schema.Text, writer.Schema.Text, strings.Join(records, ","), example}, "\t"))
	verdict, why, became, shown := cell[0], cell[1], cell[2], cell[3]
	ours := "INCOMPATIBLE"
	if r.Compatible() {
		ours = "COMPATIBLE"
	}
	difference, name := "", ""
	switch {
	case verdict == "REFUSED":
		difference = "Java refuses a schema: " + why
	case ours != verdict:
		difference = fmt.Sprintf("ours %s %v, Java %s %s", ours, kindsOf(r), verdict, why)
	case r.Compatible() && strings.Trim(became, "read,") != "":
		difference = "Java does not read all records: " + became
	case shown == "read" || strings.HasPrefix(shown, "no record") || shown == "bytes left":
		difference = "of the example " + example + " Java says " + shown
		name = "the same verdict, yet Java reads an example of " + string(r.Findings[0].Kind)
	}
	if difference != "" {
		if name == "" {
			name = difference
		}
		c.known[name[:min(len(name), 100)]]++
		if *explain {
			fmt.Printf("seed %d: %s\nreader: %s\nwriter: %s\n", seed, difference, reader.Schema.Text, writer.Schema.Text)
		}
	}
	if r.Compatible() {
		c.read(len(records))
	}
	return nil
}

func kindsOf(r Result) (kinds []Kind) {
	for _, f := range r.Findings {
		kinds = append(kinds, f.Kind)
	}
	return kinds
}
