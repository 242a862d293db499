package guards

// tenants are walls between tenants: keys, resources, routers, packets.
func tenants() []guard {
	const control, api, fields = "./vbr/control", "./vbr/api", "TestFieldsOfCrossAccountVBR"
	return []guard{
		{"keys: a file outside of the owner's folder", "vbr/intent/keydir.go", `if dir == "" || !below || filepath.Clean(path) != path {`, `if dir == "" || false && !below || filepath.Clean(path) != path {`, "./vbr/intent", "TestKeysOfOthers"},
		{"keys: .. in a path", "vbr/intent/keydir.go", ` || filepath.Clean(path) != path {`, ` {`, "./vbr/intent", "TestKeysOfOthers"},
		{"keys: a link to another owner's", "vbr/intent/keydir.go", "	if owner != \"\" {\n\t\tsub,", "	if name = filepath.Join(owner, name); false {\n\t\tsub,", "./vbr/intent", "TestKeysOfOthers"},
		{"keys: an owner with a slash in its name", "vbr/intent/keydir.go", `, strings.Contains(owner, "/"):`, `:`, "./vbr/intent", "TestKeysOfOthers"},
		{"keys: another owner's credential", "vbr/intent/keydir.go", `owner != "" && (!ok || key == "" || strings.Contains(key, ".")) {`, `owner != "" && key == "" && !ok && false {`, "./vbr/intent", "TestCredential"},
		{"keys: in a VBR that is made for another account", "vbr/control/authorise.go", `problems = append(problems, keyed(caller, k, is, m)...)`, ``, control, fields},
		{"resources: another's is read", "vbr/control/read.go", `if r == nil || !s.sees(caller, r) {`, `if r == nil {`, control, "TestOthersAreNotThere"},
		{"resources: another's is listed and watched", "vbr/control/read.go", `return slices.ContainsFunc(owners, f.caller.Sees) && (`, `return (`, control, "TestOthersAreNotThere"},
		{"resources: another's is changed", "vbr/control/authorise.go", `	case own:
		return nil`, `	case true:
		return nil`, control, "TestApplyRefuses"},
		{"resources: of another's, only that the name is in use is said", "vbr/control/apply.go", `if is != nil && !base.sees(caller, is) {`, `if false {`, control, fields},
		{"resources: another's is deleted", "vbr/control/apply.go", `case !base.mayDelete(caller, is):`, `case false:`, control, "TestPortOwnerSees"},
		{"resources: another's is deleted, and not said to be there", "vbr/control/apply.go", `case is == nil || !base.sees(caller, is):`, `case is == nil:`, control, "TestDelete"},
		{"resources: another's is pruned", "vbr/control/apply.go", `if wanted[k] == nil && caller.MayChange(ownerOf(r)) {`, `if wanted[k] == nil && (true || caller.MayChange(ownerOf(r))) {`, control, "TestPrune"},
		{"resources: another's VPC is joined from another host", "vbr/intent/check_segment.go", `return first != nil && c.tenantOf`, `return false && first != nil && c.tenantOf`, "./vbr/intent", "TestSegmentsOfOthers"},
		{"resources: a change's effects on others", "vbr/control/plan.go", `r != nil && !s.sees(caller, r) {`, `r != nil && false {`, control, "TestEffectsHideOthers"},
		{"resources: all of them are rolled back", "vbr/control/apply.go", "	if !caller.rules() {\n\t\treturn nil, denied(caller, \"roll back", "	if false {\n\t\treturn nil, denied(caller, \"roll back", control, "TestRollback"},
		{"resources: another's change is confirmed", "vbr/control/confirm.go", `case !caller.rules() && caller.Name != s.revision().GetAuthor():`, `case false:`, control, "TestConfirm"},
		{"resources: another's changes are in the history", "vbr/control/revisions.go", `if !caller.Sees(owner) {`, `if false && !caller.Sees(owner) {`, control, "TestHistory"},
		{"resources: a problem tells of another's", "vbr/intent/check_interface.go", `return c.brought[label] && !c.sees(owner) }`, `return false }`, "./vbr/intent", "TestProblemsTellNothingOfOthers"},
		{"a VBR on another's port, unasked", "vbr/control/authorise.go", `if !unconfirmed(m) {`, `if false {`, control, fields},
		{"a VBR that the port's owner has terminated is recovered", "vbr/control/authorise.go", `if m.GetTerminationTime() != is.GetTerminationTime() && !port {`, `if false {`, control, fields},
		{"a failover test is planned for a name that is another's later", "vbr/drill.go", `if asked.GetId() != "" && asked.GetOwner() != owner {`, `if false {`, "./vbr", "TestPlanOfAnotherOwner"},
		{"a tenant raises its quota", "vbr/control/quota.go", `quotaOf(p) > most {`, `quotaOf(p) > noQuota {`, control, "TestQuotaIsTheProviders"},
		{"a tenant's quota becomes a warning", "vbr/control/quota.go", `if p.GetRouteQuotaAction() == intent.QuotaWarn && `, `if false && `, control, "TestQuotaIsTheProviders"},
		{"routers: another's is shown", "vbr/api/router_service.go", `if st == nil || !callerOf(ctx).Sees(st.GetOwner()) {`, `if st == nil {`, api, "TestOthersRoutersDoNotExist"},
		{"routers: another's is listed", "vbr/api/router_service.go", `if st == nil || !who.Sees(st.GetOwner()) || owner`, `if st == nil || owner`, api, "TestListingsShowOwn"},
		{"routers: the host's state is shown to a tenant", "vbr/api/router_service.go", `if who.SeesAll() {`, `if true {`, api, "TestListingsShowOwn"},
		{"events: another's", "vbr/api/event_stream.go", `return who.Sees(owner) && (`, `return (`, api, "TestListingsShowOwn"},
		{"events: another's storm ends a tenant's stream", "vbr/events/evicted.go", `if sequence < s && told(w.router, w.owner) {`, `if sequence < s && (true || told(w.router, w.owner)) {`, api, "TestFollowThroughStormOfOthers"},
		{"usage: another's interface of one's own router", "vbr/api/router_measured.go", `if who.Sees(u.GetOwner()) && (`, `if (`, api, "TestMeasuredOfGuests"},
		{"quality: another's interface of one's own router", "vbr/api/router_measured.go", `return who.Sees(ri.GetOwner())`, `return true`, api, "TestMeasuredOfGuests"},
		{"how often others wait for a confirmation", "vbr/control/commit.go", `if err := c.mayKeepWaiting(r); err != nil {`, `if err := c.mayKeepWaiting(r); false && err != nil {`, "./vbr/control", "TestOthersTurn"},
		{"failover tests: another's", "vbr/api/router_drill.go", `if !who.Sees(t.GetOwner()) || r.GetRouter()`, `if false && !who.Sees(t.GetOwner()) || r.GetRouter()`, api, "TestMeasuredIsOwners"},
		{"looking glass: another's router", "vbr/api/router_service.go", `if st == nil || !who.Sees(st.GetOwner()) || owner`, `if st == nil || owner`, "./vbr/glass", "TestTenants"},
		{"looking glass: another's events", "vbr/api/event_stream.go", `return who.Sees(owner) && (`, `return (`, "./vbr/glass", "TestTenants"},
		{"capture: a device that is not the router's", "vbr/capture.go", `case slices.Contains(all, asked):`, `case asked != "":`, "./vbr", "TestCaptureDevices"},
		{"capture: a device that has become another's", "vbr/capture.go", `return d.Name == name && d.Index == index }`, `return d.Name == name }`, "./vbr", "TestCaptureDevices"},
		{"capture: packets read after the router has lost its device", "vbr/capture.go", "		if !its() {\n\t\t\treturn yield", "		if false {\n\t\t\treturn yield", "./vbr", "TestCaptureEnds"},
		{"capture: frames with a VLAN tag", "vbr/capture/capture.go", `bpf.Assemble(slices.Concat(untagged, filter))`, `bpf.Assemble(filter)`, "./vbr/capture", "TestTaggedFramesAreNotCaptured"},
	}
}
