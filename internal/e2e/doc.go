// Package e2e has no code but tests: they run the real vbrd between real FRR and BIRD routers in the
// VRF kernel and hold it to what the README promises. `make test-vrf` runs them.
package e2e
