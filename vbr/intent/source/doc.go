// Package source reads YAML text into trees that know where each value stands, and collects what is wrong with
// them as a list of problems an operator can act on: file, line, column, path, value, reason, legal range.
//
// It knows no schema: vbr/intent and vbr/config put theirs on top. It is not a full YAML processor. Anchors, aliases,
// tags, merge keys and keys that are not plain words are refused: they have no use in settings of this size,
// and without them a small file cannot unfold into a large one.
//
// Limits: 8 MiB a file (MaxFileSize), 10,000 documents a file (MaxDocuments), 64 KiB a document (MaxDocumentSize),
// 32 levels of nesting (MaxDepth). Documents are parsed one at a time, so that a syntax error in one does not hide
// the problems of the others, and the parser's worst case stays small.
package source
