// Package control is the desired state in one piece: resources from this host's files and from the store, read,
// changed, watched and rolled back through one Controller.
//
// A change goes one way: the head of the store is read, the change is drafted on it, the whole is checked, the plan is
// made, and the new revision is appended, which is durable or did not happen. Only then is it handed to the Runner, by
// Run's own goroutine: what was appended is realised even if the process is killed in between, since Run begins
// with the head. Who gets a conflict from the store begins again with the new head.
//
// A state (state.go) is immutable; every change makes a new one. The names of files and stored resources share one
// space; where a stored one clashes with a file it is left out, said by Status and an event, and kept in the store.
//
// The package knows nothing of gRPC servers, of how a caller proved who it is, or of what routers do; its errors are gRPC
// statuses since they are made for the API.
package control
