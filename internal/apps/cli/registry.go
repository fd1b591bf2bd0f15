package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// RegistryOptions are the flags of millrace registry.
type RegistryOptions struct {
	// Client reaches the cluster.
	Client []kgo.Opt
	// Listen is where the REST interface is served.
	Listen string
	// Topic holds the schemas.
	Topic string
}

func (a *app) registry() *cobra.Command {
	var o RegistryOptions
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
			o.Client = options
			return stopped(a.hooks.Registry(c.Context(), o))
		},
	}
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8081", "address of the REST interface")
	c.Flags().StringVar(&o.Topic, "topic", "_schemas", "topic that holds the schemas")
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
