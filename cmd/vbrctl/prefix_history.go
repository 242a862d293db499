package main

import (
	"context"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// prefixHistory shows what happened to a prefix at a router.
func (a *app) prefixHistory(ctx context.Context, router, prefix string) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	name, err := a.router(ctx, router)
	if err != nil {
		return err
	}
	answer, err := call(ctx, a, c.Routers.GetPrefixHistory, &vbrv1.GetPrefixHistoryRequest{Router: name, Prefix: prefix})
	switch {
	case err != nil:
		return a.aboutRouter(ctx, name, err)
	case a.forPrograms():
		return output.Document(a.stdout, a.output(), answer)
	}
	return a.page(a.stdout).PrefixHistory(answer)
}
