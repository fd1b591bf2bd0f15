package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// unreachable: none of the bootstrap brokers accepts a connection.
type unreachable struct {
	bootstrap string
	cause     error
}

func (u unreachable) Error() string {
	return fmt.Sprintf("cannot reach %s (%v): is a broker running there? Start one with \"millrace dev\", or name another with --bootstrap",
		u.bootstrap, u.cause)
}

const dialTimeout = 5 * time.Second

// client connects. What nobody listens to is found out by hand first, for the client library would try again and again.
func (a *app) client(ctx context.Context, options ...kgo.Opt) (*kgo.Client, error) {
	seeds := strings.Split(a.bootstrap, ",")
	for i := range seeds {
		if seeds[i] = strings.TrimSpace(seeds[i]); !strings.Contains(seeds[i], ":") {
			seeds[i] += ":9092"
		}
	}
	if err := reach(ctx, seeds); err != nil {
		return nil, unreachable{a.bootstrap, err}
	}
	options = append([]kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.ClientID("millrace-cli"), kgo.SoftwareNameAndVersion("millrace-cli", softwareVersion(a.hooks.Version)),
		kgo.DialTimeout(dialTimeout), kgo.RetryTimeout(a.timeout), kgo.MetadataMinAge(200 * time.Millisecond),
	}, options...)
	if a.tls || a.tlsCA != "" {
		c, err := a.tlsConfig()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(c))
	}
	return kgo.NewClient(options...)
}

// softwareVersion keeps what ApiVersions allows.
func softwareVersion(v string) string {
	v = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, v)
	if v = strings.Trim(v, ".-"); v == "" {
		return "unknown"
	}
	return v
}

func reach(ctx context.Context, seeds []string) error {
	var errs []error
	d := net.Dialer{Timeout: dialTimeout}
	for _, seed := range seeds {
		c, err := d.DialContext(ctx, "tcp", seed)
		if err == nil {
			return c.Close()
		}
		errs = append(errs, err)
	}
	return cause(errs[0])
}

// cause is the innermost error: "connection refused" says more than the layers above it.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func (a *app) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.tlsCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(a.tlsCA)
	if err != nil {
		return nil, fmt.Errorf("--tls-ca cannot be read: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, usagef("--tls-ca %s holds no certificate in PEM form", a.tlsCA)
	}
	return c, nil
}

// admin runs one conversation about the cluster, within the time that --timeout allows.
func (a *app) admin(ctx context.Context, talk func(ctx context.Context, k *kadm.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	cl, err := a.client(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	k := kadm.NewClient(cl)
	k.SetTimeoutMillis(int32(min(a.timeout.Milliseconds(), 1<<30)))
	return talk(ctx, k)
}
