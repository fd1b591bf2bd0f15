package house

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// pureStandard is what pure packages may import of the standard library. The list is short on purpose: what reaches the clock, the
// disk, the network, other goroutines or a global random source is not on it.
var pureStandard = strings.Fields(`bytes cmp container/heap container/list crypto/sha256 encoding/base64 encoding/binary encoding/hex
	encoding/json errors fmt hash hash/crc32 hash/fnv io iter maps math math/bits math/rand/v2 net/netip slices sort strconv strings time
	unicode unicode/utf16 unicode/utf8`)

// impureNames are the functions of permitted packages that are not functions of their arguments.
var impureNames = map[string]string{
	"time": "Now Since Until Sleep After AfterFunc Tick NewTimer NewTicker Local",
	"fmt":  "Print Printf Println Scan Scanf Scanln",
	"math/rand/v2": "ExpFloat64 Float32 Float64 Int Int32 Int32N Int64 Int64N IntN N NormFloat64 Perm Shuffle Uint Uint32 Uint32N " +
		"Uint64 Uint64N UintN",
}

// foldMarker in a comment on the line of a range over a map, or on the line above it, says why the order cannot be seen. What
// ends in a sort elsewhere says sortMarker.
const (
	foldMarker = "order-free: "
	sortMarker = "into a sort"
)

const pureReason = "a pure package is a function of its arguments, so that a test can call it a million times a second and repeat it " +
	"from a seed. Time is an argument, randomness comes with the constructor, what is to be done is returned"

func isPure(name string) bool {
	return strings.HasPrefix(name, "internal/core/") || name == "internal/config"
}

func TestPurity(t *testing.T) {
	exports, err := goList("-deps", "-export", "./internal/core/...", "./internal/config")
	if err != nil {
		t.Fatal(err)
	}
	imports := exportImporter(exports)
	for _, p := range packages(t) {
		if !isPure(p.name()) {
			continue
		}
		files := map[string]string{}
		for _, f := range p.files(false) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			files[f] = string(text)
		}
		for _, fault := range purityFaults(t, p.ImportPath, files, imports) {
			t.Error(fault)
		}
	}
}

func exportImporter(list []listed) types.ImporterFrom {
	exports := map[string]string{}
	for _, p := range list {
		exports[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	}).(types.ImporterFrom)
}

// A purity check walks the typed syntax of one package.
type purity struct {
	fset   *token.FileSet
	info   *types.Info
	pkg    *types.Package
	marked map[string]map[int]bool // file and line of a foldMarker
	faults []string
}

func purityFaults(t *testing.T, path string, files map[string]string, imports types.Importer) []string {
	t.Helper()
	c := &purity{fset: token.NewFileSet(), marked: map[string]map[int]bool{}}
	var parsed []*ast.File
	for name, text := range files {
		f, err := parser.ParseFile(c.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
		c.mark(f)
	}
	c.info = &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
	var err error
	if c.pkg, err = (&types.Config{Importer: imports}).Check(path, c.fset, parsed, c.info); err != nil {
		t.Fatal(err)
	}
	for _, f := range parsed {
		c.importsOf(f)
		c.statements(f)
	}
	slices.Sort(c.faults)
	return c.faults
}

func (c *purity) fault(n ast.Node, format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf("%v: %s: %s", c.fset.Position(n.Pos()), fmt.Sprintf(format, args...), pureReason))
}

func (c *purity) mark(f *ast.File) {
	lines := map[int]bool{}
	for _, g := range f.Comments {
		_, reason, _ := strings.Cut(g.Text(), foldMarker)
		if strings.TrimSpace(reason) != "" || strings.Contains(g.Text(), sortMarker) {
			lines[c.fset.Position(g.End()).Line] = true
		}
	}
	c.marked[c.fset.Position(f.Pos()).Filename] = lines
}

