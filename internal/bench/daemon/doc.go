// Package daemon starts the routing daemons that are compared, each with the configuration its users would write for the same
// job: eBGP sessions with customer routers, all they announce into the kernel's main table or each into that of a VRF, nothing announced back. It also says what
// they cost. It measures no routes and no times.
package daemon
