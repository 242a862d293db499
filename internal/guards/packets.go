package guards

// packets are guards at sockets: TTLs, strangers, keys.
func packets() []guard {
	const bfd, gobgp = "./bgp/bfd", "./bgp/internal/gobgp"
	return []guard{
		{"BFD: TTL 255, before the session", "bgp/bfd/demux.go", `if d.ttl != ttlOut {`, `if false {`, bfd, "TestDispatch"},
		{"BFD: TTL 255, in the kernel, IPv4", "bgp/bfd/filter.go", "\tif len(peers) > filterPeers {", "\tif v4 {\n\t\tprog = nil\n\t}\n\tif len(peers) > filterPeers {", bfd, "TestGuards"},
		{"BFD: TTL 255, in the kernel, IPv6", "bgp/bfd/filter.go", "\tif len(peers) > filterPeers {", "\tif !v4 {\n\t\tprog = nil\n\t}\n\tif len(peers) > filterPeers {", bfd, "TestGuards"},
		{"BFD: a stranger's packets, in the kernel", "bgp/bfd/filter.go", `if len(peers) > filterPeers {`, `if true {`, bfd, "TestGuards"},
		{"BFD: another device, address or destination", "bgp/bfd/demux.go", `case s.key != from || s.local != d.to:`, `case false:`, bfd, "TestDispatch"},
		{"BFD: authentication that is not in use", "bgp/bfd/demux.go", `case p.auth:`, `case false:`, bfd, "TestGuards"},
		{"GTSM at the listener, IPv4", "bgp/internal/gobgp/filter.go", `if n.GTSM {`, `if n.GTSM && !n.Address.Is4() {`, "./bgp", "TestGTSMPassive"},
		{"GTSM at the listener, IPv6", "bgp/internal/gobgp/filter.go", `if n.GTSM {`, `if n.GTSM && n.Address.Is4() {`, "./bgp", "TestGTSMPassive"},
		{"GTSM of a session that the peer dialled, IPv4", "bgp/internal/gobgp/neighbor.go", "\tif n.GTSM {", "\tif n.GTSM && !n.Address.Is4() {", "./bgp", "TestGTSMPassive"},
		{"GTSM of a session that the peer dialled, IPv6", "bgp/internal/gobgp/neighbor.go", "\tif n.GTSM {", "\tif n.GTSM && n.Address.Is4() {", "./bgp", "TestGTSMPassive"},
		{"GTSM of a session that we dial", "bgp/internal/gobgp/dial.go", `return errors.Join(setTTL(fd, v4, maxTTL), setMinTTL(fd, v4, maxTTL))`, `return setTTL(fd, v4, maxTTL)`, "./bgp", "TestGTSMDialled"},
		{"a stranger's SYN", "bgp/internal/gobgp/filter.go", `return append(p, drop())`, `return append(p, keep())`, gobgp, "TestStrangersGetNoAnswer"},
		{"a packet before there are neighbours", "bgp/internal/gobgp/door.go", `return errors.Join(setTTL(fd, v4, maxTTL), filter(nil, v4).attach(fd))`, `return setTTL(fd, v4, maxTTL)`, gobgp, "TestStrangersGetNoAnswer"},
		{"the old key of a session, after its rotation", "bgp/internal/gobgp/keys.go", `		s.door.setKey(n.Address, n.Password),
`, "", "./bgp", "TestKeys"},
	}
}
