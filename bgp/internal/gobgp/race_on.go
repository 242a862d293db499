//go:build race

package gobgp

import (
	"context"
	"sync"

	"github.com/osrg/gobgp/v4/api"
)

// GoBGP writes two package variables whenever a server starts, always the same value here, and
// reads them without a lock. For the race detector's sake, and in its builds only, each start is
// ordered after and before what the other servers of the process do: a management operation on
// each passes its lock. What they do during the start itself can still be reported.
type starts struct {
	mu   sync.Mutex
	live map[*Server]struct{}
}

var ordered = starts{live: map[*Server]struct{}{}}

func (o *starts) start(s *Server, f func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.touch()
	err := f()
	o.touch()
	o.live[s] = struct{}{}
	return err
}

func (o *starts) touch() {
	for s := range o.live {
		_, _ = s.bgp.GetBgp(context.Background(), &api.GetBgpRequest{})
	}
}

func (o *starts) stop(s *Server) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.live, s)
}
