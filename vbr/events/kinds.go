package events

import (
	"log/slog"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Kind is a kind of event. Its ID is for programs and never changes its meaning.
type Kind struct {
	ID    string
	Type  vbrv1.Event_Type
	Level slog.Level // in the journal
	When  string
}

// Kinds are all there are, as docs/events.md has them. The first of a type is what an event of that type is that says no ID.
func Kinds() []Kind {
	const good, bad = slog.LevelInfo, slog.LevelWarn
	return []Kind{
		{"session.up", vbrv1.Event_TYPE_SESSION_UP, good, "A BGP session is established: a customer's, or without a router the backbone's."},
		{"session.down", vbrv1.Event_TYPE_SESSION_DOWN, bad, "It is no longer, and why."},
		{"bfd.up", vbrv1.Event_TYPE_BFD_UP, good, "BFD with a peer is up."},
		{"bfd.down", vbrv1.Event_TYPE_BFD_DOWN, bad, "It is not, and what becomes of the peer's routes."},
		{QuotaWarn, vbrv1.Event_TYPE_ROUTE_QUOTA, bad, "A peer's routes reach 80 % of its route_quota, or are below 95 % of it again."},
		{QuotaExceeded, vbrv1.Event_TYPE_ROUTE_QUOTA, bad, "They are more than it, and what follows."},
		{QuotaClear, vbrv1.Event_TYPE_ROUTE_QUOTA, good, "They are below 70 % of it again."},
		{HealthAbnormal, vbrv1.Event_TYPE_HEALTH_CHECK, bad, "A health check is Abnormal, or NoRedundantRoute."},
		{HealthNormal, vbrv1.Event_TYPE_HEALTH_CHECK, good, "It is Normal again."},
		{LineDown, vbrv1.Event_TYPE_FAILOVER, bad, "A line has no carrier: its routes leave at once, and traffic follows others."},
		{LineUp, vbrv1.Event_TYPE_FAILOVER, good, "It has one again."},
		{"failover.test", vbrv1.Event_TYPE_FAILOVER_TEST, bad, "A failover test is stored, begins, ends, or is aborted."},
		{"drift.found", vbrv1.Event_TYPE_DRIFT, bad, "An audit found the kernel's routes otherwise than they should be, and repaired what it could."},
		{"config.applied", vbrv1.Event_TYPE_APPLIED, good, "A revision that concerns this host runs."},
		{"config.rolled-back", vbrv1.Event_TYPE_ROLLED_BACK, bad, "One was rolled back: by somebody, or since nobody confirmed it."},
		{"config.store", vbrv1.Event_TYPE_STORE, bad, "Something about the store or a file of vbrd's: away, back, damaged, recovered; or a stored resource is left out."},
		{"router.created", vbrv1.Event_TYPE_ROUTER_CREATED, good, "A router begins."},
		{"router.changed", vbrv1.Event_TYPE_ROUTER_CHANGED, good, "It is about to become another, and how."},
		{"router.deleted", vbrv1.Event_TYPE_ROUTER_DELETED, good, "It is no longer wanted."},
		{"router.degraded", vbrv1.Event_TYPE_ROUTER_DEGRADED, bad, "Something is wrong with it."},
		{"router.recovered", vbrv1.Event_TYPE_ROUTER_RECOVERED, good, "That is right again."},
		{"router.drained", vbrv1.Event_TYPE_DRAINED, good, "Both sides are asked to use other routers."},
		{"router.undrained", vbrv1.Event_TYPE_UNDRAINED, good, "They may use it again."},
		{"interface.state", vbrv1.Event_TYPE_ROUTER_INTERFACE, good, "A router interface changes its state ([states](states.md))."},
		{"vbr.state", vbrv1.Event_TYPE_VBR_STATUS, good, "A VBR changes its status ([states](states.md#vbrs))."},
	}
}

// IDs that events say themselves, since several are of one type.
const (
	QuotaWarn      = "quota.warn"
	QuotaExceeded  = "quota.exceeded"
	QuotaClear     = "quota.clear"
	HealthAbnormal = "health.abnormal"
	HealthNormal   = "health.normal"
	LineDown       = "failover.line-down"
	LineUp         = "failover.line-up"
)

// complete gives an event the ID of its type if it says none, and returns its kind.
func complete(e *vbrv1.Event) Kind {
	for _, k := range Kinds() {
		if k.Type == e.GetType() && (e.GetId() == "" || k.ID == e.GetId()) {
			e.Id = k.ID
			return k
		}
	}
	return Kind{Level: slog.LevelError}
}
