package meta

// tree is a persistent ordered map with string keys: an AVL tree whose nodes are never written once linked. put and
// del return a new tree that shares all but the path to the key; the zero tree is empty.
type tree[V any] struct{ root *node[V] }

type node[V any] struct {
	key         string
	value       V
	left, right *node[V]
	height      int32
	size        int32
}

func (t tree[V]) len() int { return int(t.root.count()) }

func (t tree[V]) get(key string) (v V, ok bool) {
	for n := t.root; n != nil; {
		switch {
		case key == n.key:
			return n.value, true
		case key < n.key:
			n = n.left
		default:
			n = n.right
		}
	}
	return v, false
}

func (t tree[V]) put(key string, v V) tree[V] { return tree[V]{t.root.put(key, v)} }
func (t tree[V]) del(key string) tree[V]      { return tree[V]{t.root.del(key)} }

// each visits the keys not below from in order until f returns false.
func (t tree[V]) each(from string, f func(string, V) bool) { t.root.each(from, f) }

func (n *node[V]) count() int32 {
	if n == nil {
		return 0
	}
	return n.size
}

func (n *node[V]) tall() int32 {
	if n == nil {
		return 0
	}
	return n.height
}

// link makes a node over two subtrees whose heights differ by at most two, and balances it.
func link[V any](key string, v V, left, right *node[V]) *node[V] {
	switch d := left.tall() - right.tall(); {
	case d > 1:
		if left.left.tall() < left.right.tall() {
			m := left.right
			return join(m.key, m.value, join(left.key, left.value, left.left, m.left), join(key, v, m.right, right))
		}
		return join(left.key, left.value, left.left, join(key, v, left.right, right))
	case d < -1:
		if right.right.tall() < right.left.tall() {
			m := right.left
			return join(m.key, m.value, join(key, v, left, m.left), join(right.key, right.value, m.right, right.right))
		}
		return join(right.key, right.value, join(key, v, left, right.left), right.right)
	}
	return join(key, v, left, right)
}

func join[V any](key string, v V, left, right *node[V]) *node[V] {
	return &node[V]{key, v, left, right, 1 + max(left.tall(), right.tall()), 1 + left.count() + right.count()}
}

func (n *node[V]) put(key string, v V) *node[V] {
	switch {
	case n == nil:
		return join[V](key, v, nil, nil)
	case key == n.key:
		return join(key, v, n.left, n.right)
	case key < n.key:
		return link(n.key, n.value, n.left.put(key, v), n.right)
	}
	return link(n.key, n.value, n.left, n.right.put(key, v))
}

func (n *node[V]) del(key string) *node[V] {
	switch {
	case n == nil:
		return nil
	case key < n.key:
		return link(n.key, n.value, n.left.del(key), n.right)
	case key > n.key:
		return link(n.key, n.value, n.left, n.right.del(key))
	case n.left == nil:
		return n.right
	case n.right == nil:
		return n.left
	}
	next := n.right
	for next.left != nil {
		next = next.left
	}
	return link(next.key, next.value, n.left, n.right.del(next.key))
}

func (n *node[V]) each(from string, f func(string, V) bool) bool {
	if n == nil {
		return true
	}
	if n.key < from {
		return n.right.each(from, f)
	}
	return n.left.each(from, f) && f(n.key, n.value) && n.right.each(from, f)
}