func (c *purity) importsOf(f *ast.File) {
	for _, i := range f.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		domain, _, _ := strings.Cut(path, "/")
		if !strings.Contains(domain, ".") && domain != module && !slices.Contains(pureStandard, path) {
			c.fault(i, "imports %s", path)
		}
	}
}

func (c *purity) statements(f *ast.File) {
	var inside []ast.Node // the path from the file to the node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			inside = inside[:len(inside)-1]
			return true
		}
		inside = append(inside, n)
		switch n := n.(type) {
		case *ast.GoStmt:
			c.fault(n, "starts a goroutine")
		case *ast.SelectStmt:
			c.fault(n, "selects")
		case *ast.SendStmt, *ast.ChanType:
			c.fault(n, "uses a channel")
		case *ast.Ident:
			c.use(n)
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				c.assign(left, inside)
			}
		case *ast.IncDecStmt:
			c.assign(n.X, inside)
		case *ast.RangeStmt:
			c.ranges(n, inside)
		case *ast.CallExpr:
			c.iterates(n, inside)
		}
		return true
	})
}

// use finds functions that look outside, and the built-in print.
func (c *purity) use(id *ast.Ident) {
	switch o := c.info.Uses[id].(type) {
	case *types.Builtin:
		if o.Name() == "print" || o.Name() == "println" {
			c.fault(id, "prints")
		}
	case *types.Func, *types.Var:
		if o.Pkg() == nil || o.Parent() != o.Pkg().Scope() {
			return
		}
		if slices.Contains(strings.Fields(impureNames[o.Pkg().Path()]), o.Name()) {
			c.fault(id, "uses %s.%s", o.Pkg().Path(), o.Name())
		}
	}
}

// assign finds state that outlives a call: a variable of a package that anything but its init writes.
func (c *purity) assign(left ast.Expr, inside []ast.Node) {
	for {
		switch e := left.(type) {
		case *ast.SelectorExpr:
			if v, ok := c.info.Uses[e.Sel].(*types.Var); ok && !v.IsField() {
				left = e.Sel
			} else {
				left = e.X
			}
		case *ast.IndexExpr:
			left = e.X
		case *ast.StarExpr:
			left = e.X
		case *ast.ParenExpr:
			left = e.X
		case *ast.Ident:
			v, ok := c.info.Uses[e].(*types.Var)
			if ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() && !within(inside, "init") {
				c.fault(e, "writes the package variable %s", v.Name())
			}
			return
		default:
			return
		}
	}
}

func within(inside []ast.Node, function string) bool {
	for _, n := range inside {
		if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == function {
			return true
		}
	}
	return false
}

const orderHint = "ranges over a map, whose order differs from run to run: sort the keys, or say `// " + foldMarker + "REASON`"

func (c *purity) ranges(r *ast.RangeStmt, inside []ast.Node) {
	if _, ok := c.typeOf(r.X).(*types.Map); !ok || c.isMarked(r) || r.Key == nil && r.Value == nil {
		return
	}
	if !c.orderFree(r, inside) {
		c.fault(r, orderHint)
	}
}

// iterates finds maps.Keys, Values and All anywhere but directly inside a sort.
func (c *purity) iterates(call *ast.CallExpr, inside []ast.Node) {
	if pkg, name := c.called(call); pkg != "maps" || name != "Keys" && name != "Values" && name != "All" || c.isMarked(call) {
		return
	}
	if len(inside) > 1 {
		if outer, ok := inside[len(inside)-2].(*ast.CallExpr); ok {
			if pkg, name := c.called(outer); pkg == "slices" && strings.HasPrefix(name, "Sorted") {
				return
			}
		}
	}
	c.fault(call, orderHint)
}

func (c *purity) isMarked(n ast.Node) bool {
	p := c.fset.Position(n.Pos())
	return c.marked[p.Filename][p.Line] || c.marked[p.Filename][p.Line-1]
}

