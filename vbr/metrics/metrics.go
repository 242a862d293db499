package metrics

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// metric is one that a scrape may have.
type metric struct {
	name   string
	kind   prometheus.ValueType
	labels []string
	help   string
	desc   *prometheus.Desc
}

// all are those that a Collector has, in the order of docs/metrics.md.
var all []*metric

func define(name string, kind prometheus.ValueType, help string, labels ...string) *metric {
	m := &metric{name, kind, labels, help, prometheus.NewDesc(name, help, labels, nil)}
	all = append(all, m)
	return m
}

const (
	gauge     = prometheus.GaugeValue
	counter   = prometheus.CounterValue
	histogram = prometheus.ValueType(0) // see putTimes: constant histograms have no ValueType of their own
)

// peerLabels are those of frr_exporter, whose names these are (https://github.com/tynany/frr_exporter, collector/bgp.go).
var peerLabels = []string{"vrf", "afi", "safi", "local_as", "peer", "peer_as"}

var (
	peerState      = define("frr_bgp_peer_state", gauge, "State of the peer: 1 established, 0 down.", peerLabels...)
	peerUptime     = define("frr_bgp_peer_uptime_seconds", gauge, "How long the peer has been up; 0 if it is not.", peerLabels...)
	peerReceived   = define("frr_bgp_peer_message_received_total", counter, "Messages received.", peerLabels...)
	peerSent       = define("frr_bgp_peer_message_sent_total", counter, "Messages sent.", peerLabels...)
	peerPrefixes   = define("frr_bgp_peer_prefixes_received_count_total", gauge, "Prefixes received, of a session with one family.", peerLabels...)
	peerAdvertised = define("frr_bgp_peer_prefixes_advertised_count_total", gauge, "Prefixes told, of a session with one family.", peerLabels...)

	routerState    = define("vbr_router_state", gauge, "0 starting or degraded, 1 ready, 2 drained: both sides are asked to use other routers.", "router")
	routes         = define("vbr_routes", gauge, "Routes by stage: received, accepted, stale, best (prefixes for which a path was chosen), kernel, refused (by the kernel), advertised, exported.", "router", "stage")
	rejected       = define("vbr_routes_rejected", gauge, "Routes rejected, by reason (docs/host.md); no series without any.", "router", "reason")
	drift          = define("vbr_kernel_drift_total", counter, "Routes found missing, altered or foreign by audits.", "router")
	quotaHeadroom  = define("vbr_route_quota_headroom", gauge, "Prefixes that still fit into the peer's route_quota; no series without one.", "router", "peer")
	bfdUp          = define("vbr_bfd_up", gauge, "1 if BFD with the peer is up; no series without BFD.", "router", "peer")
	interfaceUp    = define("vbr_router_interface_active", gauge, "1 if the router interface is Active or Modifying.", "router", "router_interface")
	interfaceIn    = define("vbr_router_interface_imported_routes", gauge, "Routes taken in.", "router", "router_interface")
	interfaceOut   = define("vbr_router_interface_exported_routes", gauge, "Routes told.", "router", "router_interface")
	txBytes        = define("vbr_router_interface_transmit_bytes_total", counter, "Bytes sent into the router interface, ever.", "router", "router_interface")
	txPackets      = define("vbr_router_interface_transmit_packets_total", counter, "Packets sent into it.", "router", "router_interface")
	rxBytes        = define("vbr_router_interface_receive_bytes_total", counter, "Bytes received by it.", "router", "router_interface")
	rxPackets      = define("vbr_router_interface_receive_packets_total", counter, "Packets received by it.", "router", "router_interface")
	healthNormal   = define("vbr_health_check_normal", gauge, "1 if the health check is Normal, 0 if Abnormal or NoRedundantRoute; router_interface is empty for the VBR's own.", "router", "router_interface")
	healthRTT      = define("vbr_health_check_rtt_seconds", gauge, "The check's last round trip.", "router", "router_interface")
	quality        = define("vbr_quality_ratio", gauge, "Loss, jitter, encapsulation_success, availability over the last hour, 0 to 1; no series for what was not measured.", "router", "router_interface", "objective")
	convergence    = define("vbr_convergence_seconds", histogram, "From the first of a burst of messages until the kernel holds what follows and neighbours are told; all routers.")
	reconcile      = define("vbr_reconcile_seconds", histogram, "A comparison of a router's devices and routes with what they should be, mending included; all routers.")
	netlinkErrors  = define("vbr_netlink_errors_total", counter, "What the kernel refused, or could not be asked: route, nexthop, dump, cleanup.", "operation", "errno")
	queueDepth     = define("vbr_queue_depth", gauge, "What waits in all routers: kernel (prefixes), announce (what neighbours did not take), bfd (changes).", "queue")
	hostProblems   = define("vbr_host_problems", gauge, "What is wrong with the host itself, as `vbrctl show host` says.")
	scrapeTimeouts = define("vbr_scrape_timeouts_total", counter, "Looks at routers that gave no answer within the scrape.")
)

// sink takes what a scrape finds.
type sink struct{ ch chan<- prometheus.Metric }

func (s sink) put(m *metric, v float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
}

