package cli

import (
	"regexp"
	"strings"
)

// protoToken is a comment, a string, a word with its dots, or a sign of its own.
var protoToken = regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[\w.]+|\S`)

// protoLines is the text of a Protobuf file with a line for each statement and without comments: registries keep neither the layout nor the
// comments of a file, so without this hardly a line of a file is the registry's.
func protoLines(text string) string {
	var out, line strings.Builder
	depth, brackets, before := 0, 0, ""
	flush := func() {
		if line.Len() > 0 {
			out.WriteString(strings.Repeat("  ", depth) + line.String() + "\n")
		}
		line.Reset()
		before = ""
	}
	for _, token := range protoToken.FindAllString(text, -1) {
		switch {
		case strings.HasPrefix(token, "//"), strings.HasPrefix(token, "/*"):
			continue
		case token == "}" && brackets == 0:
			flush()
			depth = max(depth-1, 0)
		case token == ";" && line.Len() == 0:
			continue
		case token == "[":
			brackets++
		case token == "]":
			brackets--
		}
		if before != "" && protoSpaced(before, token) {
			line.WriteByte(' ')
		}
		line.WriteString(token)
		before = token
		if brackets == 0 && (token == ";" || token == "{" || token == "}") {
			flush()
			if token == "{" {
				depth++
			}
		}
	}
	flush()
	return out.String()
}

// protoSpaced tells whether a blank stands between two tokens.
func protoSpaced(before, token string) bool {
	switch {
	case strings.Contains("[<(-", before), strings.Contains(";,]>)<", token):
		return false
	case token == "(":
		return before == "returns" || before == "option"
	}
	return true
}
