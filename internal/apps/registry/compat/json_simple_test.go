package compat

import (
	"testing"

	"millrace/internal/apps/registry/schema"
)

const d2020 = `"$schema":"https://json-schema.org/draft/2020-12/schema",`

// simpleChanges are single keywords that were tightened: the writer's schema and the reader's, without their braces. A record shows
// each of them.
var simpleChanges = map[string][2]string{
	"type added":                    {``, `"type":"string"`},
	"type narrowed":                 {`"type":["string","null"]`, `"type":"string"`},
	"type narrowed to integers":     {`"type":"number"`, `"type":"integer"`},
	"type changed":                  {`"type":"integer"`, `"type":"string"`},
	"type changed, one value":       {`"type":"integer","minimum":700,"maximum":700`, `"type":"string"`},
	"type changed, far values":      {`"type":"string","pattern":"^b+$"`, `"type":"integer"`},
	"enum added":                    {`"type":"string"`, `"enum":["a"]`},
	"enum narrowed":                 {`"enum":["k","l","m"]`, `"enum":["k","l"]`},
	"const added":                   {`"type":"integer"`, `"const":12`},
	"const changed":                 {`"const":[1,2]`, `"const":[1,3]`},
	"maximum added":                 {`"type":"integer"`, `"type":"integer","maximum":50000000`},
	"maximum decreased":             {`"type":"number","maximum":1000`, `"type":"number","maximum":999.5`},
	"maximum of far numbers":        {`"type":"integer","minimum":500,"maximum":600`, `"type":"integer","maximum":550`},
	"minimum added":                 {`"type":"integer"`, `"type":"integer","minimum":-50000000`},
	"minimum increased":             {`"type":"integer","minimum":10,"maximum":20`, `"type":"integer","minimum":15`},
	"exclusiveMaximum added":        {`"type":"number"`, `"type":"number","exclusiveMaximum":5`},
	"exclusiveMaximum decreased":    {`"type":"number","exclusiveMaximum":0.5,"minimum":0`, `"type":"number","exclusiveMaximum":0.25`},
	"exclusiveMaximum for maximum":  {`"type":"number","maximum":5`, `"type":"number","exclusiveMaximum":5`},
	"exclusiveMinimum increased":    {`"type":"number","exclusiveMinimum":7,"maximum":8`, `"type":"number","exclusiveMinimum":7.5`},
	"multipleOf added":              {`"type":"integer"`, `"type":"integer","multipleOf":7`},
	"multipleOf changed":            {`"type":"integer","multipleOf":7`, `"type":"integer","multipleOf":14`},
	"multipleOf of fractions":       {`"type":"number"`, `"type":"number","multipleOf":0.5`},
	"maxLength added":               {`"type":"string"`, `"type":"string","maxLength":300`},
	"maxLength decreased":           {`"type":"string","minLength":3,"maxLength":5`, `"type":"string","maxLength":4`},
	"minLength added":               {`"type":"string"`, `"type":"string","minLength":1`},
	"minLength increased":           {`"type":"string","minLength":3`, `"type":"string","minLength":4`},
	"pattern added":                 {`"type":"string"`, `"type":"string","pattern":"^[0-9]+$"`},
	"pattern changed":               {`"type":"string","pattern":"^[0-9]{4}$"`, `"type":"string","pattern":"^[0-9]{5}$"`},
	"pattern beside a length":       {`"type":"string","pattern":"^[a-c]*$","minLength":2`, `"type":"string","pattern":"^a*$"`},
	"maxItems added":                {`"type":"array"`, `"type":"array","maxItems":30`},
	"maxItems decreased":            {`"type":"array","maxItems":3,"items":{"type":"string"}`, `"type":"array","maxItems":2`},
	"minItems added":                {`"type":"array"`, `"type":"array","minItems":1`},
	"minItems increased":            {`"type":"array","minItems":2,"items":{"const":4}`, `"type":"array","minItems":3`},
	"uniqueItems added":             {`"type":"array","items":{"type":"string","minLength":9}`, `"type":"array","uniqueItems":true`},
	"items added":                   {`"type":"array"`, `"type":"array","items":{"type":"integer"}`},
	"items narrowed":                {`"type":"array","items":{"type":["string","null"]}`, `"type":"array","items":{"type":"string"}`},
	"tuple closed":                  {d2020 + `"type":"array","prefixItems":[{"type":"string"}]`, d2020 + `"type":"array","prefixItems":[{"type":"string"}],"items":false`},
	"tuple grown":                   {d2020 + `"type":"array","prefixItems":[{"type":"string"}]`, d2020 + `"type":"array","prefixItems":[{"type":"string"},{"type":"null"}]`},
	"contains added":                {`"type":"array","items":{"type":"string"}`, `"type":"array","contains":{"const":"k"}`},
	"contains changed":              {`"type":"array","contains":{"const":"l"}`, `"type":"array","contains":{"const":"k"}`},
	"minContains increased":         {d2020 + `"type":"array","contains":{"const":"k"}`, d2020 + `"type":"array","contains":{"const":"k"},"minContains":2`},
	"maxContains added":             {d2020 + `"type":"array","contains":{"const":"k"}`, d2020 + `"type":"array","contains":{"const":"k"},"maxContains":1`},
	"required added":                {`"type":"object","properties":{"k":{"type":"string"}}`, `"type":"object","properties":{"k":{"type":"string"}},"required":["k"]`},
	"property added":                {`"type":"object"`, `"type":"object","properties":{"k":{"type":"string"}}`},
	"property narrowed":             {`"type":"object","properties":{"k":{"enum":[81,82]}}`, `"type":"object","properties":{"k":{"enum":[81]}}`},
	"property closed":               {`"type":"object","properties":{"k":{"const":81}},"additionalProperties":false`, `"type":"object","additionalProperties":false`},
	"additionalProperties closed":   {`"type":"object"`, `"type":"object","additionalProperties":false`},
	"additionalProperties narrowed": {`"type":"object","additionalProperties":{"type":["string","null"]}`, `"type":"object","additionalProperties":{"type":"null"}`},
	"patternProperties added":       {`"type":"object"`, `"type":"object","patternProperties":{"^k":{"type":"null"}}`},
	"patternProperties narrowed":    {`"type":"object","patternProperties":{"^k":{"type":["string","null"]}}`, `"type":"object","patternProperties":{"^k":{"type":"null"}}`},
	"unevaluatedProperties closed":  {d2020 + `"type":"object"`, d2020 + `"type":"object","unevaluatedProperties":false`},
	"unevaluatedItems closed":       {d2020 + `"type":"array"`, d2020 + `"type":"array","unevaluatedItems":false`},
	"maxProperties added":           {`"type":"object"`, `"type":"object","maxProperties":12`},
	"maxProperties decreased":       {`"type":"object","maxProperties":3,"minProperties":1`, `"type":"object","maxProperties":2`},
	"minProperties added":           {`"type":"object"`, `"type":"object","minProperties":2`},
	"minProperties increased":       {`"type":"object","minProperties":2`, `"type":"object","minProperties":3`},
	"propertyNames added":           {`"type":"object"`, `"type":"object","propertyNames":{"pattern":"^k"}`},
	"propertyNames maxLength":       {`"type":"object","propertyNames":{"maxLength":5}`, `"type":"object","propertyNames":{"maxLength":3}`},
	"propertyNames minLength":       {`"type":"object","propertyNames":{"minLength":2}`, `"type":"object","propertyNames":{"minLength":4}`},
	"propertyNames enum":            {`"type":"object","propertyNames":{"enum":["k","l"]}`, `"type":"object","propertyNames":{"enum":["l"]}`},
	"propertyNames const":           {`"type":"object","propertyNames":{"const":"k"}`, `"type":"object","propertyNames":{"const":"l"}`},
	"propertyNames false":           {`"type":"object"`, `"type":"object","propertyNames":false`},
	"dependency added":              {`"type":"object"`, `"type":"object","dependencies":{"k":["l"]}`},
	"dependentRequired added":       {d2020 + `"type":"object"`, d2020 + `"type":"object","dependentRequired":{"k":["l"]}`},
	"dependentSchemas added":        {d2020 + `"type":"object"`, d2020 + `"type":"object","dependentSchemas":{"k":{"required":["l"]}}`},
	"if added":                      {`"type":"string"`, `"type":"string","if":{"minLength":4},"then":{"pattern":"^k"}`},
	"if changed":                    {`"type":"object","if":{"required":["k"]},"then":{"required":["l"]}`, `"type":"object","if":{"required":["k"]},"then":{"required":["m"]}`},
	"else added":                    {`"type":["string","null"]`, `"type":["string","null"],"if":{"type":"string"},"else":false`},
	"not added":                     {`"type":"string"`, `"type":"string","not":{"const":"k"}`},
	"not extended":                  {`"not":{"type":"integer"}`, `"not":{"type":"number"}`},
	"allOf extended":                {`"allOf":[{"type":"string"}]`, `"allOf":[{"type":"string"},{"minLength":6}]`},
	"anyOf narrowed":                {`"anyOf":[{"type":"string"},{"type":"null"},{"const":81}]`, `"anyOf":[{"type":"string"},{"type":"null"}]`},
	"oneOf narrowed":                {`"oneOf":[{"type":"string"},{"type":"null"},{"const":81}]`, `"oneOf":[{"type":"string"},{"type":"null"}]`},
	"oneOf for anyOf":               {`"anyOf":[{"minimum":41,"type":"integer"},{"maximum":45,"type":"integer"}]`, `"oneOf":[{"minimum":41,"type":"integer"},{"maximum":45,"type":"integer"}]`},
	"oneOf for anyOf, texts":        {`"anyOf":[{"minLength":4,"type":"string"},{"maxLength":6,"type":"string"}]`, `"oneOf":[{"minLength":4,"type":"string"},{"maxLength":6,"type":"string"}]`},
	"oneOf for anyOf, objects":      {`"anyOf":[{"required":["k"]},{"required":["l"]}]`, `"oneOf":[{"required":["k"]},{"required":["l"]}]`},
}

// TestSimpleChanges wants a record for each of them: at the top, under a property and in a list.
func TestSimpleChanges(t *testing.T) {
	for name, c := range simpleChanges {
		draft := ""
		if len(c[0]) >= len(d2020) && c[0][:len(d2020)] == d2020 {
			draft = d2020
		}
		for place, around := range map[string][2]string{
			"top":      {`{` + draft, `}`},
			"property": {`{` + draft + `"type":"object","properties":{"p":{`, `}}}`},
			"required": {`{` + draft + `"type":"object","required":["o","p"],"properties":{"o":{"type":"string","minLength":3},"p":{`, `}},"additionalProperties":false}`},
			"element":  {`{` + draft + `"type":"array","items":{`, `}}`},
		} {
			t.Run(name+"/"+place, func(t *testing.T) {
				writer := read(t, schema.JSON, around[0]+c[0][len(draft):]+around[1])
				reader := read(t, schema.JSON, around[0]+c[1][len(draft):]+around[1])
				switch r := Check(reader, writer, Options{}); {
				case r.Compatible():
					t.Error("called compatible")
				case r.Example == nil:
					t.Errorf("no counter-example for %v", r.Findings)
				}
			})
		}
	}
}
