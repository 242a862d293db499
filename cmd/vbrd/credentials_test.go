package main

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/openvbr/openvbr/internal/pkitest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Not of the loopback, where the looking glass would need no certificates.
const edgeIP, apiAddress, glassAddress = "192.0.2.53", "192.0.2.53:7453", "192.0.2.53:7454"

// credentialsOf makes a folder as systemd does for LoadCredential=tls:/etc/vbrd/tls: files tls_NAME that only the service can read, in a
// folder that nobody can change. It is $CREDENTIALS_DIRECTORY for the test.
func credentialsOf(t *testing.T, ca *pkitest.Authority) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "vbrd.service")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	server := &x509.Certificate{Subject: pkix.Name{CommonName: "edge1"}, IPAddresses: []net.IP{net.ParseIP(edgeIP)}}
	ca.Write(t, filepath.Join(dir, "tls_clients.pem"), filepath.Join(t.TempDir(), "ca.key"))
	pkitest.Write(t, ca.Issue(t, server), filepath.Join(dir, "tls_server.pem"), filepath.Join(dir, "tls_server.key"))
	for _, name := range []string{"tls_clients.pem", "tls_server.pem", "tls_server.key"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	return dir
}

// credentialSettings are those of an API and a looking glass with the certificates of such a folder.
func credentialSettings(dir, folder string) string {
	return fmt.Sprintf("api: {socket: %s/sock, listen: '%s', roles: [{match: 'cn:noc', role: viewer}], tls: {certificate: %[3]s/tls_server.pem, key: %[3]s/tls_server.key, client_ca: %[3]s/tls_clients.pem}}\n"+
		"glass: {listen: '%s'}\n", dir, apiAddress, folder, glassAddress)
}

// grpcBy asks the API by TCP.
func grpcBy(t *testing.T, config *tls.Config) error {
	t.Helper()
	c, err := grpc.NewClient(apiAddress, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = vbrv1.NewRouterServiceClient(c).GetHost(ask(t), &vbrv1.GetHostRequest{})
	return err
}

// glassBy asks the looking glass for its page.
func glassBy(t *testing.T, config *tls.Config) error {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("https://" + glassAddress + "/")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", r.Status)
	}
	return nil
}

// Certificates may be systemd's credentials: the API by TCP and the looking glass serve who has one of the same authority, and nobody else.
func TestCertificatesAsCredentials(t *testing.T) {
	ip(t, "link set lo up")
	ip(t, "addr add "+edgeIP+"/32 dev lo")
	ca := pkitest.New(t, "noc CA")
	dir := t.TempDir()
	v := startVbrd(t, dir, credentialSettings(dir, credentialsOf(t, ca)))
	_, routers := v.dial()
	if _, err := routers.GetHost(ask(t), &vbrv1.GetHostRequest{}); err != nil {
		t.Fatalf("%v\n%s", err, v.out)
	}
	noc := ca.Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "noc"}})
	stranger := pkitest.New(t, "another CA").Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "noc"}})
	for what, by := range map[string]func(*testing.T, *tls.Config) error{"API": grpcBy, "looking glass": glassBy} {
		if err := by(t, &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{noc}}); err != nil {
			t.Errorf("%s: %v\n%s", what, err, v.out)
		}
		for who, config := range map[string]*tls.Config{
			"no certificate": {RootCAs: ca.Pool()}, "another authority's": {RootCAs: ca.Pool(), Certificates: []tls.Certificate{stranger}},
		} {
			if by(t, config) == nil { // the error is TLS's alert, or that the connection is gone by then
				t.Errorf("%s: %s is let in", what, who)
			}
		}
	}
	v.stop()
}

// Without the credential vbrd ends before it touches anything, and says what it lacks.
func TestCertificateCredentialMissing(t *testing.T) {
	dir, folder := t.TempDir(), credentialsOf(t, pkitest.New(t, "noc CA"))
	if err := os.Remove(filepath.Join(folder, "tls_server.key")); err != nil {
		t.Fatal(err)
	}
	v := startVbrd(t, dir, credentialSettings(dir, folder))
	if status := v.ends(); status != exitInvalid || !strings.Contains(v.out.String(), "cannot be used with api.tls.key: no such file") {
		t.Errorf("status %d:\n%s", status, v.out)
	}
}
