package simenv

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"millrace/internal/node/env"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, d env.Disk, name string) env.File {
	t.Helper()
	f, err := d.Create(name)
	must(t, err)
	return f
}

func put(t *testing.T, f env.File, off int64, s string) {
	t.Helper()
	_, err := f.WriteAt([]byte(s), off)
	must(t, err)
}

func want(t *testing.T, d *Disk, name, content string) {
	t.Helper()
	b, err := d.ReadFile(name)
	if err != nil || string(b) != content {
		t.Fatalf("%s = %q, %v; want %q", name, b, err, content)
	}
}

func gone(t *testing.T, d *Disk, name string) {
	t.Helper()
	if _, err := d.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s: %v, want it gone\n%v", name, err, d.Tree())
	}
}

// durable makes /d/name with content that a power cut keeps.
func durable(t *testing.T, d *Disk, name, content string) env.File {
	t.Helper()
	must(t, d.Mkdir("/d"))
	f := create(t, d, "/d/"+name)
	put(t, f, 0, content)
	must(t, f.Sync())
	must(t, d.SyncDir("/d"))
	must(t, d.SyncDir("/"))
	return f
}

func TestSyncOfANewFileDoesNotMakeItsNameDurable(t *testing.T) {
	d := NewDisk(1)
	durable(t, d, "a", "old")
	f := create(t, d, "/d/b")
	put(t, f, 0, "x")
	must(t, f.Sync())
	d.PowerCut(0)
	want(t, d, "/d/a", "old")
	gone(t, d, "/d/b")
}

func TestADirectoryNeedsItsParentSynced(t *testing.T) {
	d := NewDisk(1)
	must(t, d.Mkdir("/x/y"))
	f := create(t, d, "/x/y/f")
	must(t, f.Sync())
	must(t, d.SyncDir("/x/y"))
	must(t, d.SyncDir("/"))
	d.PowerCut(0)
	gone(t, d, "/x/y")
	if _, err := d.Stat("/x"); err != nil {
		t.Fatal(err)
	}
}

func TestKillKeepsWhatWasWritten(t *testing.T) {
	d := NewDisk(1)
	p := d.Process()
	f := durable(t, d, "a", "old")
	put(t, f, 3, "+new")
	l, err := p.Lock("/d/.lock")
	must(t, err)
	if _, err := d.Lock("/d/.lock"); !errors.Is(err, env.ErrLocked) {
		t.Fatal(err)
	}
	d.Kill()
	want(t, d, "/d/a", "old+new")
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrDead) {
		t.Fatal("a dead handle reads:", err)
	}
	if _, err := p.Open("/d/a"); !errors.Is(err, ErrDead) {
		t.Fatal("a dead process opens:", err)
	}
	l2, err := d.Lock("/d/.lock")
	must(t, err)
	l.Close() // the dead holder's: must not release the new lock
	if _, err := d.Lock("/d/.lock"); !errors.Is(err, env.ErrLocked) {
		t.Fatal(err)
	}
	must(t, l2.Close())
	d.PowerCut(0)
	want(t, d, "/d/a", "old")
}

func TestPowerCutKeepsAllOrNothing(t *testing.T) {
	for _, keep := range []float64{0, 1} {
		d := NewDisk(1)
		f := durable(t, d, "a", "0123456789")
		g := durable(t, d, "r", "r")
		must(t, g.Close())
		put(t, f, 2, "xx")
		must(t, f.Truncate(6))
		must(t, d.Rename("/d/r", "/d/s"))
		d.PowerCut(keep)
		if keep == 0 {
			want(t, d, "/d/a", "0123456789")
			want(t, d, "/d/r", "r")
			gone(t, d, "/d/s")
		} else {
			want(t, d, "/d/a", "01xx45")
			want(t, d, "/d/s", "r")
			gone(t, d, "/d/r")
		}
	}
}

func TestFailedSyncDropsThePages(t *testing.T) {
	d := NewDisk(1)
	f := durable(t, d, "a", "old")
	put(t, f, 0, "new!")
	d.Fail(Rule{Op: OpSync, Path: "a"})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	want(t, d, "/d/a", "old\x00")
	must(t, f.Sync()) // the retry that must not be believed
	d.PowerCut(1)
	want(t, d, "/d/a", "old\x00")
}

