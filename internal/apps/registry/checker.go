package registry

import (
	"context"

	"millrace/internal/apps/registry/compat"
	"millrace/internal/apps/registry/schema"
	"millrace/internal/apps/registry/state"
)

// checker judges by the rules of package compat.
type checker struct{}

func (checker) Check(ctx context.Context, reader, writer *schema.Parsed, policy string) (v state.Verdict) {
	o := compat.Options{Context: ctx}
	if policy == "LENIENT" {
		o.Policy = compat.Lenient
	}
	r := compat.Check(reader, writer, o)
	for _, f := range r.Findings {
		v.Findings = append(v.Findings, state.Incompatibility{Path: f.Path, Kind: string(f.Kind), Words: f.Words})
	}
	if r.Example != nil {
		v.CounterExample = []byte(r.Example.Record)
	}
	return v
}
