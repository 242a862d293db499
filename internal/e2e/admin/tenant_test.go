package admin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// person is who runs vbrctl: a uid, and gids of which the first is the process's own. No uid is the test's own.
type person struct {
	uid    int
	groups string
}

// The machine's groups, and who is in them.
const groupFile = "root:x:0:\nvbr:x:4700:\nacme:x:4701:\nnoc:x:4702:\n"

var (
	root     = person{}
	acmeUser = person{4711, "4700"}      // by its uid
	acmeTeam = person{4712, "4701,4700"} // by group acme
	noc      = person{4713, "4702,4700"} // by group noc
	nobody   = person{4714, "4700"}      // may open the socket
	outsider = person{4715, "4715"}      // may not
)

const roles = `socket_group: vbr, roles: [
  {match: "uid:4711", role: operator, owners: [acme]},
  {match: "group:acme", role: operator, owners: [acme]},
  {match: "group:noc", role: viewer}]`

// vbrctl is the command line of a person's vbrctl.
func (e *edge) vbrctl(who person, args ...string) []string {
	words := []string{binary(e.t, "vbrctl")}
	if who != root {
		own, others, _ := strings.Cut(who.groups, ",")
		words = []string{"setpriv", "--reuid", fmt.Sprint(who.uid), "--regid", own, "--clear-groups", e.path("vbrctl")}
		if others != "" {
			words = []string{"setpriv", "--reuid", fmt.Sprint(who.uid), "--regid", own, "--groups", others, e.path("vbrctl")}
		}
	}
	return append(append(words, "--socket", e.path("sock")), args...)
}

// people makes the groups, and gives all people a vbrctl and a way to the socket.
func (e *edge) people() {
	e.t.Helper()
	text, err := os.ReadFile(binary(e.t, "vbrctl"))
	if err == nil {
		err = os.WriteFile(e.path("vbrctl"), text, 0o755)
	}
	if err == nil {
		err = os.Chmod(filepath.Dir(e.dir), 0o755)
	}
	if err == nil {
		err = syscall.Mount(put(e.t, e.path("group"), groupFile), "/etc/group", "", syscall.MS_BIND, "")
	}
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = syscall.Unmount("/etc/group", syscall.MNT_DETACH) })
	settings, err := os.ReadFile(e.path("vbrd.yaml"))
	if err != nil {
		e.t.Fatal(err)
	}
	put(e.t, e.path("vbrd.yaml"), strings.Replace(string(settings), "rate: 1000", "rate: 1000, "+roles, 1))
}

// tenant is a tenant's line and VBR on a host.
func tenant(name, host string) string {
	text := strings.ReplaceAll(acme(onePeer+"description: of "+name+"\n"), "acme", name)
	text = strings.ReplaceAll(text, "pc-1", "pc-"+name)
	text = strings.Replace(text, "device:", "owner: "+name+"\ndevice:", 1)
	return strings.ReplaceAll(text, "\nname: ", "\nhost: "+host+"\nname: ")
}

