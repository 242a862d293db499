// Package intent is the desired state: what the operator wants to exist, read, checked and typed.
//
// The way in is YAML text (Load, Parse) or protobuf messages of proto/vbr/v1 (New). Both end in an Intent, plain
// Go values with netip addresses, or in Errors, every one at once, each with file, line, column, path, value and
// legal range. An Intent handed out is always whole: what is wrong in one resource refuses all.
//
// Three layers check, each in its own place. The schema walk (decode.go) finds unknown keys and wrong types. The
// field rules are protovalidate constraints in the .proto (rules.go turns their violations into positions). What
// concerns several fields or several resources is Go here (check*.go). All of it is pure; only Load, ReadKey and
// what HostFacts does look at the machine.
//
// The package knows nothing of the kernel, of BGP or of what is running now; vbr does.
package intent
