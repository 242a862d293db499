package glass

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const (
	routersPerPage = 200
	longestSearch  = 100 // characters
)

// routersBody is the page of all routers.
type routersBody struct {
	Search string
	Rows   []routerRow
	Found  int
	Pager  pager
}

// routerRow is a router with its session that is nearest to its quota; nil where none has any.
type routerRow struct {
	*vbrv1.RouterStatus
	Fullest *vbrv1.BgpSession
}

// pager leads to the pages before and after one; an empty link is none.
type pager struct {
	Page           int // from 1
	Before, Behind string
}

// pageOf reads which page of a list is asked for, from 1 to most.
func pageOf(q url.Values, most int) int {
	n, err := strconv.Atoi(q.Get("page"))
	if err != nil {
		return 1
	}
	return min(max(n, 1), most)
}

// newPager makes the links of a list with so many pages, with the other parameters kept.
func newPager(q url.Values, page, pages int) pager {
	link := func(n int) string {
		if n < 1 || n > pages {
			return ""
		}
		v := make(url.Values)
		for key, values := range q {
			if key != "page" && len(values) > 0 && values[0] != "" {
				v.Set(key, values[0])
			}
		}
		v.Set("page", strconv.Itoa(n))
		return "?" + v.Encode()
	}
	return pager{Page: page, Before: link(page - 1), Behind: link(page + 1)}
}

func (s *server) routersPage(ctx context.Context, r *request) (*frame, error) {
	all, err := r.routers(ctx)
	if err != nil {
		return nil, err
	}
	sessions, err := r.sessions(ctx, "")
	if err != nil {
		return nil, err
	}
	fullest := fullestOf(sessions)
	q := r.URL.Query()
	b := &routersBody{Search: clip(q.Get("search"), longestSearch)}
	var found []routerRow
	for _, st := range all {
		if matches(st, b.Search) {
			found = append(found, routerRow{st, fullest[st.GetName()]})
		}
	}
	pages := max(1, (len(found)+routersPerPage-1)/routersPerPage)
	page := pageOf(q, pages)
	b.Found, b.Pager = len(found), newPager(q, page, pages)
	b.Rows = found[(page-1)*routersPerPage : min(page*routersPerPage, len(found))]
	return &frame{Title: "Routers", Section: "routers", Refresh: true, Body: b}, nil
}

// matches says whether a router's name, owner or state has the text.
func matches(st *vbrv1.RouterStatus, text string) bool {
	text = strings.ToLower(text)
	for _, of := range []string{st.GetName(), st.GetOwner(), words.RouterState(st).Text} {
		if strings.Contains(strings.ToLower(of), text) {
			return true
		}
	}
	return false
}

// fullestOf has of each router with a quota the session that has used up most of its own.
func fullestOf(sessions []*vbrv1.BgpSession) map[string]*vbrv1.BgpSession {
	out := make(map[string]*vbrv1.BgpSession)
	for _, s := range sessions {
		if s.GetRouteQuota() == 0 {
			continue
		}
		if old := out[s.GetRouter()]; old == nil || percent(s.GetRouteQuotaUsed(), s.GetRouteQuota()) > percent(old.GetRouteQuotaUsed(), old.GetRouteQuota()) {
			out[s.GetRouter()] = s
		}
	}
	return out
}

// clip is the text up to so many characters.
func clip(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}
