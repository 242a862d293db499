package guards

// resources are bounds of what can be asked for, and the store's guards against damage.
func resources() []guard {
	const intent, source, store = "./vbr/intent", "./vbr/intent/source", "./vbr/intent/store"
	const rules, many = "proto/vbr/v1/resources.pb.go", "TestTooMany" // the rules of the .proto, as they are compiled
	return []guard{
		{"32 peers of a VBR", rules, `this.size() <= 32R\bbgpPeers`, `this.size() <= 99R\bbgpPeers`, intent, many},
		{"16 lines of a VBR", rules, `this.size() <= 15R\x1dassociated`, `this.size() <= 99R\x1dassociated`, intent, many},
		{"32 policies of a VBR", rules, `this.size() <= 32R\rroutePolicies`, `this.size() <= 99R\rroutePolicies`, intent, many},
		{"32 prefixes that no quota drops", rules, `this.size() <= 32 && this.all(p, p.isIpPrefix(true))R\tneverDrop`, `this.size() <= 99 && this.all(p, p.isIpPrefix(true))R\tneverDrop`, intent, many},
		{"200 custom routes of a VBR", rules, `this.size() <= 200R\frouteEntries\x12!`, `this.size() <= 999R\frouteEntries\x12!`, intent, many},
		{"200 prefixes of bgp_networks", rules, `this.size() <= 200 && this.all(c, c.isIpPrefix(true))R\vbgpNetworks`, `this.size() <= 999 && this.all(c, c.isIpPrefix(true))R\vbgpNetworks`, intent, many},
		{"5 router interfaces of a router", "vbr/intent/check_interface.go", `if nth > MaxInterfaces {`, `if false {`, intent, "TestBadCloud"},
		{"a file of resources: 32 levels, before it is parsed", "vbr/intent/source/admit.go", `if g.depth > MaxDepth || structure && (t.Position.Column > maxColumn || g.colons > 8) {`, `if structure && false {`, source, "TestParseRefuses"},
		{"a file of resources: 64 KiB a document", "vbr/intent/source/parse.go", `if len(text) > MaxDocumentSize {`, `if false {`, source, "TestParseRefuses"},
		{"a file of resources: 10,000 documents", "vbr/intent/source/parse.go", `if len(chunks) > MaxDocuments {`, `if false {`, source, "TestParseRefuses"},
		{"capture: its greatest numbers", "vbr/capture.go", `if err == nil && (value < least || value > most) {`, `if false {`, "./vbr", "TestCaptureRequest"},
		{"capture: where it ends", "vbr/capture.go", `if packets == b.packets || bytes+len(p.Data) > b.bytes {`, `if false {`, "./vbr", "TestCaptureEnds"},
		{"capture: 2 of a router", "vbr/shot.go", `case c.of[router] >= perRouter:`, `case false:`, "./vbr", "TestCapturesAtOnce"},
		{"capture: 8 of the host", "vbr/shot.go", `case c.all >= perHost:`, `case false:`, "./vbr", "TestCapturesAtOnce"},
		{"capture: the length of an expression", "vbr/capture/filter.go", `if len(expression) > MaxFilter {`, `if false {`, "./vbr/capture", "TestFilterLength"},
		{"4 failover tests of an owner at once", "vbr/drills.go", `if owner != "" && own >= testsOfOne {`, `if owner != "" && own >= 1<<20 {`, "./vbr", "TestDrillsOfOneOwner"},
		{"the record of failover tests: another's", "vbr/drills.go", `t.GetStatus() == testStopped && stopped[t.GetOwner()] == most })`, `t.GetStatus() == testStopped })`, "./vbr", "TestDrillsOfOneOwner"},
		{"10 failover tests of an owner that are to start later", "vbr/drillplan.go", `case !provider && own >= plansOfOne:`, `case false:`, "./vbr", "TestPlansOfOneOwner"},
		{"store: a file that is cut", "vbr/intent/store/file.go", `if err := checkPages(s.f); err != nil {`, `if err := error(nil); err != nil {`, store, "TestTruncatedAtEveryByte"},
		{"store: octets that have changed", "vbr/intent/store/codec.go", `if sha256.Sum256(rest[sha256.Size:]) != [sha256.Size]byte(rest) {`, `if false {`, store, "TestDecodeNoticesEveryByte"},
		{"store: a little that becomes a lot", "vbr/intent/store/codec.go", `if err == nil && int64(len(plain)) > limit {`, `if false {`, store, "TestBomb"},
	}
}
