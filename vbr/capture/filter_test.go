package capture

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// Expressions that tcpdump's own compiler takes too.
var legal = []string{
	"", "ip", "ip6", "arp", "tcp", "udp", "sctp", "icmp", "icmp6", "esp", "ah", "tcp port 179", "port 179", "udp dst port 3784", "src port 179", "udp portrange 3784-3785",
	"tcp src portrange 100-200", "sctp port 179", "host 10.0.0.2", "src host 10.0.0.2", "dst 10.0.0.1", "src fd00::2", "ip host 10.0.0.2", "arp host 10.0.0.2", "ip6 host fd00::2",
	"net 172.16.0.0/16", "dst net 10.0.0.0/30", "net 0.0.0.0/0", "ip net 10.0.0.0/30", "net fd00::/126", "src net 2001:db8::/32", "net ::/0", "ip6 dst net fd00::/64", "ip src 10.0.0.2", "ip proto 6",
	"ip proto 1", "proto 17", "ip6 proto 58", "proto 132", "less 100", "greater 100", "not tcp", "! udp", "!(tcp or udp)", "tcp && port 179 || icmp", "icmp or tcp and port 179",
	"not (host 10.0.0.2 and not port 179) or arp", "((tcp))", "not not ip6", "tcp port 179 and host 10.0.0.2 and not src net 10.0.0.0/30",
}

// frames are what the expressions are tried on: each has room for all that is looked at.
func frames() [][]byte {
	var l [][]byte
	addrs4 := []string{"10.0.0.1", "10.0.0.2", "172.16.1.1"}
	addrs6 := []string{"fd00::1", "fd00::2", "2001:db8::9"}
	for i := range 3 {
		for j := range 3 {
			for _, proto := range []byte{1, 6, 17, 50, 51, 58, 89, 132} {
				for _, port := range []uint16{150, 179, 3784} {
					l = append(l, frame4(addrs4[i], addrs4[j], proto, port, 5, 0), frame4(addrs4[i], addrs4[j], proto, port, 7, 0), frame4(addrs4[i], addrs4[j], proto, port, 5, 99))
					l = append(l, frame6(addrs6[i], addrs6[j], proto, 0, port), frame6(addrs6[i], addrs6[j], 44, proto, port))
				}
			}
			for _, ether := range []uint16{etherARP, etherRARP} {
				l = append(l, arpFrame(ether, addrs4[i], addrs4[j]))
			}
		}
	}
	return l
}

func ether(kind uint16, size int) []byte {
	f := make([]byte, size)
	binary.BigEndian.PutUint16(f[atEtherType:], kind)
	return f
}

func frame4(src, dst string, proto byte, port uint16, words byte, offset uint16) []byte {
	f := ether(etherIPv4, 90)
	f[atIP], f[atProto4] = 0x40|words, proto
	binary.BigEndian.PutUint16(f[atFragment:], 0x2000|offset)
	copy(f[atSource4:], netip.MustParseAddr(src).AsSlice())
	copy(f[atDest4:], netip.MustParseAddr(dst).AsSlice())
	binary.BigEndian.PutUint16(f[atIP+4*int(words):], port)
	binary.BigEndian.PutUint16(f[atIP+4*int(words)+2:], 40000+port)
	return f
}

func frame6(src, dst string, proto, inner byte, port uint16) []byte {
	f := ether(etherIPv6, 120)
	f[atProto6] = proto
	copy(f[atSource6:], netip.MustParseAddr(src).AsSlice())
	copy(f[atDest6:], netip.MustParseAddr(dst).AsSlice())
	binary.BigEndian.PutUint16(f[atInner6:], 40000+port)
	binary.BigEndian.PutUint16(f[atInner6+2:], port)
	if inner != 0 {
		f[atInner6] = inner
	}
	return f
}

func arpFrame(kind uint16, sender, target string) []byte {
	f := ether(kind, 60)
	copy(f[atSenderARP:], netip.MustParseAddr(sender).AsSlice())
	copy(f[atTargetARP:], netip.MustParseAddr(target).AsSlice())
	return f
}

