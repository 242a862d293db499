// Package output writes messages of the API as JSON and YAML documents.
//
// JSON is protojson with the names of the .proto files (so 64-bit numbers are strings, as protojson has them), and fields
// that are zero are written too, so that scripts need not know which. It is the same on every run, which
// protojson's own spacing is not.
package output
