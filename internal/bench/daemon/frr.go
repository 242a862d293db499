package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// FRR is FRRouting's bgpd and zebra, from where Debian puts them.
func FRR() Kind {
	return Kind{Name: "FRR", Version: frrVersion, Start: startFRR}
}

const frrDaemons = "/usr/lib/frr"

func frrVersion() (string, error) {
	out, err := exec.Command(frrDaemons+"/bgpd", "--version").Output()
	first, _, _ := strings.Cut(string(out), "\n")
	return first, err
}

// The prefix list keeps bgpd from announcing what one peer said to the others, as the other daemons are kept from it.
const frrHead = `no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp router-id %s
 neighbor CUSTOMERS peer-group
 neighbor CUSTOMERS timers 80 240
 neighbor CUSTOMERS passive
`

func bgpdConfig(s Setup) string {
	var b strings.Builder
	for i, n := range s.Neighbours {
		switch {
		case n.VRF.Name != "":
			fmt.Fprintf(&b, "router bgp %d vrf %s\n "+frrHead, s.ASN, n.VRF.Name, n.Local)
		case i == 0:
			fmt.Fprintf(&b, "router bgp %d\n "+frrHead, s.ASN, n.Local)
		}
		fmt.Fprintf(&b, " neighbor %s remote-as %d\n neighbor %[1]s peer-group CUSTOMERS\n", n.Remote, n.ASN)
		if n.VRF.Name != "" || i == len(s.Neighbours)-1 {
			b.WriteString(" address-family ipv4 unicast\n  neighbor CUSTOMERS activate\n  neighbor CUSTOMERS prefix-list NOTHING out\n" +
				" exit-address-family\n!\n")
		}
	}
	b.WriteString("ip prefix-list NOTHING seq 5 deny any\n")
	return b.String()
}

// startFRR uses the options of Debian's /etc/frr/daemons, with sockets in the setup's folder.
func startFRR(s Setup) (*Daemon, error) {
	if err := giveTo("frr", s.Dir); err != nil {
		return nil, err
	}
	d := &Daemon{}
	api := filepath.Join(s.Dir, "zserv.api")
	for _, p := range []struct {
		name, config, appears string
		more                  []string
	}{
		{"zebra", "!\n", api, []string{"-s", "90000000"}},
		{"bgpd", bgpdConfig(s), filepath.Join(s.Dir, "bgpd.vty"), nil},
	} {
		conf, err := s.write(p.name+".conf", p.config)
		if err != nil {
			return d, err
		}
		args := append([]string{frrDaemons + "/" + p.name, "-f", conf, "-i", filepath.Join(s.Dir, p.name+".pid"), "-z", api,
			"--vty_socket", s.Dir, "-A", "127.0.0.1", "-P", "0", "--log", "stdout", "--log-level", "informational"}, p.more...)
		if err := d.start(s, p.name, args...); err != nil {
			return d, err
		}
		if err := d.waitFor(p.appears); err != nil {
			return d, err
		}
	}
	return d, nil
}

func giveTo(name, dir string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("frr is not installed: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return os.Chown(dir, uid, gid)
}
