package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openvbr/openvbr/vbr"
)

// timings are those of all routers, and what the kernel refused to them.
func (s sink) timings(t vbr.Timings) {
	s.putTimes(convergence, t.Convergence)
	s.putTimes(reconcile, t.Reconcile)
	for _, f := range t.Failures {
		s.put(netlinkErrors, float64(f.Count), f.Operation, f.Errno)
	}
}

func (s sink) putTimes(m *metric, t vbr.Times) {
	s.ch <- prometheus.MustNewConstHistogram(m.desc, t.Count, t.Sum, t.Buckets)
}

// queues are sums over the routers that answered.
type queues struct{ kernel, announce, bfd int }

func (q *queues) add(f vbr.Figures) {
	q.kernel += f.Waiting
	q.announce += f.Unsaid
	q.bfd += f.BFD
}

func (s sink) queues(q queues) {
	s.put(queueDepth, float64(q.kernel), "kernel")
	s.put(queueDepth, float64(q.announce), "announce")
	s.put(queueDepth, float64(q.bfd), "bfd")
}
