package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// PrefixRange matches prefixes inside Prefix whose length is Ge to Le.
type PrefixRange struct {
	Prefix netip.Prefix
	Ge, Le uint8
}

// Contains says whether p matches.
func (r PrefixRange) Contains(p netip.Prefix) bool {
	bits := p.Bits()
	return bits >= int(r.Ge) && bits <= int(r.Le) && r.Prefix.Contains(p.Addr())
}

// String is the range as ParsePrefixRange reads it.
func (r PrefixRange) String() string {
	bits, longest := r.Prefix.Bits(), r.Prefix.Addr().BitLen()
	switch {
	case int(r.Ge) == bits && int(r.Le) == bits:
		return r.Prefix.String()
	case int(r.Ge) == bits && int(r.Le) == longest:
		return r.Prefix.String() + " orlonger"
	}
	return fmt.Sprintf("%s ge %d le %d", r.Prefix, r.Ge, r.Le)
}

// ParsePrefixRange reads a prefix as FRR's prefix lists have it: "10.0.0.0/8" is this prefix alone, "10.0.0.0/8 le 24" up to 24
// bits, "10.0.0.0/8 ge 16" from 16 bits on, both together, and "10.0.0.0/8 orlonger" all inside it.
func ParsePrefixRange(text string) (PrefixRange, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return PrefixRange{}, fmt.Errorf("no prefix")
	}
	p, err := netip.ParsePrefix(words[0])
	if err != nil || p.Addr().Is4In6() || p != p.Masked() {
		return PrefixRange{}, fmt.Errorf("%q is no prefix without host bits", words[0])
	}
	longest := p.Addr().BitLen()
	ge, le := -1, -1
	for words = words[1:]; len(words) > 0; {
		if words[0] == "orlonger" && ge < 0 && le < 0 && len(words) == 1 {
			ge, le, words = p.Bits(), longest, nil
			continue
		}
		n, err := wordBits(words, p)
		switch {
		case err != nil:
			return PrefixRange{}, err
		case words[0] == "ge" && ge < 0:
			ge = n
		case words[0] == "le" && le < 0:
			le = n
		default:
			return PrefixRange{}, fmt.Errorf("%q; legal: ge, le or orlonger, each once", words[0])
		}
		words = words[2:]
	}
	ge, le = bounds(ge, le, p)
	if ge > le {
		return PrefixRange{}, fmt.Errorf("ge %d is more than le %d", ge, le)
	}
	return PrefixRange{p, uint8(ge), uint8(le)}, nil
}

// wordBits is the length after ge or le.
func wordBits(words []string, p netip.Prefix) (int, error) {
	if len(words) < 2 {
		return 0, fmt.Errorf("%q needs a length", words[0])
	}
	n, err := strconv.ParseUint(words[1], 10, 8)
	if err != nil || int(n) < p.Bits() || int(n) > p.Addr().BitLen() {
		return 0, fmt.Errorf("%q is no length from %d to %d", words[1], p.Bits(), p.Addr().BitLen())
	}
	return int(n), nil
}

func bounds(ge, le int, p netip.Prefix) (int, int) {
	switch {
	case ge < 0 && le < 0:
		return p.Bits(), p.Bits()
	case le < 0:
		return ge, p.Addr().BitLen()
	case ge < 0:
		return p.Bits(), le
	}
	return ge, le
}

// CommunityPattern matches communities: those whose bits under Mask are Value.
type CommunityPattern struct{ Value, Mask uint32 }

// wellKnown are the names of communities (RFC 1997, 3765, 7999, 8326).
func wellKnown(name string) (uint32, bool) {
	switch name {
	case "graceful-shutdown":
		return 0xFFFF0000, true
	case "blackhole":
		return 0xFFFF029A, true
	case "no-export":
		return 0xFFFFFF01, true
	case "no-advertise":
		return 0xFFFFFF02, true
	case "no-export-subconfed":
		return 0xFFFFFF03, true
	case "no-peer":
		return 0xFFFFFF04, true
	}
	return 0, false
}

// ParseCommunityPattern reads "65001:100" or a well-known name; either number may be "*".
func ParseCommunityPattern(text string) (CommunityPattern, error) {
	if v, ok := wellKnown(text); ok {
		return CommunityPattern{v, ^uint32(0)}, nil
	}
	parts := strings.Split(text, ":")
	if len(parts) != 2 {
		return CommunityPattern{}, fmt.Errorf("%q is no community such as 65001:100, 65001:* or no-export", text)
	}
	high, highMask, err1 := part(parts[0], 16)
	low, lowMask, err2 := part(parts[1], 16)
	if err1 != nil || err2 != nil {
		return CommunityPattern{}, fmt.Errorf("%q: each half is 0..65535 or *", text)
	}
	return CommunityPattern{high<<16 | low, highMask<<16 | lowMask}, nil
}

// ParseCommunity reads a single community, without "*".
func ParseCommunity(text string) (uint32, error) {
	p, err := ParseCommunityPattern(text)
	if err == nil && p.Mask != ^uint32(0) {
		err = fmt.Errorf("%q: * is no number", text)
	}
	return p.Value, err
}

// LargePattern matches large communities: those whose numbers under Mask, all or nothing, are Value.
type LargePattern struct{ Value, Mask [3]uint32 }

// ParseLargePattern reads "64600:1:2"; each number may be "*".
func ParseLargePattern(text string) (p LargePattern, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return p, fmt.Errorf("%q is no large community such as 64600:1:2 or 64600:1:*", text)
	}
	for i, s := range parts {
		if p.Value[i], p.Mask[i], err = part(s, 32); err != nil {
			return p, fmt.Errorf("%q: each number is 0..4294967295 or *", text)
		}
	}
	return p, nil
}

// ParseLarge reads a single large community, without "*".
func ParseLarge(text string) ([3]uint32, error) {
	p, err := ParseLargePattern(text)
	if err == nil && p != exactly(p.Value) {
		err = fmt.Errorf("%q: * is no number", text)
	}
	return p.Value, err
}

// part is a number of so many bits and its mask, or zeros for "*".
func part(s string, bits int) (value, mask uint32, err error) {
	if s == "*" {
		return 0, 0, nil
	}
	n, err := strconv.ParseUint(s, 10, bits)
	return uint32(n), uint32(1<<bits - 1), err
}
