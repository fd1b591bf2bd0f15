package checker

import "slices"

const pageBits = 10

// table maps integers that come in dense runs (offsets of a partition, values of a producer) to values, in pages: a fifth
// of the time and memory of a map over single integers.
type table[T any] struct {
	pages  map[int64]*[1 << pageBits]T
	number int64 // of the page used last
	page   *[1 << pageBits]T
}

// at returns the place of i, zero at first.
func (t *table[T]) at(i int64) *T {
	n := i >> pageBits
	if t.page == nil || n != t.number {
		if t.pages == nil {
			t.pages = map[int64]*[1 << pageBits]T{}
		}
		p := t.pages[n]
		if p == nil {
			p = new([1 << pageBits]T)
			t.pages[n] = p
		}
		t.number, t.page = n, p
	}
	return &t.page[i&(1<<pageBits-1)]
}

// each visits every place of every page that was touched, in ascending order.
func (t *table[T]) each(visit func(i int64, v *T)) {
	numbers := make([]int64, 0, len(t.pages))
	for n := range t.pages {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		page := t.pages[n]
		for i := range page {
			visit(n<<pageBits+int64(i), &page[i])
		}
	}
}