// theirs is the program that tcpdump makes of an expression.
func theirs(t interface{ Fatalf(string, ...any) }, expression string) *bpf.VM {
	out, err := exec.Command("tcpdump", "-y", "EN10MB", "-s", "65535", "-ddd", expression).CombinedOutput()
	if strings.Contains(string(out), "expression rejects all packets") { // it sees that itself
		out, err = []byte("1\n6 0 0 0\n"), nil
	}
	if err != nil {
		t.Fatalf("tcpdump does not take %q: %v: %s", expression, err, out)
	}
	var raw []bpf.RawInstruction
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
		var x bpf.RawInstruction
		if _, err := fmt.Sscan(line, &x.Op, &x.Jt, &x.Jf, &x.K); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		raw = append(raw, x)
	}
	code, ok := bpf.Disassemble(raw)
	vm, err := bpf.NewVM(code)
	if !ok || err != nil {
		t.Fatalf("%q: %v %v", expression, ok, err)
	}
	return vm
}

func ours(t interface{ Fatalf(string, ...any) }, expression string) *bpf.VM {
	code, err := Compile(expression, 65535)
	if err != nil {
		t.Fatalf("%q: %v", expression, err)
	}
	if _, err := bpf.Assemble(code); err != nil {
		t.Fatalf("%q: %v", expression, err)
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		t.Fatalf("%q: %v", expression, err)
	}
	return vm
}

// agree compares what two programs take of all frames, and says how many that are.
func agree(t interface {
	Fatalf(string, ...any)
	Errorf(string, ...any)
}, expression string, frames [][]byte) (taken int) {
	a, b := ours(t, expression), theirs(t, expression)
	for _, f := range frames {
		x, err1 := a.Run(f)
		y, err2 := b.Run(f)
		if err1 != nil || err2 != nil || (x > 0) != (y > 0) {
			t.Errorf("%q: ours takes %d, tcpdump's %d octets (%v, %v) of\n%s", expression, x, y, err1, err2, hex.Dump(f))
			return taken
		}
		if x > 0 {
			taken++
		}
	}
	return taken
}

// What is legal here means what it means to tcpdump.
func TestFilterAgreesWithTcpdump(t *testing.T) {
	all := frames()
	for _, expression := range legal {
		if n := agree(t, expression, all); n == 0 {
			t.Errorf("%q takes none of the frames: it proves nothing", expression)
		}
	}
}

// So do expressions made up of others.
func TestFilterPropertyAgreesWithTcpdump(t *testing.T) {
	all := frames()
	rapid.Check(t, func(t *rapid.T) {
		expression := "tcp"
		for range rapid.IntRange(1, 5).Draw(t, "terms") {
			term := rapid.SampledFrom(legal[1:]).Draw(t, "term")
			if rapid.Bool().Draw(t, "brackets") {
				term = rapid.SampledFrom([]string{"not ", "! ", ""}).Draw(t, "not") + "(" + term + ")"
			}
			expression += rapid.SampledFrom([]string{" and ", " or ", " && ", " || "}).Draw(t, "join") + term
		}
		agree(t, expression, all)
	})
}

