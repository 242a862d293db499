package main

import (
	"log/slog"

	"github.com/openvbr/openvbr/vbr/api"
	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/control"
)

// apiConfig are the settings as package api wants them.
func apiConfig(s *config.Settings, log *slog.Logger) api.Config {
	c := api.Config{
		Socket: s.API.Socket, SocketGroup: s.API.SocketGroup, Listen: s.API.Listen, TLS: api.TLSFiles(s.API.TLS), Rate: s.API.Rate, Log: log,
	}
	roles := map[string]control.Role{"viewer": control.Viewer, "operator": control.Operator, "admin": control.Admin}
	for _, r := range s.API.Roles {
		c.Rules = append(c.Rules, api.Rule{Match: r.Match, Role: roles[r.Role], Owners: r.Owners})
	}
	return c
}
