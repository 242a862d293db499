// Package docs reads the documents of this repository for the tests that hold them to the code: which blocks they have, which of them are
// commands and what these print, where their links lead. It runs nothing itself: TestGuide (internal/e2e) and TestQuickstart
// (internal/e2e/admin) do, and the tests of this package see that every document's commands are run by one of them or say why not.
package docs
