package control

import "slices"

// Role is what a caller may do at most.
type Role int

// The roles. The zero value may nothing.
const (
	// Viewer sees.
	Viewer Role = iota + 1
	// Operator sees and changes what belongs to its owners: a tenant.
	Operator
	// Admin sees and changes all, or what belongs to its owners if it has any.
	Admin
)

// String is the role as settings and error texts have it.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	case Admin:
		return "admin"
	}
	return "none"
}

// Caller is who asks.
type Caller struct {
	// Name is for the history and the audit: "uid:0(root)", "cn:noc.example.net".
	Name string
	Role Role
	// Owners whose resources it sees. An Operator without any sees nothing, others without any see all.
	Owners []string
}

// SeesAll tells whether nothing is hidden from the caller.
func (c Caller) SeesAll() bool {
	return (c.Role == Viewer || c.Role == Admin) && len(c.Owners) == 0
}

// Sees tells whether what belongs to owner exists for the caller.
func (c Caller) Sees(owner string) bool {
	return c.SeesAll() || c.Role != 0 && slices.Contains(c.Owners, owner)
}

// MayChange tells whether the caller may create, change and delete what belongs to owner.
func (c Caller) MayChange(owner string) bool {
	return (c.Role == Operator || c.Role == Admin) && c.Sees(owner)
}

// rules tells whether the caller may decide about everybody's resources at once.
func (c Caller) rules() bool { return c.Role == Admin && c.SeesAll() }
