package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/internal/etcdtest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func TestEtcdConfig(t *testing.T) {
	good := []string{"http://127.0.0.1:1"}
	for name, cfg := range map[string]EtcdConfig{
		"no endpoints":      {},
		"no scheme":         {Endpoints: []string{"127.0.0.1:2379"}},
		"no port":           {Endpoints: []string{"http://127.0.0.1"}},
		"a path":            {Endpoints: []string{"http://127.0.0.1:2379/x"}},
		"TLS without https": {Endpoints: good, TLS: &tls.Config{}},
		"user alone":        {Endpoints: good, Username: "vbr"},
		"password alone":    {Endpoints: good, Password: "secret"},
		"negative timeout":  {Endpoints: good, Timeout: -1},
	} {
		s, err := OpenEtcd(cfg)
		if err == nil || !strings.Contains(err.Error(), "legal: ") {
			t.Errorf("%s: %v", name, err)
		}
		if s != nil {
			s.Close()
		}
	}
}

// Nobody answers: with and without password, OpenEtcd works, calls end in time and name the cause, Close is quick.
func TestEtcdAway(t *testing.T) {
	for _, password := range []string{"", "secret"} {
		cfg := EtcdConfig{Endpoints: []string{"http://" + etcdtest.FreeAddress(t)}, Password: password, Timeout: time.Second}
		if password != "" {
			cfg.Username = "vbr"
		}
		s := openTestEtcd(t, cfg)
		begin := time.Now()
		_, err := s.Head(t.Context())
		if took := time.Since(begin); took > 3*time.Second || !errors.Is(err, ErrUnavailable) {
			t.Errorf("Head: %v after %v", err, took)
		}
		if p := s.Problem(); !strings.HasPrefix(p, "etcd "+cfg.Endpoints[0]+" does not work since 2") || password == "" && !strings.Contains(p, "connection refused") {
			t.Errorf("Problem: %q", p)
		}
		if strings.Contains(fmt.Sprint(err, s.Problem()), "secret") {
			t.Errorf("the password is in %v or %q", err, s.Problem())
		}
		begin = time.Now()
		if err := s.Close(); err != nil || time.Since(begin) > time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(begin))
		}
	}
}

// etcd goes and comes back, twice, once with its log compacted: the store recovers by itself and pokes.
func TestEtcdRestarted(t *testing.T) {
	server := startEtcd(t)
	cfg := server.config()
	other := openTestEtcd(t, cfg)
	mustAppend(t, other, revision(1, 1))
	cfg.Timeout = time.Second
	s := openTestEtcd(t, cfg)
	watch := s.Watch(t.Context())
	for n := uint64(2); n <= 5; n += 2 {
		server.Kill()
		eventually(t, "a Problem", func() bool { return s.Problem() != "" })
		drain(watch)
		server.Start()
		eventually(t, "no Problem", func() bool { return s.Problem() == "" })
		poked(t, watch, "etcd's return")
		for i := range uint64(2) {
			drain(watch)
			mustAppend(t, other, revision(n+i, 1))
			poked(t, watch, "Append of another")
			compact(t, server)
		}
	}
	head, err := s.Head(t.Context())
	if err != nil || head.Revision.Number != 5 {
		t.Errorf("head %v, %v", head, err)
	}
}

