package main

import (
	"log/slog"
	"net"

	"github.com/openvbr/openvbr/vbr/api"
	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/metrics"
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

// beside opens what is served beside the API: the metrics, and the looking glass by a door of the API's; nil for what the settings do not ask for.
func beside(s *config.Settings, server *api.Server) (scrapes net.Listener, door *api.Door, err error) {
	if s.Metrics != "" {
		if scrapes, err = metrics.Listen(s.Metrics); err != nil {
			return nil, nil, err
		}
	}
	if s.Glass != "" {
		if door, err = server.Door(s.Glass, "glass.listen"); err != nil {
			closeBeside(scrapes, nil)
			return nil, nil, err
		}
	}
	return scrapes, door, nil
}

// closeBeside closes them; what served is closed by its end already.
func closeBeside(scrapes net.Listener, door *api.Door) {
	if scrapes != nil {
		_ = scrapes.Close()
	}
	if door != nil {
		_ = door.Close()
	}
}
