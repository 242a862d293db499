package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// What is another owner's is not there: usage, quality and failover tests.
func TestMeasuredIsOwners(t *testing.T) {
	w := start(t, options{})
	for _, tt := range []struct{ who, usage, tests string }{
		{"noc", "ri-acme ri-beta", "ft-beta ft-acme"},
		{"spiffe://example.net/acme", "ri-acme", "ft-acme"},
		{"auditor", "ri-acme", "ft-acme"},
		{"beta", "ri-beta", "ft-beta"},
	} {
		t.Run(tt.who, func(t *testing.T) {
			c := routers(w.as(tt.who))
			var usages, tests []string
			u, err := c.ListUsage(ask(t), &vbrv1.ListUsageRequest{})
			for err == nil {
				var m *vbrv1.ListUsageResponse
				if m, err = u.Recv(); err == nil {
					for _, x := range m.GetUsages() {
						usages = append(usages, x.GetRouterInterface())
					}
				}
			}
			l, err := c.ListFailoverTests(ask(t), &vbrv1.ListFailoverTestsRequest{})
			for err == nil {
				var m *vbrv1.ListFailoverTestsResponse
				if m, err = l.Recv(); err == nil {
					for _, x := range m.GetTests() {
						tests = append(tests, x.GetId())
					}
				}
			}
			if got := strings.Join(usages, " "); got != tt.usage {
				t.Errorf("usage %q", got)
			}
			if got := strings.Join(tests, " "); got != tt.tests {
				t.Errorf("tests %q", got)
			}
		})
	}
	acme := routers(w.as("spiffe://example.net/acme"))
	if q, err := acme.GetQuality(ask(t), &vbrv1.GetQualityRequest{RouterInterface: "ri-acme"}); err != nil || q.GetRouterInterface() != "ri-acme" {
		t.Error(q, err)
	}
	_, others := acme.GetQuality(ask(t), &vbrv1.GetQualityRequest{RouterInterface: "ri-beta"})
	_, absent := acme.GetQuality(ask(t), &vbrv1.GetQualityRequest{RouterInterface: "ri-nono"})
	if status.Code(others) != codes.NotFound || strings.ReplaceAll(others.Error(), "ri-beta", "ri-nono") != absent.Error() {
		t.Errorf("\n%v\n%v", others, absent)
	}
	_, others = acme.StopFailoverTest(ask(t), &vbrv1.StopFailoverTestRequest{Id: "ft-beta"})
	_, absent = acme.StopFailoverTest(ask(t), &vbrv1.StopFailoverTestRequest{Id: "ft-nono"})
	if status.Code(others) != codes.NotFound || strings.ReplaceAll(others.Error(), "ft-beta", "ft-nono") != absent.Error() {
		t.Errorf("\n%v\n%v", others, absent)
	}
	if _, err := acme.StopFailoverTest(ask(t), &vbrv1.StopFailoverTestRequest{Id: "ft-acme"}); err != nil {
		t.Error(err)
	}
	if got := strings.Join(w.host.changed(), ", "); got != "stop test ft-acme of vbr-acme" {
		t.Error("done:", got)
	}
}

// A failover test of another owner's router is not there, whatever is to be done with it.
func TestOthersFailoverTests(t *testing.T) {
	w := start(t, options{})
	acme := routers(w.as("spiffe://example.net/acme"))
	for what, do := range map[string]func(id string) error{
		"start": func(id string) error {
			_, err := acme.StartFailoverTest(ask(t), &vbrv1.StartFailoverTestRequest{Id: id})
			return err
		},
		"update": func(id string) error {
			_, err := acme.UpdateFailoverTest(ask(t), &vbrv1.UpdateFailoverTestRequest{Id: id})
			return err
		},
		"delete": func(id string) error {
			_, err := acme.DeleteFailoverTest(ask(t), &vbrv1.DeleteFailoverTestRequest{Id: id})
			return err
		},
	} {
		others, absent := do("ft-beta"), do("ft-nono")
		if status.Code(others) != codes.NotFound || strings.ReplaceAll(others.Error(), "ft-beta", "ft-nono") != absent.Error() {
			t.Errorf("%s:\n%v\n%v", what, others, absent)
		}
		if err := do("ft-acme"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, done := range w.host.changed() {
		if strings.Contains(done, "beta") {
			t.Error("done to another's:", done)
		}
	}
	if _, err := acme.UpdateFailoverTest(ask(t), &vbrv1.UpdateFailoverTestRequest{Id: "ft-acme", Probes: []string{"beta"}}); status.Code(err) != codes.InvalidArgument {
		t.Error("another's probe:", err)
	}
	if lines := w.logs.audits(t); len(lines) != 10 || !strings.HasPrefix(fmt.Sprint(lines[0]["what"]), "failover test ft-") {
		t.Errorf("%d audit lines: %v", len(lines), lines[0])
	}
}

// A test that would lose routes is refused with them; probes leave from the caller's own routers only.
func TestFailoverTestRefused(t *testing.T) {
	w := start(t, options{})
	acme := routers(w.as("spiffe://example.net/acme"))
	_, err := acme.StartFailoverTest(ask(t), &vbrv1.StartFailoverTestRequest{Router: "vbr-acme", DurationMinutes: 13})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "nothing else would carry 172.16.1.0/24") {
		t.Error(err)
	}
	_, err = acme.StartFailoverTest(ask(t), &vbrv1.StartFailoverTestRequest{Router: "vbr-acme", Probes: []string{"beta"}})
	if status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	if _, err = acme.StartFailoverTest(ask(t), &vbrv1.StartFailoverTestRequest{Router: "vbr-acme", Probes: []string{"acme"}}); err != nil {
		t.Error(err)
	}
	_, err = acme.StartFailoverTest(ask(t), &vbrv1.StartFailoverTestRequest{Router: "vbr-acme", DurationMinutes: 14})
	if !strings.HasSuffix(status.Convert(err).Message(), " would carry 172.16.1.0/24") {
		t.Error("a long reason is cut short:", err)
	}
	lines := w.logs.audits(t)
	if len(lines) != 4 {
		t.Errorf("%d audit lines", len(lines))
	}
}
