package config

import (
	"fmt"
	"strings"
)

// Page is docs/config.md: the whole table for people. `go generate ./internal/config` writes it.
//
//go:generate go test -run TestPageIsFresh -update .
func Page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	counts := map[Class]int{}
	for _, row := range All() {
		counts[row.Class]++
	}
	fmt.Fprintf(&b, "Of %d broker settings %d are implemented, %d have no effect here, %d are not built yet, and %d are refused because they\nsecure something that is not built yet.\n",
		len(All()), counts[Implemented], counts[NoEffect], counts[NotYet], counts[Secures])
	section(&b, "Our own", "Kafka does not know these.", filter(All(), func(s Setting) bool { return s.Own }))
	section(&b, "Topics", "Set with `millrace config set --topic NAME KEY=VALUE` or any Kafka tool. A topic that does not set one inherits it\nfrom the broker setting in brackets.", AllTopic())
	for _, c := range []Class{Implemented, NoEffect, NotYet, Secures} {
		rows := filter(All(), func(s Setting) bool { return s.Class == c && !s.Own && !s.Internal })
		section(&b, pageTitles[c][0], pageTitles[c][1], rows)
	}
	section(&b, "Groups", "Set on single groups, once the new group protocols are built.", AllGroup())
	b.WriteString(pageRemoved)
	for _, row := range brokerTable.rows {
		if row.Removed {
			fmt.Fprintf(&b, "- `%s`: %s\n", row.Name, row.Note)
		}
	}
	return b.String()
}

const pageHead = `# Settings

This page is generated from the table in internal/config; change it there and run ` + "`go generate ./internal/config`" + `.

Settings carry Kafka's names, and a Kafka server.properties file is read as it is. A flag (` + "`--override key=value`" + `) beats the
environment (` + "`MILLRACE_LOG_RETENTION_MS`" + ` for log.retention.ms; ` + "`__`" + ` stands for an underscore, ` + "`___`" + ` for a hyphen), which beats the
file, which beats the default. A key that nobody knows is refused. Any broker setting may be given for one listener, as
` + "`listener.name.NAME.KEY`" + `, with the name in lower case.

"Changes" says where a setting may be set while nodes run: for one broker, cluster-wide (for one broker or as the default of
all), or at start only.

`

var pageTitles = map[Class][2]string{
	Implemented: {"Implemented", "They do what they say."},
	NoEffect:    {"No effect here", "Accepted, logged once at start, and otherwise ignored, because something else takes their place."},
	NotYet:      {"Not built yet", "Accepted in a file with a warning at start, without effect; refused when set while the node runs."},
	Secures:     {"Refused: not built yet", "A file that sets one of them to anything but its default is refused, so that a secured file never starts open."},
}

const pageRemoved = `
## Of older Kafka releases

Accepted and ignored:

`

func filter(rows []Setting, keep func(Setting) bool) []Setting {
	var out []Setting
	for _, r := range rows {
		if keep(r) {
			out = append(out, r)
		}
	}
	return out
}

func section(b *strings.Builder, title, text string, rows []Setting) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| setting | type | default | valid | changes | meaning |\n|---|---|---|---|---|---|\n", title, text)
	for _, r := range rows {
		if r.Internal {
			continue
		}
		name := "`" + r.Name + "`"
		if twin := brokerTwin[r.Name]; r.Scope == OfTopic && twin != "" {
			name += " [`" + twin + "`]"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", name, r.Type, pageDefault(r), r.Rule.Text, r.Scope, r.FullDoc())
	}
}

func pageDefault(r Setting) string {
	switch {
	case r.Unset:
		return "none"
	case r.Default == "9223372036854775807":
		return "unlimited"
	case r.Default == "":
		return "empty"
	}
	return r.Default
}
