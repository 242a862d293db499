// Package admin has no code but tests: the real vbrd and vbrctl, with what may happen to an admin plane. Nothing here needs a
// VRF: the routers are in the default VRF of network namespaces, so `make test-unit` runs it.
package admin
