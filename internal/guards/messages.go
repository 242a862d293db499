package guards

// messages are guards against what a peer may write: RFC 4271, 7606, 9234.
func messages() []guard {
	const wire, judge = "./bgp/internal/wire", "TestJudge"
	return []guard{
		{"a message longer than 4096 octets, or than 65535", "bgp/internal/wire/message.go", `if length < low || length > high {`, `if length < low || false && length > high {`, wire, "TestHeader"},
		{"MP_REACH_NLRI twice (RFC 7606 3 g)", "bgp/internal/wire/update.go", "if typ == mpReach || typ == mpUnreach {\n\t\t\treturn reset(", "if false {\n\t\t\treturn reset(", wire, judge},
		{"another attribute twice (RFC 7606 3 g)", "bgp/internal/wire/update.go", `if u.seen[typ/64]&(1<<(typ%64)) != 0 {`, `if (typ == mpReach || typ == mpUnreach) && u.seen[typ/64]&(1<<(typ%64)) != 0 {`, wire, judge},
		{"attribute flags (RFC 7606 3 c)", "bgp/internal/wire/update.go", `case whole[0]&(optional|transitive) != r.flags:`, `case false:`, wire, judge},
		{"a malformed attribute", "bgp/internal/wire/update.go", `case r.malformed(u.s, value):`, `case false:`, wire, judge},
		{"a mandatory attribute that is missing (RFC 7606 3 d)", "bgp/internal/wire/update.go", `if !u.has(typ) && (`, `if false && (`, wire, judge},
		{"LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST of an external peer", "bgp/internal/wire/update.go", `case r.internal && !u.s.IBGP:`, `case false:`, wire, judge},
		{"attributes that are cut off (RFC 7606 4)", "bgp/internal/wire/update.go", `u.note(Verdict{Withdraw, updateError, 5, nil, "path attributes are cut off"})`, ``, wire, judge},
		{"a next hop that is no host's address", "bgp/internal/wire/attrs.go", `return len(v) != 4 || !host(netip.AddrFrom4([4]byte(v)), s.Loopback && !s.V6)`, `return len(v) != 4`, wire, judge},
		{"the same in MP_REACH_NLRI", "bgp/internal/wire/mp.go", `; !host(a, u.s.Loopback) {`, `; false && a.IsValid() {`, wire, judge},
		{"AS 0 in a path (RFC 7607)", "bgp/internal/wire/attrs.go", `if binary.BigEndian.Uint16(asn) == 0 && (`, `if false && (`, wire, judge},
		{"AS 0 in an OPEN's own field (RFC 7607)", "bgp/internal/wire/open.go", `if binary.BigEndian.Uint16(body[1:]) == 0 {`, `if false {`, wire, "TestOpenOfAS0"},
		{"AS 0 in an OPEN's capability (RFC 7607)", "bgp/internal/wire/open.go", `if binary.BigEndian.Uint32(value) == 0 {`, `if false {`, wire, "TestOpenOfAS0"},
		{"confederation segments (RFC 5065)", "bgp/internal/wire/attrs.go", `v[0] != 1 && v[0] != 2`, `v[0] == 0 || v[0] > 4`, wire, judge},
		{"routes of a family that the session does not have", "bgp/internal/wire/mp.go", `if !u.s.Has(m.family) {`, `if false {`, wire, judge},
		{"IPv4 routes of a session without IPv4", "bgp/internal/wire/update.go", `	case u.s.Has(IPv4):`, `	case true:`, wire, judge},
		{"a prefix longer than its family's addresses", "bgp/internal/wire/nlri.go", `if int(b[0]) > bits || n > len(b) {`, `if n > len(b) {`, wire, judge},
		{"what is left of an UPDATE is no End-of-RIB (RFC 4724 2)", "bgp/internal/wire/rewrite.go", `if len(u.withdrawn)+len(u.nlri) == 0 && (`, `if false && (`, wire, judge},
		{"role mismatch (RFC 9234 4.2)", "bgp/internal/wire/role.go", `case peer != 0 && peer != s.Role.counterpart():`, `case false:`, wire, "TestRoles"},
		{"no role where ours is strict (RFC 9234 4.2)", "bgp/internal/wire/role.go", `case peer == 0 && s.StrictRole:`, `case false:`, wire, "TestRoles"},
		{"two roles (RFC 9234 4.2)", "bgp/internal/wire/role.go", `if peer != 0 && r != peer && s.Role != 0 {`, `if false {`, wire, "TestRoles"},
	}
}
