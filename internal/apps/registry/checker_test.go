package registry

import (
	"context"

	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// addedField is a checker for tests that knows one rule of Avro: a field that the writer does not have needs a default.
type addedField struct{}

func (addedField) Check(_ context.Context, reader, writer *schema.Parsed, _ string) (v state.Verdict) {
	if reader.Avro == nil || writer.Avro == nil {
		return v
	}
	for _, f := range reader.Avro.Root.Fields {
		if writer.Avro.Root.Field(f.Name) == nil && f.Default == nil {
			v.Findings = append(v.Findings, state.Incompatibility{Path: "/" + f.Name, Kind: "READER_FIELD_MISSING_DEFAULT_VALUE",
				Words: "the field has no default and old records lack it"})
			v.CounterExample = []byte(`{}`)
		}
	}
	return v
}
