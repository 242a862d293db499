package daemon

import (
	"fmt"
	"os/exec"
	"strings"
)

// BIRD is BIRD 2: one process, one thread.
func BIRD() Kind {
	return Kind{Name: "BIRD", Version: birdVersion, Start: startBIRD}
}

func birdVersion() (string, error) {
	out, err := exec.Command("bird", "--version").CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// The kernel protocol scans at start only: a scan in the middle would be BIRD's loss. Devices are scanned: when hundreds are made
// at once, notifications get lost, and BIRD would never know of some. merge paths stays off, its
// default: no ECMP is wanted.
const birdHead = `log stderr { info, warning, error, fatal, bug };
router id %s;
protocol device { scan time 10; }
`

const birdMain = `protocol kernel { scan time 3600; ipv4 { import none; export where source = RTS_BGP; }; }
`

const birdVRF = `ipv4 table t%d;
protocol kernel { scan time 3600; kernel table %[1]d; ipv4 { table t%[1]d; import none; export where source = RTS_BGP; }; }
`

const birdPeer = `protocol bgp peer%d {
	%slocal %s as %d;
	neighbor %s as %d;
	hold time 240;
	passive yes;
	connect delay time 1;
	error wait time 1, 2;
	ipv4 { %simport all; export none; };
}
`

func birdConfig(s Setup) string {
	var b strings.Builder
	fmt.Fprintf(&b, birdHead, s.Neighbours[0].Local)
	if s.Neighbours[0].VRF.Name == "" {
		b.WriteString(birdMain)
	}
	for i, n := range s.Neighbours {
		vrf, table := "", ""
		if n.VRF.Name != "" {
			fmt.Fprintf(&b, birdVRF, n.VRF.Table)
			vrf, table = fmt.Sprintf("vrf %q;\n\t", n.VRF.Name), fmt.Sprintf("table t%d; ", n.VRF.Table)
		}
		fmt.Fprintf(&b, birdPeer, i, vrf, n.Local, s.ASN, n.Remote, n.ASN, table)
	}
	return b.String()
}

func startBIRD(s Setup) (*Daemon, error) {
	conf, err := s.write("bird.conf", birdConfig(s))
	if err != nil {
		return nil, err
	}
	d := &Daemon{}
	return d, d.start(s, "bird", "bird", "-f", "-c", conf, "-s", s.Dir+"/bird.ctl", "-P", s.Dir+"/bird.pid")
}