// audits are the audit lines so far.
func (e *edge) audits() (lines []string) {
	for line := range strings.Lines(e.log.String()) {
		if strings.Contains(line, `"msg":"audit"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

// refused runs a command that is refused and leaves one audit line, with who it was and the words; it returns the error's text.
func (e *edge) refused(who person, role, code, command string) string {
	e.t.Helper()
	before := len(e.audits())
	out, err := e.tryAs(who, strings.Fields(command)...)
	if err == nil {
		e.t.Fatalf("uid %d may %s:\n%s", who.uid, command, out)
	}
	lines := e.audits()[before:]
	if len(lines) != 1 || has(lines[0], fmt.Sprintf(`"who":"uid:%d"`, who.uid), `"role":"`+role+`"`, `"code":"`+code+`"`) != nil {
		e.t.Errorf("%s by uid %d, role %s, should leave one audit line with %s: %q\n%v", command, who.uid, role, code, lines, err)
	}
	return err.Error()
}

// unseen fails if a text has another's names.
func unseen(t *testing.T, what, text, other string) {
	t.Helper()
	if at := strings.Index(text, other); at >= 0 {
		t.Errorf("%s: shows %q: %q", what, other, text[max(0, at-300):min(len(text), at+100)])
	}
}

// Users of the machine, by uid and by group, see and change what is their owner's, and what is another's does not exist for them;
// vbrd, its socket and the kernel's word on who is at its other end are the real ones.
func TestTenants(t *testing.T) {
	e := newEdge(t, "edge1", "")
	e.people()
	e.bird("")
	e.start()
	kept := e.keep(acmeUser)
	file := put(t, e.path("acme.yaml"), tenant("acme", "edge1"))
	e.mustApply("beta.yaml", tenant("beta", "edge1"), "-m", "for beta")
	eventually(t, "beta's session and its route", e.up)
	e.othersDoNotExist(acmeUser)
	for _, command := range []string{"plan -f ", "apply -f "} { // beta has the device, and the one VBR of this host without a VRF
		unseen(t, command, e.refused(acmeTeam, "operator", "InvalidArgument", command+file), "beta")
	}
	if err := e.up(); err != nil {
		t.Error("beta:", err)
	}

	e.mustApply("beta.yaml", tenant("beta", "far"), "-m", "beta goes")
	if names := e.names(); len(names) > 0 {
		t.Fatalf("there is %q", names)
	}
	others := e.resources()
	for who, command := range map[person]string{acmeTeam: "plan -f ", acmeUser: "apply -f "} {
		out, err := e.tryAs(who, strings.Fields(command+file)...)
		if err != nil {
			t.Fatal(err)
		}
		unseen(t, command, out, "beta")
	}
	eventually(t, "acme's session and its route", e.up)
	if err := audited(e.log.String(), `"who":"uid:4711"`, `"role":"operator"`, `"code":"OK"`, "VirtualBorderRouter/vbr-acme created"); err != nil {
		t.Error(err)
	}
	e.seesOwn(kept)
	e.changesOwn(others)
	e.viewerAndNobody(others)
}

// othersDoNotExist: while beta's router runs, whatever is said about it is what is said about one that is not there.
func (e *edge) othersDoNotExist(who person) {
	e.t.Helper()
	for _, command := range []string{
		"show router NAME", "show sessions NAME", "show routes -r NAME", "explain 172.16.1.9 -r NAME", "events -r NAME", "get vbr NAME", "get pc pc-beta",
	} {
		ask := func(name string) string {
			out, err := e.tryAs(who, strings.Fields(strings.NewReplacer("NAME", "vbr-"+name, "pc-beta", "pc-"+name).Replace(command))...)
			return strings.ReplaceAll(fmt.Sprint(out, err), name, "NAME")
		}
		if others, absent := ask("beta"), ask("nono"); others != absent {
			e.t.Errorf("uid %d, %s: of beta's %q, of nobody's %q", who.uid, command, others, absent)
		}
	}
	for _, command := range []string{"drain vbr-", "undrain vbr-", "reset -r vbr-", "reset --soft -r vbr-", "delete vbr vbr-", "delete pc pc-", "delete --dry-run vbr vbr-"} {
		others, absent := e.refused(who, "operator", "NotFound", command+"beta"), e.refused(who, "operator", "NotFound", command+"nono")
		if strings.ReplaceAll(others, "beta", "nono") != absent {
			e.t.Errorf("uid %d, %s: of beta's %q, of nobody's %q", who.uid, command, others, absent)
		}
	}
}

// seesOwn: acme's people see what is acme's and nothing of beta's, in everything that looks; root sees both.
func (e *edge) seesOwn(kept map[string]*output) {
	e.t.Helper()
	text := e.everything(acmeTeam)
	unseen(e.t, "what group acme sees", text, "beta")
	if err := has(text, "vbr-acme", "172.16.1.0/24", "of acme", `"established"`); err != nil {
		e.t.Error(err)
	}
	if err := has(e.ctl("get", "all")+e.ctl("history"), "vbr-acme", "vbr-beta", "pc-beta", "for beta"); err != nil {
		e.t.Error("root: ", err)
	}
	if err := has(e.ctl("events"), "vbr-acme", "vbr-beta"); err != nil {
		e.t.Error("root: ", err)
	}
	for words, o := range kept {
		eventually(e.t, words+" tells of acme", func() error { return has(o.String(), "vbr-acme") })
		unseen(e.t, words, o.String(), "beta")
	}
}

// changesOwn: acme's people change acme's and nothing else, whatever they name.
func (e *edge) changesOwn(others []*vbrv1.Resource) {
	e.t.Helper()
	foreign := put(e.t, e.path("foreign.yaml"), strings.ReplaceAll(tenant("acme", "edge1"), "owner: acme", "owner: beta"))
	fresh := put(e.t, e.path("fresh.yaml"), strings.ReplaceAll(tenant("gamma", "far"), "owner: gamma", "owner: beta"))
	taken := put(e.t, e.path("taken.yaml"), strings.ReplaceAll(tenant("beta", "edge1"), "owner: beta", "owner: acme"))
	for _, command := range []string{"apply -f " + foreign, "plan -f " + foreign, "apply -f " + fresh, "plan -f " + fresh, "rollback 1"} {
		e.refused(acmeUser, "operator", "PermissionDenied", command)
	}
	for _, file := range []string{taken, e.path("beta.yaml")} {
		if err := has(e.refused(acmeUser, "operator", "FailedPrecondition", "apply -f "+file), "name is in use"); err != nil {
			e.t.Error(err)
		}
	}
	for _, command := range []string{"drain vbr-acme", "undrain vbr-acme", "reset --soft -r vbr-acme", "apply --prune -f " + e.path("acme.yaml"), "delete -f " + e.path("acme.yaml")} {
		before := len(e.audits())
		out, err := e.tryAs(acmeTeam, strings.Fields(command)...)
		if err != nil {
			e.t.Error(err)
		}
		unseen(e.t, command, out, "beta")
		if lines := e.audits()[before:]; len(lines) != 1 || has(lines[0], `"who":"uid:4712"`, `"role":"operator"`, `"code":"OK"`) != nil {
			e.t.Errorf("%s should leave one audit line: %q", command, lines)
		}
	}
	if names := e.names(); len(names) > 0 {
		e.t.Errorf("there is %q", names)
	}
	if err := sameResources(e.resources(), others); err != nil {
		e.t.Error("beta's:", err)
	}
}

// viewerAndNobody: a viewer sees all and changes nothing, who has no role does neither, who is not in the socket's group gets nowhere.
func (e *edge) viewerAndNobody(all []*vbrv1.Resource) {
	e.t.Helper()
	if out, err := e.tryAs(noc, "get", "all"); err != nil || has(out, "vbr-beta", "pc-beta") != nil {
		e.t.Errorf("a viewer sees %q, %v", out, err)
	}
	for _, command := range []string{
		"apply -f " + e.path("acme.yaml"), "plan -f " + e.path("acme.yaml"), "delete vbr vbr-beta", "rollback 1", "confirm 1",
		"drain vbr-beta", "undrain vbr-beta", "reset -r vbr-beta",
	} {
		for who, role := range map[person]string{noc: "viewer", nobody: "none"} {
			e.refused(who, role, "PermissionDenied", command)
		}
	}
	if out, err := e.tryAs(nobody, "get", "all"); err == nil || has(err.Error(), "exit status 1", "uid:4714") != nil {
		e.t.Errorf("who has no role sees %q, %v", out, err)
	}
	if out, err := e.tryAs(outsider, "get", "all"); err == nil || has(err.Error(), "exit status 3", "permission denied") != nil {
		e.t.Errorf("who may not open the socket sees %q, %v", out, err)
	}
	if err := sameResources(e.resources(), all); err != nil {
		e.t.Error(err)
	}
}
