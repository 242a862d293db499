package gobgp

import (
	"errors"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// batch is how many paths go into GoBGP in one step, during which it receives nothing.
const batch = 256

// Add originates paths, in order; a path replaces an earlier one for the same route. It goes on
// after an error.
func (s *Server) Add(paths []*apiutil.Path) error {
	return s.apply(paths, s.addBatch)
}

// Delete withdraws paths; the paths must have Withdrawal set and a next hop attribute. Deleting
// what is not there is no error.
func (s *Server) Delete(paths []*apiutil.Path) error {
	return s.apply(paths, s.deleteBatch)
}

func (s *Server) addBatch(p []*apiutil.Path) error {
	_, err := s.bgp.AddPath(apiutil.AddPathRequest{Paths: p})
	return err
}

func (s *Server) deleteBatch(p []*apiutil.Path) error {
	return s.bgp.DeletePath(apiutil.DeletePathRequest{Paths: p})
}

func (s *Server) apply(paths []*apiutil.Path, f func([]*apiutil.Path) error) error {
	s.opMu.Lock()
	defer s.opMu.Unlock()
	var errs []error
	for b := range slices.Chunk(paths, batch) {
		errs = append(errs, f(b))
		s.recent.record(time.Now(), b)
	}
	return errors.Join(errs...)
}
