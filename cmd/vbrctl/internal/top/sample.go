package top

import (
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Sample is the state of a host at a time.
type Sample struct {
	At       time.Time
	Host     *vbrv1.GetHostResponse
	Routers  []*vbrv1.RouterStatus
	Sessions []*vbrv1.BgpSession
}

// rate is what a session or a router does in a second.
type rate struct {
	in, out float64 // UPDATE messages received and sent
	routes  float64 // routes in the kernel, more or less
}

// rates are the differences between two samples: of sessions by ROUTER/PEER, of routers by name, of the host by "".
type rates map[string]rate

// sessionKey names a session among rates.
func sessionKey(s *vbrv1.BgpSession) string { return s.GetRouter() + "/" + s.GetPeerIpAddress() }

// between compares two samples; without an earlier one all is zero. A counter that went back began anew.
func between(before, after *Sample) rates {
	out := rates{}
	if before == nil || after == nil {
		return out
	}
	seconds := after.At.Sub(before.At).Seconds()
	if seconds <= 0 {
		return out
	}
	sessions := map[string]*vbrv1.BgpSession{}
	for _, s := range before.Sessions {
		sessions[sessionKey(s)] = s
	}
	for _, s := range after.Sessions {
		was := sessions[sessionKey(s)]
		if was == nil {
			continue
		}
		r := rate{in: grown(was.GetUpdatesReceived(), s.GetUpdatesReceived()) / seconds, out: grown(was.GetUpdatesSent(), s.GetUpdatesSent()) / seconds}
		out.add(sessionKey(s), r)
		out.add(s.GetRouter(), r)
		if s.GetRouter() != "" {
			out.add("", r)
		}
	}
	kernel := map[string]uint32{}
	for _, r := range before.Routers {
		kernel[r.GetName()] = r.GetRoutes().GetKernel()
	}
	for _, r := range after.Routers {
		if was, known := kernel[r.GetName()]; known {
			out.add(r.GetName(), rate{routes: (float64(r.GetRoutes().GetKernel()) - float64(was)) / seconds})
		}
	}
	out.add("", rate{routes: (float64(after.Host.GetRoutes()) - float64(before.Host.GetRoutes())) / seconds})
	return out
}

func (r rates) add(key string, more rate) {
	sum := r[key]
	r[key] = rate{sum.in + more.in, sum.out + more.out, sum.routes + more.routes}
}

func grown(before, after uint64) float64 {
	if after < before {
		return 0
	}
	return float64(after - before)
}
