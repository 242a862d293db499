// Package arch holds no code: its test keeps the arrows between the project's packages as docs/architecture.md draws them.
package arch
