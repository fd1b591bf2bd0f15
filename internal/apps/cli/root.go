// Package cli is the command line: verbs for people over any cluster that speaks Kafka's protocol, and the two commands
// that run a node, whose work its caller supplies. Output is for people unless --output json asks for programs'.
// Every command is a fetch over the protocol and a format, which is a function of values, tested without a broker.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millrace/serde"
)

// Hooks are what the command line cannot do itself.
type Hooks struct {
	// Version is the program's.
	Version string
	// Dev runs one node for development until ctx ends.
	Dev func(ctx context.Context, o DevOptions) error
	// Serve runs a node by its settings until ctx ends.
	Serve func(ctx context.Context, o ServeOptions) error
	// Registry runs a schema registry beside a cluster until ctx ends.
	Registry func(ctx context.Context, o RegistryOptions) error
}

// DevOptions are the flags of millrace dev.
type DevOptions struct {
	// Data is the directory for its data; empty lets dev choose and say which.
	Data string
	// Port of the Kafka protocol. Port 0 takes a free one.
	Port int
	// Overrides are key=value, in order.
	Overrides []string
}

// ServeOptions are the flags of millrace serve.
type ServeOptions struct {
	// Config is the properties file; empty means none.
	Config string
	// Overrides are key=value, in order.
	Overrides []string
}

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitFound       = 4
	exitInterrupted = 130
)

// DefaultBootstrap is where millrace dev listens.
const DefaultBootstrap = "localhost:9092"

// app is what every command shares: streams, and the flags that all have.
type app struct {
	hooks Hooks
	in    io.Reader
	out   io.Writer
	err   io.Writer
	now   func() time.Time

	bootstrap   string
	registryURL string
	context     string // of schemas
	output      string
	timeout     time.Duration
	tls         bool
	tlsCA       string
}

// Run runs one command line and returns its exit code.
func Run(ctx context.Context, h Hooks, args []string) int { return newApp(h).run(ctx, args) }

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exitInterrupted // whoever pressed Ctrl-C knows why
	}
	for _, e := range split(err) {
		fmt.Fprintln(a.err, "millrace: "+escape(flagWords(explain(e))))
	}
	return exitCode(err)
}

// split takes joined errors apart: each is a sentence of its own.
func split(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, split(e)...)
	}
	return out
}

