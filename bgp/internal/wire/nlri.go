package wire

// valid tells whether the octets are routes of the family, each whole and nothing left over (RFC 7606 5.3). What is inside a route of EVPN
// (RFC 7432 7) is its user's to judge.
func (f Family) valid(b []byte) bool {
	switch f {
	case IPv4:
		return prefixes(b, 32)
	case IPv6:
		return prefixes(b, 128)
	}
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return false
		}
		b = b[2+int(b[1]):]
	}
	return true
}

func prefixes(b []byte, bits int) bool {
	for len(b) > 0 {
		n := 1 + (int(b[0])+7)/8
		if int(b[0]) > bits || n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}

// nextHopLen tells whether a next hop in MP_REACH_NLRI may have the length: RFC 2545 3, RFC 4760 3, RFC 8950 3, RFC 9136 3.
func (f Family) nextHopLen(n int) bool {
	switch f {
	case IPv4:
		return n == 4 || n == 16 || n == 32
	case IPv6:
		return n == 16 || n == 32
	}
	return n == 4 || n == 16
}
