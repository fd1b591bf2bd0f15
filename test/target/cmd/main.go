// Command cmd runs a broker under test in the foreground until it is interrupted: `go run ./test/target/cmd -kind kafka -port 19092`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"millrace/test/target"
)

func main() {
	kind := flag.String("kind", "kafka", "kafka or millrace")
	port := flag.Int("port", 0, "port; 0 picks one")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "millrace-target"), "data directory")
	heap := flag.Int("heap", 512, "Kafka's heap in MB")
	core := flag.Int("core", -1, "run on this core only")
	overrides := map[string]string{}
	flag.Func("override", "key=value, repeated", func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not key=value", s)
		}
		overrides[k] = v
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := target.Start(ctx, target.Options{Kind: *kind, Port: *port, Dir: *dir, Core: *core, HeapMB: *heap, Overrides: overrides})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(p.Kind, "on", p.Addr(), "pid", p.PID(), "data", p.Dir)
	select {
	case <-ctx.Done():
		p.Stop()
	case <-p.Exited():
		fmt.Println("it ended:\n" + p.Tail(20))
	}
}
