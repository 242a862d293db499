//go:build !race

package gobgp

// starts does nothing outside of race detector builds; see race_on.go.
type starts struct{}

var ordered starts

func (starts) start(_ *Server, f func() error) error { return f() }

func (starts) stop(*Server) {}
