package main

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// since reads --since: how long ago, in days too, or a time; nothing for nothing.
func (a *app) since(text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return timestamppb.New(a.now().Add(-time.Duration(n) * 24 * time.Hour)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return timestamppb.New(a.now().Add(-d)), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, a.now().Location()); err == nil {
			return timestamppb.New(t), nil
		}
	}
	return nil, usagef("--since %q is no time; legal: how long ago, such as 90m, 24h or 7d, or a time such as 2026-01-31T12:00:00Z", text)
}
