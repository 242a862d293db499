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
	if len(asns) == 0 {
		return nil
	}
	for _, x := range []struct{ community, preference uint32 }{
		{communityLow, PreferenceLow}, {communityMedium, PreferenceMedium}, {communityHigh, PreferenceHigh},
	} {
		value := x.preference
		t := Term{Set: Set{LocalPref: &value}, Result: Next}
		for _, asn := range asns {
			t.Match.LargeCommunities = append(t.Match.LargeCommunities, exactly([3]uint32{asn, 0, x.community}))
			if asn <= 0xffff {
				t.Match.Communities = append(t.Match.Communities, CommunityPattern{asn<<16 | x.community, ^uint32(0)})
			}
		}
		terms = append(terms, t)
	}
	return terms
}

func exactly(c [3]uint32) LargePattern {
	all := ^uint32(0)
	return LargePattern{c, [3]uint32{all, all, all}}
}
