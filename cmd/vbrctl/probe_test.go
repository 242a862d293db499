package main

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Probe is a way of two hops, 10.0.0.2 and 172.16.1.1, of which the line carries 1500 bytes, the second hop 1400, and 10.7.0.0/16's second hop swallows what is longer than 1300.
func (f *fake) Probe(ctx context.Context, r *vbrv1.ProbeRequest) (*vbrv1.ProbeResponse, error) {
	if err := f.ask(ctx, r); err != nil {
		return nil, err
	}
	if r.GetRouter() != "vbr-acme" {
		return nil, status.Error(codes.NotFound, "there is none")
	}
	size, quiet := r.GetSize()+28, r.GetTarget() == "10.7.0.1"
	switch {
	case r.GetTarget() == "10.8.0.1":
		return &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_UNREACHABLE, From: "10.0.0.2", Reason: "host unreachable"}, nil
	case r.GetTarget() == "10.9.0.1", r.GetTarget() == "10.6.0.1" && r.GetHopLimit() == 2:
		return &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_LOST}, nil
	case size > 1500:
		return &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_TOO_BIG, Mtu: 1500}, nil
	case quiet && size > 1300:
		return &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_LOST}, nil
	case size > 1400:
		return &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_TOO_BIG, From: "10.0.0.2", Mtu: 1400}, nil
	case r.GetHopLimit() == 1:
		return &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_TIME_EXCEEDED, From: "10.0.0.2", RttMs: 0.25}, nil
	}
	return &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY, From: r.GetTarget(), RttMs: 0.5}, nil
}

func TestPing(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "ping", "vbr-acme", "172.16.1.1", "-c", "2", "-i", "100ms").expect(t, exitOK, `
  1  172.16.1.1  0.50 ms
  2  172.16.1.1  0.50 ms
2 sent, 2 answered, 0.0 % lost; round trip 0.50 to 0.50 ms, 0.50 on average
`)
	f.vbrctl(t, "ping", "vbr-acme", "10.8.0.1", "-c", "1").expect(t, exitFailed, `
  1  10.0.0.2 says: host unreachable
1 sent, 0 answered
`)
	f.vbrctl(t, "ping", "vbr-acme", "172.16.1.1", "-c", "1", "-o", "json").expect(t, exitOK, `
{"outcome":"OUTCOME_ECHO_REPLY","from":"172.16.1.1","rtt_ms":0.5,"mtu":0,"reason":""}
`)
	f.vbrctl(t, "ping", "vbr-acme", "172.16.1.1", "-i", "1ms").complain(t, exitUsage, "--interval 1ms; legal: 100ms and more\n")
	f.vbrctl(t, "ping", "vbr-acme").complain(t, exitUsage, "too few arguments\nusage: vbrctl ping ROUTER TARGET [flags]\n")
}

func TestTraceroute(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "traceroute", "vbr-acme", "172.16.1.1").expect(t, exitOK, `
  1  10.0.0.2  0.25 ms
  2  172.16.1.1  0.50 ms
`)
	f.vbrctl(t, "traceroute", "vbr-acme", "10.6.0.1").expect(t, exitOK, `
  1  10.0.0.2  0.25 ms
  2  *
  3  10.6.0.1  0.50 ms
`)
	f.vbrctl(t, "traceroute", "vbr-acme", "10.8.0.1").expect(t, exitFailed, "\n  1  10.0.0.2 says: host unreachable\n")
	f.vbrctl(t, "traceroute", "vbr-acme", "10.9.0.1", "--hops", "2").expect(t, exitFailed, "\n  1  *\n  2  *\n")
}

func TestMTU(t *testing.T) {
	f := start(t)
	f.vbrctl(t, "mtu", "vbr-acme", "172.16.1.1").expect(t, exitOK, "\n1400 bytes fit from router vbr-acme to 172.16.1.1: 10.0.0.2 said so\n")
	f.vbrctl(t, "mtu", "vbr-acme", "10.7.0.1").expect(t, exitOK, "\n1300 bytes fit from router vbr-acme to 10.7.0.1: beyond it there is no answer\n")
	f.vbrctl(t, "mtu", "vbr-acme", "10.9.0.1").complain(t, exitFailed, "10.9.0.1 does not answer router vbr-acme even a short request: no answer\n")
}
