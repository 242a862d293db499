package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/internal/bench/daemon"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Admin is what vbrd's API took in one run of `bench admin`. Times are in seconds, from before the call was made.
type Admin struct {
	Call    float64 `json:"call"`    // until the reply to Apply: the revision is on disk
	Request int     `json:"request"` // bytes of the Apply

	// In the default VRF: one VBR, then a table of N routes.
	Session    float64 `json:"session,omitzero"`     // from Apply until the peer's session was up
	FirstRoute float64 `json:"first_route,omitzero"` // from Apply until the first route was seen in the kernel
	Error      float64 `json:"error,omitzero"`       // by which FirstRoute, or Devices, may be too long
	Received   float64 `json:"received,omitzero"`    // ListRoutes of the stage received, until its end
	Kernel     float64 `json:"kernel,omitzero"`      // likewise kernel
	Prefix     Latency `json:"prefix,omitzero"`      // Explain of prefixes
	Address    Latency `json:"address,omitzero"`     // Explain of addresses

	// In VRFs: N VBRs.
	Devices  float64 `json:"devices,omitzero"`  // from Apply until all VLANs and VRFs were there, with their addresses
	CPU      float64 `json:"cpu,omitzero"`      // of vbrd from before Apply until it came to rest with all devices
	Sessions float64 `json:"sessions,omitzero"` // from the peers' first attempt, when all devices were there, until the last session was up
	Before   int64   `json:"before,omitzero"`   // bytes of memory before Apply
	Made     int64   `json:"made,omitzero"`     // at rest with all devices
	Up       int64   `json:"up,omitzero"`       // at rest with all sessions up
	Peak     int64   `json:"peak,omitzero"`     // the most, of all that
}

