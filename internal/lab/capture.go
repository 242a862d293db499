package lab

import (
	"fmt"
	"strings"
	"time"
)

// Capture is a tcpdump that runs.
type Capture struct {
	proc *Proc
	from int // the log's length before it
}

// Capture starts a capture on a device ("any" for all) and returns when it
// sees packets; filter is tcpdump's.
func (n *NS) Capture(dev, filter string) *Capture {
	n.lab.Helper()
	c := &Capture{}
	// -U and -l: a packet is in the log when it was seen.
	args := []string{"tcpdump", "-i", dev, "-nn", "-l", "-U", "-tt", "--immediate-mode"}
	c.proc = n.Start(append(args, strings.Fields(filter)...)...)
	Eventually(n.lab, 10*time.Second, n.Name+": tcpdump listens", func() error {
		log := c.proc.Log()
		if at := strings.LastIndex(log, "listening on "); at >= 0 && c.proc.Running() {
			c.from = at + strings.IndexByte(log[at:], '\n') + 1
			return nil
		}
		return fmt.Errorf("tcpdump: %s", log)
	})
	return c
}

// Packets are the lines tcpdump printed so far, one a packet.
func (c *Capture) Packets() []string {
	var lines []string
	for line := range strings.Lines(c.proc.Log()[c.from:]) {
		if strings.HasPrefix(line, "1") { // -tt: a Unix time
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// Stop ends the capture and returns what it saw.
func (c *Capture) Stop() []string {
	c.proc.Kill()
	return c.Packets()
}
