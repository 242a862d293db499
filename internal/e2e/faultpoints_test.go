package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/fault/tried"
	"github.com/openvbr/openvbr/internal/lab"
)

// faulty is an edge with a VBR and its VPC, whose vbrd has fault points. It has no peers: what counts is its devices.
type faulty struct {
	*lab.Lab
	t    *testing.T
	edge *lab.NS
}

// What is not the edge's own, and resources that differ in all that has devices: VLAN, rate, pair.
const (
	ratedVBR      = "bandwidth: 50\n"
	faultyForeign = "link add theirs type bridge\nlink add theirs-vrf type vrf table 77\nroute add unreachable default metric 4278198272 table 77\nroute add blackhole 198.51.100.0/24 proto static metric 179"
)

var faultResources = map[string]string{
	"before": vbrYAML + ratedVBR + vpcYAML + ends,
	"after":  strings.Replace(vbrYAML, "vlan_id: 100", "vlan_id: 200", 1) + vpcYAML,
}

func newFaulty(t *testing.T) *faulty {
	f := &faulty{Lab: lab.New(t), t: t}
	f.edge = f.Namespace("edge")
	idc := f.Namespace("idc")
	f.Veth(f.edge, "eth1", idc, "eth1")
	f.Veth(f.edge, "vm-acme", idc, "vm")
	f.File("vbrd.yaml", fmt.Sprintf("host: edge1\nresources: %s\nstate_dir: %s\napi: {socket: %s}\nlog: {level: info, format: text}\ntimers: {audit: 1s}\n",
		f.Dir+"/resources.d", f.Dir+"/state", f.Dir+"/vbrd.sock"))
	f.edge.IP(strings.Split(faultyForeign, "\n")...)
	return f
}

var (
	linkLine = regexp.MustCompile(`^\d+: ([^ ]+): <([^>]*)> (mtu \d+).*?( master \S+)? state.*alias (openvbr:\S+)`)
	varies   = regexp.MustCompile(` pref medium| nhid \d+`)
	qdiscs   = regexp.MustCompile(`(?m)^qdisc (tbf 8686:.*|ingress .*)$`)
)