// Latency is of many calls, in seconds.
type Latency struct {
	Median float64 `json:"median"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// latency is of at least one call.
func latency(calls []time.Duration) Latency {
	slices.Sort(calls)
	at := func(percent int) float64 { return calls[(len(calls)*percent+99)/100-1].Seconds() }
	return Latency{Median: at(50), P99: at(99), Max: at(100)}
}

// each is a share of the memory that came after Apply, for one of n VBRs.
func (a *Admin) each(memory int64, n int) float64 { return float64(memory-a.Before) / float64(n) }

const (
	// callLimit is the longest that vbrd gives a call with one answer.
	callLimit = 60 * time.Second
	// requestLimit is the longest request that vbrd takes, in bytes.
	requestLimit = 1 << 20
)

// admin is a connection to vbrd's API as root.
type admin struct {
	conn      *grpc.ClientConn
	resources vbrv1.ResourceServiceClient
	routers   vbrv1.RouterServiceClient
}

// dial connects to the socket and returns when vbrd has answered.
func dial(ctx context.Context, socket string) (*admin, error) {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("localhost"))
	if err != nil {
		return nil, err
	}
	a := &admin{conn: conn, resources: vbrv1.NewResourceServiceClient(conn), routers: vbrv1.NewRouterServiceClient(conn)}
	ctx, stop := context.WithTimeout(ctx, callLimit)
	defer stop()
	if _, err := a.routers.GetHost(ctx, &vbrv1.GetHostRequest{}, grpc.WaitForReady(true)); err != nil {
		return nil, errors.Join(fmt.Errorf("GetHost: %w", err), conn.Close())
	}
	return a, nil
}

// apply applies resources and says when the reply came.
func (a *admin) apply(ctx context.Context, req *vbrv1.ApplyRequest) (replied time.Time, err error) {
	ctx, stop := context.WithTimeout(ctx, callLimit)
	defer stop()
	reply, err := a.resources.Apply(ctx, req)
	replied = time.Now()
	if err != nil {
		return replied, fmt.Errorf("apply: %w", err)
	}
	if n := len(reply.GetPlan().GetChanges()); n != len(req.GetResources()) {
		return replied, fmt.Errorf("apply: %d changes in the plan of %d resources", n, len(req.GetResources()))
	}
	return replied, nil
}

// request is an Apply of a port and a VBR for each neighbour on it.
func request(neighbours []daemon.Neighbour) (*vbrv1.ApplyRequest, error) {
	req := &vbrv1.ApplyRequest{Resources: []*vbrv1.Resource{vbrv1.Wrap(&vbrv1.PhysicalConnection{Name: portName, Device: port})}}
	for _, n := range neighbours {
		r := &vbrv1.VirtualBorderRouter{
			Name: routerName, PhysicalConnectionId: portName, VlanId: uint32(n.VRF.VLAN), Vrf: inDefault, LocalAsn: proto.Uint32(localASN),
			LocalGatewayIp: n.Local.String(), PeerGatewayIp: n.Remote.String(), PeeringSubnetMask: fmt.Sprintf("/%d", n.Bits),
			BgpPeers: []*vbrv1.BgpPeer{{PeerIpAddress: n.Remote.String(), PeerAsn: proto.Uint32(n.ASN), RouteQuota: proto.Uint32(0),
				Hold: proto.Uint32(240), Keepalive: proto.Uint32(80)}}, // as in package daemon
		}
		if n.VRF.Name != "" {
			r.Name, r.Vrf, r.RouteTableId = n.VRF.Name, "", proto.Uint32(n.VRF.Table)
		}
		req.Resources = append(req.Resources, vbrv1.Wrap(r))
	}
	if size := proto.Size(req); size > requestLimit {
		return nil, fmt.Errorf("an Apply of %d VBRs has %d bytes, vbrd takes %d", len(neighbours), size, requestLimit)
	}
	return req, nil
}

// The resources of a request.
const (
	portName   = "pc-eth0"
	routerName = "vbr-bench"
)

// list lists all routes of the one router at a stage and says how long that took. It is an error if they are not those of want.
func (a *admin) list(ctx context.Context, stage vbrv1.RouteStage, want map[string]bool) (took time.Duration, err error) {
	ctx, stop := context.WithTimeout(ctx, phaseLimit)
	defer stop()
	begin := time.Now()
	got, err := a.collect(ctx, &vbrv1.ListRoutesRequest{Router: routerName, Stage: stage}, len(want))
	took = time.Since(begin)
	if err != nil {
		return took, fmt.Errorf("ListRoutes, %v: %w", stage, err)
	}
	found := make(map[string]bool, len(got))
	for _, chunk := range got {
		for _, r := range chunk {
			if want[r.GetPrefix()] {
				found[r.GetPrefix()] = true
			} else if r.GetSource().GetType() == vbrv1.RouteSource_TYPE_BGP {
				return took, fmt.Errorf("ListRoutes, %v: %s was never announced", stage, r.GetPrefix())
			}
		}
	}
	if len(found) != len(want) {
		return took, fmt.Errorf("ListRoutes, %v: %d routes of %d", stage, len(found), len(want))
	}
	return took, nil
}

// collect reads a stream to its end.
func (a *admin) collect(ctx context.Context, req *vbrv1.ListRoutesRequest, hint int) ([][]*vbrv1.Route, error) {
	stream, err := a.routers.ListRoutes(ctx, req)
	if err != nil {
		return nil, err
	}
	chunks := make([][]*vbrv1.Route, 0, hint/100)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return chunks, nil
		}
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, m.GetRoutes())
	}
}

// explain explains one destination after the other and says how long each took. Each must be in the kernel, by a prefix that was announced.
func (a *admin) explain(ctx context.Context, destinations []string, announced map[string]bool) (took []time.Duration, err error) {
	for _, d := range destinations {
		begin := time.Now()
		reply, err := a.routers.Explain(ctx, &vbrv1.ExplainRequest{Router: routerName, Destination: d})
		took = append(took, time.Since(begin))
		if err != nil {
			return nil, fmt.Errorf("explain %s: %w", d, err)
		}
		if !reply.GetKernel().GetInstalled() || !announced[reply.GetPrefix()] || !contains(reply.GetPrefix(), d) {
			return nil, fmt.Errorf("explain %s: %q: %s", d, reply.GetPrefix(), reply.GetSummary())
		}
	}
	return took, nil
}

// contains says whether the answer about a prefix or an address is about that prefix, or one that the address is in.
func contains(prefix, destination string) bool {
	p, err := netip.ParsePrefix(prefix)
	addr, err2 := netip.ParseAddr(destination)
	return prefix == destination || err == nil && err2 == nil && p.Contains(addr)
}