func TestFilterErrors(t *testing.T) {
	long := strings.Repeat("tcp or ", 200)
	for _, tt := range []struct{ expression, want string }{
		{"tcp prt 179", `character 5, "prt"; legal: ` + legalJoin},
		{"port bgp", `character 6, "bgp"; legal: ` + legalPort},
		{"tcp port 65536", `character 10, "65536"; legal: ` + legalPort},
		{"port -1", `character 6, "-1"; legal: ` + legalPort},
		{"tcp port", `character 9, its end; legal: ` + legalPort},
		{"portrange 20-10", `character 11, "20-10"; legal: ` + legalTwo},
		{"portrange 20", `character 11, "20"; legal: ` + legalTwo},
		{"host idc.example.com", `character 6, "idc.example.com"; legal: ` + legalHost},
		{"host 10.0.0.0/8", `character 6, "10.0.0.0/8"; legal: ` + legalHost},
		{"host fe80::1%eth0", `character 6, "fe80::1%eth0"; legal: ` + legalHost},
		{"host ::ffff:10.0.0.1", `character 6, "::ffff:10.0.0.1"; legal: ` + legalHost},
		{"net 10.0.0.1/8", `character 5, "10.0.0.1/8"; legal: ` + legalNet},
		{"net 10", `character 5, "10"; legal: ` + legalNet},
		{"ip host fd00::1", `character 9, "fd00::1"; legal: ` + legalHost + ", of the family that ip has"},
		{"ip6 host 10.0.0.1", `character 10, "10.0.0.1"; legal: ` + legalHost + ", of the family that ip6 has"},
		{"icmp port 5", `character 6, "port"; legal: ` + legalJoin},
		{"tcp src 10.0.0.1", `character 9, "10.0.0.1"; legal: port, portrange`},
		{"(tcp", `character 5, its end; legal: and, or, )`},
		{"tcp)", `character 4, ")"; legal: ` + legalJoin},
		{"tcp and", `character 8, its end; legal: ` + legalTerm},
		{"not", `character 4, its end; legal: ` + legalTerm},
		{"vlan 100", `character 1, "vlan"; legal: ` + legalTerm},
		{"tcp[13] & 2 != 0", `character 1, "tcp[13]"; legal: ` + legalTerm},
		{"ip proto bgp", `character 10, "bgp"; legal: ` + legalNum},
		{"less many", `character 6, "many"; legal: ` + legalLen},
		{"TCP", `character 1, "TCP"; legal: ` + legalTerm},
		{"tcp \x00", "character 5, \"\\x00\"; legal: " + legalJoin},
		{long, "character 1025, its end; legal: an expression of at most 1024 octets"},
	} {
		_, err := Compile(tt.expression, 100)
		if bad := (*FilterError)(nil); !errors.As(err, &bad) || err.Error() != tt.want {
			t.Errorf("%q:\n%v, want\n%s", tt.expression, err, tt.want)
		}
	}
}

// The longest expressions do not exceed what the kernel takes, or say so.
func TestFilterLength(t *testing.T) {
	bad := (*FilterError)(nil)
	if _, err := Compile("ip"+strings.Repeat(" ", MaxFilter-1), MaxSnap); !errors.As(err, &bad) || bad.At != MaxFilter+1 {
		t.Errorf("%d octets: %v", MaxFilter+1, err)
	}
	for _, term := range []string{"port 1", "ah", "net ::1/128", "portrange 1-2", "host 1::"} {
		expression := term
		for len(expression)+len(" or "+term) <= MaxFilter {
			expression += " or " + term
		}
		code, err := Compile(expression, MaxSnap)
		if err != nil && !errors.As(err, &bad) {
			t.Error(err)
		} else if len(code)+len(untagged) > 4096 {
			t.Errorf("%s: %d instructions", term, len(code))
		}
	}
}

// Whatever is asked for, it is compiled or refused with a place in it.
func FuzzCompile(f *testing.F) {
	for _, x := range legal {
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		code, err := Compile(expression, 100)
		if bad := (*FilterError)(nil); err != nil {
			if !errors.As(err, &bad) || bad.At < 1 || bad.At > len(expression)+1 && bad.At != MaxFilter+1 {
				t.Errorf("%q: %v", expression, err)
			}
			return
		}
		if _, err := bpf.NewVM(code); err != nil {
			t.Errorf("%q: %v", expression, err)
		}
	})
}

// Frames with a tag are for another device.
func TestUntagged(t *testing.T) {
	vm, err := bpf.NewVM(append(untagged[2:], bpf.RetConstant{Val: 1})) // the VM has no tags beside frames
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[uint16]int{etherIPv4: 1, etherARP: 1, etherIPv6: 1, etherVLAN: 0, etherQinQ: 0} {
		if n, err := vm.Run(ether(kind, 60)); n != want || err != nil {
			t.Errorf("%#x: %d, %v", kind, n, err)
		}
	}
}
