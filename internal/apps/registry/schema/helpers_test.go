package schema_test

import (
	"fmt"
	"strconv"

	"millrace/internal/apps/registry/schema"

	"github.com/twmb/avro"
	"pgregory.net/rapid"
)

func itoa(n int) string { return strconv.Itoa(n) }

func sprint(v any) string { return fmt.Sprint(v) }

func avroCodec(t rapid.TB, p *schema.Parsed) *avro.Schema {
	t.Helper()
	codec, err := p.Avro.Codec()
	if err != nil {
		t.Fatalf("%v\nof %s", err, p.Schema.Text)
	}
	return codec
}
