// Package metrics shows the host's routers to Prometheus: sessions by the names of frr_exporter, routes by stage, rejections, quotas, BFD, router
// interfaces, and the process itself. It is the provider's view, of all tenants at once: who may scrape sees all of them.
//
// A scrape takes one look at each router by the calls that the API has, and holds no state of routers. One that does not answer in time costs its own
// series only. docs/metrics.md lists all metrics; a test compares it with what is described here.
package metrics
