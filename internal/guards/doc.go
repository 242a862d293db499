// Package guards proves that no guard against hostile input, or against another tenant, can be taken out without a test that goes red: a list of guards,
// each with the smallest edit of the source that takes it out and the test that must then fail. `make test-guards` makes each edit in a copy that only the
// compiler sees (go test -overlay) and runs the one test. It has nothing of the product's, and changes nothing in the tree.
package guards
