package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"millrace/internal/config"
	"millrace/internal/node/env"
)

// ListenersOf makes the listeners that the settings name, certificates loaded. A listener on localhost opens both of
// its addresses.
func ListenersOf(s Settings, clock env.Clock, log *slog.Logger) (all []Listener, err error) {
	for _, in := range s.Listeners() {
		l := Listener{Name: in.Name, AdvertisedHost: in.Advertised.Host, AdvertisedPort: int32(in.Advertised.Port)}
		if in.TLS() {
			if l.TLS, err = tlsOf(s.Listener(in.Name), clock, log); err != nil {
				return nil, fmt.Errorf("listener %s: %w", in.Name, err)
			}
		}
		if l.AdvertisedHost == "" {
			if l.AdvertisedHost, err = os.Hostname(); err != nil {
				return nil, fmt.Errorf("listener %s: this machine does not know its name: set advertised.listeners: %w", in.Name, err)
			}
		}
		for i, a := range in.Bind() {
			l.Address = a.String()
			l.Optional = i > 0 // a machine may have no IPv6
			all = append(all, l)
		}
	}
	return all, nil
}

// tlsOf serves the certificate of a listener, as it is in its file at the time of each handshake.
func tlsOf(v config.Values, clock env.Clock, log *slog.Logger) (*tls.Config, error) {
	lowest, highest, err := tlsVersions(v.List("ssl.enabled.protocols"))
	if err != nil {
		return nil, err
	}
	k := &keystore{values: v, file: v.String("ssl.keystore.location"), clock: clock, log: log}
	if err := k.load(); err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: k.certificate, MinVersion: lowest, MaxVersion: highest}, nil
}

func tlsVersions(names []string) (lowest, highest uint16, err error) {
	for _, name := range names {
		var n uint16
		switch name {
		case "TLSv1.2":
			n = tls.VersionTLS12
		case "TLSv1.3":
			n = tls.VersionTLS13
		default:
			return 0, 0, fmt.Errorf("ssl.enabled.protocols: %s is not offered, only TLSv1.2 and TLSv1.3", name)
		}
		if lowest == 0 || n < lowest {
			lowest = n
		}
		highest = max(highest, n)
	}
	if lowest == 0 {
		return 0, 0, errors.New("ssl.enabled.protocols is empty")
	}
	return lowest, highest, nil
}
