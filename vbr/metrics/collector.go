package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr"
)

// Bounds of a scrape: how long it waits for all routers together, and how many it asks at once.
const (
	defaultWithin = 2 * time.Second
	askers        = 8
)

// qualityOver is the time over which the quality of router interfaces is told.
const qualityOver = time.Hour

// Host is what is measured; *vbr.Host is one.
type Host interface {
	Status() *vbrv1.GetHostResponse
	RouterNames() []string
	Timings() vbr.Timings
	RouterStatus(name string) *vbrv1.RouterStatus
	Figures(router string) vbr.Figures
	Sessions(router string) []*vbrv1.BgpSession
	Usage(router, routerInterface string, since time.Time) ([]*vbrv1.Usage, error)
	Quality(routerInterface string, since time.Time, samples int) (*vbrv1.GetQualityResponse, error)
}

// Collector takes one look at each router a scrape. A router that does not answer in time costs its own series only: it is counted in
// vbr_scrape_timeouts_total, and not asked again before the look that hangs has ended.
type Collector struct {
	host   Host
	within time.Duration

	mu       sync.Mutex
	asking   map[string]bool
	timeouts float64
}

// New makes a collector of a host.
func New(h Host) *Collector {
	return &Collector{host: h, within: defaultWithin, asking: make(map[string]bool)}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range all {
		ch <- m.desc
	}
}

// theHost is looked at as routers are, and has the name of none.
const theHost = ""

// look is what one router said of itself, or the host; status is nil for one that is gone.
type look struct {
	host     *vbrv1.GetHostResponse
	status   *vbrv1.RouterStatus
	figures  vbr.Figures
	sessions []*vbrv1.BgpSession
	usages   []*vbrv1.Usage
	quality  map[string]*vbrv1.GetQualityResponse // by router interface
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	out := sink{ch}
	names := append(c.host.RouterNames(), theHost)
	answers := make(chan look, len(names)) // late answers need no reader
	over := make(chan struct{})
	defer close(over)
	asked, hanging := c.ask(names, answers, over)
	var waiting queues
	out.timings(c.host.Timings())
	deadline := time.NewTimer(c.within)
	defer deadline.Stop()
	for late := false; asked > 0 && !late; {
		select {
		case l := <-answers:
			asked--
			out.host(l.host)
			out.router(l)
			waiting.add(l.figures)
		case <-deadline.C:
			late = true
		}
	}
	out.queues(waiting)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timeouts += float64(asked + hanging)
	out.put(scrapeTimeouts, c.timeouts)
}

// ask has those routers looked at that no earlier look still hangs on, and counts both kinds. Those whose turn does not come before the scrape is over, since
// others hang, are not looked at.
func (c *Collector) ask(names []string, answers chan<- look, over <-chan struct{}) (asked, hanging int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slots := make(chan struct{}, askers)
	for _, name := range names {
		if c.asking[name] {
			hanging++
			continue
		}
		c.asking[name] = true
		asked++
		go func() {
			select {
			case slots <- struct{}{}:
				l := c.look(name)
				<-slots
				c.asked(name)
				answers <- l
			case <-over:
				c.asked(name)
			}
		}()
	}
	return asked, hanging
}

// asked says that nobody asks the router any more.
func (c *Collector) asked(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asking, name)
}

func (c *Collector) look(name string) look {
	if name == theHost {
		return look{host: c.host.Status()}
	}
	l := look{status: c.host.RouterStatus(name), quality: map[string]*vbrv1.GetQualityResponse{}}
	if l.status == nil {
		return l
	}
	l.figures = c.host.Figures(name)
	l.sessions = c.host.Sessions(name)
	l.usages, _ = c.host.Usage(name, "", time.Time{}) // it went in between
	for _, ri := range l.status.GetRouterInterfaces() {
		if q, err := c.host.Quality(ri.GetName(), time.Now().Add(-qualityOver), 1); err == nil {
			l.quality[ri.GetName()] = q
		}
	}
	return l
}
