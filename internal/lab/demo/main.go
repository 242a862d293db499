package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

func main() {
	vbrd := flag.String("vbrd", "bin/vbrd", "the vbrd `binary` to show")
	shell := flag.Bool("shell", false, "give a shell in the running first-light topology instead of the steps")
	cloud := flag.Bool("cloud", false, "play the cloud topology")
	clab := flag.String("clab", "", "play the containerlab topology of this `folder` and give a shell beside its nodes")
	only := flag.String("steps", "", "of the cloud topology: only these `steps`, separated by commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	s := newStage(os.Stdout)
	err := lab.Run(ctx, "demo", os.Stderr, func(l *lab.Lab) {
		switch {
		case *clab != "":
			s.playClab(l, *clab, *vbrd)
		case *cloud:
			s.playCloud(l, *vbrd, *only)
		default:
			s.play(l, *vbrd, *shell)
		}
	})
	if err != nil {
		fmt.Printf("\ndemo: FAILED in step %q: %v\n", s.now, err)
		if dir := os.Getenv("VBR_LAB_DIR"); dir != "" {
			fmt.Printf("demo: logs are kept in %s\n", dir)
		}
		os.Exit(1)
	}
	if !*shell && *clab == "" {
		fmt.Printf("\ndemo: passed (%d checks in %.0f s)\n", s.checks, s.elapsed().Seconds())
	}
}

// play builds the topology, brings vbrd up, and goes through the steps.
func (s *stage) play(l *lab.Lab, vbrd string, shell bool) {
	s.step("Build the topology: 3 customer routers and 2 VPC gateways (FRR), a route reflector (GoBGP), 4 hosts, 2 switches")
	fmt.Fprint(s.out, picture)
	t := topo.FirstLight(l, topo.Options{Reflector: true, Stored: true})
	s.done("FRR runs in 5 namespaces, gobgpd in one")
	d := &demo{stage: s, lab: l, Topology: t, binary: vbrd}
	d.start()
	if shell {
		d.shell()
		return
	}
	for _, step := range []func(){d.tables, d.pings, d.isolation, d.explain, d.withdraw, d.multipath, d.change, d.crash} {
		step()
	}
}

const picture = `
   idc-acme  (FRR, AS 65001) --VLAN 100--\                          /== VNI 5001 == vpc-acme (FRR, EVPN) -- host-acme
   idc-acme2 (FRR, AS 65001) --VLAN 101--- eth1  edge: vbrd  eth0 --- route reflector (GoBGP, EVPN)
   idc-beta  (FRR, AS 65002) --VLAN 200--/                          \== VNI 5002 == vpc-beta (FRR, EVPN) -- host-beta

   Both customers use the same addresses everywhere: links 10.0.0.0/30 and fd00::/126, data centre
   172.16.1.0/24 and 2001:db8:1::/64, VPC 10.100.0.0/16 and 2001:db8:100::/48. The reflector holds the VPC's side over a
   restart of vbrd: FRR's gateways do not keep EVPN routes by graceful restart by themselves.

`
