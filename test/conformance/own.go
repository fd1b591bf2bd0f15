package main

import (
	"maps"
	"path/filepath"

	"millrace/test/target"
)

// own is a broker of a case's own, for cases that need settings of their own or break it.
type own struct {
	*target.Process
	t *T
}

// Own starts a broker with settings besides the usual ones, and makes it the one that the case's helpers talk to. It ends with
// the case. Port 0 picks one.
func (t *T) Own(port int, overrides map[string]string) *own {
	t.ownBroker()
	o := t.options()
	o.Port = port
	o.Dir = filepath.Join(t.work, t.Name("data"))
	o.Overrides = maps.Clone(o.Overrides)
	maps.Copy(o.Overrides, overrides)
	p, err := target.Start(t.ctx, o)
	t.Must(err, "start a broker")
	b := &own{p, t}
	t.addr = p.Addr()
	t.defers(func() { b.Kill() })
	return b
}

// restart starts the broker again on the same directory and port.
func (b *own) restart() {
	o := b.Options
	p, err := target.Start(b.t.ctx, o)
	b.t.Must(err, "start again")
	b.Process = p
}
