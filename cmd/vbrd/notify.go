package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// notifyEvery is how often the service manager hears of vbrd, at least.
const notifyEvery = 5 * time.Second

// notifier tells the service manager how vbrd is (sd_notify(3)): READY once the routers serve, STATUS, and WATCHDOG while the host's loops turn.
// Without a service manager that listens it says nothing.
type notifier struct {
	log      *slog.Logger
	watchdog time.Duration // how long the manager waits for WATCHDOG; 0: it does not
	alive    func(limit time.Duration) error
	settled  <-chan struct{}
	status   func() string

	hungry string // why the watchdog is not fed
	told   string // the last STATUS
}

// watchdogTime is WatchdogSec= of vbrd's unit, 0 without one.
func watchdogTime(log *slog.Logger) time.Duration {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the service manager's watchdog is not fed", "err", err)
	}
	return d
}

// run tells until ctx is done.
func (n *notifier) run(ctx context.Context) {
	every := notifyEvery
	if n.watchdog > 0 {
		every = min(every, n.watchdog/4)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer n.say(daemon.SdNotifyStopping)
	settled := n.settled
	for {
		n.feed()
		n.tell()
		select {
		case <-ctx.Done():
			return
		case <-settled:
			settled = nil
			n.say(daemon.SdNotifyReady)
			n.log.Info("ready: every router serves, or has been found not to be able to")
		case <-tick.C:
		}
	}
}

// feed feeds the watchdog while the host's loops turn: each within half of the watchdog's time.
func (n *notifier) feed() {
	if n.watchdog == 0 {
		return
	}
	text := ""
	if err := n.alive(n.watchdog / 2); err != nil {
		text = err.Error()
	}
	if text != n.hungry && text != "" {
		n.log.Error("the watchdog is not fed: the service manager is to start vbrd anew; devices and routes stay", "err", text)
	}
	if n.hungry = text; text == "" {
		n.say(daemon.SdNotifyWatchdog)
	}
}

// tell says how vbrd is, when that has changed.
func (n *notifier) tell() {
	text := n.status()
	if n.hungry != "" {
		text = n.hungry
	}
	if text != n.told {
		n.told = text
		n.say("STATUS=" + text)
	}
}

// reload surrounds a reload, once vbrd is ready.
func (n *notifier) reload(do func()) {
	select {
	case <-n.settled:
	default:
		do()
		return
	}
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // it cannot fail; Type=notify-reload wants to know
	n.say(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
	defer n.say(daemon.SdNotifyReady)
	do()
}

func (n *notifier) say(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Warn("the service manager was not told", "state", state, "err", err)
	}
}

// statusText is a host's status in one line, without what changes all the time.
func statusText(s *vbrv1.GetHostResponse, adopting bool) string {
	text := fmt.Sprintf("%d routers, %d degraded; %d of %d sessions", s.Routers, s.RoutersDegraded, s.SessionsEstablished, s.Sessions)
	if n := len(s.BackboneSessions); n > 0 {
		up := 0
		for _, b := range s.BackboneSessions {
			if b.BgpStatus == "established" {
				up++
			}
		}
		text += fmt.Sprintf(", %d of %d of the backbone", up, n)
	}
	text += fmt.Sprintf("; %d routes", s.Routes)
	if adopting {
		text += "; some of them adopted and not announced again yet"
	}
	return text
}
