package capture

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// What may stand where, in words.
const (
	legalTerm = "a term, such as tcp, icmp6, host 10.0.0.2, src net 172.16.0.0/16, tcp port 179, udp portrange 3784-3785, ip proto 89, less 100; not; ("
	legalJoin = "and, or, the end"
	legalHost = "an IPv4 or IPv6 address"
	legalNet  = "a prefix without host bits, such as 172.16.0.0/16 or 2001:db8::/32"
	legalPort = "a port: 0..65535"
	legalTwo  = "two ports with a dash, the lower one first, such as 3784-3785"
	legalNum  = "a protocol: tcp, udp, sctp, icmp, icmp6, esp, ah, or its number 0..255"
	legalLen  = "a number of octets: 0..65535"
)

// protocols are those that have a name, and of which versions of IP they are.
var protocols = map[string]struct {
	number uint32
	v4, v6 bool
}{
	"tcp": {protoTCP, true, true}, "udp": {protoUDP, true, true}, "sctp": {protoSCTP, true, true},
	"icmp": {1, true, false}, "icmp6": {58, false, true}, "esp": {50, true, true}, "ah": {51, true, true},
}

// word is a piece of an expression: a word, a parenthesis, and, or, not.
type word struct {
	text string
	at   int // of its first character, from 1 on
}

// words cuts an expression up. The last one is empty.
func words(s string) (l []word) {
	for i := 0; i < len(s); {
		rest := s[i:]
		n := strings.IndexAny(rest, " \t\r\n()")
		switch {
		case strings.ContainsRune(" \t\r\n", rune(rest[0])):
			i++
			continue
		case rest[0] == '(', rest[0] == ')', rest[0] == '!':
			n = 1
		case n < 0:
			n = len(rest)
		}
		text := rest[:n]
		if same := map[string]string{"!": "not", "&&": "and", "||": "or"}[text]; same != "" {
			text = same
		}
		l = append(l, word{text, i + 1})
		i += n
	}
	return append(l, word{"", len(s) + 1})
}

type parser struct {
	words []word
	at    int
}

// parse reads an expression: terms with and, or and not. As in pcap-filter(7), and and or have the same precedence, and not has a higher one.
func parse(s string) (node, error) {
	p := &parser{words: words(s)}
	if p.peek() == "" {
		return and{}, nil
	}
	n, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.peek() != "" {
		return nil, p.wrong(legalJoin)
	}
	return n, nil
}

func (p *parser) peek() string { return p.words[p.at].text }

// next takes a word; the end stays.
func (p *parser) next() string {
	w := p.peek()
	if w != "" {
		p.at++
	}
	return w
}

// take takes the word if it is one of these.
func (p *parser) take(one ...string) (string, bool) {
	if w := p.peek(); w != "" && slices.Contains(one, w) {
		return p.next(), true
	}
	return "", false
}

// wrong is about the word that is next.
func (p *parser) wrong(legal string) error {
	w := p.words[p.at]
	return &FilterError{w.at, w.text, legal}
}

func (p *parser) expression() (node, error) {
	left, err := p.term()
	for err == nil {
		w, more := p.take("and", "or")
		if !more {
			return left, nil
		}
		var right node
		right, err = p.term()
		if w == "and" {
			left = and{left, right}
		} else {
			left = or{left, right}
		}
	}
	return nil, err
}

func (p *parser) term() (node, error) {
	if _, ok := p.take("not"); ok {
		n, err := p.term()
		return not{n}, err
	}
	if _, ok := p.take("("); ok {
		n, err := p.expression()
		if err != nil {
			return nil, err
		}
		if _, closed := p.take(")"); !closed {
			return nil, p.wrong("and, or, )")
		}
		return n, nil
	}
	return p.primitive()
}

