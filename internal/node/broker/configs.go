package broker

import (
	"fmt"
	"strconv"

	"millrace/internal/kafka/wire"
)

// otherBroker says why a resource named so is not this node: settings of a broker, and its loggers, are asked of the
// broker itself.
func (b *Broker) otherBroker(name string) (wire.ErrorCode, string) {
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return wire.InvalidRequest, fmt.Sprintf("Node id must be an integer, but it is: %q", name)
	case int32(id) != b.host.NodeID():
		return wire.InvalidRequest, fmt.Sprintf("Unexpected broker id, expected %s but received %s", b.nodeName(), name)
	}
	return wire.None, ""
}

// judgeLogger: this node has no loggers whose level can be changed, so each is one that does not exist.
func (b *Broker) judgeLogger(broker string, names []string) (wire.ErrorCode, string) {
	if code, why := b.otherBroker(broker); code != wire.None {
		return code, why
	}
	for _, name := range names {
		return wire.InvalidConfig, fmt.Sprintf("Logger %s does not exist!", name)
	}
	return wire.None, ""
}

const noMetricsSubscriptions = "client metrics subscriptions are not supported by this broker"
