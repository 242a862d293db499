package api

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// TLSFiles are PEM files: the server's certificate with its chain, its key, and the CAs whose clients are let in.
type TLSFiles struct {
	Certificate, Key, ClientCA string
}

// certs holds what the files said last, and looks at each handshake whether they changed.
type certs struct {
	files TLSFiles
	log   *slog.Logger
	mu    sync.Mutex
	tried stamps // that config, or the error that was logged, is of
	now   *tls.Config
}

// stamps tell whether files changed.
type stamps [3]struct {
	modified time.Time
	size     int64
	inode    uint64
}

// newCerts reads the files.
func newCerts(files TLSFiles, log *slog.Logger) (*certs, error) {
	c := &certs{files: files, log: log}
	var err error
	c.tried = c.stat()
	if c.now, err = c.read(); err != nil {
		return nil, fmt.Errorf("api.tls: %w", err)
	}
	return c, nil
}

// config asks for the newest certificates at each handshake. There are no session tickets: each handshake shows a certificate.
func (c *certs) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, ClientAuth: tls.RequireAndVerifyClientCert,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.newest(), nil },
	}
}

// webConfig is the same for callers by HTTP.
func (c *certs) webConfig() *tls.Config {
	cfg := c.config()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		newest := c.newest().Clone()
		newest.NextProtos = []string{"h2", "http/1.1"}
		return newest, nil
	}
	return cfg
}

// newest is what the files say; what they said before if they cannot be used now.
func (c *certs) newest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stat()
	if s == c.tried {
		return c.now
	}
	c.tried = s
	fresh, err := c.read()
	if err != nil {
		c.log.Error("api: new certificates cannot be used; the old ones stay", "err", err)
		return c.now
	}
	c.log.Info("api: certificates read again", "certificate", c.files.Certificate)
	c.now = fresh
	return c.now
}

func (c *certs) stat() stamps {
	var s stamps
	for i, path := range []string{c.files.Certificate, c.files.Key, c.files.ClientCA} {
		if info, err := os.Stat(path); err == nil {
			s[i].modified, s[i].size, s[i].inode = info.ModTime(), info.Size(), inode(info)
		}
	}
	return s
}

func (c *certs) read() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", c.files.Certificate, c.files.Key, err)
	}
	text, err := os.ReadFile(c.files.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("client_ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("client_ca: " + c.files.ClientCA + " holds no certificate")
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, NextProtos: []string{"h2"},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, Certificates: []tls.Certificate{pair},
	}, nil
}

func inode(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
