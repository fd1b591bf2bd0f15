package broker

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/internal/config"
	"millrace/internal/node/env"
	"millrace/internal/node/env/simenv"
)

// pemFile holds a fresh key and a certificate for localhost that signs itself.
func pemFile(t *testing.T) (file string, roots *x509.CertPool) {
	t.Helper()
	key, cert := selfSigned(t, 1, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	file = filepath.Join(t.TempDir(), "server.pem")
	write(t, file, key, cert)
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return file, roots
}

func write(t *testing.T, file string, parts ...[]byte) {
	t.Helper()
	if err := os.WriteFile(file, bytes.Join(parts, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

// selfSigned is a fresh key and a certificate as PEM texts.
func selfSigned(t *testing.T, serial int64, from, until time.Time) (keyText, cert []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func settings(t *testing.T, lines ...string) *config.Static {
	t.Helper()
	props, err := config.ParseProperties(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := config.Load(props, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestListenersOfSettings(t *testing.T) {
	file, roots := pemFile(t)
	all, err := ListenersOf(settings(t,
		"listeners=PLAINTEXT://localhost:0,SSL://127.0.0.1:0",
		"advertised.listeners=PLAINTEXT://localhost:0,SSL://broker.example:443",
		"listener.name.ssl.ssl.keystore.location="+file,
		"listener.name.ssl.ssl.enabled.protocols=TLSv1.3"), env.Real().Clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || all[0].Address != "127.0.0.1:0" || all[1].Address != "[::1]:0" || !all[1].Optional {
		t.Fatalf("%+v", all)
	}
	s := newStage(t, Options{}, Listener{TLS: all[2].TLS})
	tc, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer tc.Close()
	if v := tc.ConnectionState().Version; v != tls.VersionTLS13 {
		t.Errorf("TLS version %x", v)
	}
	tc.Write(heartbeat(3, 0))
	if b, err := readFrame(tc); err != nil || b[3] != 3 {
		t.Fatal(b, err)
	}
	if _, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: roots, ServerName: "localhost", MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

func TestSlowHandshakeEnds(t *testing.T) {
	file, _ := pemFile(t)
	cfg, err := tlsOf(settings(t, "ssl.keystore.location="+file).Listener("X"), env.Real().Clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, Options{}, Listener{TLS: cfg})
	c := s.dial()
	c.send([]byte{0x16, 3, 1})
	s.until(func() bool { return s.Connections() == 1 })
	for range 12 {
		s.clock.Advance(time.Second)
	}
	c.ended()
}

func TestBadCertificatesAreExplained(t *testing.T) {
	now := time.Now()
	key, cert := selfSigned(t, 1, now, now.Add(time.Hour))
	otherKey, _ := selfSigned(t, 2, now, now.Add(time.Hour))
	locked := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})
	damaged := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1, 2, 3}})
	for _, c := range []struct {
		what    string
		content [][]byte
		want    string
	}{
		{"empty", nil, "FILE holds no PEM text with a private key and a certificate: convert other forms first, for example with openssl pkcs12"},
		{"a Java keystore", [][]byte{{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}}, "FILE holds no PEM text with a private key and a certificate: convert other forms first, for example with openssl pkcs12"},
		{"the key alone", [][]byte{key}, "FILE holds a private key and no certificate: put the chain there too"},
		{"the chain alone", [][]byte{cert}, "FILE holds a certificate and no private key: put the key there too"},
		{"an encrypted key", [][]byte{locked, cert}, "the private key in FILE is encrypted: decrypt it first, for example with openssl pkey"},
		{"another's key", [][]byte{otherKey, cert}, "the private key in FILE does not belong to the first certificate there"},
		{"a damaged certificate", [][]byte{key, damaged}, "the private key or the certificate in FILE is damaged: x509: malformed certificate"},
	} {
		file := filepath.Join(t.TempDir(), "server.pem")
		write(t, file, c.content...)
		_, err := tlsOf(settings(t, "ssl.keystore.location="+file).Listener("X"), env.Real().Clock, slog.New(slog.DiscardHandler))
		if want := strings.ReplaceAll(c.want, "FILE", file); err == nil || err.Error() != want {
			t.Errorf("%s: %v\n not %s", c.what, err, want)
		}
	}
	_, err := ListenersOf(settings(t, "listeners=SSL://127.0.0.1:0", "ssl.keystore.location=/nowhere.pem"), env.Real().Clock, slog.New(slog.DiscardHandler))
	if err == nil || err.Error() != "listener SSL: ssl.keystore.location names the file /nowhere.pem, which does not exist" {
		t.Error(err)
	}
}

// TestExpiredCertificateIsServedWithAWarning: as Kafka does; the log names the file and the date.
func TestExpiredCertificateIsServedWithAWarning(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2030, 1, d, 0, 0, 0, 0, time.UTC) }
	file := filepath.Join(t.TempDir(), "server.pem")
	key, cert := selfSigned(t, 1, day(10), day(20))
	write(t, file, key, cert)
	for now, want := range map[time.Time]string{day(5): "valid from\"=2030-01-10", day(15): "", day(25): "expired=2030-01-20"} {
		var out bytes.Buffer
		cfg, err := tlsOf(settings(t, "ssl.keystore.location="+file).Listener("X"), simenv.NewClock(now), slog.New(slog.NewTextHandler(&out, nil)))
		if err != nil || cfg == nil {
			t.Fatal(err)
		}
		if want == "" && out.Len() > 0 || !strings.Contains(out.String(), want) || want != "" && !strings.Contains(out.String(), file) {
			t.Errorf("on %v: %q", now, out.String())
		}
	}
}

// TestCertificateIsReadAgain: a renewed file is served within a second, a broken one is not.
func TestCertificateIsReadAgain(t *testing.T) {
	clock := simenv.NewClock(time.Now())
	file := filepath.Join(t.TempDir(), "server.pem")
	var out bytes.Buffer
	at := time.Now().Add(-time.Hour)
	replace := func(parts ...[]byte) {
		write(t, file, parts...)
		at = at.Add(time.Minute) // a file system may not tell two writes of a moment apart
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	renewed := func(serial int64) {
		key, cert := selfSigned(t, serial, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		replace(key, cert)
	}
	renewed(1)
	cfg, err := tlsOf(settings(t, "ssl.keystore.location="+file).Listener("X"), clock, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	shows := func(want int64, when string) {
		t.Helper()
		c, err := cfg.GetCertificate(&tls.ClientHelloInfo{})
		if err != nil || c.Leaf.SerialNumber.Int64() != want {
			t.Fatalf("%s: certificate %v, not %d: %v", when, c.Leaf.SerialNumber, want, err)
		}
	}
	shows(1, "at first")
	renewed(2)
	shows(1, "within the second")
	clock.Advance(time.Second)
	shows(2, "after a second")
	for what, breaks := range map[string]func(){"half written": func() { replace([]byte("-----BEGIN")) }, "gone": func() { os.Remove(file) }} {
		breaks()
		clock.Advance(time.Second)
		out.Reset()
		shows(2, what)
		if !strings.Contains(out.String(), "the one before stays") || !strings.Contains(out.String(), file) {
			t.Errorf("%s: %q", what, out.String())
		}
	}
	renewed(3)
	clock.Advance(time.Second)
	shows(3, "mended")
}
