package house

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "millrace"

// root is the module's directory, seen from this one.
const root = "../.."

// A listed package is what `go list` says of it.
type listed struct {
	ImportPath   string
	Dir          string
	Doc          string
	Export       string
	Imports      []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

// name is the path without the module: internal/core/meta.
func (p listed) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

var ours = sync.OnceValues(func() ([]listed, error) { return goList("-deps=false", "./...") })

func packages(t *testing.T) []listed {
	t.Helper()
	list, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// goList asks for what is built by default and for what the fail points add, for both must obey.
func goList(args ...string) ([]listed, error) {
	args = append([]string{"list", "-tags=failpoint", "-json=ImportPath,Dir,Doc,Export,Imports,GoFiles,TestGoFiles,XTestGoFiles"}, args...)
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var list []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
}

// goFiles are the paths of all Go files of a package, tests included or not.
func (p listed) files(tests bool) []string {
	names := p.GoFiles
	if tests {
		names = append(append(append([]string{}, names...), p.TestGoFiles...), p.XTestGoFiles...)
	}
	paths := make([]string, len(names))
	for i, n := range names {
		paths[i] = filepath.Join(p.Dir, n)
	}
	return paths
}
