package failpoint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCallsAndTableAgree(t *testing.T) {
	calls := map[string]string{}
	call := regexp.MustCompile(`failpoint\.Hit\(([^)]*)\)`)
	err := filepath.WalkDir(filepath.Join("..", "..", "..", ".."), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Base(filepath.Dir(path)) == "failpoint" {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range call.FindAllStringSubmatch(string(src), -1) {
			name := strings.Trim(m[1], `"`)
			switch {
			case len(name) == len(m[1]):
				t.Errorf("%s: failpoint.Hit(%s): a point is a literal name", path, m[1])
			case calls[name] != "":
				t.Errorf("%s: %s is hit in %s too: a point is one instant", path, name, calls[name])
			case !known(name):
				t.Errorf("%s: %s is not in Points, so nothing ever breaks there", path, name)
			}
			calls[name] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Points {
		if calls[p.Name] == "" {
			t.Errorf("Points lists %s, and no code hits it", p.Name)
		}
	}
}