// flag is 1 for true.
func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s sink) host(h *vbrv1.GetHostResponse) {
	if h == nil {
		return
	}
	s.put(hostProblems, float64(len(h.GetProblems())))
	for _, b := range h.GetBackboneSessions() {
		s.session("default", b, "l2vpn", "evpn")
	}
}

func (s sink) router(l look) {
	r := l.status
	if r == nil {
		return
	}
	state := r.GetState()
	s.put(routerState, map[vbrv1.RouterStatus_State]float64{vbrv1.RouterStatus_STATE_READY: 1, vbrv1.RouterStatus_STATE_DRAINED: 2}[state], r.GetName())
	s.put(drift, float64(r.GetDrift()), r.GetName())
	s.routes(r.GetName(), r.GetRoutes(), l.figures.Best)
	vrf := r.GetVrf()
	if vrf == "" {
		vrf = "default" // as frr_exporter calls it
	}
	for _, peer := range l.sessions {
		for _, family := range familiesOf(peer) {
			s.session(vrf, peer, family, "unicast")
		}
		if peer.GetRouteQuota() > 0 {
			s.put(quotaHeadroom, float64(peer.GetRouteQuota())-float64(peer.GetRouteQuotaUsed()), r.GetName(), peer.GetPeerIpAddress())
		}
		if peer.GetBfd() != nil {
			s.put(bfdUp, flag(peer.GetBfd().GetState() == "Up"), r.GetName(), peer.GetPeerIpAddress())
		}
	}
	s.health(r.GetName(), "", r.GetHealthCheck())
	for _, ri := range r.GetRouterInterfaces() {
		s.routerInterface(r.GetName(), ri, l.quality[ri.GetName()])
	}
	for _, u := range l.usages {
		s.put(txBytes, float64(u.GetTxBytes()), r.GetName(), u.GetRouterInterface())
		s.put(txPackets, float64(u.GetTxPackets()), r.GetName(), u.GetRouterInterface())
		s.put(rxBytes, float64(u.GetRxBytes()), r.GetName(), u.GetRouterInterface())
		s.put(rxPackets, float64(u.GetRxPackets()), r.GetName(), u.GetRouterInterface())
	}
}

func (s sink) routes(router string, c *vbrv1.RouteCounts, best int) {
	for reason, n := range c.GetRejected() {
		s.put(rejected, float64(n), router, reason)
	}
	for stage, n := range map[string]uint32{"received": c.GetReceived(), "accepted": c.GetAccepted(), "best": uint32(best), "stale": c.GetStale(), "kernel": c.GetKernel(),
		"refused": c.GetRefused(), "advertised": c.GetAdvertised(), "exported": c.GetExported()} {
		s.put(routes, float64(n), router, stage)
	}
}

// familiesOf are a session's: those negotiated, else that of its addresses.
func familiesOf(peer *vbrv1.BgpSession) []string {
	switch {
	case len(peer.GetFamilies()) > 0:
		return slices.Compact(slices.Sorted(slices.Values(peer.GetFamilies())))
	case strings.Contains(peer.GetPeerIpAddress(), ":"):
		return []string{"ipv6"}
	}
	return []string{"ipv4"}
}

// session is one of a session's families; messages are those of the whole session, as in FRR.
func (s sink) session(vrf string, peer *vbrv1.BgpSession, afi, safi string) {
	labels := []string{vrf, afi, safi, strconv.FormatUint(uint64(peer.GetLocalAsn()), 10), peer.GetPeerIpAddress(), strconv.FormatUint(uint64(peer.GetPeerAsn()), 10)}
	up, uptime := peer.GetBgpStatus() == "established", 0.0
	if up && peer.GetSince() != nil {
		uptime = time.Since(peer.GetSince().AsTime()).Seconds()
	}
	s.put(peerState, flag(up), labels...)
	s.put(peerUptime, uptime, labels...)
	s.put(peerReceived, float64(peer.GetMessagesReceived()), labels...)
	s.put(peerSent, float64(peer.GetMessagesSent()), labels...)
	if len(peer.GetFamilies()) <= 1 {
		s.put(peerPrefixes, float64(peer.GetReceivedRouteCount()), labels...)
		s.put(peerAdvertised, float64(peer.GetAdvertisedRouteCount()), labels...)
	}
}

func (s sink) routerInterface(router string, ri *vbrv1.RouterInterfaceStatus, q *vbrv1.GetQualityResponse) {
	name := ri.GetName()
	s.put(interfaceUp, flag(ri.GetStatus() == "Active" || ri.GetStatus() == "Modifying"), router, name)
	s.put(interfaceIn, float64(ri.GetImported()), router, name)
	s.put(interfaceOut, float64(ri.GetExported()), router, name)
	s.health(router, name, ri.GetHealthCheck())
	for _, o := range q.GetObjectives() {
		if !o.GetUnknown() {
			s.put(quality, o.GetMeasured()/100, router, name, o.GetName())
		}
	}
}

func (s sink) health(router, routerInterface string, h *vbrv1.HealthCheckState) {
	if h == nil || h.GetHealthCheckStatus() == "NoHealthCheckConfig" {
		return
	}
	s.put(healthNormal, flag(h.GetHealthCheckStatus() == "Normal"), router, routerInterface)
	s.put(healthRTT, h.GetRttMs()/1000, router, routerInterface)
}
