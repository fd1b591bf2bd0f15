package registry

import (
	"mime"
	"slices"
	"strconv"
	"strings"
)

// contentTypes are what is given, best first.
var contentTypes = []string{"application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json", "application/json"}

var weights = []float64{1, 0.9, 0.5}

// negotiate picks the content type of an answer: the highest product of what the caller and we prefer.
func negotiate(accept string) (string, bool) {
	if accept == "" || accept == "*/*" || strings.HasPrefix(accept, contentTypes[0]) {
		return contentTypes[0], true
	}
	best, rank := "", 0.0
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		quality := 1.0
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			quality = q
		}
		for i, ours := range contentTypes {
			if got := quality * weights[i]; covers(kind, ours) && got > rank {
				best, rank = ours, got
			}
		}
	}
	return best, best != ""
}

func covers(kind, ours string) bool { return kind == ours || kind == "*/*" || kind == "application/*" }

// readable tells whether a body of the type is taken as JSON.
func readable(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (slices.Contains(contentTypes, kind) || kind == "application/octet-stream")
}
