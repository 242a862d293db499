// Package vbrv1 is the schema of OpenVBR's resources: the Go code generated of the .proto files, and what puts a
// resource of any kind into a Resource and out of it.
//
// The .proto files are the reference of every field: its meaning, unit, range, default and Express Connect name.
// Their field rules are protovalidate constraints. Reading YAML, rules across fields and resources, and typed Go
// values (netip) are in vbr/intent. proto/buf.sh rebuilds the generated code.
package vbrv1
