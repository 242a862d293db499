package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// right is nil when everything is as n wants it: the kernel, the customer, the VPC, and what is others'.
func (s *site) right(n int) error {
	return errors.Join(s.kernelRight(n), s.devicesRight(n), s.neighboursRight(n), s.foreignRight())
}

// ways are the gateways by nexthop group: "10.0.0.2 dev eth1", several joined by a comma.
func (s *site) ways() (map[uint32]string, error) {
	var objects []struct {
		ID           uint32
		Gateway, Dev string
		Group        []struct{ ID uint32 }
	}
	if err := json.Unmarshal([]byte(s.ip("-j nexthop show")), &objects); err != nil {
		return nil, err
	}
	ways := map[uint32]string{}
	for _, o := range objects {
		ways[o.ID] = o.Gateway + " dev " + o.Dev
	}
	for _, o := range objects {
		var all []string
		for _, m := range o.Group {
			all = append(all, ways[m.ID])
		}
		if slices.Sort(all); len(all) > 0 {
			ways[o.ID] = strings.Join(all, ", ")
		}
	}
	return ways, nil
}

// kernelRight compares the routes of ours with what the customer and the VPC announce, and each one's way.
func (s *site) kernelRight(n int) error {
	vpc, customer := fmt.Sprintf("%s2 dev vx%d", s.backbone, 5000+n%2), "10.0.0.2 dev eth1"
	want := map[string]string{"10.100.0.0/16": vpc, fmt.Sprintf("10.%d.0.0/16", 101+n%2): vpc}
	if n%2 == 1 {
		customer += ", 10.0.0.3 dev eth1"
	}
	for _, p := range s.announced(n) {
		want[p] = customer
	}
	ways, err := s.ways()
	var routes []struct {
		Dst  string
		NHID uint32
	}
	if err := errors.Join(err, json.Unmarshal([]byte(s.ip("-j route show proto 86")), &routes)); err != nil {
		return err
	}
	var wrong []string
	for _, r := range routes {
		if way := ways[r.NHID]; way != want[r.Dst] {
			wrong = append(wrong, fmt.Sprintf("%s by %q, want %q", r.Dst, way, want[r.Dst]))
		}
		delete(want, r.Dst)
	}
	for p := range want {
		wrong = append(wrong, p+" is missing")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("kernel: %d wrong: %q", len(wrong), wrong[:min(5, len(wrong))])
	}
	return nil
}

// devicesRight compares devices, addresses and nexthop objects: there are those that n needs, and none of ours besides.
func (s *site) devicesRight(n int) error {
	var links []struct{ Ifname, Ifalias string }
	if err := json.Unmarshal([]byte(s.ip("-j link show group 8686")), &links); err != nil {
		return err
	}
	got := ""
	for _, l := range links { // of those of other groups there are empty ones
		got += l.Ifalias + " " + l.Ifname
	}
	if want := fmt.Sprintf("openvbr:vbr-acme vx%d", 5000+n%2); strings.TrimSpace(got) != want {
		return fmt.Errorf("devices %q, want %s", got, want)
	}
	addrs := s.ip("-o addr show dev eth1")
	if strings.Count(addrs, "10.0.0.1/24") != 1 || strings.Contains(addrs, "fd00::1/126") != (n%2 == 1) {
		return fmt.Errorf("addresses of eth1:\n%s", addrs)
	}
	objects := 4 + n%2 // a gateway and a group for each side, and the second peer's gateway
	if got := s.ip("nexthop show proto 86"); strings.Count(got, "\n") != objects {
		return fmt.Errorf("nexthop objects, want %d:\n%s", objects, got)
	}
	return nil
}

// neighboursRight compares what the customer and the VPC hear.
func (s *site) neighboursRight(n int) error {
	for i := 2; i <= 2+n%2; i++ {
		out, err := s.birdc(i, "show route protocol edge")
		if err != nil {
			return fmt.Errorf("birdc: %w: %s", err, out)
		}
		if strings.Contains(out, "10.100.0.0/16") && strings.Contains(out, fmt.Sprintf("10.%d.0.0/16", 101+n%2)) && strings.Count(out, "BGP") == 0 && strings.Count(out, "unicast") == 2 {
			continue
		}
		return fmt.Errorf("the customer's 10.0.0.%d hears:\n%s", i, out)
	}
	want := append(s.announced(n), "10.0.0.0/24")
	slices.Sort(want)
	its, others := s.vpc.prefixes(fmt.Sprintf("64600:%d", 5000+n%2))
	if !slices.Equal(its, want) || len(others) > 0 {
		return fmt.Errorf("the VPC hears %d: %.300q, want %d; of the other's %.300q", len(its), its, len(want), others)
	}
	return nil
}

// foreignRight compares what others have.
func (s *site) foreignRight() error {
	for what, want := range map[string]string{"route show proto static": "198.51.100.0/24 198.51.101.0/24", "-o link show type vxlan": "theirs0", "nexthop show id 77": "dev bb0"} {
		if err := has(s.ip(what), strings.Split(want, " ")...); err != nil {
			return fmt.Errorf("what is others': %w", err)
		}
	}
	return nil
}
