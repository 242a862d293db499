package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// machine asks this system for what settings name.
type machine struct {
	file     string
	problems intent.Errors
}

func (m *machine) bad(path, value, text, legal string) {
	m.problems.Add(source.Problem{Pos: source.Pos{File: m.file}, Path: path, Value: source.Quote(value), Text: text, Legal: legal})
}

func (m *machine) api(a *API) {
	if a.SocketGroup != "" {
		m.group("api.socket_group", a.SocketGroup, a.SocketGroup)
	}
	if a.TLS != (APITLS{}) {
		m.pair("api.tls.certificate", "api.tls.key", a.TLS.Certificate, a.TLS.Key)
		m.authorities("api.tls.client_ca", a.TLS.ClientCA)
	}
	for i, r := range a.Roles {
		path := fmt.Sprintf("api.roles[%d].match", i)
		if name, is := strings.CutPrefix(r.Match, "group:"); is {
			m.group(path, r.Match, name)
		}
		if name, is := strings.CutPrefix(r.Match, "user:"); is {
			if _, err := user.Lookup(name); err != nil {
				m.bad(path, r.Match, "no such user on this system", "a user that there is, or uid:N")
			}
		}
	}
}

func (m *machine) group(path, value, name string) {
	if _, err := user.LookupGroup(name); err != nil {
		m.bad(path, value, "no such group on this system", "a group that there is")
	}
}

func (m *machine) store(s *Store) {
	if s.Type != "etcd" {
		return
	}
	if s.Etcd.PasswordFile != "" {
		if _, err := ReadPassword(s.Etcd.PasswordFile); err != nil {
			m.bad("store.etcd.password_file", s.Etcd.PasswordFile, "cannot be used: "+reason(err), legalPassword)
		}
	}
	if s.Etcd.TLS.CA != "" {
		m.authorities("store.etcd.tls.ca", s.Etcd.TLS.CA)
	}
	if s.Etcd.TLS.Certificate != "" {
		m.pair("store.etcd.tls.certificate", "store.etcd.tls.key", s.Etcd.TLS.Certificate, s.Etcd.TLS.Key)
	}
}

func (m *machine) pair(path, keyPath, certificate, key string) {
	if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
		m.bad(path, certificate, "cannot be used with "+keyPath+": "+reason(err), "PEM files of a certificate and its key")
	}
}

func (m *machine) authorities(path, file string) {
	if _, err := ReadAuthorities(file); err != nil {
		m.bad(path, file, "cannot be used: "+reason(err), "a PEM file of certificates")
	}
}

// reason is an error without the file's name, which stands beside it.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// ReadAuthorities reads a PEM file of certificates.
func ReadAuthorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("it holds no certificate")
	}
	return pool, nil
}

const (
	maxPassword   = 1024
	legalPassword = "a readable file of 1..1024 bytes on one line"
)

// ReadPassword reads a file of one line. Errors never show what is in it.
func ReadPassword(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPassword+2))
	if err != nil {
		return "", fmt.Errorf("config: %w", err)
	}
	password := strings.TrimSuffix(string(text), "\n")
	if password == "" || len(password) > maxPassword || strings.ContainsAny(password, "\n\x00") {
		return "", errors.New("it is not one line of 1..1024 bytes")
	}
	return password, nil
}

// TLSConfig reads the files of etcd's TLS; nil when there are none.
func (t EtcdTLS) TLSConfig() (*tls.Config, error) {
	if t == (EtcdTLS{}) {
		return nil, nil //nolint:nilnil // absent and right
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pool, err := ReadAuthorities(t.CA)
		if err != nil {
			return nil, fmt.Errorf("store.etcd.tls.ca: %s: %w", t.CA, err)
		}
		cfg.RootCAs = pool
	}
	if t.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("store.etcd.tls.certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
