// Package resource is the command line's side of resources: the words for their kinds, and the YAML files they are
// read from and written to.
//
// A file holds documents as vbrd's own resource files do: `kind:` and the fields of that message. Values are taken as
// they are written, whatever YAML would guess about them, so that `name: 007` is a name. What values are legal
// is for vbrd to say; Place finds where in the files a field that it refuses stands.
package resource
