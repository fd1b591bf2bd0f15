package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// checkTogether looks at settings that must fit each other.
func (l *loading) checkTogether() {
	l.checkQuorum()
	l.checkListeners()
	l.checkAdmin()
	l.checkRegistry()
	l.checkOrder("group.min.session.timeout.ms", "group.max.session.timeout.ms")
	l.checkOrder("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms")
	dirs := l.s.LogDirs()
	if len(dirs) == 0 || slices.Contains(dirs, "") {
		l.refuse("log.dirs", "log.dirs names no directory: say where the data shall be kept")
	}
	for i, dir := range dirs {
		if slices.Contains(dirs[:i], dir) {
			l.refuse("log.dirs", "log.dirs names %s twice", dir)
		}
	}
}

func (l *loading) checkOrder(low, high string) {
	if a, b := l.s.Int64(low), l.s.Int64(high); a > b {
		l.refuse(low, "%s (%d) is larger than %s (%d)", low, a, high, b)
	}
}

// checkQuorum: a file that means several nodes must not start as a cluster of its own, for its data would never
// join the others'.
func (l *loading) checkQuorum() {
	roles := l.s.List("process.roles")
	if !slices.Contains(roles, "broker") || !slices.Contains(roles, "controller") {
		l.refuse("process.roles", "process.roles=%s is not built yet: a node is broker and controller together (process.roles=broker,controller)",
			l.s.String("process.roles"))
	}
	if l.s.NodeID() < 0 {
		l.refuse("node.id", "node.id is not set: give this node a number, as in node.id=1")
	}
	if n := len(l.s.List("controller.quorum.bootstrap.servers")); n > 1 {
		l.refuse("controller.quorum.bootstrap.servers", "controller.quorum.bootstrap.servers names %d controllers: clusters of several nodes are not built yet", n)
	}
	voters := l.s.List("controller.quorum.voters")
	if len(voters) > 1 {
		l.refuse("controller.quorum.voters", "controller.quorum.voters names %d controllers: clusters of several nodes are not built yet", len(voters))
	}
	for _, v := range voters {
		id, address, ok := strings.Cut(v, "@")
		if _, _, err := splitHostPort(address); !ok || err != nil {
			l.refuse("controller.quorum.voters", "controller.quorum.voters=%s is refused: it is not of the form id@host:port", v)
		} else if id != strconv.Itoa(int(l.s.NodeID())) {
			l.refuse("controller.quorum.voters", "controller.quorum.voters names node %s, but this is node %d, and clusters of several nodes are not built yet", id, l.s.NodeID())
		}
	}
}

// checkListeners parses listeners and what refers to them.
func (l *loading) checkListeners() {
	protocols, ok := l.protocols()
	if !ok {
		return
	}
	forControllers := upper(l.s.List("controller.listener.names"))
	for _, item := range l.s.List("listeners") {
		li, ok := l.listener(item, protocols, forControllers)
		if !ok {
			return
		}
		l.addListener(li, slices.Contains(forControllers, li.Name))
	}
	if len(l.s.listeners) == 0 {
		l.refuse("listeners", "listeners names none for clients: write it as in listeners=PLAINTEXT://localhost:9092")
		return
	}
	l.advertise()
	if name := strings.ToUpper(l.s.String("inter.broker.listener.name")); name != "" && l.s.InterBroker().Name != name {
		l.refuse("inter.broker.listener.name", "inter.broker.listener.name=%s is none of the listeners", name)
	}
	l.checkInterBrokerProtocol()
	for _, li := range l.s.listeners {
		l.checkOpen(li)
	}
}

func (l *loading) checkInterBrokerProtocol() {
	const key = "security.inter.broker.protocol"
	protocol, given := l.s.explicit[key]
	if !given {
		return
	}
	if l.s.Has("inter.broker.listener.name") {
		l.refuse(key, "inter.broker.listener.name and %s say the same thing: set only one of them", key)
	} else if l.s.InterBroker().Protocol.String() != protocol {
		l.refuse(key, "%s=%s is refused: no listener speaks it", key, protocol)
	}
}

// clash: two listeners share a port only on different addresses of which neither is the wildcard.
func clash(a, b Address) bool {
	return a.Wildcard() || b.Wildcard() || strings.EqualFold(a.Host, b.Host)
}

func upper(items []string) []string {
	for i := range items {
		items[i] = strings.ToUpper(items[i])
	}
	return items
}

func (l *loading) protocols() (map[string]Protocol, bool) {
	const key = "listener.security.protocol.map"
	out := map[string]Protocol{}
	for _, item := range SplitList(l.s.String(key)) {
		name, protocol, ok := strings.Cut(item, ":")
		p := slices.Index(protocolNames, strings.ToUpper(strings.TrimSpace(protocol)))
		if !ok || p < 0 || !validListenerName(name) {
			l.refuse(key, "%s: %q is not of the form NAME:PROTOCOL with one of %s", key, item, strings.Join(protocolNames, ", "))
			return nil, false
		}
		out[strings.ToUpper(name)] = Protocol(p)
	}
	return out, true
}

