package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseProperties(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want Properties
	}{
		"separators":                    {"a=1\nb:2\nc 3\nd\t= 4\ne  :  5\nf = = 6", Properties{{"a", "1", 1}, {"b", "2", 2}, {"c", "3", 3}, {"d", "4", 4}, {"e", "5", 5}, {"f", "= 6", 6}}},
		"comments and blank":            {"# no\n! no\n\n   # no\n  a=1 # yes\n", Properties{{"a", "1 # yes", 5}}},
		"continuation":                  {"dirs=/a,\\\n     /b,\\\n\t/c\nnext=1", Properties{{"dirs", "/a,/b,/c", 1}, {"next", "1", 4}}},
		"comment in the middle is text": {"a=1\\\n#2", Properties{{"a", "1#2", 1}}},
		"even backslashes":              {"path=c:\\\\\nb=2", Properties{{"path", `c:\`, 1}, {"b", "2", 2}}},
		"escapes":                       {`k\=ey\ x=tab\tnl\nq\q\u00e9\uD83D\uDE00`, Properties{{"k=ey x", "tab\tnl\nqqé😀", 1}}},
		"key alone":                     {"alone\nempty=\n", Properties{{"alone", "", 1}, {"empty", "", 2}}},
		"windows lines":                 {"a=1\r\nb=2\\\r\n 3\r\n", Properties{{"a", "1", 1}, {"b", "23", 2}}},
		"latin-1":                       {"a=caf\xe9", Properties{{"a", "café", 1}}},
		"byte order mark":               {"\ufeffa=1", Properties{{"a", "1", 1}}},
		"trailing backslash":            {"a=1\\", Properties{{"a", "1", 1}}},
		"trailing blanks":               {"a=1  ", Properties{{"a", "1  ", 1}}},
	} {
		got, err := ParseProperties(strings.NewReader(c.in))
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestParsePropertiesRefuses(t *testing.T) {
	for _, in := range []string{`a=\u12`, `ok=1` + "\n" + `a=\u12zz`} {
		if _, err := ParseProperties(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), "line") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestParseOverrides(t *testing.T) {
	got, err := ParseOverrides([]string{"a=b=c", " d = e"})
	if diff := cmp.Diff(Properties{{"a", "b=c", 0}, {"d", " e", 0}}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, bad := range []string{"a", "=b", ""} {
		if _, err := ParseOverrides([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add("a=1\\\n b\\u00e9:c")
	f.Fuzz(func(t *testing.T, in string) {
		if p, err := ParseProperties(strings.NewReader(in)); err == nil && len(p) > strings.Count(in, "\n")+strings.Count(in, "\r")+1 {
			t.Errorf("%d properties from %q", len(p), in)
		}
	})
}
