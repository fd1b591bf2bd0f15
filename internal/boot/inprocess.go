package boot

import (
	"context"
	"net"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/apps/lag"
	"millrace/internal/core/auth"
	"millrace/internal/node/broker"
)

// inProcessName names the listener for apps in this process. No listener of the settings can have this name.
const inProcessName = "(in process)"

// inProcess is that listener. It answers with the addresses that other brokers are given; the dialer knows which of
// them is this node.
func (n *Node) inProcess() broker.Listener {
	return broker.Listener{Name: inProcessName, Address: inProcessName, Network: n.pipe, AnswerAs: n.o.Settings.InterBroker().Name, Unlimited: true,
		Principal: auth.Principal{Type: "User", Name: "millrace"}}
}

// startApps makes the client that apps reach the cluster with, and starts the apps.
func (n *Node) startApps() error {
	client, err := kgo.NewClient(append(n.inProcessClient(), kgo.ClientID("millrace"))...)
	if err != nil {
		return err
	}
	n.client = client
	n.metrics.Groups(lag.Collector(client, lag.Options{Now: n.o.Env.Clock.Now}))
	n.schemas.open(n.inProcessClient())
	return nil
}

// inProcessClient are the options of a client that reaches this node through the pipe and others by the network.
func (n *Node) inProcessClient() []kgo.Opt {
	self := n.interBroker()
	return []kgo.Opt{kgo.SeedBrokers(self), kgo.SoftwareNameAndVersion("millrace", n.o.Version),
		kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == self {
				return n.pipe.Dial(ctx, network, address)
			}
			return n.o.Env.Network.Dial(ctx, network, address)
		})}
}

// interBroker is the address that the metadata tells other brokers.
func (n *Node) interBroker() string {
	name := n.o.Settings.InterBroker().Name
	for _, e := range n.Endpoints() {
		if e.Name == name {
			return Address(e)
		}
	}
	return ""
}
