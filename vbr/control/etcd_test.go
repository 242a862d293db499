package control_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/internal/etcdtest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// join runs a controller of a host of the fleet until the test's end.
func join(t *testing.T, e *etcdtest.Server, name string) (*host, *runner) {
	t.Helper()
	s, err := store.OpenEtcd(store.EtcdConfig{Endpoints: []string{e.URL}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	h, r := newHost(t, s, func(c *control.Config) { c.Host, c.Shared = name, true }), &runner{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.Run(ctx, r) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, r
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// A fleet of two over a real etcd: both change at the same time, an unconfirmed change is rolled back once, and etcd is killed and comes back.
func TestOverEtcd(t *testing.T) {
	e := etcdtest.New(t)
	one, r1 := join(t, e, "edge1")
	two, r2 := join(t, e, "edge2")
	siteOn := func(host, n string) string {
		return port("pc-"+n, "", "eth1", "host: "+host+"\n") + line("vbr-"+n, "", "pc-"+n, 100, "host: "+host+"\n")
	}
	eventually(t, "an Apply", func() bool {
		_, err := one.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, siteOn("edge1", "1")+siteOn("edge2", "2"))})
		return err == nil
	})
	eventually(t, "each runs its own", func() bool { return r1.routers() == "vbr-1" && r2.routers() == "vbr-2" })

	var both sync.WaitGroup
	for i, h := range []*host{one, two} {
		both.Go(func() {
			for n := range 10 {
				text := line(fmt.Sprintf("vbr-%d-%d", i, n), "", "pc-1", 1+10*i+n, "host: edge1\n")
				for {
					_, err := h.Apply(context.Background(), admin, &vbrv1.ApplyRequest{Resources: parse(t, text)})
					if err == nil {
						break
					}
					if status.Code(err) != codes.Aborted {
						t.Error(explain(err))
						return
					}
				}
			}
		})
	}
	both.Wait()
	eventually(t, "both know all", func() bool {
		return strings.Count(one.names(t, admin), "vbr-") == 22 && one.names(t, admin) == two.names(t, admin)
	})
	eventually(t, "edge1 runs all its own", func() bool { return strings.Count(r1.routers(), "vbr-") == 21 })

	resp, err := two.Apply(t.Context(), admin, within(10*time.Second, parse(t, line("vbr-x", "", "pc-1", 4000, "host: edge1\n"))))
	if err != nil {
		t.Fatal(explain(err))
	}
	eventually(t, "the change runs", func() bool { return strings.Contains(r1.routers(), "vbr-x") })
	eventually(t, "the rollback", func() bool {
		return !strings.Contains(r1.routers(), "vbr-x") && !strings.Contains(two.names(t, admin), "vbr-x")
	})
	if got := one.history(t, admin, 1); !strings.HasPrefix(got, fmt.Sprintf("%d vbrd +0 ~0 -1 =24", resp.Revision+1)) {
		t.Errorf("history %s", got)
	}

	e.Kill()
	_, err = one.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true})
	wantCode(t, err, codes.Unavailable, "etcd")
	if got := strings.Count(one.names(t, admin), "vbr-"); got != 22 || strings.Count(r1.routers(), "vbr-") != 21 {
		t.Errorf("without etcd knows %d routers and runs %s", got, r1.routers())
	}
	e.Start()
	eventually(t, "a change after etcd's return", func() bool {
		_, err := two.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, siteOn("edge1", "1")), Prune: true})
		return err == nil
	})
	eventually(t, "edge1 runs one", func() bool { return r1.routers() == "vbr-1" && r2.routers() == "" && one.problems() == "" })
}
