package intent

import (
	"sync"

	"buf.build/go/protovalidate"
)

// validator returns the compiled field rules. They depend on nothing but the schema and take 20 ms to compile, so
// all callers share one; it is safe for concurrent use.
var validator = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })
