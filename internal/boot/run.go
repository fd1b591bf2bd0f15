package boot

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"millrace/internal/apps/cli"
	"millrace/internal/config"
	"millrace/internal/node/broker"
	"millrace/internal/node/env"
)

// Hooks are what the command line asks of the program.
func Hooks(version string) cli.Hooks {
	return cli.Hooks{Version: version,
		Dev:      func(ctx context.Context, o cli.DevOptions) error { return dev(ctx, version, o, os.Stdout) },
		Serve:    func(ctx context.Context, o cli.ServeOptions) error { return serve(ctx, version, o, os.Stdout) },
		Registry: func(ctx context.Context, o cli.RegistryOptions) error { return runRegistry(ctx, version, o, os.Stdout) },
	}
}

// serve runs a node by its settings until ctx ends.
func serve(ctx context.Context, version string, o cli.ServeOptions, out io.Writer) error {
	var file config.Properties
	if o.Config != "" {
		f, err := os.Open(o.Config)
		if err != nil {
			return fmt.Errorf("the settings cannot be read: %w: --config names a server.properties file", err)
		}
		defer f.Close()
		if file, err = config.ParseProperties(f); err != nil {
			return fmt.Errorf("%s: %w", o.Config, err)
		}
	}
	flags, err := config.ParseOverrides(o.Overrides)
	if err != nil {
		return err
	}
	s, warnings, err := config.Load(file, os.Environ(), flags)
	if err != nil {
		if o.Config != "" {
			return fmt.Errorf("%s: %w", o.Config, err)
		}
		return err
	}
	log := logger()
	for _, w := range warnings {
		log.Warn(w.String())
	}
	return run(ctx, Options{Env: env.Real(), Settings: s, Version: version, Log: log}, func(n *Node) {
		fmt.Fprintf(out, "millrace %s, node %d of cluster %s\n", version, s.NodeID(), n.host.ClusterID())
		report(out, n)
		fmt.Fprintf(out, "  data     %s\n", strings.Join(s.LogDirs(), ", "))
	})
}

// dev runs one node on loopback, with settings that suit a first try. Environment and overrides still win.
func dev(ctx context.Context, version string, o cli.DevOptions, out io.Writer) error {
	data := o.Data
	if data == "" {
		data = defaultData()
	}
	data, err := filepath.Abs(data)
	if err != nil {
		return err
	}
	file := config.Properties{}
	set := func(k, v string) { file = append(file, config.Property{Key: k, Value: v}) }
	set("log.dirs", data)
	// Advertised as localhost, which is either of its two addresses: a client that can reach only one of them is served too.
	set("listeners", "PLAINTEXT://localhost:"+strconv.Itoa(o.Port))
	set("auto.create.topics.enable", "true")
	set("group.initial.rebalance.delay.ms", "0")
	set("schema.registry.listeners", "http://localhost:8081")
	if o.Port != 9092 { // a second node on this machine: it must not want the first one's ports
		set("admin.listeners", "127.0.0.1:0")
		set("schema.registry.listeners", "http://localhost:0")
	}
	flags, err := config.ParseOverrides(o.Overrides)
	if err != nil {
		return err
	}
	s, warnings, err := config.Load(file, os.Environ(), flags)
	if err != nil {
		return err
	}
	log := logger()
	for _, w := range warnings {
		log.Warn(w.String())
	}
	return run(ctx, Options{Env: env.Real(), Settings: s, Version: version, Log: log, Limits: broker.Limits{ConnectionsPerIP: -1}}, func(n *Node) {
		fmt.Fprintf(out, "millrace %s, one node for development\n", version)
		at := report(out, n)
		fmt.Fprintf(out, "  data     %s (kept after a stop)\n\n%s\nCtrl-C stops it.\n", data, example(at))
	})
}

// example is what a newcomer can paste into another terminal, whatever directory it is in.
func example(at string) string {
	program, err := os.Executable()
	if err != nil {
		program = "millrace"
	}
	if strings.ContainsAny(program, " '\"$&;()") {
		program = "'" + strings.ReplaceAll(program, "'", `'\''`) + "'"
	}
	bootstrap := ""
	if at != cli.DefaultBootstrap {
		bootstrap = " --bootstrap " + at
	}
	return fmt.Sprintf("Try it in another terminal:\n  echo hello | %s produce t1%s\n  %s consume t1%s --from beginning\n", program, bootstrap, program, bootstrap)
}

// defaultData is a place for dev's data that stays.
func defaultData() string {
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "millrace", "dev")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "millrace", "dev")
	}
	return "millrace-data"
}

// report prints where the node is reached: each listener by the address that clients are told, and where it listens. It
// returns the first of them.
func report(out io.Writer, n *Node) (first string) {
	bound := map[string][]string{}
	for _, e := range n.Endpoints() {
		bound[e.Name] = append(bound[e.Name], e.Bound)
	}
	for _, e := range n.Endpoints() {
		if bound[e.Name] == nil {
			continue
		}
		if first == "" {
			first = Address(e)
		}
		fmt.Fprintf(out, "  kafka    %s (%s, listening on %s)\n", Address(e), e.Name, strings.Join(bound[e.Name], " and "))
		bound[e.Name] = nil
	}
	for _, url := range n.RegistryURLs() {
		fmt.Fprintf(out, "  registry %s\n", url)
	}
	for _, a := range n.AdminAddresses() {
		fmt.Fprintf(out, "  admin    http://%s (/metrics, /healthz, /readyz)\n", a)
	}
	return first
}

func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func run(ctx context.Context, o Options, started func(*Node)) error {
	n, err := Start(o)
	if err != nil {
		return err
	}
	started(n)
	select {
	case <-ctx.Done():
	case <-n.host.Ended():
		err = n.host.Err()
	}
	within, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if stopped := n.Stop(within); err == nil {
		err = stopped
	}
	return err
}
