// Package top is the live view of vbrctl top: routers or sessions, sorted, with their rates. Model is pure but for the
// source it asks, and is tested without a terminal.
package top
