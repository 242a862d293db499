package systemd

import (
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// Where docs/systemd.md says that the drop-in for captures is, and where it goes.
const (
	captureExample = "/usr/share/doc/openvbr/examples/systemd/capture.conf"
	captureDropIn  = "/etc/systemd/system/vbrd.service.d/capture.conf"
)

// testCapture: without the drop-in a capture is refused with what to do, with it packets come, and the looking glass is there for a user of the host.
func (e *edge) testCapture(t *testing.T) {
	capture := func() (string, error) {
		return e.ctl("capture", "vbr-acme", "--filter", "tcp port 179", "-c", "2", "--duration", "15s", "-w", "/run/acme.pcap")
	}
	if out, err := capture(); err == nil || !strings.Contains(err.Error(), "docs/systemd.md says how to grant both") {
		t.Errorf("without the drop-in: %v\n%s", err, out)
	}
	e.m.MustRun("install", "-D", "-m", "0644", captureExample, captureDropIn)
	settings := e.m.MustRun("cat", "/etc/vbrd/vbrd.yaml")
	e.m.File("/etc/vbrd/vbrd.yaml", settings+"glass: {listen: 'unix:/run/vbrd/glass.sock'}\n", "0644")
	e.m.MustRun("systemctl", "daemon-reload")
	e.restart()
	e.up(t)
	if out, err := capture(); err != nil {
		t.Errorf("with the drop-in: %v\n%s", err, out)
	} else if pcap := e.m.MustRun("od", "-An", "-tx4", "-N4", "/run/acme.pcap"); !strings.Contains(pcap, "a1b2") {
		t.Errorf("no pcap file:%s", pcap)
	}
	if out := e.m.MustRun("tcpdump", "-nr", "/run/acme.pcap"); strings.Count(out, ".179") < 2 {
		t.Errorf("not two packets of BGP:\n%s", out)
	}
	lab.Eventually(t, 10*time.Second, "the looking glass", func() error {
		_, err := e.m.Run("curl", "-sSf", "--max-time", "5", "--unix-socket", "/run/vbrd/glass.sock", "http://glass/")
		return err
	})
	e.m.MustRun("rm", captureDropIn)
	e.m.File("/etc/vbrd/vbrd.yaml", settings, "0644")
	e.m.MustRun("systemctl", "daemon-reload") // the next restart, which is the next step, takes the right away
}
