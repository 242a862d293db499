// Package kernel is the benchmark's eyes: network namespaces and cables, the number of routes a namespace holds,
// what a lookup finds, a full dump for confirmation, and probe packets. It looks at the kernel only, never at a daemon, and
// so sees all daemons alike. It changes no routes.
package kernel
