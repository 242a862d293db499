// Package etcdtest runs etcd for tests.
package etcdtest

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Server is a process of Debian's etcd-server (internal/lab/install.sh) with its data in a folder of the test, at whose end it is killed.
type Server struct {
	URL string // for clients; the first if there are several

	t    testing.TB
	args []string
	cmd  *exec.Cmd
}

// New starts a server on free ports of 127.0.0.1. args are more of its arguments; with any, which are about certificates, clients speak TLS.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	scheme := "http"
	if len(args) > 0 {
		scheme = "https"
	}
	return NewAt(t, []string{scheme + "://" + FreeAddress(t)}, args...)
}

// NewAt is New with the URLs at which clients reach the server.
func NewAt(t testing.TB, urls []string, args ...string) *Server {
	t.Helper()
	peer, all := "http://"+FreeAddress(t), strings.Join(urls, ",")
	s := &Server{URL: urls[0], t: t, args: append([]string{"--data-dir", t.TempDir() + "/data", "--logger", "zap", "--log-level", "error",
		"--listen-client-urls", all, "--advertise-client-urls", all,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer}, args...)}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start starts a server that was killed, with the data it had. It does not wait until the server answers.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command("etcd", s.args...)
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("%v; internal/lab/install.sh installs it", err)
	}
}

// Kill kills the server, unless it is dead, and waits for its end.
func (s *Server) Kill() {
	s.Strike()
	_ = s.cmd.Wait()
}

// Strike kills the server and does not wait. Kill must follow before Start.
func (s *Server) Strike() { _ = s.cmd.Process.Kill() }

// FreeAddress is host:port on 127.0.0.1 where nobody listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