// primitive reads [protocol] [src|dst] [host|net|port|portrange|proto] value, or less or greater and a length.
func (p *parser) primitive() (node, error) {
	if w, ok := p.take("less", "greater"); ok {
		n, err := p.number(65535, legalLen)
		return length(map[string]bpf.JumpTest{"less": bpf.JumpLessOrEqual, "greater": bpf.JumpGreaterOrEqual}[w], n), err
	}
	if kind, ok := p.take("icmp", "icmp6", "esp", "ah"); ok {
		return alone(kind), nil
	}
	kind, named := p.take("ip", "ip6", "arp", "tcp", "udp", "sctp")
	d := either
	dir, directed := p.take("src", "dst")
	switch dir {
	case "src":
		d = source
	case "dst":
		d = destination
	}
	what, said := p.take(about(kind, directed)...)
	switch {
	case said:
		return p.value(kind, d, what)
	case directed && (!named || kind == "ip" || kind == "ip6" || kind == "arp"):
		return p.value(kind, d, "host") // src 10.0.0.2
	case directed:
		return nil, p.wrong("port, portrange")
	case named:
		return alone(kind), nil
	}
	return nil, p.wrong(legalTerm)
}

// about is what may be asked about packets of a kind.
func about(kind string, directed bool) []string {
	var l []string
	if kind == "" || kind == "ip" || kind == "ip6" || kind == "arp" {
		l = append(l, "host", "net")
	}
	if kind == "" || kind == "tcp" || kind == "udp" || kind == "sctp" {
		l = append(l, "port", "portrange")
	}
	if !directed && (kind == "" || kind == "ip" || kind == "ip6") {
		l = append(l, "proto")
	}
	return l
}

// alone is a protocol without more.
func alone(kind string) node {
	switch kind {
	case "ip":
		return etherType(etherIPv4)
	case "ip6":
		return etherType(etherIPv6)
	case "arp":
		return etherType(etherARP)
	}
	x := protocols[kind]
	return versions(x.number, x.v4, x.v6)
}

// versions is a protocol in either version of IP, or both.
func versions(number uint32, v4, v6 bool) node {
	switch {
	case !v6:
		return proto4(number)
	case !v4:
		return proto6(number)
	}
	return or{proto4(number), proto6(number)}
}

// value reads what is asked for.
func (p *parser) value(kind string, d direction, what string) (node, error) {
	switch what {
	case "host", "net":
		prefix, err := p.prefix(kind, what)
		if err != nil {
			return nil, err
		}
		return hosts(kind, d, prefix), nil
	case "proto":
		number, err := p.protocol()
		return versions(number, kind != "ip6", kind != "ip"), err
	}
	low, high, err := p.ports(what == "portrange")
	protos := []uint32{protoTCP, protoUDP, protoSCTP}
	if kind != "" {
		protos = []uint32{protocols[kind].number}
	}
	return ports(protos, d, low, high), err
}

// prefix reads an address or a prefix of the family that the kind wants.
func (p *parser) prefix(kind, what string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(p.peek())
	legal := legalNet
	if what == "host" {
		legal = legalHost
		var a netip.Addr
		a, err = netip.ParseAddr(p.peek())
		if prefix = netip.PrefixFrom(a, a.BitLen()); a.Zone() != "" {
			return netip.Prefix{}, p.wrong(legal)
		}
	}
	switch v4 := prefix.Addr().Is4(); {
	case err != nil, prefix.Masked() != prefix, prefix.Addr().Is4In6():
		return netip.Prefix{}, p.wrong(legal)
	case kind == "ip6" && v4, kind != "ip6" && kind != "" && !v4:
		return netip.Prefix{}, p.wrong(legal + ", of the family that " + kind + " has")
	}
	p.next()
	return prefix, nil
}

func (p *parser) protocol() (uint32, error) {
	if x, ok := protocols[p.peek()]; ok {
		p.next()
		return x.number, nil
	}
	return p.number(255, legalNum)
}

func (p *parser) number(most uint64, legal string) (uint32, error) {
	n, err := strconv.ParseUint(p.peek(), 10, 32)
	if err != nil || n > most {
		return 0, p.wrong(legal)
	}
	p.next()
	return uint32(n), nil
}

func (p *parser) ports(two bool) (low, high uint32, err error) {
	if !two {
		low, err = p.number(65535, legalPort)
		return low, low, err
	}
	a, b, _ := strings.Cut(p.peek(), "-")
	l, err1 := strconv.ParseUint(a, 10, 16)
	h, err2 := strconv.ParseUint(b, 10, 16)
	if err1 != nil || err2 != nil || l > h {
		return 0, 0, p.wrong(legalTwo)
	}
	p.next()
	return uint32(l), uint32(h), nil
}
