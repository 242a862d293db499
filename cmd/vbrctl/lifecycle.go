package main

import (
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const (
	kindVBR = vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER
	kindRI  = vbrv1.Kind_KIND_ROUTER_INTERFACE
)

func (a *app) confirmVBRCmd() *cobra.Command {
	return a.editCmd(&cobra.Command{
		Use:   "confirm-vbr VBR",
		Short: "Take a VBR that the owner of a line made for you",
		Long: `Confirm-vbr sets confirmed: true on a VBR that the owner of a physical connection made for your account. Nothing of it runs before.
Only the VBR's owner may, and an admin. (vbrctl confirm is for changes that are to be rolled back otherwise.)`,
		Example: `  vbrctl confirm-vbr vbr-acme
  vbrctl confirm-vbr vbr-acme -m "as ordered" --wait`,
	}, edit{kindVBR, "%s needs no confirmation", func(c vbrv1.Content) {
		if m, ok := c.(*vbrv1.VirtualBorderRouter); ok && m.Confirmed != nil {
			m.Confirmed = proto.Bool(true)
		}
	}})
}

func (a *app) terminateCmd() *cobra.Command {
	return a.editCmd(&cobra.Command{
		Use:   "terminate VBR",
		Short: "Take a VBR on your line out of service",
		Long: `Terminate sets termination_time: nothing of the VBR runs any more. It is terminating until the kernel has nothing of it, then terminated
(vbrctl show routers, vbrctl events). It stays stored, and its VLAN stays its own for seven days.
Only the owner of the physical connection may, and an admin.`,
		Example: `  vbrctl terminate vbr-acme --dry-run
  vbrctl terminate vbr-acme -m "contract ended"`,
	}, edit{kindVBR, "%s is terminated already", func(c vbrv1.Content) {
		if m, ok := c.(*vbrv1.VirtualBorderRouter); ok && m.GetTerminationTime() == "" {
			m.TerminationTime = a.now().UTC().Format(time.RFC3339)
		}
	}})
}

func (a *app) recoverCmd() *cobra.Command {
	return a.editCmd(&cobra.Command{
		Use:   "recover VBR",
		Short: "Put a terminated VBR back into service",
		Long: `Recover clears termination_time: the VBR is recovering until it runs, then active. It is refused when its VLAN is another's by now, more than seven days
after it was terminated. Only the owner of the physical connection may, and an admin.`,
		Example: `  vbrctl recover vbr-acme
  vbrctl recover vbr-acme --wait`,
	}, edit{kindVBR, "%s is not terminated", func(c vbrv1.Content) {
		if m, ok := c.(*vbrv1.VirtualBorderRouter); ok {
			m.TerminationTime = ""
		}
	}})
}

func (a *app) activateCmd() *cobra.Command {
	return a.editCmd(&cobra.Command{
		Use:   "activate RI",
		Short: "Put a router interface back into service",
		Long:  "Activate clears deactivated: routes flow again once the other end is in service too.",
		Example: `  vbrctl activate ri-acme
  vbrctl activate ri-acme --wait`,
	}, deactivation(false, "%s is in service already"))
}

func (a *app) deactivateCmd() *cobra.Command {
	return a.editCmd(&cobra.Command{
		Use:   "deactivate RI",
		Short: "Take a router interface out of service",
		Long:  "Deactivate sets deactivated: no route flows through the pair in either direction, at both ends, until activate.",
		Example: `  vbrctl deactivate ri-acme --dry-run
  vbrctl deactivate ri-acme --confirm 5m`,
	}, deactivation(true, "%s is out of service already"))
}

func deactivation(to bool, already string) edit {
	return edit{kindRI, already, func(c vbrv1.Content) {
		if m, ok := c.(*vbrv1.RouterInterface); ok {
			m.Deactivated = to
		}
	}}
}