func compact(t *testing.T, server *etcdServer) {
	t.Helper()
	c := server.client()
	resp, err := c.Get(t.Context(), "x")
	if err == nil {
		_, err = c.Compact(t.Context(), resp.Header.Revision, clientv3.WithCompactPhysical())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestEtcdWatchOfWhatIsCompacted(t *testing.T) {
	server := startEtcd(t)
	s := openTestEtcd(t, server.config())
	mustAppend(t, s, revision(1, 1))
	mustAppend(t, s, revision(2, 1))
	compact(t, server)
	begin := time.Now()
	s.follow(1)
	if took := time.Since(begin); took > probeEvery/2 {
		t.Errorf("it took %v to see that the revision is gone", took)
	}
	drained := s.Watch(t.Context())
	drain(drained)
	mustAppend(t, s, revision(3, 1))
	poked(t, drained, "Append")
}

// etcd is killed at any point of an Append: what was acknowledged is there, and at most one more.
func TestEtcdKilledWhileAppending(t *testing.T) {
	server := startEtcd(t)
	cfg := server.config()
	cfg.Timeout = time.Second
	s := openTestEtcd(t, cfg)
	stored := uint64(0)
	for range 5 {
		eventually(t, "etcd is back", func() bool { _, err := s.Head(t.Context()); return err == nil })
		time.AfterFunc(time.Duration(rand.IntN(200))*time.Millisecond, server.Strike)
		acknowledged := stored
		for err := error(nil); err == nil; {
			if err = s.Append(t.Context(), revision(acknowledged+1, 200)); err == nil {
				acknowledged++
			} else if !errors.Is(err, ErrUnavailable) {
				t.Errorf("revision %d: %v", acknowledged+1, err)
			}
		}
		server.Kill()
		server.Start()
		eventually(t, "etcd is back", func() bool { _, err := s.Head(t.Context()); return err == nil })
		head, err := s.Head(t.Context())
		if stored = head.GetRevision().GetNumber(); err != nil || stored != acknowledged && stored != acknowledged+1 {
			t.Fatalf("head %d after %d was acknowledged, %v", stored, acknowledged, err)
		}
	}
	for range 2 { // what is left over of lost ones goes with the next two
		stored++
		mustAppend(t, s, revision(stored, 1))
	}
	wantNoOrphans(t, server, int(stored))
}

// wantNoOrphans: a head, entries, and of each revision, which must be small, one chunk.
func wantNoOrphans(t *testing.T, server *etcdServer, revisions int) {
	t.Helper()
	if keys := server.keys(); len(keys) != 1+2*revisions {
		t.Errorf("%d keys for %d revisions: %q", len(keys), revisions, keys)
	}
}

func TestEtcdOrphansGo(t *testing.T) {
	server := startEtcd(t)
	s, c := openTestEtcd(t, server.config()), server.client()
	mustAppend(t, s, revision(1, 1))
	for _, orphan := range []string{"1/AAA", "1/zzz", "2/AAA", "2/zzz"} { // of two who lost 1 late, and two who lose 2
		if _, err := c.Put(t.Context(), "/openvbr/revision/0000000000000000000"+orphan+"/000000", "x"); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, s, revision(2, 1))
	wantNoOrphans(t, server, 2)
	for n := range uint64(10) {
		done := make(chan error)
		for range 3 {
			go func() { done <- s.Append(t.Context(), revision(n+3, 1)) }()
		}
		for range 3 {
			if err := <-done; err != nil && !errors.Is(err, ErrConflict) {
				t.Error(err)
			}
		}
		wantNoOrphans(t, server, int(n+3))
	}
}

// The answer to the transaction was lost: settle finds out which of the three it was.
func TestEtcdLostAnswer(t *testing.T) {
	server := startEtcd(t)
	s := openTestEtcd(t, server.config())
	mustAppend(t, s, revision(1, 1))
	h, err := s.head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("lost")
	ours, theirs := writeChunk(t, s, "ours"), writeChunk(t, s, "theirs")
	if err := s.settle(t.Context(), ours, lost); !errors.Is(err, lost) || len(server.keys()) != 5 {
		t.Errorf("while it is open: %v, %d keys", err, len(server.keys()))
	}
	if won, err := s.commit(t.Context(), h, theirs); !won || err != nil {
		t.Fatal(won, err)
	}
	if err := s.settle(t.Context(), theirs, lost); err != nil {
		t.Errorf("it was stored: %v", err)
	}
	if err := s.settle(t.Context(), writeChunk(t, s, "ours"), lost); !errors.Is(err, ErrConflict) {
		t.Errorf("another was stored: %v", err)
	}
	wantNoOrphans(t, server, 2)
	mustAppend(t, s, revision(3, 1))
	if err := s.settle(t.Context(), theirs, lost); err != nil {
		t.Errorf("it was stored, and then another: %v", err)
	}
	if err := s.settle(t.Context(), writeChunk(t, s, "ours"), lost); !errors.Is(err, ErrConflict) {
		t.Errorf("two others were stored: %v", err)
	}
	wantNoOrphans(t, server, 3)
	if won, err := s.commit(t.Context(), h, ours); won || err != nil {
		t.Errorf("commit on a head that is no longer: %v, %v", won, err)
	}
}

// writeChunk is the first half of appending revision 2.
func writeChunk(t *testing.T, s *etcd, writer string) *vbrv1.StoredEntry {
	t.Helper()
	r := revision(2, 1)
	record, err := encode(r)
	if err == nil {
		err = s.put(t.Context(), s.chunkKey(2, writer, 0), record)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &vbrv1.StoredEntry{Revision: r.Revision, Writer: writer, Chunks: 1}
}

// A revision that etcd would not take as one value.
func TestEtcdChunks(t *testing.T) {
	server := startEtcd(t)
	s := openTestEtcd(t, server.config())
	r := revision(1, 9000)
	for _, res := range r.Resources { // does not compress
		noise := make([]byte, 256)
		for i := range noise {
			noise[i] = byte(' ' + rand.IntN(95))
		}
		res.GetVirtualBorderRouter().Description = string(noise)
	}
	mustAppend(t, s, r)
	r.Schema = 1
	got, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(server.keys()) < 2+4 {
		t.Errorf("%d keys; want some chunks", len(server.keys()))
	}
	if !proto.Equal(r, got) {
		t.Error("it is not what was stored")
	}
}

func TestEtcdDamaged(t *testing.T) {
	server := startEtcd(t)
	s, c := openTestEtcd(t, server.config()), server.client()
	mustAppend(t, s, revision(1, 1))
	good := server.keys()
	for key, value := range good {
		for name, bad := range map[string]string{"gone": "", "cut": value[:len(value)-1], "other": value + "1"} {
			var err error
			if bad == "" {
				_, err = c.Delete(t.Context(), key)
			} else {
				_, err = c.Put(t.Context(), key, bad)
			}
			if err != nil {
				t.Fatal(err)
			}
			corrupt := new(CorruptError)
			if r, err := s.Head(t.Context()); !errors.As(err, &corrupt) || !strings.HasPrefix(corrupt.Path, "/openvbr/") {
				t.Errorf("%s %s: %v, %v", key, name, r, err)
			}
			if err := s.Append(t.Context(), revision(1, 1)); err == nil {
				t.Errorf("%s %s: it begins anew", key, name)
			}
			if _, err := c.Put(t.Context(), key, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Head(t.Context()); err != nil {
		t.Error(err)
	}
}

// needPassword lets nobody into etcd but the user vbr, and that one into /lab/ only.
func needPassword(t *testing.T, c *clientv3.Client) {
	t.Helper()
	auth := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	auth(c.UserAdd(t.Context(), "root", "r"))
	auth(c.UserGrantRole(t.Context(), "root", "root"))
	auth(c.RoleAdd(t.Context(), "vbr"))
	auth(c.RoleGrantPermission(t.Context(), "vbr", "/lab/", "/lab0", clientv3.PermissionType(clientv3.PermReadWrite)))
	auth(c.UserAdd(t.Context(), "vbr", "secret"))
	auth(c.UserGrantRole(t.Context(), "vbr", "vbr"))
	auth(c.AuthEnable(t.Context()))
}

// An etcd that has forgotten our token, by its age here and on a restart sometimes, is given the password again.
func TestEtcdForgetsTokens(t *testing.T) {
	server := &etcdServer{etcdtest.NewAt(t, []string{"http://" + etcdtest.FreeAddress(t)}, "--auth-token-ttl", "1"), t}
	needPassword(t, server.client())
	cfg := server.config()
	cfg.Username, cfg.Password, cfg.Prefix, cfg.Timeout = "vbr", "secret", "/lab/", 2*time.Second
	s := openTestEtcd(t, cfg)
	eventually(t, "it works", func() bool { return s.Append(t.Context(), revision(1, 1)) == nil })
	time.Sleep(3 * time.Second)
	eventually(t, "it works again", func() bool { return s.Append(t.Context(), revision(2, 1)) == nil })
}

func TestEtcdPassword(t *testing.T) {
	server := startEtcd(t)
	c := server.client()
	needPassword(t, c)
	cfg := server.config()
	cfg.Username, cfg.Password, cfg.Prefix = "vbr", "secret", "/lab/"
	s := openTestEtcd(t, cfg)
	mustAppend(t, s, revision(1, 1))
	server.Kill()
	server.Start()
	eventually(t, "it works again", func() bool {
		err := s.Append(t.Context(), revision(2, 1))
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	watch := s.Watch(t.Context())
	drain(watch)
	mustAppend(t, s, revision(3, 1))
	poked(t, watch, "Append")
	for want, bad := range map[string]func(*EtcdConfig){
		"authentication failed": func(cfg *EtcdConfig) { cfg.Password = "wrong" },
		"permission denied":     func(cfg *EtcdConfig) { cfg.Prefix = "/not-ours" },
		"user name is empty":    func(cfg *EtcdConfig) { cfg.Username, cfg.Password = "", "" },
	} {
		cfg := cfg
		cfg.Timeout = 2 * time.Second
		bad(&cfg)
		s := openTestEtcd(t, cfg)
		_, err := s.Head(t.Context())
		if p := s.Problem(); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), want) || !strings.Contains(p, want) {
			t.Errorf("%v, Problem %q; want %s", err, p, want)
		}
	}
}

func TestEtcdTLS(t *testing.T) {
	pki := newPKI(t)
	server := startEtcd(t, "--cert-file", pki.file("server.crt"), "--key-file", pki.file("server.key"),
		"--client-cert-auth", "--trusted-ca-file", pki.file("ca.crt"))
	cfg := server.config()
	cfg.TLS = &tls.Config{RootCAs: pki.pool, Certificates: []tls.Certificate{pki.client}}
	mustAppend(t, openTestEtcd(t, cfg), revision(1, 1))
	for _, bad := range []struct {
		tls  *tls.Config
		want string
	}{
		{&tls.Config{RootCAs: pki.pool}, ""}, // etcd closes; how that looks depends on who is faster
		{&tls.Config{Certificates: []tls.Certificate{pki.client}}, "unknown authority"},
		{nil, "unknown authority"},
	} {
		cfg.TLS, cfg.Timeout = bad.tls, 2*time.Second
		_, err := openTestEtcd(t, cfg).Head(t.Context())
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%v; want %s", err, bad.want)
		}
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
