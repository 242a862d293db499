package glass

import (
	"context"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// routersOffered is how many routers a form offers by name; others can be typed.
const routersOffered = 1000

// explainBody is the page that explains a prefix.
type explainBody struct {
	Router, Prefix string
	Routers        []string
	Problem        string // with what was asked for
	Answer         *vbrv1.ExplainResponse
}

// Paths are those of the answer.
func (b *explainBody) Paths() []*vbrv1.ExplainedPath { return b.Answer.GetPaths() }

// explainPage explains a prefix or an address. What is wrong with the request is said beside the form, so that it can be mended.
func (s *server) explainPage(ctx context.Context, r *request) (*frame, error) {
	q := r.URL.Query()
	b := &explainBody{Router: clip(strings.TrimSpace(q.Get("router")), longestSearch), Prefix: clip(strings.TrimSpace(q.Get("prefix")), longestPrefix)}
	all, err := r.routers(ctx)
	if err != nil {
		return nil, err
	}
	for _, st := range all[:min(len(all), routersOffered)] {
		b.Routers = append(b.Routers, st.GetName())
	}
	if b.Router == "" && len(all) == 1 {
		b.Router = all[0].GetName()
	}
	f := &frame{Title: "Explain", Section: "explain", Body: b}
	if b.Router == "" || b.Prefix == "" {
		return f, nil
	}
	f.Title = "Explain " + b.Prefix
	b.Answer, err = r.api.Explain(ctx, &vbrv1.ExplainRequest{Router: b.Router, Destination: b.Prefix})
	if code := status.Code(err); code == codes.InvalidArgument || code == codes.NotFound {
		b.Problem, err = status.Convert(err).Message(), nil
		f.Code = answers[code]
	}
	return f, err
}
