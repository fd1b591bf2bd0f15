package broker

import (
	"net"
	"strconv"
	"strings"

	"millrace/internal/config"
	"millrace/internal/core/meta"
)

// connLimits are the limits on the number of connections that hold under one image: their settings may change while the
// broker runs. A negative one is none.
type connLimits struct {
	image        *meta.Image
	perIP, total int
	rate         int            // new connections a second
	named        string         // max.connections.per.ip.overrides as written
	overrides    map[string]int // the same, by address
}

// connLimits reads the settings anew when the metadata has changed. Names are resolved only when they are others.
func (b *Broker) connLimits() *connLimits {
	var image *meta.Image // nil for a broker without a host: what was given at start holds
	var cluster, own map[string]string
	if b.host != nil {
		image = b.host.Image()
		cluster, own = image.Config(brokerConfigs, ""), image.Config(brokerConfigs, b.nodeName())
	}
	now := b.counted.Load()
	if now != nil && now.image == image {
		return now
	}
	value := func(name string, stricter int) int {
		v, _, chain := config.BrokerValue(b.settings, cluster, own, name)
		if chain[0].Source == config.SourceDefault {
			return stricter // than Kafka's "unlimited"
		}
		n, _ := strconv.Atoi(strings.TrimSpace(v))
		return n
	}
	next := &connLimits{image: image, perIP: orDefault(b.asked.ConnectionsPerIP, value("max.connections.per.ip", 1000)),
		total: orDefault(b.asked.Connections, value("max.connections", 10_000)),
		rate:  orDefault(b.asked.ConnectionRate, value("max.connection.creation.rate", 200))}
	next.named = config.Broker(b.settings, cluster, own).String("max.connections.per.ip.overrides")
	if now != nil && now.named == next.named {
		next.overrides = now.overrides
	} else {
		next.overrides = perAddress(config.SplitList(next.named))
	}
	b.counted.CompareAndSwap(now, next) // losing the race only means to read them again
	return next
}

// perAddress reads host:count entries.
func perAddress(entries []string) map[string]int {
	m := map[string]int{}
	for _, e := range entries {
		i := strings.LastIndexByte(e, ':')
		if i < 0 {
			continue // the settings' own rule has refused it
		}
		n, err := strconv.Atoi(strings.TrimSpace(e[i+1:]))
		if err != nil {
			continue
		}
		host := strings.TrimSpace(e[:i])
		m[host] = n
		if addrs, err := net.LookupHost(host); err == nil {
			for _, a := range addrs {
				m[a] = n
			}
		}
	}
	return m
}