func TestFailedSyncAfterTruncation(t *testing.T) {
	d := NewDisk(1)
	long := string(bytes.Repeat([]byte("abcdefgh"), 2000))
	f := durable(t, d, "a", long)
	must(t, f.Truncate(5))
	d.Fail(Rule{Op: OpSync})
	if f.Sync() == nil {
		t.Fatal("no error")
	}
	want(t, d, "/d/a", long[:5])
	d.PowerCut(0)
	want(t, d, "/d/a", long)
}

func TestRuleCountsAndMatches(t *testing.T) {
	d := NewDisk(1)
	f, g := durable(t, d, "x.log", ""), durable(t, d, "x.index", "")
	d.Fail(Rule{Op: OpWrite, Path: "*.log", Nth: 2, Err: syscall.ENOSPC})
	d.Fail(Rule{Op: OpRename, Path: "/d/x.*", Times: -1})
	for i := 1; i <= 3; i++ {
		_, err := f.WriteAt([]byte("z"), 0)
		if errors.Is(err, syscall.ENOSPC) != (i == 2) {
			t.Fatalf("write %d: %v", i, err)
		}
		if _, err := g.WriteAt([]byte("z"), 0); err != nil {
			t.Fatal(err)
		}
		if err := d.Rename("/d/x.index", "/d/y"); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
	}
	d.ClearFaults()
	must(t, d.Rename("/d/x.index", "/d/y"))
}

func TestFullDisk(t *testing.T) {
	d := NewDisk(1)
	d.SetCapacity(3 * blockSize)
	f := durable(t, d, "a", "")
	n, err := f.WriteAt(make([]byte, 5*blockSize), 100)
	if n != 3*blockSize-100 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	if free, total, _ := d.Space("/d"); free != 0 || total != 3*blockSize {
		t.Fatal(free, total)
	}
	if n, err := f.WriteAt(make([]byte, 10), 0); n != 10 || err != nil {
		t.Fatal("overwriting needs no space:", n, err)
	}
	must(t, d.Remove("/d/a"))
	if free, _, _ := d.Space("/d"); free != 0 {
		t.Fatal("the open handle holds the blocks", free)
	}
	must(t, f.Close())
	if free, _, _ := d.Space("/d"); free != 3*blockSize {
		t.Fatal(free)
	}
}

func TestCrashPoint(t *testing.T) {
	d := NewDisk(1)
	f := durable(t, d, "a", "0")
	d.CrashAt(d.Ops() + 2)
	put(t, f, 1, "1")
	if _, err := f.WriteAt([]byte("2"), 2); !errors.Is(err, ErrDead) {
		t.Fatal(err)
	}
	if !d.Down() {
		t.Fatal("still up")
	}
	if _, err := d.Open("/d/a"); !errors.Is(err, ErrDead) {
		t.Fatal(err)
	}
	d.PowerCut(0)
	want(t, d, "/d/a", "0")
}

func TestRenameIsNeverLostInBetween(t *testing.T) {
	seen := map[string]bool{}
	for seed := uint64(0); seed < 300; seed++ {
		d := NewDisk(seed)
		must(t, durable(t, d, "a", "1").Close())
		must(t, durable(t, d, "b", "2").Close())
		must(t, d.Rename("/d/a", "/d/a2"))
		must(t, d.Rename("/d/b", "/d/a2"))
		must(t, d.Rename("/d/a2", "/d/c"))
		d.PowerCut(0.5)
		has := func(name string) string {
			b, _ := d.ReadFile("/d/" + name)
			return string(b)
		}
		all := has("a") + has("a2") + has("b") + has("c")
		if !bytes.Contains([]byte(all), []byte("2")) {
			t.Fatalf("seed %d: file 2 is lost: %v", seed, d.Tree())
		}
		seen[has("a")+"|"+has("a2")+"|"+has("b")+"|"+has("c")] = true
	}
	if len(seen) < 4 {
		t.Fatalf("only outcomes %v", seen)
	}
}

