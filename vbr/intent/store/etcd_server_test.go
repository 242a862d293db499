package store

import (
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/openvbr/openvbr/internal/etcdtest"
)

// etcdServer is an etcd and what tests of this package want of it.
type etcdServer struct {
	*etcdtest.Server
	t *testing.T
}

func startEtcd(t *testing.T, args ...string) *etcdServer {
	t.Helper()
	return &etcdServer{etcdtest.New(t, args...), t}
}

// config has time enough for etcd's start and for a loaded machine.
func (e *etcdServer) config() EtcdConfig {
	return EtcdConfig{Endpoints: []string{e.URL}, Timeout: 15 * time.Second}
}

// client is for what Store has no methods for.
func (e *etcdServer) client() *clientv3.Client {
	e.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{e.URL}, Logger: zap.NewNop()})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { c.Close() })
	return c
}

// keys is all that is in etcd.
func (e *etcdServer) keys() map[string]string {
	e.t.Helper()
	resp, err := e.client().Get(e.t.Context(), "", clientv3.WithPrefix())
	if err != nil {
		e.t.Fatal(err)
	}
	all := make(map[string]string)
	for _, kv := range resp.Kvs {
		all[string(kv.Key)] = string(kv.Value)
	}
	return all
}

func openTestEtcd(t *testing.T, cfg EtcdConfig) *etcd {
	t.Helper()
	s, err := OpenEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*etcd)
}