func (c *purity) typeOf(e ast.Expr) types.Type {
	tv := c.info.Types[e]
	if tv.Type == nil {
		if id, ok := e.(*ast.Ident); ok && c.info.Uses[id] != nil {
			return c.info.Uses[id].Type().Underlying()
		}
		return nil
	}
	return tv.Type.Underlying()
}

func (c *purity) called(call *ast.CallExpr) (pkg, name string) {
	fun := call.Fun
	if i, ok := fun.(*ast.IndexExpr); ok {
		fun = i.X
	}
	s, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if f, ok := c.info.Uses[s.Sel].(*types.Func); ok && f.Pkg() != nil && f.Signature().Recv() == nil {
		return f.Pkg().Path(), f.Name()
	}
	return "", ""
}

// orderFree knows the two shapes that need no comment: a body that only gathers into a slice which the same function sorts
// afterwards, and one that only fills or clears a map under the key of the round.
func (c *purity) orderFree(r *ast.RangeStmt, inside []ast.Node) bool {
	gathered := map[string]bool{}
	if !c.simple(r.Body.List, r.Key, gathered) {
		return false
	}
	for name := range gathered {
		if !c.sortedAfter(name, r, inside) {
			return false
		}
	}
	return true
}

func (c *purity) simple(body []ast.Stmt, key ast.Expr, gathered map[string]bool) bool {
	for _, s := range body {
		switch s := s.(type) {
		case *ast.IfStmt:
			if s.Init != nil && !defines(s.Init) || s.Else != nil || !c.simple(s.Body.List, key, gathered) {
				return false
			}
		case *ast.RangeStmt:
			if !c.simple(s.Body.List, nil, gathered) {
				return false
			}
		case *ast.BranchStmt:
			if s.Tok != token.CONTINUE {
				return false
			}
		case *ast.ExprStmt:
			call, ok := s.X.(*ast.CallExpr)
			if !ok || types.ExprString(call.Fun) != "delete" || !same(call.Args[1], key) {
				return false
			}
		case *ast.AssignStmt:
			if !gathers(s, gathered) && !fills(s, key) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func defines(s ast.Stmt) bool {
	a, ok := s.(*ast.AssignStmt)
	return ok && a.Tok == token.DEFINE
}

// gathers knows `x = append(x, ...)`.
func gathers(s *ast.AssignStmt, gathered map[string]bool) bool {
	if s.Tok != token.ASSIGN || len(s.Lhs) != 1 || len(s.Rhs) != 1 {
		return false
	}
	call, ok := s.Rhs[0].(*ast.CallExpr)
	if !ok || types.ExprString(call.Fun) != "append" || !same(call.Args[0], s.Lhs[0]) {
		return false
	}
	gathered[types.ExprString(s.Lhs[0])] = true
	return true
}

// fills knows `x[key] = ...`.
func fills(s *ast.AssignStmt, key ast.Expr) bool {
	if s.Tok != token.ASSIGN || len(s.Lhs) != 1 {
		return false
	}
	i, ok := s.Lhs[0].(*ast.IndexExpr)
	return ok && same(i.Index, key)
}

func same(a, b ast.Expr) bool {
	return a != nil && b != nil && types.ExprString(a) == types.ExprString(b)
}

func (c *purity) sortedAfter(name string, r *ast.RangeStmt, inside []ast.Node) bool {
	found := false
	for _, n := range inside {
		f, ok := n.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || call.Pos() < r.End() || len(call.Args) == 0 {
				return true
			}
			pkg, fun := c.called(call)
			if (pkg == "slices" && strings.HasPrefix(fun, "Sort") || pkg == "sort") && types.ExprString(call.Args[0]) == name {
				found = true
			}
			return true
		})
	}
	return found
}

func TestPurityFaults(t *testing.T) {
	exports, err := goList("-deps", "-export", "time", "math/rand/v2", "maps", "slices", "os", "fmt")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, imports, body, fault string }{
		{"time as a type", "time", `var d time.Duration; d++`, ""},
		{"the clock", "time", `_ = time.Now()`, "uses time.Now"},
		{"a function value of the clock", "time", `f := time.Now; _ = f`, "uses time.Now"},
		{"a timer", "time", `time.AfterFunc(0, nil)`, "uses time.AfterFunc"},
		{"a method called Now", "", `var x clock; x.Now()`, ""},
		{"own generator", "math/rand/v2", `_ = rand.New(rand.NewPCG(1, 2)).IntN(3)`, ""},
		{"global generator", "math/rand/v2", `_ = rand.IntN(3)`, "uses math/rand/v2.IntN"},
		{"os", "os", `_ = os.Args`, "imports os"},
		{"standard output", "fmt", `fmt.Println()`, "uses fmt.Println"},
		{"print", "", `println()`, "prints"},
		{"go", "", `go func() {}()`, "starts a goroutine"},
		{"channel", "", `var c chan int; _ = c`, "uses a channel"},
		{"select", "", `select {}`, "selects"},
		{"global", "", `global++`, "writes the package variable global"},
		{"global's element", "", `globals[1] = 2`, "writes the package variable globals"},
		{"map order", "", `var s []int; for k := range m { s = append(s, k) }; _ = s`, "ranges over a map"},
		{"map order through a named type", "", `for k := range (named{}) { _ = []int{k} }`, "ranges over a map"},
		{"gathered and sorted", "slices", `var s []int; for k := range m { if k > 1 { s = append(s, k) } }; slices.Sort(s)`, ""},
		{"something else sorted", "slices", `var s, o []int; for k := range m { s = append(s, k) }; slices.Sort(o)`, "ranges over a map"},
		{"sorted before", "slices", `var s []int; slices.Sort(s); for k := range m { s = append(s, k) }`, "ranges over a map"},
		{"copied by key", "", `n := map[int]int{}; for k, v := range m { n[k] = v }`, ""},
		{"copied by value", "", `n := map[int]int{}; for k, v := range m { n[v] = k }`, "ranges over a map"},
		{"marked", "", "sum := 0\n// order-free: a sum\nfor _, v := range m { sum += v }", ""},
		{"marked without a reason", "", "sum := 0\n// order-free:\nfor _, v := range m { sum += v }", "ranges over a map"},
		{"marked as sorted elsewhere", "", "sum := 0\nfor _, v := range m { // into a sort\n sum += v }", ""},
		{"marked two lines above", "", "sum := 0\n// order-free: a sum\n\nfor _, v := range m { sum += v }", "ranges over a map"},
		{"gathered from within, and sorted", "slices", `var s []int; for range m { for k, v := range m { if x := v; x > 0 { s = append(s, k) } } }; slices.Sort(s)`, ""},
		{"stopped at the first", "slices", `var s []int; for k := range m { s = append(s, k); break }; slices.Sort(s)`, "ranges over a map"},
		{"counted only", "", `n := 0; for range m { n++ }; _ = n`, ""},
		{"keys into a sort", "maps slices", `_ = slices.Sorted(maps.Keys(m))`, ""},
		{"keys collected", "maps slices", `_ = slices.Collect(maps.Keys(m))`, "ranges over a map"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := "package x\n"
			for _, i := range strings.Fields(c.imports) {
				text += fmt.Sprintf("import %q\n", i)
			}
			text += "type clock struct{}\nfunc (clock) Now() {}\ntype named map[int]int\nvar global int\nvar globals []int\nvar m map[int]int\n" +
				"func init() { global = 1 }\nfunc f() {\n" + c.body + "\n}\n"
			got := purityFaults(t, "x", map[string]string{"x.go": text}, exportImporter(exports))
			if c.fault == "" {
				wantFaults(t, got, nil)
			} else {
				wantFaults(t, got, []string{c.fault})
			}
		})
	}
}
