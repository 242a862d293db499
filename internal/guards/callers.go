package guards

// callers are guards of the API and of the looking glass: who may call, and how much.
func callers() []guard {
	const api, glass, guards = "./vbr/api", "./vbr/glass", "TestGuards"
	return []guard{
		{"a certificate of no known authority", "vbr/api/certs.go", `ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool`, `ClientAuth: tls.RequireAnyClientCert, ClientCAs: pool`, api, "TestBadCertificates"},
		{"a certificate that expires meanwhile", "vbr/api/guard.go", `case !id.unix && c.began.After(id.notAfter):`, `case false:`, api, "TestCertificateExpiresMeanwhile"},
		{"a certificate that expires during a call", "vbr/api/identity.go", `return context.WithDeadlineCause(ctx, id.notAfter, errExpired)`, `return context.WithCancel(ctx)`, api, "TestCertificateExpiresDuringCall"},
		{"who matches no rule", "vbr/api/rules.go", "	return nil\n}\n\n// matches", "	return &control.Caller{Name: id.name, Role: control.Viewer}\n}\n\n// matches", api, "TestNobody"},
		{"a role that is less than the method's", "vbr/api/guard.go", `case id.caller.Role < c.method.role:`, `case false:`, api, "TestViewerChangesNothing"},
		{"an operator without owners", "vbr/control/caller.go", `return (c.Role == Viewer || c.Role == Admin) && len(c.Owners) == 0`, `return len(c.Owners) == 0`, "./vbr/control", "TestCallers"},
		{"whole old revisions for more than two calls at once", "vbr/control/control.go", `readsAtOnce = 2`, `readsAtOnce = 1000`, "./vbr/control", "TestOldRevisionsTakeTurns"},
		{"a filter of more kinds than there are", "vbr/control/read.go", `n > all {`, `false && n > all {`, "./vbr/control", "TestFilterBounds"},
		{"a tenant's change that waits for confirmation all day", "vbr/control/commit.go", `case !r.caller.rules() && d > MaxConfirmOwned:`, `case false:`, "./vbr/control", "TestConfirmWithin"},
		{"another user's connection over the loopback", "vbr/api/owner.go", `if len(f) < 10 || f[3] != stateEstablished || f[9] == "0" {`, `if len(f) < 10 {`, api, "TestSocketOwner"},
		{"calls at a rate", "vbr/api/rate.go", `if wait == 0 {`, `if true {`, api, "TestRate"},
		{"the connection of who does not stop", "vbr/api/rate.go", `if !p.flood.Allow() {`, `if false {`, api, "TestFloodLosesConnection"},
		{"a request of more than 1 MiB", "vbr/api/server.go", `grpc.MaxRecvMsgSize(MaxRequest), `, ``, api, "TestMessageSize"},
		{"64 calls at once of a connection", "vbr/api/server.go", `grpc.MaxConcurrentStreams(MaxStreams), `, ``, api, "TestStreamLimit"},
		{"16 connections of a caller", "vbr/api/conns.go", `if p.conns >= MaxConnsCaller {`, `if false {`, api, "TestConnectionFlood"},
		{"256 connections of a listener", "vbr/api/conns.go", `full := l.open >= MaxConns`, `full := false`, api, "TestListenerFull"},
		{"a connection without a first call", "vbr/api/conns.go", `c.waiting = time.AfterFunc(firstCall, func() { _ = c.Close() })`, ``, api, "TestSilentCaller"},
		{"a caller that does not read", "vbr/api/guard.go", `timer := time.NewTimer(s.limit)`, `timer := time.NewTimer(time.Hour)`, api, "TestSlowReader"},
		{"a call without a deadline", "vbr/api/guard.go", `limit = g.limits.deadline`, ``, api, "TestDeadlines"},
		{"a panic of a call", "vbr/api/guard.go", `if p := recover(); p != nil {
				g.log`, `if p := any(nil); p != nil {
				g.log`, api, "TestPanic"},
		{"looking glass: methods that change", "vbr/glass/guard.go", `case r.Method != http.MethodGet && r.Method != http.MethodHead:`, `case false:`, glass, guards},
		{"looking glass: DNS rebinding", "vbr/glass/guard.go", `case s.door.Loopback && !isLoopback(r.Host):`, `case false:`, glass, guards},
		{"looking glass: embedded in another site", "vbr/glass/guard.go", `case crossSite(r):`, `case false:`, glass, guards},
		{"looking glass: what a browser may do with a page", "vbr/glass/guard.go", `{"Content-Security-Policy", policy}, `, ``, glass, guards},
	}
}
