package glass

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

//go:embed pages static
var files embed.FS

// pages are the templates by name, and what they refer to.
type pages struct {
	templates map[string]*template.Template
	static    http.Handler
}

func readPages() (pages, error) {
	p := pages{templates: make(map[string]*template.Template)}
	for _, name := range []string{"routers", "router", "routes", "explain", "events", "error"} {
		t, err := template.New("frame.html").Funcs(functions()).ParseFS(files, "pages/frame.html", "pages/parts.html", "pages/"+name+".html")
		if err != nil {
			return p, fmt.Errorf("glass: %w", err)
		}
		p.templates[name] = t
	}
	tags := make(map[string]string)
	err := fs.WalkDir(files, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		sum := sha256.Sum256(text)
		tags["/"+path] = `"` + hex.EncodeToString(sum[:8]) + `"`
		return err
	})
	if err != nil {
		return p, fmt.Errorf("glass: %w", err)
	}
	from := http.FileServerFS(files)
	p.static = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tag, is := tags[r.URL.Path]
		if !is { // no listings
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache")
		from.ServeHTTP(w, r)
	})
	return p, nil
}

// request is one request for a page, with its caller.
type request struct {
	*http.Request
	api vbrv1.RouterServiceClient
	who string
	now time.Time
}

// frame is what surrounds a page.
type frame struct {
	Title   string
	Section string // of the navigation
	Refresh bool   // it may be asked for again and again
	Code    int    // of HTTP; 0: OK
	Body    any

	Host *vbrv1.GetHostResponse // nil where it is not known
	Who  string
	Now  time.Time
}

var errNoPage = status.Error(codes.NotFound, "there is no such page")

// page answers with the page of a name.
func (s *server) page(name string, body func(context.Context, *request) (*frame, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), askWithin)
		defer cancel()
		req, err := s.enter(r)
		if err != nil {
			s.fail(w, r, nil, err)
			return
		}
		select {
		case s.turns <- struct{}{}:
			defer func() { <-s.turns }()
		case <-ctx.Done():
			s.fail(w, r, req, status.Error(codes.Unavailable, "too many pages are being made; try again"))
			return
		}
		f, err := body(ctx, req)
		if err == nil {
			f.Host, err = req.api.GetHost(ctx, &vbrv1.GetHostRequest{})
		}
		var to redirect
		switch {
		case errors.As(err, &to):
			http.Redirect(w, r, to.path, http.StatusSeeOther)
		case err != nil:
			s.fail(w, r, req, err)
		default:
			s.write(w, r, req, name, cmp.Or(f.Code, http.StatusOK), f)
		}
	})
}

// redirect is the answer that another page has what was asked for.
type redirect struct{ path string }

func (r redirect) Error() string { return "see " + r.path }

func (s *server) enter(r *http.Request) (*request, error) {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	g, err := v.enter(s.door)
	if err != nil {
		s.log.Debug("glass: not let in", "from", r.RemoteAddr, "err", err)
		return nil, status.Error(codes.Unauthenticated, "vbrd cannot tell who you are; try again")
	}
	return &request{Request: r, api: vbrv1.NewRouterServiceClient(g), who: g.Name, now: time.Now()}, nil
}

// write writes a page. Its template fails before anything is written, or not at all.
func (s *server) write(w http.ResponseWriter, r *http.Request, req *request, name string, code int, f *frame) {
	f.Now = time.Now()
	if req != nil {
		f.Who = req.who
	}
	var b bytes.Buffer
	if err := s.pages.templates[name].Execute(&b, f); err != nil {
		s.log.Error("glass: page not made", "page", name, "err", err)
		http.Error(w, "internal error; vbrd's log has it", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(b.Len()))
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // who does not take it is gone
	}
}

// answers are the statuses of HTTP for those of gRPC.
var answers = map[codes.Code]int{
	codes.NotFound: http.StatusNotFound, codes.InvalidArgument: http.StatusBadRequest, codes.PermissionDenied: http.StatusForbidden,
	codes.Unauthenticated: http.StatusForbidden, codes.ResourceExhausted: http.StatusTooManyRequests, codes.Unavailable: http.StatusServiceUnavailable,
	codes.DeadlineExceeded: http.StatusGatewayTimeout, codes.FailedPrecondition: http.StatusConflict, codes.Canceled: http.StatusServiceUnavailable,
}

// fail answers with an error, in the API's words.
func (s *server) fail(w http.ResponseWriter, r *http.Request, req *request, err error) {
	code, known := answers[status.Code(err)]
	text := status.Convert(err).Message()
	if !known {
		code = http.StatusInternalServerError
	}
	if code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	s.write(w, r, req, "error", code, &frame{Title: http.StatusText(code), Body: text})
}
