package compat

import (
	"errors"
	"fmt"
	"testing"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/schema/schemagen"
)

// TestOracleAvro asks a reading of the specification that was written for the test alone (avro_book_test.go): it starts from the
// schemas' texts and shares no code with the rules. Records are made and written by the library that the product uses.
func TestOracleAvro(t *testing.T) {
	c := newTally()
	eachPair(t, schema.Avro, c, c.avro)
}

func (c *tally) avro(seed uint64, reader, writer *schema.Parsed) error {
	r := Check(reader, writer, Options{})
	if err := c.verdict(r, reader, writer); err != nil {
		return err
	}
	rb, err := openBook(reader.Schema.Text)
	if err != nil {
		return err
	}
	wb, err := openBook(writer.Schema.Text)
	if err != nil {
		return err
	}
	if r.Compatible() {
		return c.avroReads(seed, rb, wb, writer)
	}
	if r.Example != nil {
		return avroExampleBreaks(r.Example, rb, wb)
	}
	explainBare(seed, r, reader, writer)
	return nil
}

// avroReads makes records of the writer, all of which the reader has to read.
func (c *tally) avroReads(seed uint64, rb, wb *bookType, writer *schema.Parsed) error {
	codec, err := writer.Avro.Codec()
	if err != nil {
		return err
	}
	values, read := schemagen.AvroValue(writer.Avro.Root), 0
	for i := range valuesPerPair {
		encoded, err := codec.Encode(values.Example(int(seed) + i))
		if err != nil {
			continue // a type that holds itself has no value
		}
		if err := decodeByBook(rb, wb, encoded); err != nil {
			return fmt.Errorf("called compatible, and the record %x is not read: %w", encoded, err)
		}
		read++
	}
	c.read(read)
	return nil
}

// avroExampleBreaks reads an example's text again, writes it by the book, and reads it by the book.
func avroExampleBreaks(e *Example, reader, writer *bookType) error {
	v, err := unmarshal(e.Record)
	if err != nil {
		return err
	}
	encoded, err := writer.write(nil, v)
	if err != nil {
		return fmt.Errorf("the example %s is no record of the writer: %w", e.Record, err)
	}
	if err := decodeByBook(writer, writer, encoded); err != nil {
		return fmt.Errorf("the example %s is not read by its writer: %w", e.Record, err)
	}
	if err := decodeByBook(reader, writer, encoded); err == nil {
		return fmt.Errorf("the example %s is read", e.Record)
	} else if !errors.Is(err, errUnresolved) {
		return fmt.Errorf("the example %s: %w", e.Record, err)
	}
	return nil
}
