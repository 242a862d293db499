package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// SegmentType is the type of an AS_PATH segment (RFC 4271 4.3, RFC 5065 3).
type SegmentType uint8

// The AS_PATH segment types.
const (
	ASSet            SegmentType = 1
	ASSequence       SegmentType = 2
	ASConfedSequence SegmentType = 3
	ASConfedSet      SegmentType = 4
)

// Segment is one AS_PATH segment.
type Segment struct {
	Type SegmentType
	ASNs []uint32
}

// Attrs are the path attributes that policies look at and change.
type Attrs struct {
	NextHop          netip.Addr
	ASPath           []Segment
	Communities      []uint32    // RFC 1997
	LargeCommunities [][3]uint32 // RFC 8092
	MED              uint32      // valid with HasMED
	LocalPref        uint32      // valid with HasLocalPref
	HasMED           bool
	HasLocalPref     bool
	Origin           uint8 // 0 IGP, 1 EGP, 2 incomplete (RFC 4271 5.1.1)
}

// PathLength is how many ASes an AS_PATH has for selection: a set counts one, confederation segments nothing (RFC 4271 9.1.2.2 a,
// RFC 5065 5.3).
func PathLength(path []Segment) (n int) {
	for _, s := range path {
		switch s.Type {
		case ASSequence:
			n += len(s.ASNs)
		case ASSet:
			n++
		}
	}
	return n
}

// brackets are what AS_PATH segments stand in, by type: opening, between the numbers, closing. Sequences stand free.
func brackets(t SegmentType) (open, between, end string) {
	switch t {
	case ASSet:
		return "{", ",", "}"
	case ASConfedSequence:
		return "(", " ", ")"
	case ASConfedSet:
		return "[", ",", "]"
	}
	return "", " ", ""
}

// AppendPath appends an AS_PATH as FRR and BIRD write it: "65001 65010 {65020,65021}".
func AppendPath(b []byte, path []Segment) []byte {
	for i, s := range path {
		if i > 0 {
			b = append(b, ' ')
		}
		open, between, end := brackets(s.Type)
		b = append(b, open...)
		for j, asn := range s.ASNs {
			if j > 0 {
				b = append(b, between...)
			}
			b = strconv.AppendUint(b, uint64(asn), 10)
		}
		b = append(b, end...)
	}
	return b
}

// ParseSegments reads an AS_PATH as AppendPath writes it, of sequences and sets: "65001 65010 {65020,65021}". An empty text is an empty path.
func ParseSegments(text string) ([]Segment, error) {
	var out []Segment
	for _, word := range strings.Fields(text) {
		inner, set := strings.CutPrefix(word, "{")
		if set {
			var closed bool
			if inner, closed = strings.CutSuffix(inner, "}"); !closed {
				return nil, fmt.Errorf("%q: no }", word)
			}
		}
		asns, err := parseASNs(strings.Split(inner, ","))
		switch last := len(out) - 1; {
		case err != nil || !set && len(asns) > 1:
			return nil, fmt.Errorf("%q is no AS number", word)
		case set:
			out = append(out, Segment{ASSet, asns})
		case last >= 0 && out[last].Type == ASSequence:
			out[last].ASNs = append(out[last].ASNs, asns...)
		default:
			out = append(out, Segment{ASSequence, asns})
		}
	}
	return out, nil
}

func parseASNs(words []string) (out []uint32, err error) {
	for _, w := range words {
		n, err := strconv.ParseUint(w, 10, 32)
		if err != nil {
			return nil, err
		}
		out = append(out, uint32(n))
	}
	return out, nil
}
