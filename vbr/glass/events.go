package glass

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const (
	eventsPerPage   = 200
	streamsCaller   = 4                // streams of events of one caller at once
	streamsAll      = 64               // of all callers
	streamFor       = 15 * time.Minute // then the browser asks again, and is asked again who it is
	streamBeat      = 20 * time.Second // between signs of life
	messageWithin   = 10 * time.Second // one message to be taken
	reconnectMillis = 3000
)

// eventsBody is the page of events, newest first.
type eventsBody struct {
	Router string
	Rows   []*vbrv1.Event
	Last   uint64 // sequence of the newest
}

func (s *server) eventsPage(ctx context.Context, r *request) (*frame, error) {
	b := &eventsBody{Router: clip(r.URL.Query().Get("router"), longestSearch)}
	all, err := r.events(ctx, &vbrv1.ListEventsRequest{Router: b.Router})
	if err != nil {
		return nil, err
	}
	if n := len(all); n > 0 {
		b.Last = all[n-1].GetSequence()
	}
	b.Rows = slices.Clone(all[max(0, len(all)-eventsPerPage):])
	slices.Reverse(b.Rows)
	return &frame{Title: "Events", Section: "events", Body: b}, nil
}

// streams counts the streams that are open.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// begin counts one more of a caller, or says that there are too many.
func (s *streams) begin(who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[who] >= streamsCaller || s.all >= streamsAll {
		return status.Errorf(codes.ResourceExhausted, "too many streams of events; legal: %d of yours, %d of all", streamsCaller, streamsAll)
	}
	s.of[who]++
	s.all++
	return nil
}

func (s *streams) end(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[who]--; s.of[who] == 0 {
		delete(s.of, who)
	}
}

// liveEvent is an event for the script of the page.
type liveEvent struct {
	Time    string `json:"time"`  // RFC 3339
	Clock   string `json:"clock"` // as the page has it
	Type    string `json:"type"`
	Class   string `json:"class"`
	Router  string `json:"router"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// stream sends events as they come (Server-Sent Events, HTML standard 9.2): those after the Last-Event-ID, or the parameter after.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	var reader sync.WaitGroup
	defer reader.Wait()
	ctx, cancel := context.WithTimeout(r.Context(), streamFor)
	defer cancel()
	req, err := s.enter(r)
	if err == nil {
		err = s.streams.begin(req.who)
	}
	if err != nil {
		s.fail(w, r, req, err)
		return
	}
	defer s.streams.end(req.who)
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	ask := &vbrv1.ListEventsRequest{Router: r.URL.Query().Get("router")}
	ask.After, _ = strconv.ParseUint(after, 10, 64) // what is no number is the beginning
	missed, err := req.events(ctx, ask)             // an error of the request is one of the answer
	if err != nil {
		s.fail(w, r, req, err)
		return
	}
	out := &sender{w: w, control: http.NewResponseController(w), within: s.messageWithin}
	out.begin()
	if r.Method == http.MethodHead {
		return
	}
	if n := len(missed); n > 0 {
		ask.After = missed[n-1].GetSequence()
	}
	out.events(missed[max(0, len(missed)-eventsPerPage):])
	ask.Follow = true
	coming := make(chan []*vbrv1.Event)
	reader.Go(func() { follow(ctx, req.api, ask, coming) })
	s.pass(coming, out)
}

// follow hands on what comes until that ends, or ctx.
func follow(ctx context.Context, api vbrv1.RouterServiceClient, ask *vbrv1.ListEventsRequest, coming chan<- []*vbrv1.Event) {
	defer close(coming)
	events, err := api.ListEvents(ctx, ask)
	for err == nil {
		var m *vbrv1.ListEventsResponse
		if m, err = events.Recv(); err != nil {
			return
		}
		select {
		case coming <- m.GetEvents():
		case <-ctx.Done():
			return
		}
	}
}

// pass sends what comes, and signs of life, until no more comes or it is not taken. The browser comes again by itself.
func (s *server) pass(coming <-chan []*vbrv1.Event, out *sender) {
	beat := time.NewTicker(s.beat)
	defer beat.Stop()
	for out.err == nil {
		select {
		case <-beat.C:
			out.write(": alive\n\n")
		case batch, more := <-coming:
			if !more {
				return
			}
			out.events(batch)
		}
	}
}

// sender writes a stream of events. After an error it writes nothing more.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
	err     error
}

// begin ends the time that the request had to come, which is over.
func (o *sender) begin() {
	o.err = o.control.SetReadDeadline(time.Time{})
	o.w.Header().Set("Content-Type", "text/event-stream")
	o.write(fmt.Sprintf("retry: %d\n\n", reconnectMillis))
}

func (o *sender) events(batch []*vbrv1.Event) {
	for _, e := range batch {
		m := words.Event(e)
		text, err := json.Marshal(liveEvent{stampOf(e.GetTime()), clock(e.GetTime()), m.Text, string(m.Tone), e.GetRouter(), e.GetSubject(), e.GetText()})
		if err != nil { // text that is not UTF-8 is none of protobuf's
			continue
		}
		o.write(fmt.Sprintf("id: %d\ndata: %s\n\n", e.GetSequence(), text))
	}
}

// write waits for the browser to take the text, but not forever.
func (o *sender) write(text string) {
	if o.err == nil {
		o.err = o.control.SetWriteDeadline(time.Now().Add(o.within))
	}
	if o.err == nil {
		_, o.err = io.WriteString(o.w, text)
	}
	if o.err == nil {
		o.err = o.control.Flush()
	}
}
