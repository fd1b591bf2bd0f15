package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/internal/config"
)

// pemFile holds a fresh key and a certificate for localhost that signs itself.
func pemFile(t *testing.T) (file string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), cert...)
	file = filepath.Join(t.TempDir(), "server.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return file, roots
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
		"listener.name.ssl.ssl.enabled.protocols=TLSv1.3"))
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
	cfg, err := tlsOf(settings(t, "ssl.keystore.location="+file).Listener("X"))
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
	empty := filepath.Join(t.TempDir(), "empty.pem")
	os.WriteFile(empty, nil, 0o600)
	locked := filepath.Join(t.TempDir(), "locked.pem")
	os.WriteFile(locked, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}), 0o600)
	for file, want := range map[string]string{"/nowhere.pem": "cannot be read", empty: "no certificate", locked: "openssl pkey"} {
		_, err := tlsOf(settings(t, "ssl.keystore.location="+file).Listener("X"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
