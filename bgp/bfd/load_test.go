package bfd

import (
	"fmt"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/cputest"
	"github.com/openvbr/openvbr/internal/lab"
)

// TestHundred: 100 sessions at 50 ms x 3, both ends of each in this process, come up; what they cost is logged.
func TestHundred(t *testing.T) {
	const count, during = 100, 5 * time.Second
	l := lab.New(t)
	peer := cable(t, l, "bfdload", "v0")
	var ours, theirs []Session
	for i := range count {
		us, them := fmt.Sprintf("10.1.%d.1", i), fmt.Sprintf("10.1.%d.2", i)
		ip(t, "addr add "+us+"/30 dev v0")
		peer.IP("addr add " + them + "/30 dev eth0")
		ours = append(ours, with(us, them, "v0", 50*ms))
		theirs = append(theirs, with(them, us, "eth0", 50*ms))
	}
	n := startNode(t)
	far := startNodeBy(t, peer.Do)
	n.set(t, ours...)
	far.set(t, theirs...)
	lab.Eventually(t, 20*time.Second, "all up", func() error {
		all := append(n.Status(), far.Status()...)
		if len(all) != 2*count {
			return fmt.Errorf("%d sessions", len(all))
		}
		for _, s := range all {
			if s.State != Up || s.DetectTime != 150*ms || s.Polling {
				return fmt.Errorf("%+v", s)
			}
		}
		return nil
	})
	before, mark, cpu := n.Stats(), n.mark(), cputest.Used(t)
	time.Sleep(during)
	cpu = cputest.Used(t) - cpu
	after := n.Stats()
	packets := after.Received + after.Sent - before.Received - before.Sent
	t.Logf("%d sessions at 50 ms x 3, both ends: %.1f %% of one core; %d packets a second at each end; %v a packet sent or received",
		count, 100*cpu.Seconds()/during.Seconds(), packets/uint64(during.Seconds()), cpu/time.Duration(2*packets))
	if c := n.since(mark); len(c) > count/10 { // a busy machine may stop us for 150 ms
		t.Errorf("%d changes: %+v", len(c), c)
	}
	if packets < count*2*20*uint64(during.Seconds()) {
		t.Errorf("%d packets", packets)
	}
}
