package wire

import (
	"fmt"
	"strings"
)

// ErrorPage is docs/errors.md.
//
//go:generate go test -run TestErrorPageIsFresh -update .
func ErrorPage() string {
	var b strings.Builder
	b.WriteString(`# Error codes

This page is generated from the table in internal/kafka/wire; change it there and run ` + "`go generate ./internal/kafka/wire`" + `.

The codes that this node answers, under Kafka's names and numbers. "Retried": Kafka's clients send the request again by
themselves, within their timeouts, and the program does not see the error unless it stays. A few others they handle too: where
the remedy is "nothing", there is nothing to do.

| code | name | retried | meaning | what to do |
|---|---|---|---|---|
`)
	for i, e := range errorTable {
		if e.remedy == "" {
			continue
		}
		retried := ""
		if e.retriable {
			retried = "yes"
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", i-1, e.name, retried, e.meaning, e.remedy)
	}
	return b.String()
}
