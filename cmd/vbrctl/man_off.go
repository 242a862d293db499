//go:build !man

package main

import "github.com/spf13/cobra"

// manCmd is none: only a vbrctl that is built with the tag man writes its manual pages.
func (a *app) manCmd() []*cobra.Command { return nil }
