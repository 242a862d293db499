package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// manager is a service manager's end of sd_notify(3): it keeps what it is told.
type manager struct {
	mu    sync.Mutex
	heard []string
}

// listen makes the socket and names it in the environment.
func listen(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	m := &manager{}
	go func() { // ends with the socket
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.heard = append(m.heard, string(b[:n]))
			m.mu.Unlock()
		}
	}()
	return m
}

func (m *manager) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.heard)
}

// count is how many messages begin so.
func (m *manager) count(prefix string) (n int) {
	for _, s := range m.all() {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

// vbrd tells systemd when it is ready, what it does, that it lives, that it reloads and that it stops.
func TestNotify(t *testing.T) {
	m := listen(t)
	t.Setenv("WATCHDOG_USEC", "4000000")
	port(t, "eth1")
	dir := t.TempDir()
	v := startVbrd(t, dir, "")
	eventually(t, "READY", func() bool { return m.count("READY=1") == 1 })
	eventually(t, "fed twice", func() bool { return m.count("WATCHDOG=1") >= 2 })
	res, _ := v.dial()
	if _, err := res.Apply(ask(t), &vbrv1.ApplyRequest{Resources: []*vbrv1.Resource{pc("eth1"), router("")}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "STATUS", func() bool {
		return slices.Contains(m.all(), "STATUS=1 routers, 0 degraded; 0 of 1 sessions; 0 routes")
	})
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "RELOADING and READY again", func() bool { return m.count("RELOADING=1\nMONOTONIC_USEC=") == 1 && m.count("READY=1") == 2 })
	v.stop()
	eventually(t, "STOPPING", func() bool { return m.count("STOPPING=1") == 1 })
	if t.Failed() {
		t.Log(m.all())
	}
}

// While something hangs the watchdog is not fed, and STATUS says what it is.
func TestWatchdogIsNotFedByTheHung(t *testing.T) {
	m := listen(t)
	var hung atomic.Bool
	n := &notifier{
		log: slog.New(slog.DiscardHandler), watchdog: 80 * time.Millisecond, settled: make(chan struct{}), status: func() string { return "fine" },
		alive: func(limit time.Duration) error {
			if limit != 40*time.Millisecond {
				t.Errorf("limit %v", limit)
			}
			if hung.Load() {
				return errors.New("the host's clock hangs")
			}
			return nil
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { n.run(ctx) })
	eventually(t, "fed", func() bool { return m.count("WATCHDOG=1") >= 2 && m.count("STATUS=fine") == 1 })
	hung.Store(true)
	eventually(t, "the reason", func() bool { return m.count("STATUS=the host's clock hangs") == 1 })
	fed := m.count("WATCHDOG=1")
	time.Sleep(200 * time.Millisecond)
	if now := m.count("WATCHDOG=1"); now != fed {
		t.Errorf("fed %d times while something hangs", now-fed)
	}
	hung.Store(false)
	eventually(t, "fed again", func() bool { return m.count("WATCHDOG=1") > fed && m.count("STATUS=fine") == 2 })
	cancel()
	wg.Wait()
	if m.count("READY=1") != 0 {
		t.Error("ready before it is settled")
	}
}
