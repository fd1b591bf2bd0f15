package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/target"
)

// Several named listeners with advertised addresses, two of them encrypted with certificates of a CA that the case makes.
func init() {
	register(Case{"tls/every-client", true, tlsClients})
}

// authority is a CA and the files of what it has signed.
type authority struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	PEM   string // path of the CA's own certificate
	t     *T
	count int64
}

func (t *T) authority() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t.Must(err, "key")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "conformance CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	t.Must(err, "certificate")
	cert, err := x509.ParseCertificate(der)
	t.Must(err, "certificate")
	return &authority{key: key, cert: cert, PEM: t.File("ca.pem", pemText("CERTIFICATE", der)), t: t, count: 1}
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// sign makes a key and its certificate for a host, and returns the path of a PEM file with both.
func (a *authority) sign(host string) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.t.Must(err, "key")
	a.count++
	template := &x509.Certificate{SerialNumber: big.NewInt(a.count), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	a.t.Must(err, "certificate")
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	a.t.Must(err, "key")
	return a.t.File("server.pem", pemText("PRIVATE KEY", pkcs8)+pemText("CERTIFICATE", der))
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// tlsBroker has a plain listener, one for localhost and one for 127.0.0.1, each with a certificate that is good for its own
// advertised host alone: a client that is led to another listener's address fails.
func (t *T) tlsBroker(ca *authority) (byName, byNumber string) {
	var ports [3]int
	for i := range ports {
		p, err := target.FreePort()
		t.Must(err, "port")
		ports[i] = p
	}
	plain, name, number := ports[0], ports[1], ports[2]
	t.Own(plain, map[string]string{
		"listeners":                                  fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,NAME://127.0.0.1:%d,NUMBER://127.0.0.1:%d", plain, name, number),
		"advertised.listeners":                       fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,NAME://localhost:%d,NUMBER://127.0.0.1:%d", plain, name, number),
		"listener.security.protocol.map":             "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,NAME:SSL,NUMBER:SSL",
		"listener.name.name.ssl.keystore.type":       "PEM",
		"listener.name.name.ssl.keystore.location":   ca.sign("localhost"),
		"listener.name.number.ssl.keystore.type":     "PEM",
		"listener.name.number.ssl.keystore.location": ca.sign("127.0.0.1"),
	})
	return fmt.Sprintf("localhost:%d", name), fmt.Sprintf("127.0.0.1:%d", number)
}

func tlsClients(t *T) {
	ca := t.authority()
	byName, byNumber := t.tlsBroker(ca)
	topic := t.Topic(1)
	config := t.File("client.properties", "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location="+ca.PEM+"\n")
	secure := []string{"-X", "security.protocol=ssl", "-X", "ssl.ca.location=" + ca.PEM, "-X", "ssl.endpoint.identification.algorithm=https"}

	plain := t.addr
	for i, addr := range []string{byName, byNumber} {
		t.addr = addr
		t.kcat(fmt.Sprintf("kcat %d\n", i), append([]string{"-P", "-t", topic}, secure...)...)
		t.Contains(t.kcat("", append([]string{"-L", "-t", topic}, secure...)...), " at "+addr)
		t.Java(fmt.Sprintf("java %d\n", i), tools+"ConsoleProducer", "--bootstrap-server", addr, "--topic", topic, "--command-config", config)
		t.python("tls", ca.PEM, topic, fmt.Sprintf("python %d", i))
		c := t.Client(kgo.DialTLSConfig(&tls.Config{RootCAs: ca.pool()}))
		t.Must(c.ProduceSync(t.ctx, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "franz %d", i)}).FirstErr(), "franz-go over TLS to "+addr)
	}
	t.addr = plain
	t.Equal(strings.Count(t.kcat("", "-C", "-t", topic, "-e"), "\n"), 8, "records, as the plain listener has them")
	out := t.Java("", tools+"consumer.ConsoleConsumer", "--bootstrap-server", byName, "--topic", topic, "--from-beginning", "--max-messages", "8",
		"--timeout-ms", "20000", "--command-config", config)
	t.Contains(out, "kcat 1", "java 1", "python 1", "franz 1", "Processed a total of 8 messages")
	t.refusals(byName, ca)
}

// refusals: a client that does not trust the CA, one that has another name for the broker than the certificate, one that is
// too old, one that speaks in the clear. None gets through, and none harms the broker.
func (t *T) refusals(addr string, ca *authority) {
	for what, c := range map[string]*tls.Config{
		"an unknown CA": {ServerName: "localhost"},
		"a wrong name":  {ServerName: "other.example", RootCAs: ca.pool()},
		"TLS 1.1":       {ServerName: "localhost", RootCAs: ca.pool(), MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11},
	} {
		if conn, err := tls.Dial("tcp", addr, c); err == nil {
			conn.Close()
			t.Errorf("%s is accepted", what)
		}
	}
	if err := target.Answers(addr); err == nil {
		t.Errorf("a request in the clear is answered on an encrypted listener")
	}
	t.Must(target.Answers(t.addr), "the plain listener after all that")
}
