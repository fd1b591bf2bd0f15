package meta

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The tree agrees with a map under random puts and deletes, stays balanced, and never changes an older version.
func TestTheTreeAgreesWithAMap(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	r := rand.New(rand.NewPCG(seed, 0))
	var tr tree[int]
	m := map[string]int{}
	type version struct {
		tr   tree[int]
		keys []string
	}
	var old []version
	for i := range 5000 {
		k := fmt.Sprint(r.IntN(600))
		if r.IntN(5) < 3 {
			tr, m[k] = tr.put(k, i), i
		} else {
			tr = tr.del(k)
			delete(m, k)
		}
		if v, ok := tr.get(k); ok != (m[k] != 0 || i == 0 && ok) || ok && v != m[k] {
			t.Fatalf("step %d: %s is %d, %v; the map says %d", i, k, v, ok, m[k])
		}
		if i%500 == 0 {
			old = append(old, version{tr, keysOf(tr, "")})
			if got := keysOf(tr, ""); !slices.Equal(got, sortedKeys(m)) || tr.len() != len(m) {
				t.Fatalf("step %d: keys %v", i, got)
			}
			balanced(t, tr.root)
		}
	}
	for _, v := range old {
		if !slices.Equal(keysOf(v.tr, ""), v.keys) {
			t.Fatal("an older version changed")
		}
	}
	for _, from := range []string{"", "3", "300", "zzz"} {
		want := slices.DeleteFunc(sortedKeys(m), func(k string) bool { return k < from })
		if got := keysOf(tr, from); !slices.Equal(got, want) {
			t.Fatalf("from %q: %v, want %v", from, got, want)
		}
	}
}

func keysOf(tr tree[int], from string) []string {
	out := []string{}
	tr.each(from, func(k string, _ int) bool { out = append(out, k); return true })
	return out
}

func balanced(t *testing.T, n *node[int]) {
	if n == nil {
		return
	}
	if d := n.left.tall() - n.right.tall(); d < -1 || d > 1 || n.size != 1+n.left.count()+n.right.count() {
		t.Fatalf("node %s: heights differ by %d, size %d", n.key, d, n.size)
	}
	balanced(t, n.left)
	balanced(t, n.right)
}
