package store

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/openvbr/openvbr/internal/pkitest"
)

// pki is an authority with a certificate for a server at 127.0.0.1 and one for a client.
type pki struct {
	dir    string
	pool   *x509.CertPool
	client tls.Certificate
}

func (p pki) file(name string) string { return p.dir + "/" + name }

func newPKI(t *testing.T) pki {
	t.Helper()
	ca := pkitest.New(t, "ca")
	p := pki{dir: t.TempDir(), pool: ca.Pool(), client: ca.Issue(t, &x509.Certificate{})}
	ca.Write(t, p.file("ca.crt"), p.file("ca.key"))
	server := ca.Issue(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	pkitest.Write(t, server, p.file("server.crt"), p.file("server.key"))
	return p
}
