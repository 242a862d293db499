package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func TestPolicyTest(t *testing.T) {
	f := start(t)
	f.tried = []*vbrv1.TestResult{
		{Prefix: "10.2.0.0/16", Verdict: "accepted", Why: "term 20 of lab-in permits it",
			Before: &vbrv1.PathAttributes{AsPath: "65001", Med: proto.Uint32(7)},
			After:  &vbrv1.PathAttributes{AsPath: "65001 65001", LocalPref: proto.Uint32(150), Communities: []string{"65001:1"}}},
		{Prefix: "10.3.0.0/16", Verdict: "policy", Why: "no term of lab-in decides, and its end denies it", Before: &vbrv1.PathAttributes{AsPath: "65001"}},
	}
	file := filepath.Join(t.TempDir(), "routes.yaml")
	text := "routes:\n  - {prefix: 10.2.0.0/16, as_path: \"65001 65010\", communities: [\"45104:7300\"], med: 7}\n  - prefix: 10.3.0.0/16\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.vbrctl(t, "policy", "test", "-r", "vbr-acme", "--peer", "10.0.0.2", "-f", file, "--policy", "lab-in").expect(t, exitOK, `
Prefix       AS Path  Verdict   Why                                               Changes
10.2.0.0/16  65001    accepted  term 20 of lab-in permits it                      LocPrf 150, MED 7 -> -, AS path 65001 -> 65001 65001, communities 65001:1
10.3.0.0/16  65001    policy    no term of lab-in decides, and its end denies it  -
`)
	want := &vbrv1.TestPolicyRequest{Router: "vbr-acme", Peer: "10.0.0.2", Policy: "lab-in", Routes: []*vbrv1.TestRoute{
		{Prefix: "10.2.0.0/16", AsPath: "65001 65010", Communities: []string{"45104:7300"}, Med: proto.Uint32(7)}, {Prefix: "10.3.0.0/16"}}}
	if got := last[*vbrv1.TestPolicyRequest](t, f); !proto.Equal(got, want) {
		t.Errorf("asked %v", got)
	}
	r := f.vbrctl(t, "policy", "test", "-r", "vbr-acme", "--peer", "10.0.0.2", "-o", "json")
	if !strings.Contains(r.out, `"why": "term 20 of lab-in permits it"`) {
		t.Errorf("json: %s", r.out)
	}
	for bad, complaint := range map[string]string{"routes: []\n": "no routes; legal:", "routes:\n  - {prefx: 10.0.0.0/8}\n": "not routes:", "a: [\n": "routes.yaml:"} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := f.vbrctl(t, "policy", "test", "-r", "vbr-acme", "--peer", "10.0.0.2", "-f", file); r.status != exitFailed || !strings.Contains(r.err, complaint) {
			t.Errorf("%q: %d, %s", bad, r.status, r.err)
		}
	}
	if r := f.vbrctl(t, "policy", "test", "-r", "vbr-acme"); !strings.Contains(r.err, `--peer "" is no address`) {
		t.Errorf("without a peer: %s", r.err)
	}
}
