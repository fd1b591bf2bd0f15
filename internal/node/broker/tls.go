package broker

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"millrace/internal/config"
)

// ListenersOf makes the listeners that the settings name, certificates loaded. A listener on localhost opens both of
// its addresses.
func ListenersOf(s Settings) (all []Listener, err error) {
	for _, in := range s.Listeners() {
		l := Listener{Name: in.Name, AdvertisedHost: in.Advertised.Host, AdvertisedPort: int32(in.Advertised.Port)}
		if in.TLS() {
			if l.TLS, err = tlsOf(s.Listener(in.Name)); err != nil {
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

// tlsOf reads the certificate of a listener: from a PEM file with key and chain, or from the settings themselves.
func tlsOf(v config.Values) (*tls.Config, error) {
	cert, err := certificateOf(v)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}}
	c.MinVersion, c.MaxVersion, err = tlsVersions(v.List("ssl.enabled.protocols"))
	return c, err
}

func certificateOf(v config.Values) (tls.Certificate, error) {
	key, chain := []byte(v.String("ssl.keystore.key")), []byte(v.String("ssl.keystore.certificate.chain"))
	from := "ssl.keystore.key and ssl.keystore.certificate.chain"
	if file := v.String("ssl.keystore.location"); file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("ssl.keystore.location cannot be read: %w", err)
		}
		key, chain, from = content, content, file
	}
	if encrypted(key) {
		return tls.Certificate{}, fmt.Errorf("the private key in %s is encrypted: decrypt it first, for example with openssl pkey", from)
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return cert, fmt.Errorf("no certificate with its private key in %s: %w", from, err)
	}
	return cert, nil
}

// encrypted: the first private key of the text has a password.
func encrypted(text []byte) bool {
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return false
		}
		if strings.HasSuffix(b.Type, "PRIVATE KEY") {
			return b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED")
		}
	}
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
