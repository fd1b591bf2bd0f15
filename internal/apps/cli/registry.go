package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/config"
)

// RegistryOptions are the flags of millrace registry.
type RegistryOptions struct {
	// Client reaches the cluster.
	Client []kgo.Opt
	// Listen is where the REST interface is served.
	Listen string
	// Topic holds the schemas; Replicas are those it is made with, 0 for three or as many as there are brokers.
	Topic    string
	Replicas int
	// Level is the compatibility level where nobody has set one.
	Level string
	// FixedModes refuses changes of modes.
	FixedModes bool
	// Timeout bounds one request, ParseTimeout what parsing and comparing take of it, Body the bytes of a request.
	Timeout, ParseTimeout time.Duration
	Body                  int64
}

func (a *app) registry() *cobra.Command {
	var o RegistryOptions
	mutable := true
	c := &cobra.Command{
		Use:   "registry",
		Short: "Run a schema registry beside a cluster",
		Long: `Run a schema registry for any cluster that speaks Kafka's protocol. Schemas lie in the topic _schemas of that cluster, in the
format that other registries use; only one registry may write it at a time.`,
		Example: "  millrace registry --bootstrap kafka1:9092\n  millrace registry --listen 127.0.0.1:8082",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.hooks.Registry == nil {
				return errors.New("this program was built without a registry")
			}
			options, err := a.clientOptions(c.Context())
			if err != nil {
				return err
			}
			o.Client, o.FixedModes = options, !mutable
			setting := config.Lookup("schema.compatibility.level")
			if err := setting.Valid(o.Level); err != nil {
				return fmt.Errorf("--compatibility-level: %w", err)
			}
			o.Level = strings.ToUpper(o.Level)
			if o.Replicas < 0 || o.Timeout < time.Second || o.ParseTimeout <= 0 || o.Body <= 0 {
				return errors.New("--request-timeout has to be a second at least, --parse-timeout and --request-max-bytes above zero, --replication-factor not below")
			}
			return stopped(a.hooks.Registry(c.Context(), o))
		},
	}
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8081", "address of the REST interface")
	c.Flags().StringVar(&o.Topic, "topic", "_schemas", "topic that holds the schemas")
	c.Flags().IntVar(&o.Replicas, "replication-factor", 0, "replicas of that topic when it is made; 0 means three, or as many as there are brokers")
	c.Flags().StringVar(&o.Level, "compatibility-level", "BACKWARD", "compatibility level where nobody has set one")
	c.Flags().BoolVar(&mutable, "mode-mutability", true, "whether modes can be changed")
	c.Flags().DurationVar(&o.Timeout, "request-timeout", 30*time.Second, "how long one request may take")
	c.Flags().DurationVar(&o.ParseTimeout, "parse-timeout", 2*time.Second, "how much of it parsing and comparing schemas may take")
	c.Flags().Int64Var(&o.Body, "request-max-bytes", 8<<20, "largest body of a request")
	return c
}

// clientOptions are what reaches the cluster of --bootstrap.
func (a *app) clientOptions(ctx context.Context) ([]kgo.Opt, error) {
	cl, err := a.client(ctx)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return cl.Opts(), nil
}
