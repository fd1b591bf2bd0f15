package broker

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"millrace/internal/config"
	"millrace/internal/node/env"
)

// keystore is the key and the certificate chain of one listener: a PEM file, or text among the settings. A file is read
// again when it changed, so that a certificate can be renewed without a restart.
type keystore struct {
	// Constant after construction.
	values config.Values
	file   string // empty: text among the settings
	clock  env.Clock
	log    *slog.Logger

	current  atomic.Pointer[tls.Certificate]
	changed  atomic.Int64 // the file's modification time when it was read last
	nextLook atomic.Int64 // the file is not looked at before
}

// certificate is what a handshake shows. It looks at the file at most once a second; while that is broken, as in the middle
// of being written, the last good certificate stays.
func (k *keystore) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	now, next := k.clock.Now(), k.nextLook.Load()
	if k.file == "" || now.UnixNano() < next || !k.nextLook.CompareAndSwap(next, now.Add(time.Second).UnixNano()) {
		return k.current.Load(), nil
	}
	info, err := os.Stat(k.file)
	if err == nil && info.ModTime().UnixNano() == k.changed.Load() {
		return k.current.Load(), nil
	}
	if err := k.load(); err != nil {
		k.log.Warn("the changed certificate is not used, the one before stays", "file", k.file, "reason", err.Error())
	} else {
		k.log.Info("certificate read again", "file", k.file, "valid until", k.current.Load().Leaf.NotAfter.UTC())
	}
	return k.current.Load(), nil
}

// load reads key and chain. The time of the file is taken before its content: what changes in between is read again.
func (k *keystore) load() error {
	key, chain := []byte(k.values.String("ssl.keystore.key")), []byte(k.values.String("ssl.keystore.certificate.chain"))
	from := "ssl.keystore.key and ssl.keystore.certificate.chain"
	if k.file != "" {
		info, err := os.Stat(k.file)
		if err != nil {
			return unreadable(k.file, err)
		}
		k.changed.Store(info.ModTime().UnixNano())
		content, err := os.ReadFile(k.file)
		if err != nil {
			return unreadable(k.file, err)
		}
		key, chain, from = content, content, k.file
	}
	cert, err := keyPair(key, chain, from)
	if err != nil {
		return err
	}
	k.warn(cert.Leaf, from)
	k.current.Store(&cert)
	return nil
}

func unreadable(file string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ssl.keystore.location names the file %s, which does not exist", file)
	}
	return fmt.Errorf("ssl.keystore.location cannot be read: %w", err)
}

// warn of a certificate that clients will refuse. It is served all the same, as Kafka serves it: some clients do not look,
// and a broker that stays down helps nobody.
func (k *keystore) warn(leaf *x509.Certificate, from string) {
	switch now := k.clock.Now(); {
	case now.After(leaf.NotAfter):
		k.log.Warn("the certificate has expired: clients that check it will not connect", "file", from, "expired", leaf.NotAfter.UTC())
	case now.Before(leaf.NotBefore):
		k.log.Warn("the certificate is not valid yet: clients that check it will not connect", "file", from, "valid from", leaf.NotBefore.UTC())
	}
}

// keyPair is the certificate in PEM texts, or one sentence on what is wrong with them. The sentence names where they are
// from and never holds what they hold.
func keyPair(key, chain []byte, from string) (tls.Certificate, error) {
	var none tls.Certificate
	private, certificate := block(key, "PRIVATE KEY"), block(chain, "CERTIFICATE")
	switch {
	case private == nil && certificate == nil:
		return none, fmt.Errorf("%s holds no PEM text with a private key and a certificate: convert other forms first, for example with openssl pkcs12", from)
	case private == nil:
		return none, fmt.Errorf("%s holds a certificate and no private key: put the key there too", from)
	case certificate == nil:
		return none, fmt.Errorf("%s holds a private key and no certificate: put the chain there too", from)
	case private.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(private.Headers["Proc-Type"], "ENCRYPTED"):
		return none, fmt.Errorf("the private key in %s is encrypted: decrypt it first, for example with openssl pkey", from)
	}
	cert, err := tls.X509KeyPair(chain, key)
	switch {
	case err == nil:
		return cert, nil
	case strings.Contains(err.Error(), "does not match public key"):
		return none, fmt.Errorf("the private key in %s does not belong to the first certificate there", from)
	}
	return none, fmt.Errorf("the private key or the certificate in %s is damaged: %w", from, err)
}

// block is the first PEM block whose type ends so.
func block(text []byte, kind string) *pem.Block {
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil || strings.HasSuffix(b.Type, kind) {
			return b
		}
	}
}
