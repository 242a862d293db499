package vbr

import (
	"time"

	"github.com/openvbr/openvbr/bgp/bfd"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// bfdStatus is how BFD sees a peer, nil if it is not watched; r.mu is held.
func (r *router) bfdStatus(p *peerSpec) *vbrv1.BfdSession {
	if !p.watch.on {
		return nil
	}
	st, ok := r.host.bfdSession(r.spec.device(p), p.Address)
	if !ok { // it starts, or could not
		st = bfd.Status{State: bfd.Down, RemoteState: bfd.Down, Session: bfd.Session{DetectMult: p.watch.multiplier}}
	}
	out := bfdMessage(&st)
	out.Strict = p.watch.strict
	if s := r.sessions[p.Address]; s != nil {
		now := time.Now()
		out.Held = s.watch.held(now)
		if s.watch.strict && now.Before(s.watch.until) {
			out.HoldDownUntil = stamp(s.watch.until)
		}
	}
	return out
}

func bfdMessage(st *bfd.Status) *vbrv1.BfdSession {
	b := &vbrv1.BfdSession{
		State: st.State.String(), Since: stamp(st.Since), Diagnostic: st.Diag.String(),
		RemoteState: st.RemoteState.String(), RemoteDiagnostic: st.RemoteDiag.String(),
		TxInterval: inMilliseconds(st.TxInterval), DetectTime: inMilliseconds(st.DetectTime),
		DetectMultiplier: uint32(st.DetectMult), RemoteDetectMultiplier: uint32(st.RemoteDetectMult),
		Discriminator: st.Discriminator, RemoteDiscriminator: st.RemoteDiscr, DownCount: st.Downs,
		PacketsReceived: st.Received, PacketsSent: st.Sent, ControlPlaneIndependent: st.Independent, Error: st.Err,
	}
	if st.RemoteDetectMult > 0 {
		b.RxInterval = inMilliseconds(st.DetectTime / time.Duration(st.RemoteDetectMult))
	}
	return b
}

func inMilliseconds(d time.Duration) uint32 { return uint32(d / time.Millisecond) }
