package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/openvbr/openvbr/internal/etcdtest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// special are the effects that need another site than the others, or that more happens there.
var special = map[string]struct {
	site    func(*testing.T) *site
	suffers func(*site, faultCase, int) int
}{
	"store.chunk": {newEtcdSite, (*site).suffersInEtcd},
	"fib.groups":  {newPathSite, (*site).suffersPath},
	"state.mark":  {newFaultSite, (*site).suffersLoss},

	"session.reset":   {newFaultSite, (*site).suffersReset},
	"session.refresh": {newFaultSite, (*site).suffersReset},
	"session.tell":    {newFaultSite, (*site).suffersTell},
}

// etcdPrefix is the default of store.etcd.prefix.
const etcdPrefix = "/openvbr/v1"

// newEtcdSite is one whose store is etcd, with an intent of more than one chunk (512 KiB).
func newEtcdSite(t *testing.T) *site {
	s := newSite(t, 0)
	s.ballast = 3600
	url := fmt.Sprintf("http://%s2:2379", s.backbone)
	etcdtest.NewAt(t, []string{url})
	text, err := os.ReadFile(s.path("vbrd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.path("vbrd.yaml"), string(text)+fmt.Sprintf("store: {type: etcd, etcd: {endpoints: ['%s'], timeout: 2s}}\n", url))
	s.etcd = url
	return s.began()
}

// wanted is the intent n of this site, with its ballast, which differs in each.
func (s *site) wanted(n int) string {
	if s.ballast == 0 {
		return wanted(n)
	}
	var b strings.Builder
	at := "host: " + s.host + "\n"
	b.WriteString(strings.NewReplacer("name: pc-", at+"name: pc-", "name: vbr-", at+"name: vbr-").Replace(wanted(n)))
	random := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range s.ballast {
		text := fmt.Sprintf("intent %d ", n)
		for len(text) < 240 { // letters and digits that do not compress
			text += string("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[random.IntN(62)])
		}
		fmt.Fprintf(&b, "---\nkind: PhysicalConnection\nhost: elsewhere\nname: pc-%d\ndevice: eth%[1]d\ndescription: %s\n", i+100, text)
	}
	return b.String()
}

// allOf checks that the ballast is that of the intent whose name is given: nothing is stored by half.
func (s *site) allOf(name string) {
	s.t.Helper()
	if s.ballast > 0 {
		s.ballastIs(s.resources(), name)
	}
}

func (s *site) ballastIs(resources []*vbrv1.Resource, name string) {
	s.t.Helper()
	n := 0
	for _, r := range resources {
		if pc := r.GetPhysicalConnection(); pc.GetHost() == "elsewhere" {
			n++
			if !strings.HasPrefix(pc.Description, name+" ") {
				s.t.Fatalf("%s is of %.20s, not of %s", pc.Name, pc.Description, name)
			}
		}
	}
	if n != s.ballast {
		s.t.Errorf("%d resources of another host, want %d", n, s.ballast)
	}
}

// suffersInEtcd is suffers; then etcd has the intent, in more than one chunk, and no chunk that is of no revision.
func (s *site) suffersInEtcd(c faultCase, n int) int {
	n++
	s.suffers(c, n)
	st, err := store.OpenEtcd(store.EtcdConfig{Endpoints: []string{s.etcd}, Prefix: etcdPrefix})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	head, err := st.Head(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.ballastIs(head.GetResources(), fmt.Sprint("intent ", n))
	writers, chunks := map[string]string{}, 0
	for _, key := range s.chunkKeys() {
		parts := strings.Split(strings.TrimPrefix(key, etcdPrefix), "/") // "", revision, NUMBER, WRITER, CHUNK
		if was := writers[parts[2]]; was != "" && was != parts[3] {
			s.t.Errorf("revision %s has chunks of %s and %s", parts[2], was, parts[3])
		}
		writers[parts[2]] = parts[3]
		if parts[2] == fmt.Sprintf("%020d", head.GetRevision().GetNumber()) {
			chunks++
		}
	}
	if chunks < 2 || len(writers) != int(head.GetRevision().GetNumber()) {
		s.t.Errorf("revision %d has %d chunks, want 2 or more; chunks of %d revisions", head.GetRevision().GetNumber(), chunks, len(writers))
	}
	return n
}

// chunkKeys are the keys of all parts of revisions in etcd.
func (s *site) chunkKeys() (keys []string) {
	s.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.etcd}, DialTimeout: patience})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := c.Get(ctx, etcdPrefix+"/revision/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, kv := range got.Kvs {
		keys = append(keys, string(kv.Key))
	}
	return keys
}

// newPathSite is one with so many routes of both peers that their group changes as a whole.
func newPathSite(t *testing.T) *site { return newSite(t, 100).began() }

// suffersPath starts vbrd with the fault; then one of two equal paths goes and comes: first its session ends, then its nexthop object is deleted
// by another. In the end all routes have both.
func (s *site) suffersPath(c faultCase, n int) int {
	began := s.log.len()
	n = s.twoPaths(n)
	s.launch(c.String())
	s.settles(n)
	for _, words := range []string{"disable edge", "enable edge"} {
		if out, err := s.birdc(3, words); err != nil {
			s.t.Fatalf("birdc: %v: %s", err, out)
		}
		if words == "disable edge" {
			eventually(s.t, "one path", s.onePath)
		}
	}
	s.settles(n)
	if s.daemon.alive() {
		s.ip(fmt.Sprint("nexthop del id ", s.gatewayID("10.0.0.3")))
		s.settles(n)
	}
	shown := s.daemon.alive() && s.shows()
	died := !s.daemon.alive()
	s.ends()
	s.passed(c, began, shown)
	if died {
		if c.act != "kill" {
			s.t.Error("vbrd has ended")
		}
		s.resurrect(n, true)
	}
	s.kept()
	return n
}

// twoPaths has the intent, which is n, be one with two peers, and returns it.
func (s *site) twoPaths(n int) int {
	if n%2 == 0 {
		n++
		s.launch("")
		s.customer(n)
		s.mustApply("intent.yaml", s.wanted(n), "--prune")
		eventually(s.t, "two paths", func() error { return s.right(n) })
		s.ends()
	}
	return n
}

// onePath is nil when no route has the second peer's gateway any more, or vbrd has ended.
func (s *site) onePath() error {
	if out := s.ip("nexthop show proto 86"); s.daemon.alive() && strings.Contains(out, "10.0.0.3") {
		return fmt.Errorf("there is\n%s", out)
	}
	return nil
}

func (s *site) gatewayID(address string) uint32 {
	s.t.Helper()
	var objects []struct {
		ID      uint32
		Gateway string
	}
	if err := json.Unmarshal([]byte(s.ip("-j nexthop show proto 86")), &objects); err != nil {
		s.t.Fatal(err)
	}
	for _, o := range objects {
		if o.Gateway == address {
			return o.ID
		}
	}
	s.t.Fatalf("no nexthop object of %s: %v", address, objects)
	return 0
}

// suffersLoss has the store damaged and its cache gone, twice with the fault: while vbrd notes that, and while an admin applies what there should be.
// Until that is acknowledged nothing goes, over restarts too; after it all is as it was applied, over restarts too.
func (s *site) suffersLoss(c faultCase, n int) int {
	began := s.log.len()
	caches, _ := filepath.Glob(s.path("state/cache-*"))
	for _, name := range caches {
		if err := os.Remove(name); err != nil {
			s.t.Fatal(err)
		}
	}
	put(s.t, s.path("state/intent.db"), strings.Repeat("not a store\n", 1000))
	shown := false
	for _, what := range []string{c.String(), "", ""} { // the first may die
		s.launch(what)
		if s.daemon.alive() {
			if err := has(strings.Join(s.status().Problems, "\n"), "stored resources may be missing"); err != nil {
				s.t.Errorf("after the damage, with %q: %v", what, err)
			}
			shown = shown || s.shows()
		}
		if err := s.devicesRight(n); err != nil {
			s.t.Errorf("after the damage, with %q: %v", what, err)
		}
		s.ends()
	}
	s.passed(c, began, shown)

	began = s.log.len()
	n++
	s.launch(c.String())
	s.customer(n)
	err := s.apply("intent.yaml", s.wanted(n), "--prune")
	for try := 0; err != nil && s.daemon.alive() && try < 5; try++ {
		s.t.Logf("vbrctl: %.300v", err)
		err = s.apply("intent.yaml", s.wanted(n), "--prune")
	}
	shown = s.daemon.alive() && s.shows()
	s.ends()
	s.passed(c, began, shown)
	s.launch("")
	if err != nil {
		s.mustApply("intent.yaml", s.wanted(n), "--prune")
		s.ends()
		s.launch("") // what was kept until then goes at the next start
	}
	eventually(s.t, "all is right after the restart", func() error { return s.right(n) })
	if has(strings.Join(s.status().Problems, "\n"), "stored resources may be missing") == nil {
		s.t.Error("resources count as missing after all were applied")
	}
	s.ends()
	s.kept()
	return n
}

// ends has vbrd end, if it has not.
func (s *site) ends() {
	s.t.Helper()
	if err := s.daemon.end(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
}

// passed checks that the point was reached, and that its error was told of.
func (s *site) passed(c faultCase, began int64, shown bool) {
	s.t.Helper()
	log := s.log.since(began)
	if !strings.Contains(log, fmt.Sprintf("fault: %s.%s: ", c.effect, c.when)) {
		s.t.Error("the point was not reached")
	}
	if strings.HasPrefix(c.act, "error") && !shown && !strings.Contains(log, "injected fault") {
		s.t.Error("the error is reported nowhere")
	}
}

// kept checks that the route which is announced always was never away.
func (s *site) kept() {
	s.t.Helper()
	if lost := s.lost.take(); len(lost) > 0 {
		s.t.Errorf("172.16.1.0/24 was away: %v", lost)
	}
}
