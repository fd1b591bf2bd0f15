package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Protocol is what a listener speaks, numbered as in Kafka's metadata records.
type Protocol int16

const (
	Plaintext     Protocol = 0
	SSL           Protocol = 1
	SASLPlaintext Protocol = 2
	SASLSSL       Protocol = 3
)

var protocolNames = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

func (p Protocol) String() string { return protocolNames[p] }

// Address is a host and a port. An empty host means every address of the machine.
type Address struct {
	Host string
	Port int
}

// String is host:port, with brackets around an IPv6 address.
func (a Address) String() string {
	if strings.Contains(a.Host, ":") {
		return "[" + a.Host + "]:" + strconv.Itoa(a.Port)
	}
	return a.Host + ":" + strconv.Itoa(a.Port)
}

// Wildcard: every address of the machine.
func (a Address) Wildcard() bool {
	if a.Host == "" {
		return true
	}
	ip, err := netip.ParseAddr(a.Host)
	return err == nil && ip.IsUnspecified()
}

// Loopback: only this machine can connect.
func (a Address) Loopback() bool {
	if strings.EqualFold(a.Host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(a.Host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Bind is what to listen on: localhost is both of its addresses, by number, so that no name service can move it.
func (a Address) Bind() []Address {
	if strings.EqualFold(a.Host, "localhost") {
		return []Address{{"127.0.0.1", a.Port}, {"::1", a.Port}}
	}
	return []Address{a}
}

// Listener is one entry of listeners.
type Listener struct {
	// Name is in upper case; its own settings begin with listener.name.<lower case>.
	Name     string
	Protocol Protocol
	Address
	// Advertised is what clients are told. An empty host stands for this machine's own name, and port 0 for the port
	// the listener got: both are known only to who opens it.
	Advertised Address
	// AllowAnonymous lets a listener without authentication be open to other machines.
	AllowAnonymous bool
}

// TLS reports whether the listener is encrypted.
func (l Listener) TLS() bool { return l.Protocol == SSL || l.Protocol == SASLSSL }

// Authenticated reports whether clients must say who they are.
func (l Listener) Authenticated() bool { return l.Protocol == SASLPlaintext || l.Protocol == SASLSSL }

// Listeners are the ones for clients and brokers, in the order of the file.
func (s *Static) Listeners() []Listener { return s.listeners }

// ControllerListeners are accepted, and opened once the quorum has more than one voter.
func (s *Static) ControllerListeners() []Listener { return s.controllers }

// InterBroker is the listener whose address other brokers are given: the one inter.broker.listener.name tells, else
// the first that speaks security.inter.broker.protocol, else the first.
func (s *Static) InterBroker() Listener {
	name := strings.ToUpper(s.String("inter.broker.listener.name"))
	protocol := s.String("security.inter.broker.protocol")
	for _, l := range s.listeners {
		if name != "" && l.Name == name || name == "" && l.Protocol.String() == protocol {
			return l
		}
	}
	return s.listeners[0]
}

// AdminListeners is where the admin port listens.
func (s *Static) AdminListeners() []Address {
	var out []Address
	for _, item := range s.List("admin.listeners") {
		if host, port, err := splitHostPort(item); err == nil { // Load has refused the others
			out = append(out, Address{host, port})
		}
	}
	return out
}

// splitHostPort takes host:port, :port and [v6]:port.
func splitHostPort(s string) (host string, port int, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", 0, fmt.Errorf("%q has no port: write it as host:port", s)
	}
	host = s[:i]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", 0, fmt.Errorf("%q is no IPv6 address", host)
		}
	} else if strings.ContainsAny(host, ":[]/") {
		return "", 0, fmt.Errorf("%q is no host: an IPv6 address needs brackets, as in [::1]:9092", host)
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q is no port: it must lie between 0 and 65535", s[i+1:])
	}
	return host, int(n), nil
}

// parseEndpoint takes NAME://host:port.
func parseEndpoint(s string) (name string, a Address, err error) {
	name, rest, ok := strings.Cut(s, "://")
	if !ok || !validListenerName(name) {
		return "", a, fmt.Errorf("%q is not of the form NAME://host:port", s)
	}
	a.Host, a.Port, err = splitHostPort(rest)
	return strings.ToUpper(name), a, err
}

func validListenerName(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return s != ""
}
