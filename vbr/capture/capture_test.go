package capture

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// open captures on the loopback device. It needs CAP_NET_RAW.
func open(t *testing.T, filter string, snap uint32) *Capture {
	t.Helper()
	code, err := Compile(filter, snap)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open([]string{"lo"}, code)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// sender has a UDP socket on the loopback device that sends to another.
func sender(t *testing.T) (*net.UDPConn, string) {
	t.Helper()
	to, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close() })
	c, err := net.DialUDP("udp4", nil, to.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, port, _ := net.SplitHostPort(to.LocalAddr().String())
	return c, port
}

// A packet is cut at the snap length, and says how long it was and when it came.
func TestSnapLength(t *testing.T) {
	conn, port := sender(t)
	c := open(t, "udp dst port "+port, 64)
	began := time.Now()
	if _, err := conn.Write([]byte(strings.Repeat("x", 500))); err != nil {
		t.Fatal(err)
	}
	got, err := c.Read(t.Context(), 5*time.Second)
	if err != nil || len(got) == 0 {
		t.Fatal(got, err)
	}
	p := got[0] // the loopback device has it twice, out and in
	if len(p.Data) != 64 || p.Length != 14+20+8+500 || p.Time.Before(began.Add(-time.Second)) || p.Time.After(time.Now().Add(time.Second)) || !strings.HasSuffix(string(p.Data), "xxx") {
		t.Errorf("%d octets of %d at %v", len(p.Data), p.Length, p.Time)
	}
}

// What is not read in time is counted, and what is in the buffer is not lost.
func TestDropped(t *testing.T) {
	conn, port := sender(t)
	c := open(t, "udp dst port "+port, 65535)
	const sent = 4000
	for range sent {
		if _, err := conn.Write(make([]byte, 8000)); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	for {
		l, err := c.Read(t.Context(), 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if len(l) == 0 {
			break
		}
		got += len(l)
	}
	if d := c.Dropped(); d == 0 || got == 0 || uint64(got)+d != 2*sent {
		t.Errorf("%d captured and %d dropped of %d", got, d, 2*sent)
	}
	if a, b := c.Dropped(), c.Dropped(); a != b {
		t.Errorf("dropped %d, then %d", a, b)
	}
}

func TestNoDevice(t *testing.T) {
	if _, err := Open([]string{"lo", "nosuchdevice"}, nil); err == nil {
		t.Error("an empty program is no filter")
	}
	code, _ := Compile("", 100)
	if _, err := Open([]string{"lo", "nosuchdevice"}, code); !errors.Is(err, unix.ENODEV) {
		t.Error(err)
	}
	if i, err := net.InterfaceByName("lo"); err != nil || open(t, "", 100).Index(0) != i.Index {
		t.Error(i, err)
	}
}

// A frame with a VLAN tag is for a device on top of this one, which may be another tenant's.
func TestTaggedFramesAreNotCaptured(t *testing.T) {
	c := open(t, "", 200)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const local = "\x88\xb5" // an EtherType for experiments (IEEE 802)
	for _, x := range []string{"\x81\x00\x00\x05" + local + "tagged", "\x88\xa8\x00\x05\x81\x00\x00\x06" + local + "tagged twice", local + "plain"} {
		frame := []byte("\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x01" + x + strings.Repeat(".", 60))
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: c.Index(0)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && !strings.Contains(strings.Join(got, " "), "plain"); {
		l, err := c.Read(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range l {
			if text := string(p.Data); strings.Contains(text, "\x02\x00\x00\x00\x00\x01") {
				got = append(got, text)
			}
		}
	}
	if all := strings.Join(got, " "); !strings.Contains(all, "plain") || strings.Contains(all, "tagged") {
		t.Errorf("%q", got)
	}
}

// Without CAP_NET_RAW the error says that it is that.
func TestNotAllowed(t *testing.T) {
	const inside = "CAPTURE_WITHOUT_NET_RAW"
	if os.Getenv(inside) != "" {
		code, _ := Compile("", 100)
		if _, err := Open([]string{"lo"}, code); !errors.Is(err, unix.EPERM) {
			t.Error(err)
		}
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", exe, "-test.run=TestNotAllowed$")
	cmd.Env = append(os.Environ(), inside+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
