// Package systemd has no code but tests: the Debian package on an edge host with systemd as process 1, in the middle of the demo's topology with real FRR
// routers. It is installed by dpkg, started, stopped, upgraded and removed while packets flow. `make test-systemd` runs them.
package systemd
