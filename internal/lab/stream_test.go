package lab_test

import (
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// Losses of one direction are told apart from the other's, with when they were.
func TestStream(t *testing.T) {
	l := lab.New(t)
	a, b := l.Namespace("a"), l.Namespace("b")
	l.Veth(a, "eth0", b, "eth0")
	a.IP("addr add 10.0.0.1/30 dev eth0", "addr add fd00::1/126 dev eth0")
	b.IP("addr add 10.0.0.2/30 dev eth0", "addr add fd00::2/126 dev eth0")
	for _, ends := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"fd00::1", "fd00::2"}} {
		d := a.Duplex(ends[0], b, ends[1], lab.StreamOptions{})
		time.Sleep(time.Second)
		if loss := d.Stop(); loss.Lost() != 0 || loss.There.Sent < 100 || loss.Back.Sent < 100 || loss.Outage() != 0 {
			t.Errorf("OK link: %v", loss)
		}

		d = a.Duplex(ends[0], b, ends[1], lab.StreamOptions{Timeout: 200 * time.Millisecond})
		time.Sleep(300 * time.Millisecond)
		a.MustRun("tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", "100%")
		began := time.Now()
		time.Sleep(400 * time.Millisecond)
		a.MustRun("tc", "qdisc", "del", "dev", "eth0", "root")
		time.Sleep(300 * time.Millisecond)
		loss := d.Stop()
		if loss.There.Lost == 0 || loss.There.FlowsWithALoss != 8 || loss.There.Outage < 350*time.Millisecond || loss.There.Outage > 2*time.Second {
			t.Errorf("lossy direction: %v", loss.There)
		}
		if loss.Back.Lost != 0 {
			t.Errorf("the other direction: %v", loss.Back)
		}
		for _, w := range loss.There.Windows {
			if w.To.IsZero() || w.From.After(began.Add(100*time.Millisecond)) {
				t.Errorf("window %+v of a loss that began before %v", w, began)
			}
		}
		t.Log(loss)

		d = a.Duplex(ends[0], b, ends[1], lab.StreamOptions{Timeout: 100 * time.Millisecond})
		time.Sleep(200 * time.Millisecond)
		a.Link("eth0", false)
		time.Sleep(300 * time.Millisecond)
		if loss := d.Stop(); loss.There.Lost == 0 || loss.Back.Lost == 0 || !loss.There.Windows[0].To.IsZero() {
			t.Errorf("cable that stays cut: %v", loss)
		}
		a.Link("eth0", true)
		if ends[0] == "10.0.0.1" { // going down has taken them
			a.IP("addr add fd00::1/126 dev eth0")
		}
	}
}

// What a shaper lets through is what is measured.
func TestRate(t *testing.T) {
	l := lab.New(t)
	a, b := l.Namespace("a"), l.Namespace("b")
	l.Veth(a, "eth0", b, "eth0")
	a.IP("addr add 10.0.0.1/30 dev eth0", "addr add fd00::1/126 dev eth0")
	b.IP("addr add 10.0.0.2/30 dev eth0", "addr add fd00::2/126 dev eth0")
	a.MustRun("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "10mbit", "burst", "100k", "latency", "50ms")
	const limit = 10e6
	for _, test := range []struct {
		name, address string
		o             lab.RateOptions
		low, high     float64
	}{
		{"OK UDP", "10.0.0.2", lab.RateOptions{Offer: 20e6}, 0.95 * limit, 1.05 * limit},
		{"OK UDP over IPv6", "fd00::2", lab.RateOptions{Offer: 20e6}, 0.95 * limit, 1.05 * limit},
		{"OK below the limit", "10.0.0.2", lab.RateOptions{Offer: 4e6}, 3.9e6, 4.3e6},
		{"OK TCP", "10.0.0.2", lab.RateOptions{}, 0.7 * limit, limit},
	} {
		rate, err := a.Rate(b, test.address, test.o)
		if err != nil || rate < test.low || rate > test.high {
			t.Errorf("%s: %.0f, want %.0f..%.0f, %v", test.name, rate, test.low, test.high, err)
		}
	}
	a.MustRun("tc", "qdisc", "del", "dev", "eth0", "root")
	b.MustRun("sh", "-c", "tc qdisc add dev eth0 clsact && tc filter add dev eth0 ingress matchall action police rate 10mbit burst 100k")
	if rate, err := a.Rate(b, "10.0.0.2", lab.RateOptions{Offer: 20e6}); err != nil || rate < 0.95*limit || rate > 1.05*limit {
		t.Errorf("OK UDP through a policer: %.0f, %v", rate, err)
	}
	b.Link("eth0", false)
	if rate, err := a.Rate(b, "10.0.0.2", lab.RateOptions{During: time.Second}); err == nil {
		t.Errorf("bad link: no error, %.0f", rate)
	}
}
