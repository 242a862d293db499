package api

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/openvbr/openvbr/vbr/control"
)

// Rule gives a role to whoever it matches.
type Rule struct {
	// Match is "uid:N", "user:NAME" or "group:NAME" for callers of the socket, "uri:URI" or "cn:NAME" for certificates: a
	// URI of the subject alternative names or the subject's common name, as a whole.
	Match string
	Role  control.Role
	// Owners are those whose resources the caller sees; none: all, and for an operator none at all.
	Owners []string
}

// rules says who is whom; the first match wins.
type rules struct {
	self        uint32 // vbrd's own uid
	socketGroup *uint32
	list        []rule
}

// rule is a Rule with names looked up.
type rule struct {
	Rule
	uid, gid *uint32
}

func newRules(list []Rule, socketGroup *uint32) (*rules, error) {
	rs := &rules{self: uint32(os.Getuid()), socketGroup: socketGroup}
	for i, r := range list {
		resolved, err := resolve(r)
		if err != nil {
			return nil, fmt.Errorf("api.roles[%d].match: %q: %w", i, r.Match, err)
		}
		rs.list = append(rs.list, resolved)
	}
	return rs, nil
}

func resolve(r Rule) (rule, error) {
	out := rule{Rule: r}
	kind, value, _ := strings.Cut(r.Match, ":")
	if value == "" {
		kind = ""
	}
	var err error
	switch kind {
	case "uid":
		out.uid, err = number(value)
	case "user":
		var u *user.User
		if u, err = user.Lookup(value); err == nil {
			out.uid, err = number(u.Uid)
		}
	case "group":
		out.gid, err = groupID(value)
	case "uri", "cn":
	default:
		err = fmt.Errorf("not a match; legal: uid:N, user:NAME, group:NAME, uri:URI, cn:NAME")
	}
	return out, err
}

func groupID(name string) (*uint32, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return nil, err
	}
	return number(g.Gid)
}

func number(s string) (*uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("not a whole number of 32 bits")
	}
	id := uint32(n)
	return &id, nil
}

// caller is who the settings say that this is; nil when they say nothing. Root and vbrd's own user are admins whatever they say.
func (rs *rules) caller(id *identity) *control.Caller {
	if id.unix && (id.uid == 0 || id.uid == rs.self) {
		return &control.Caller{Name: id.name, Role: control.Admin}
	}
	for _, r := range rs.list {
		if name, ok := r.matches(id); ok {
			return &control.Caller{Name: name, Role: r.Role, Owners: r.Owners}
		}
	}
	if len(rs.list) == 0 && id.unix && rs.socketGroup != nil && slices.Contains(id.gids, *rs.socketGroup) {
		return &control.Caller{Name: id.name, Role: control.Admin}
	}
	return nil
}

// matches also tells the name by which the caller was known.
func (r rule) matches(id *identity) (string, bool) {
	kind, value, _ := strings.Cut(r.Match, ":")
	switch {
	case id.unix && r.uid != nil:
		return id.name, id.uid == *r.uid
	case id.unix && r.gid != nil:
		return id.name, slices.Contains(id.gids, *r.gid)
	case !id.unix && kind == "uri":
		return "uri:" + printable(value), slices.Contains(id.uris, value)
	case !id.unix && kind == "cn":
		return "cn:" + printable(value), id.cn == value && value != ""
	}
	return "", false
}
