package glass

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/openvbr/openvbr/vbr/api"
)

// Bounds of the server; docs/glass.md lists them. How many connections there are is for the door to bound.
const (
	headerWithin  = 5 * time.Second  // a request's head to come, and the TLS handshake
	requestWithin = 10 * time.Second // a request to come
	askWithin     = 10 * time.Second // a page's calls of the API, all together
	answerWithin  = 20 * time.Second // a page to be made and taken
	idle          = time.Minute      // a connection without requests
	headerBytes   = 16 << 10         // a request's head
	requestsAtA   = 32               // time, of a connection by HTTP/2
	pagesAtOnce   = 32               // of all callers; more wait
	endWithin     = 500 * time.Millisecond
)

// server serves the pages.
type server struct {
	door    *api.Door
	log     *slog.Logger
	pages   pages
	turns   chan struct{} // one for each page that is being made
	streams streams
	visits  visits

	messageWithin, beat time.Duration // of streams
}

// Serve serves the looking glass at a door until ctx is done. It closes the door.
func Serve(ctx context.Context, door *api.Door, log *slog.Logger) error {
	s, err := newServer(door, log)
	if err != nil {
		return err
	}
	return s.serve(ctx)
}

func (s *server) serve(ctx context.Context) error {
	h := s.http(ctx)
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		defer cancel()
		_ = h.Shutdown(end)
		_ = h.Close()
	})
	defer stop()
	s.log.Info("glass listens", "network", s.door.Addr().Network(), "address", s.door.Addr().String())
	err := h.Serve(s.door)
	s.visits.end()
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("glass: %w", err)
	}
	return nil
}

func newServer(door *api.Door, log *slog.Logger) (*server, error) {
	p, err := readPages()
	if err != nil {
		return nil, err
	}
	return &server{door: door, log: log, pages: p, turns: make(chan struct{}, pagesAtOnce), messageWithin: messageWithin, beat: streamBeat, streams: streams{of: make(map[string]int)},
		visits: visits{open: make(map[net.Conn]*visit)}}, nil
}

// http is the server of HTTP; what it serves ends with ctx.
func (s *server) http(ctx context.Context) *http.Server {
	return &http.Server{
		Handler: s.guarded(s.routes()), ReadHeaderTimeout: headerWithin, ReadTimeout: requestWithin, WriteTimeout: answerWithin, IdleTimeout: idle,
		MaxHeaderBytes: headerBytes, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: requestsAtA},
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: s.visits.begin, ConnState: s.visits.state,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// routes are the pages by their paths.
func (s *server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/{$}", s.page("routers", s.routersPage))
	mux.Handle("/router/{name}", s.page("router", s.routerPage))
	mux.Handle("/router/{name}/routes", s.page("routes", s.routesPage))
	mux.Handle("/explain", s.page("explain", s.explainPage))
	mux.Handle("/events", s.page("events", s.eventsPage))
	mux.HandleFunc("/events/stream", s.stream)
	mux.Handle("/static/", s.pages.static)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, nil, errNoPage) })
	return mux
}
