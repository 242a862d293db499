package policy

// The local-preference communities, as Direct Connect has them: ASN:7100, ASN:7200 and ASN:7300 of our AS or the provider's, and, since
// that leaves no room for ASes of four bytes, the large communities ASN:0:7100 and so on.
const (
	communityLow    = 7100
	communityMedium = 7200
	communityHigh   = 7300
)

// What they mean as LOCAL_PREF. Medium is what no LOCAL_PREF means (RFC 4271 9.1.1 leaves it to the receiver; all use 100).
const (
	PreferenceLow    = 50
	PreferenceMedium = 100
	PreferenceHigh   = 150
)

// Preferences are the terms, of number 0, that set LOCAL_PREF by local-preference communities of these ASes. If a route has several the highest counts.
func Preferences(asns ...uint32) []Term {
	var terms []Term
	for _, x := range []struct{ community, preference uint32 }{
		{communityLow, PreferenceLow}, {communityMedium, PreferenceMedium}, {communityHigh, PreferenceHigh},
	} {
		value := x.preference
		short, large := Match{}, Match{}
		for _, asn := range asns {
			large.LargeCommunities = append(large.LargeCommunities, exactly([3]uint32{asn, 0, x.community}))
			if asn <= 0xffff {
				short.Communities = append(short.Communities, CommunityPattern{asn<<16 | x.community, ^uint32(0)})
			}
		}
		for _, m := range []Match{short, large} {
			if len(m.Communities)+len(m.LargeCommunities) > 0 {
				terms = append(terms, Term{Match: m, Set: Set{LocalPref: &value}, Result: Next})
			}
		}
	}
	return terms
}

func exactly(c [3]uint32) LargePattern {
	all := ^uint32(0)
	return LargePattern{c, [3]uint32{all, all, all}}
}