func (l *loading) listener(item string, protocols map[string]Protocol, forControllers []string) (Listener, bool) {
	name, address, err := parseEndpoint(item)
	if err != nil {
		l.refuse("listeners", "listeners is refused: %w", err)
		return Listener{}, false
	}
	protocol, known := protocols[name]
	_, mapped := l.s.explicit["listener.security.protocol.map"]
	if !known && !(slices.Contains(forControllers, name) && !mapped) { // Kafka lets controllers default to PLAINTEXT
		l.refuse("listeners", "listener %s speaks no known protocol: add listener.security.protocol.map=%s:PLAINTEXT (or SSL)", name, name)
		return Listener{}, false
	}
	li := Listener{Name: name, Protocol: protocol, Address: address, Advertised: address}
	li.AllowAnonymous = l.s.Listener(name).Bool("allow.anonymous")
	return li, true
}

func (l *loading) addListener(li Listener, controller bool) {
	for _, other := range slices.Concat(l.s.listeners, l.s.controllers) {
		if other.Name == li.Name {
			l.refuse("listeners", "listeners names %s twice", li.Name)
			return
		}
		if other.Port == li.Port && li.Port != 0 && clash(li.Address, other.Address) {
			l.refuse("listeners", "listeners %s and %s both want port %d", other.Name, li.Name, li.Port)
		}
	}
	if controller {
		l.s.controllers = append(l.s.controllers, li)
		l.warn("controller.listener.names", NotYet, "listener %s is for controllers and is not opened: this node is the only one of its quorum", li.Name)
		return
	}
	l.s.listeners = append(l.s.listeners, li)
}

// advertise reads advertised.listeners over what listeners say.
func (l *loading) advertise() {
	for i := range l.s.listeners {
		if a := &l.s.listeners[i].Advertised; a.Wildcard() {
			a.Host = ""
		}
	}
	for _, item := range l.s.List("advertised.listeners") {
		name, address, err := parseEndpoint(item)
		if err != nil {
			l.refuse("advertised.listeners", "advertised.listeners is refused: %w", err)
			continue
		}
		if address.Host != "" && address.Wildcard() {
			l.refuse("advertised.listeners", "advertised.listeners=%s is refused: no client can connect to %s; give the name or address it would use", item, address.Host)
			continue
		}
		l.advertiseOne(name, address)
	}
}

func (l *loading) advertiseOne(name string, address Address) {
	for i := range l.s.listeners {
		if l.s.listeners[i].Name == name {
			l.s.listeners[i].Advertised = address
			return
		}
	}
	if !slices.ContainsFunc(l.s.controllers, func(c Listener) bool { return c.Name == name }) {
		l.refuse("advertised.listeners", "advertised.listeners names %s, which is none of the listeners", name)
	}
}

// checkOpen keeps the promise that nothing is open to other machines by accident.
func (l *loading) checkOpen(li Listener) {
	if li.Authenticated() {
		l.refuse("listeners", "listener %s wants %s, and SASL authentication is not built yet: it is refused, so that a secured file never starts open", li.Name, li.Protocol)
		return
	}
	if li.TLS() {
		l.checkCertificate(li)
	}
	if li.Loopback() || li.AllowAnonymous {
		return
	}
	where := "on " + li.Address.String()
	if li.Wildcard() {
		where = fmt.Sprintf("on every address of this machine (port %d)", li.Port)
	}
	l.refuse("listeners", "listener %s %s has no authentication: whoever reaches it could read, write and delete every topic."+
		" If that is what you want, add the line listener.name.%s.allow.anonymous=true to the file;"+
		" otherwise listen on this machine only, with listeners=%s://localhost:%d", li.Name, where, strings.ToLower(li.Name), li.Name, li.Port)
}

func (l *loading) checkCertificate(li Listener) {
	v := l.s.Listener(li.Name)
	if v.Has("ssl.keystore.location") || v.Has("ssl.keystore.key") && v.Has("ssl.keystore.certificate.chain") {
		return
	}
	l.refuse("listeners", "listener %s speaks TLS and has no certificate: set listener.name.%s.ssl.keystore.location to a PEM file with the private key and the certificate chain",
		li.Name, strings.ToLower(li.Name))
}

func (l *loading) checkAdmin() {
	if l.s.Bool("admin.allow.anonymous") {
		return
	}
	for _, a := range l.s.AdminListeners() {
		if !a.Loopback() {
			l.refuse("admin.listeners", "admin.listeners=%s has no authentication: whoever reaches it could read metrics and profiles, which show topic and client names."+
				" If that is what you want, add the line admin.allow.anonymous=true to the file", a)
		}
	}
}
