// Package pkitest makes certificates for tests.
package pkitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	pair tls.Certificate
}

// New returns an authority of that common name.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	return &Authority{sign(t, template, nil)}
}

// Issue makes a certificate after a template, whose serial number is set. Without times it is valid from yesterday for another hour,
// without usages it is for servers and for clients.
func (a *Authority) Issue(t testing.TB, template *x509.Certificate) tls.Certificate {
	t.Helper()
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-24 * time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return sign(t, template, &a.pair)
}

// Pool has the authority's certificate.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.pair.Leaf)
	return p
}

// Write writes the authority's certificate and key.
func (a *Authority) Write(t testing.TB, certificate, key string) {
	t.Helper()
	Write(t, a.pair, certificate, key)
}

// Write writes a certificate and its key into PEM files.
func Write(t testing.TB, pair tls.Certificate, certificate, key string) {
	t.Helper()
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, &pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	write(t, certificate, &pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
}

func write(t testing.TB, path string, block *pem.Block) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sign makes a key and its certificate; without a signer it signs itself.
func sign(t testing.TB, template *x509.Certificate, signer *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, with := template, crypto.PrivateKey(key)
	if signer != nil {
		parent, with = signer.Leaf, signer.PrivateKey
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, with)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
