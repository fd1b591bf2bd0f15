package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// What is mistyped, left empty or sent to the wrong server must not look like success.
func TestSchemaSlips(t *testing.T) {
	_, address := serveRegistry(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }))
	defer page.Close()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("order.avsc", []byte(schemaFiles["order.avsc"]), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		registry, line, said string
		exit                 int
	}{
		{address, "schema register orders-value order.avsc", "", 0},
		{address, "schema register  order.avsc", "an argument is empty", exitUsage},
		{address, "schema mode set READONLY ", "an argument is empty", exitUsage},
		{address, "schema list ", "", 0},
		{address, "schema diff nope", "the subject does not exist", exitFailed},
		{address, "schema check order.avsc -s orders-value", "", 0},
		{address, "schema check order.avsc -s order-value", "warning: subject order-value has no versions, so everything fits it: did you mean orders-value?", 0},
		{address, "schema check order.avsc -s order-value --must-exist", "did you mean orders-value?", exitFailed},
		{address, "schema check order.avsc -s people", "", 0},
		{address, "schema check order.avsc -s people --must-exist", "subject people has no versions, so everything fits it\n", exitFailed},
		{page.URL, "schema mode set READONLY x", "something else than expected: <html>", exitFailed},
	} {
		var out, err bytes.Buffer
		a := newApp(Hooks{})
		a.out, a.err = &out, &err
		exit := a.run(t.Context(), append(strings.Split(c.line, " "), "--registry", c.registry))
		if exit != c.exit || !strings.Contains(err.String(), c.said) || c.said == "" && err.Len() > 0 {
			t.Errorf("%s: exit %d, %s%s", c.line, exit, out.String(), err.String())
		}
	}
}

func TestNearSubjects(t *testing.T) {
	all := []string{"orders-value", "orders-key", ":.team:orders-value", "people"}
	for subject, want := range map[string][]string{
		"order-value": {"orders-value"}, "orders": {"orders-value", "orders-key", ":.team:orders-value"}, "poeple": {"people"},
		"orders-value": {":.team:orders-value"}, "x": nil,
	} {
		if got := nearSubjects(subject, all); !slices.Equal(got, want) {
			t.Errorf("%s: %v", subject, got)
		}
	}
}

// The broker says why a topic may not go.
func TestDeletedTopicsInTheBrokersWords(t *testing.T) {
	rs := kadm.DeleteTopicResponses{"_schemas": {Topic: "_schemas", Err: kerr.PolicyViolation, ErrMessage: "the schema registry keeps its schemas there"},
		"t": {Topic: "t", Err: kerr.UnknownTopicOrPartition}}
	_, errs := deleted([]string{"_schemas", "t"}, rs, false)
	if len(errs) != 2 || !strings.Contains(errs[0].Error(), "the schema registry keeps its schemas there") ||
		errs[1].Error() != `topic "t" does not exist: see "millrace topic list"` {
		t.Error(errs)
	}
}