func newApp(h Hooks) *app {
	return &app{hooks: h, in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "millrace",
		Short: "A streaming platform that speaks Kafka's protocol",
		Long: `Millrace is a streaming platform in one program that speaks Kafka's protocol.

Start one on this machine with "millrace dev", then, in another terminal:

  echo hello | millrace produce greetings
  millrace consume greetings

Every command but dev and serve works against any Kafka cluster: name it with --bootstrap or MILLRACE_BOOTSTRAP.

Exit codes: 0 done; 1 failed; 2 the command line is wrong; 3 no broker or registry can be reached; 4 verify found a broken
promise, or schema check a schema that does not fit; 130 interrupted.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w: see %s --help", err, c.CommandPath())}
	})
	f := root.PersistentFlags()
	f.StringVarP(&a.bootstrap, "bootstrap", "b", bootstrapDefault(), "brokers to ask first, as host:port, separated by commas")
	f.StringVar(&a.bootstrap, "bootstrap-server", bootstrapDefault(), "what Kafka's own tools call --bootstrap")
	f.MarkHidden("bootstrap-server")
	f.StringVarP(&a.output, "output", "o", "table", "how results are printed: table or json")
	f.DurationVar(&a.timeout, "timeout", 30*time.Second, "how long an answer may take")
	f.BoolVar(&a.tls, "tls", false, "connect with TLS")
	f.StringVar(&a.tlsCA, "tls-ca", "", "PEM file of the authorities to trust with TLS, instead of the system's")
	root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(a.dev(), a.serve(), a.registry(), a.topic(), a.produce(), a.consume(), a.group(), a.config(), a.schema(), a.verify(), a.version())
	a.usageErrors(root)
	return root
}

func bootstrapDefault() string {
	if v := os.Getenv("MILLRACE_BOOTSTRAP"); v != "" {
		return v
	}
	return DefaultBootstrap
}

// usageErrors makes wrong arguments of every command usage errors, and gives nouns an error for verbs they lack.
func (a *app) usageErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w: see %s --help", err, c.CommandPath())}
			}
			return nil
		}
	}
	if c.PersistentPreRunE == nil && c.HasParent() == false {
		c.PersistentPreRunE = func(*cobra.Command, []string) error {
			if a.output != "table" && a.output != "json" {
				return usageError{fmt.Errorf("--output %s is unknown: it is table or json", a.output)}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		a.usageErrors(sub)
	}
}

// noun is a command that only has sub-commands.
func noun(name, short, long string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Long: long,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				return fmt.Errorf("%s has no verb %s, did you mean %s", name, args[0], near[0])
			}
			return fmt.Errorf("%s has no verb %s", name, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.SuggestionsMinimumDistance = 2
	c.AddCommand(verbs...)
	return c
}

func (a *app) dev() *cobra.Command {
	var o DevOptions
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run one node on this machine for development",
		Long: `Run one node for development: on 127.0.0.1 and ::1 only, topics created as they are asked for, data kept in a directory
that it names. It is the same engine with the same durability as millrace serve.`,
		Example: "  millrace dev\n  millrace dev --port 19092 --data /tmp/mill",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.hooks.Dev == nil {
				return errors.New("this program was built without dev")
			}
			return stopped(a.hooks.Dev(c.Context(), o))
		},
	}
	c.Flags().StringVar(&o.Data, "data", "", "directory for the data (default: one it chooses and names)")
	c.Flags().IntVar(&o.Port, "port", 9092, "port of the Kafka protocol; 0 takes a free one")
	c.Flags().StringArrayVar(&o.Overrides, "override", nil, "key=value that beats what dev chooses; may be given more than once")
	c.MarkFlagDirname("data")
	return c
}

func (a *app) serve() *cobra.Command {
	var o ServeOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a node by its settings",
		Long: `Run a node in the foreground by the settings of a properties file, Kafka's server.properties included. A flag beats the
environment (MILLRACE_LOG_RETENTION_MS for log.retention.ms), which beats the file. An empty data directory is formatted;
SIGTERM stops the node cleanly. docs/config.md lists every setting.`,
		Example: "  millrace serve --config server.properties\n  millrace serve --override log.dirs=/var/lib/millrace --override num.partitions=6",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.hooks.Serve == nil {
				return errors.New("this program was built without serve")
			}
			return stopped(a.hooks.Serve(c.Context(), o))
		},
	}
	c.Flags().StringVar(&o.Config, "config", "", "properties file to read")
	c.Flags().StringArrayVar(&o.Overrides, "override", nil, "key=value that beats the file; may be given more than once")
	c.MarkFlagFilename("config", "properties")
	c.RegisterFlagCompletionFunc("override", completeSettings("="))
	return c
}

// stopped: to be told to stop is how a node ends, and no failure.
func stopped(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := versionInfo{a.hooks.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "millrace %s (%s, %s)\n", v.Version, v.Go, v.Platform)
			})
		},
	}
}

type versionInfo struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage), cobraUsage(err.Error()):
		return exitUsage
	case errors.As(err, new(unreachable)), errors.As(err, new(registryUnreachable)), errors.As(err, new(registrySilent)), errors.Is(err, serde.ErrUnreachable):
		return exitUnreachable
	case errors.As(err, new(found)):
		return exitFound
	}
	return exitFailed
}

var (
	oneNeeded = regexp.MustCompile(`^at least one of the flags in the group \[(.+)\] is required$`)
	tooMany   = regexp.MustCompile(`^if any flags in the group \[.+\] are set none of the others can be; \[(.+)\] were all set$`)
)

// flagWords says in our words what cobra says of flags that belong together.
func flagWords(s string) string {
	if m := oneNeeded.FindStringSubmatch(s); m != nil {
		return "say which: one of " + flagList(m[1]) + " is needed"
	}
	if m := tooMany.FindStringSubmatch(s); m != nil {
		return flagList(m[1]) + " exclude each other"
	}
	return s
}

func flagList(names string) string { return "--" + strings.Join(strings.Fields(names), ", --") }

// cobraUsage recognises what cobra says by itself about a wrong command line.
func cobraUsage(s string) bool {
	return strings.HasPrefix(s, "unknown command") || strings.HasPrefix(s, "required flag") || strings.Contains(s, "flags in the group")
}