// devices are ours, with their rates, addresses, last-resort routes and permanent neighbours, and all routing rules.
func (f *faulty) devices() string {
	out, err := f.edge.Run("sh", "-c", "ip -o link show group 8686; echo ==; ip -o addr show; echo ==; ip route show table all proto 86; ip -6 route show table all proto 86; ip neigh show nud permanent; echo ==; tc qdisc show; echo ==; ip rule show; ip -6 rule show")
	if err != nil {
		return err.Error()
	}
	parts := strings.Split(out, "==\n")
	var all []string
	for _, l := range strings.Split(parts[0], "\n") {
		if m := linkLine.FindStringSubmatch(strings.ReplaceAll(l, `\`, "")); m != nil {
			up := "down"
			if strings.Contains(","+m[2]+",", ",UP,") {
				up = "up"
			}
			all = append(all, strings.Join([]string{m[1], up, m[3], m[4], m[5]}, " "))
		} else if l != "" {
			all = append(all, "unmarked: "+l)
		}
	}
	for _, l := range strings.Split(parts[1], "\n") {
		if w := strings.Fields(l); len(w) > 3 && w[1] != "lo" && !strings.HasPrefix(w[3], "fe80:") {
			all = append(all, w[1]+" "+w[3])
		}
	}
	for _, l := range strings.Split(parts[2], "\n") {
		if l = strings.TrimSpace(varies.ReplaceAllString(l, "")); l != "" {
			all = append(all, l)
		}
	}
	all = append(all, qdiscs.FindAllString(parts[3], -1)...)
	for l := range strings.Lines(parts[4]) {
		all = append(all, "rule "+strings.TrimSpace(l))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// foreign is what others have.
func (f *faulty) foreign() string {
	return f.edge.MustRun("sh", "-c", "ip -br link show theirs; ip -br link show theirs-vrf; ip route show table 77; ip route show proto static")
}

// start starts vbrd with a fault, on the resources of that name, and waits until its routers are up or it has ended.
func (f *faulty) start(what, resources string) *lab.Proc {
	f.File("resources.d/all.yaml", faultResources[resources])
	return f.edge.StartEnv([]string{"VBRD_FAULT=" + what}, binary(f.t)+"-faults", "--config", f.Dir+"/vbrd.yaml")
}

func (f *faulty) end(p *lab.Proc) {
	p.Signal(syscall.SIGTERM)
	if _, err := p.Wait(10 * time.Second); err != nil {
		f.t.Fatal(err)
	}
}

// settles waits until the devices are those, by p or, when that has died, by another vbrd without a fault.
func (f *faulty) settles(p *lab.Proc, resources, want string) {
	f.t.Helper()
	diff := func() error {
		if got := f.devices(); got != want && p.Running() {
			return fmt.Errorf("got\n%s\nwant\n%s", got, want)
		}
		return nil
	}
	lab.Eventually(f.t, 20*time.Second, resources, diff)
	if !p.Running() {
		p = f.start("", resources)
		lab.Eventually(f.t, 20*time.Second, resources+" after a restart", diff)
	}
	f.end(p)
}

// TestFaultsOfDevices: each fault point of devices, at several passes, while devices are made, changed, and removed by --cleanup.
func TestFaultsOfDevices(t *testing.T) {
	cases := deviceCases()
	if missing := tried.Missing(tried.Devices, cases); len(missing) > 0 {
		t.Fatalf("not tried: %q", missing)
	}
	f := newFaulty(t)
	want, foreign := map[string]string{}, f.foreign()
	empty := f.devices()
	for _, resources := range []string{"before", "after"} {
		p := f.start("", resources)
		last := ""
		lab.Eventually(t, 20*time.Second, resources, func() error {
			now := f.devices()
			if same := now == last && strings.Count(now, "\n") > 8; same {
				return nil
			}
			last = now
			time.Sleep(time.Second)
			return fmt.Errorf("it changes:\n%s", now)
		})
		want[resources] = last
		f.end(p)
	}
	t.Logf("before:\n%s\nafter:\n%s", want["before"], want["after"])
	for _, c := range cases {
		if !t.Run(c, func(t *testing.T) {
			one := *f
			one.t = t
			one.suffers(c, want, empty, foreign)
		}) {
			return
		}
	}
}

// deviceCases are all points of devices with all acts.
func deviceCases() (list []string) {
	for _, effect := range tried.Devices {
		for _, when := range []string{"before", "after"} {
			for _, act := range []string{"kill@1", "kill@3", "kill@9", "error@1-3", "delay:300ms@1-3"} {
				list = append(list, fmt.Sprintf("%s.%s=%s", effect, when, act))
			}
		}
	}
	return list
}

// suffers makes the devices of before, those of after, and none.
func (f *faulty) suffers(what string, want map[string]string, empty, foreign string) {
	logs := ""
	for _, resources := range []string{"before", "after"} {
		p := f.start(what, resources)
		f.settles(p, resources, want[resources])
		logs += p.Log()
	}
	for try := range 2 {
		p := f.edge.StartEnv([]string{"VBRD_FAULT=" + map[int]string{0: what}[try]}, binary(f.t)+"-faults", "--config", f.Dir+"/vbrd.yaml", "--cleanup")
		status, err := p.Wait(20 * time.Second)
		logs += p.Log()
		if err != nil || try == 1 && status != 0 {
			f.t.Errorf("--cleanup: status %d, %v", status, err)
		}
	}
	if point, act, _ := strings.Cut(what, "="); act != "kill@3" && act != "kill@9" && !strings.Contains(logs, "fault: "+point+": ") {
		f.t.Error("the point was not reached")
	}
	if got := f.devices(); got != empty {
		f.t.Errorf("after --cleanup there is\n%s\nwant\n%s", got, empty)
	}
	if got := f.foreign(); got != foreign {
		f.t.Errorf("others' has changed:\n%s\nwant\n%s", got, foreign)
	}
}
