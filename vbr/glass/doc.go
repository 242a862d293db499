// Package glass is the looking glass: web pages that show what vbrd does and change nothing. Routers, sessions, routes with search and explain, the quality
// and the traffic of router interfaces, and events as they happen, for a browser without anything from elsewhere.
//
// It is a client of the API like any other, as the caller that the door has found at the other end of the connection (vbr/api, Door): what that caller may not
// see does not exist for it here either. It keeps nothing between requests but open connections. docs/glass.md lists pages and limits.
package glass
