package source

import "fmt"

// Kind says what a Node is.
type Kind uint8

// The kinds of nodes.
const (
	Null   Kind = iota // nothing written: "key:" or "key: null"
	Scalar             // text, number or boolean; Text holds it as written
	Map                // Entries
	List               // Items
)

// String names the kind as an operator would.
func (k Kind) String() string {
	return [...]string{"no value", "a single value", "a mapping", "a list"}[k]
}

// Node is one value of a document. Scalars keep their text as written: whether "100" is a number is for the schema
// to say, not for YAML's guess, so `name: 007` and `owner: no` mean what they look like.
type Node struct {
	Pos     Pos
	Kind    Kind
	Text    string // Scalar
	Entries []Entry
	Items   []*Node
}

// Entry is one key of a mapping.
type Entry struct {
	Key    string
	KeyPos Pos
	Value  *Node
}

// Get returns the first value of key, nil when there is none or the node is no mapping.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.Entries {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// Describe renders the node for the Value of a Problem.
func (n *Node) Describe() string {
	switch n.Kind {
	case Scalar:
		return Quote(n.Text)
	case List:
		return fmt.Sprintf("a list of %d", len(n.Items))
	case Map:
		return fmt.Sprintf("a mapping of %d keys", len(n.Entries))
	}
	return n.Kind.String()
}
