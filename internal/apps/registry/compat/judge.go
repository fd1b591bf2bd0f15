package compat

import (
	"strings"

	"millrace/internal/apps/registry/schema"
)

// Level is how far the versions of a subject must fit each other. The zero value is Backward, which subjects have by default.
type Level uint8

const (
	Backward Level = iota // a new version reads what the latest wrote
	BackwardTransitive
	Forward // the latest version reads what a new one writes
	ForwardTransitive
	Full // both
	FullTransitive
	None
)

var levelNames = [...]string{"BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE"}

func (l Level) String() string { return levelNames[l] }

// ParseLevel reads a level by its name, in any case.
func ParseLevel(name string) (Level, bool) {
	for i, known := range levelNames {
		if strings.EqualFold(name, known) {
			return Level(i), true
		}
	}
	return Backward, false
}

func (l Level) transitive() bool {
	return l == BackwardTransitive || l == ForwardTransitive || l == FullTransitive
}

func (l Level) backward() bool { return l != None && l != Forward && l != ForwardTransitive }
func (l Level) forward() bool  { return l != None && l != Backward && l != BackwardTransitive }

// Version is an earlier schema of the subject.
type Version struct {
	Number int
	Schema *schema.Parsed
}

// Verdict is what a level says of a new schema.
type Verdict struct {
	Result
	Against int  // the version that it does not fit
	Forward bool // it is the earlier version that cannot read the new one
}

// Judge compares a new schema with earlier versions, newest first, as the level demands, and stops at the first that it does not fit.
// With a group, the name of a metadata property, only versions that have the same value for it count; versions without the property
// are a group of their own.
func Judge(level Level, group string, candidate *schema.Parsed, earlier []Version, o Options) Verdict {
	for _, v := range earlier {
		if group != "" && groupOf(v.Schema, group) != groupOf(candidate, group) {
			continue
		}
		if level.backward() {
			if r := Check(candidate, v.Schema, o); !r.Compatible() {
				return Verdict{r, v.Number, false}
			}
		}
		if level.forward() {
			if r := Check(v.Schema, candidate, o); !r.Compatible() {
				return Verdict{r, v.Number, true}
			}
		}
		if !level.transitive() {
			break
		}
	}
	return Verdict{}
}

// groupOf is a schema's value of the property; "none" and the empty value differ.
func groupOf(p *schema.Parsed, property string) string {
	if p.Schema.Metadata != nil {
		if value, ok := p.Schema.Metadata.Properties[property]; ok {
			return "=" + value
		}
	}
	return ""
}