// TestPowerCutKeepsSectors compares a random history of one file with a plain model: every sector after a cut is the
// synced one or the last written one, and both happen.
func TestPowerCutKeepsSectors(t *testing.T) {
	olds, news, torn := 0, 0, 0
	for seed := uint64(0); seed < 400; seed++ {
		d := NewDisk(seed)
		r := rand.New(rand.NewPCG(seed, 7))
		f := durable(t, d, "a", "")
		var cur, synced []byte
		for range 30 {
			switch r.IntN(6) {
			case 0:
				must(t, f.Sync())
				synced = slices.Clone(cur)
			case 1:
				size := r.IntN(40000)
				must(t, f.Truncate(int64(size)))
				cur = append(cur, make([]byte, max(0, size-len(cur)))...)[:size:size]
			default:
				p := bytes.Repeat([]byte{byte(1 + r.IntN(255))}, 1+r.IntN(9000))
				off := r.IntN(30000)
				_, err := f.WriteAt(p, int64(off))
				must(t, err)
				cur = append(cur, make([]byte, max(0, off+len(p)-len(cur)))...)
				copy(cur[off:], p)
			}
			got := make([]byte, len(cur))
			if k, err := f.ReadAt(got, 0); k != len(got) || err != nil && err != io.EOF || !bytes.Equal(got, cur) {
				t.Fatalf("seed %d: read differs", seed)
			}
		}
		keep := []float64{0, 0.5, 1}[r.IntN(3)]
		d.PowerCut(keep)
		got, err := d.ReadFile("/d/a")
		must(t, err)
		if keep == 0 && !bytes.Equal(got, synced) || keep == 1 && !bytes.Equal(got, cur) {
			t.Fatalf("seed %d keep %v: wrong content", seed, keep)
		}
		if low, high := min(len(cur), len(synced)), max(len(cur), len(synced)); len(got) < low || len(got) > high {
			t.Fatalf("seed %d: size %d outside %d..%d", seed, len(got), low, high)
		}
		for b := 0; b < len(got); b += blockSize {
			was := [2]bool{}
			for s := b; s < min(b+blockSize, len(got)); s += sectorSize {
				end := min(s+sectorSize, len(got))
				sector := func(b []byte) []byte {
					out := make([]byte, end-s)
					if s < len(b) {
						copy(out, b[s:])
					}
					return out
				}
				o, n := bytes.Equal(got[s:end], sector(synced)), bytes.Equal(got[s:end], sector(cur))
				if !o && !n {
					t.Fatalf("seed %d: sector at %d is neither old nor new", seed, s)
				}
				was[0], was[1] = was[0] || !n, was[1] || !o
			}
			switch {
			case was[0] && was[1]:
				torn++
			case was[0]:
				olds++
			case was[1]:
				news++
			}
		}
	}
	if olds == 0 || news == 0 || torn == 0 {
		t.Fatal("old, new and torn blocks:", olds, news, torn)
	}
}

func TestSameSeedSameDisk(t *testing.T) {
	run := func(seed uint64) uint64 {
		d := NewDisk(seed)
		f := durable(t, d, "a", "x")
		put(t, f, 0, string(bytes.Repeat([]byte("abc"), 10000)))
		create(t, d, "/d/b")
		create(t, d, "/d/c")
		d.PowerCut(0.5)
		return d.Hash()
	}
	if run(1) != run(1) {
		t.Fatal("one seed, two disks")
	}
	different := map[uint64]bool{}
	for seed := uint64(0); seed < 20; seed++ {
		different[run(seed)] = true
	}
	if len(different) < 10 {
		t.Fatal("the seed changes nothing")
	}
}

func BenchmarkAppendSync(b *testing.B) {
	p := make([]byte, 200)
	for b.Loop() {
		d := NewDisk(1)
		d.Mkdir("/d")
		f, _ := d.Create("/d/a")
		for i := range 100 {
			f.WriteAt(p, int64(i*200))
			if i%5 == 0 {
				f.Sync()
			}
		}
		d.PowerCut(0.5)
	}
}
