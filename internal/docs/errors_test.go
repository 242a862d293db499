package docs

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openvbr/openvbr/vbr/rib"
)

const errorsPage = root + "/docs/errors.md"

func readErrorsPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(errorsPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is a table of docs/errors.md whose first column is what these places of the source say, each once.
type section struct {
	title string
	words int // forms with fewer are parts of others
	looks []look
}

var errorSections = []section{
	{"Why a prefix is not in the kernel", 2, []look{
		{"vbr/explain_told.go", within("refusalText", "notInstalled")},
		{"vbr/explain.go", within("nothing", "goneText")},
	}},
	{"Why a path is not used", 1, []look{
		{"vbr/explain.go", within("pathWhy")},
		{"vbr/rib/step.go", stepRules},
	}},
	{"Why a neighbour is not told", 2, []look{
		{"vbr/explain_told.go", within("toldVPC", "toldPeer", "notTold", "waitText")},
		{"vbr/export.go", within("exportDenies")},
		{"vbr/explain.go", shutText},
		{"bgp/internal/wire/withheld.go", within("Withheld")},
		{"bgp/internal/out/encode.go", valueOf("TooLong")},
		{"bgp/internal/out/encode.go", valueOf("HopUnknown")},
		{"bgp/internal/out/encode.go", valueOf("Stale")},
		{"vbr/heard.go", within("unheard", "notForCustomer")},
	}},
	{"Why a router is degraded", 1, []look{
		{"vbr/*.go", argument("degrade", 0)},
		{"vbr/alive.go", valueOf("actorTrouble")},
	}},
	{"Why a router interface is not Active", 2, []look{
		{"vbr/ristate.go", within("event")},
		{"vbr/interfaces.go", within("facts", "oppositeOf")},
		{"vbr/presence.go", within("judge", "stranger", "opposite")},
	}},
	{"Why a session is down", 2, []look{
		{"bgp/internal/gobgp/reason.go", within("reasonText", "ended", "notificationIn")},
		{"bgp/internal/gobgp/log.go", within("refine", "take")},
		{"bgp/internal/gobgp/conn.go", argument("blame", 0)},
		{"bgp/internal/gobgp/dial.go", argument("failed", 1)},
		{"bgp/internal/gobgp/far.go", within("reason")},
		{"bgp/internal/gobgp/events.go", valueOf("reason")},
		{"vbr/quota.go", argument("cutOff", 4)},
	}},
	{"What is wrong with the host", 2, []look{
		{"vbr/observe.go", within("Status", "orUnknown")},
		{"vbr/backbone.go", valueOf("trouble")},
		{"vbr/drain.go", valueOf("problem")},
		{"vbr/control/*.go", argument("trouble", 1)},
		{"vbr/control/load.go", argument("losing", 0)},
		{"vbr/control/load.go", valueOf("text")},
		{"vbr/control/confirm.go", valueOf("text")},
		{"vbr/control/status.go", within("Status")},
		{"vbr/intent/store/*.go", argument("problem", 0)},
		{"vbr/intent/store/*.go", valueOf("worn")},
	}},
}

// Where the API's answers are made.
var answers = []string{"vbr/api/*.go", "vbr/control/*.go"}

// TestErrors: docs/errors.md has each text that an operator may meet, and none that there is not any more.
func TestErrors(t *testing.T) {
	page := readErrorsPage(t)
	for _, s := range errorSections {
		compare(t, page, s.title, s.words, textsOf(t, s.looks...))
	}
	for _, code := range slices.DeleteFunc(codesIn(t, answers...), func(name string) bool { return name == "OK" }) {
		looks := []look{{answers[0], coded(code)}, {answers[1], coded(code)}}
		switch code {
		case "FailedPrecondition":
			looks = append(looks, look{"vbr/*.go", literal("RefusedError", "Why", 0)})
		case "InvalidArgument":
			looks = append(looks, look{"vbr/*.go", literal("RequestError", "Legal", 2)})
		case "ResourceExhausted":
			looks = append(looks, look{"vbr/shot.go", within("Error")})
		}
		var texts []found
		for _, l := range looks {
			texts = append(texts, textsAt(t, l)...)
		}
		compare(t, page, statusName(code), 2, texts)
	}
}

// statusName is how gRPC writes a code: FAILED_PRECONDITION.
func statusName(code string) string {
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(code, "${1}_$2"))
}

// compare holds the first column of the tables of a section to the texts of the source.
func compare(t *testing.T, page, title string, words int, texts []found) {
	t.Helper()
	rows := Rows(page, title)
	if len(rows) == 0 {
		t.Errorf("docs/errors.md has no table below %q", title)
		return
	}
	documented := make(map[string]bool)
	for _, row := range rows {
		if code := Code(row[0]); code != "" && strings.HasPrefix(row[0], "`") && strings.HasSuffix(row[0], "`") {
			documented[code] = true
		}
	}
	for _, x := range texts {
		if form := bare(x.form); len(wordsIn.FindAllString(form, -1)) >= words && !documented[form] {
			t.Errorf("docs/errors.md, %q: no row for `%s` (%s)", title, form, x.place)
		}
	}
	for code := range documented {
		if !slices.ContainsFunc(texts, func(x found) bool { return bare(x.form) == code }) {
			t.Errorf("docs/errors.md, %q: nothing says `%s` any more", title, code)
		}
	}
}

// bare is a form without what joins it to others; what a colon announces is there.
func bare(form string) string {
	form = strings.Trim(form, "; \n")
	if strings.HasSuffix(form, ":") {
		form += " ..."
	}
	return form
}

var wordsIn = regexp.MustCompile(`[A-Za-z]+`)

// valueOf picks what is assigned to variables, fields and constants of that name.
func valueOf(name string) func(ast.Node) []ast.Expr {
	return func(n ast.Node) (out []ast.Expr) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if nameOf(l) == name && i < len(n.Rhs) {
					out = append(out, n.Rhs[i])
				}
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				if id.Name == name && i < len(n.Values) {
					out = append(out, n.Values[i])
				}
			}
		}
		return out
	}
}

// shutText picks what explain says of a router interface that is not in use.
func shutText(n ast.Node) []ast.Expr {
	if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == 1 {
		if x, ok := a.Lhs[0].(*ast.IndexExpr); ok && nameOf(x.X) == "shut" {
			return a.Rhs
		}
	}
	return nil
}

// stepRules picks what the steps of the decision compare.
func stepRules(n ast.Node) (out []ast.Expr) {
	v, ok := n.(*ast.ValueSpec)
	if !ok || v.Names[0].Name != "stepTexts" {
		return nil
	}
	for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
		out = append(out, e.(*ast.KeyValueExpr).Value.(*ast.CompositeLit).Elts[1])
	}
	return out
}

// TestExitStatuses: docs/errors.md has each exit status of the two programs.
func TestExitStatuses(t *testing.T) {
	rows := Rows(readErrorsPage(t), "Exit statuses")
	for column, program := range []string{"vbrd", "vbrctl"} {
		statuses := sources(t, "cmd/"+program+"/main.go", `(?m)^\texit[A-Z]\w* += (\d)$`)
		if len(statuses) < 4 {
			t.Errorf("%s: exit statuses %v", program, statuses)
		}
		for _, row := range rows[min(1, len(rows)):] {
			if has := slices.Contains(statuses, row[0]); has != (row[1+column] != "-") {
				t.Errorf("status %s of %s: documented as %q, in the source: %v", row[0], program, row[1+column], has)
			}
		}
		if len(rows)-1 < len(statuses) {
			t.Errorf("%d statuses are documented, %s has %v", len(rows)-1, program, statuses)
		}
	}
}

// TestRejectReasons: docs/errors.md has each reason for which a route is rejected, and the words of each.
func TestRejectReasons(t *testing.T) {
	rows := Rows(readErrorsPage(t), "Why a route is rejected")
	var documented []string
	all := ""
	for _, row := range rows[min(1, len(rows)):] {
		documented = append(documented, Code(row[0]))
		all += row[1] + "\n"
	}
	for _, reason := range rib.Reasons() {
		if !slices.Contains(documented, reason) {
			t.Errorf("docs/errors.md does not have %s", reason)
		}
	}
	if len(documented) != len(rib.Reasons()) {
		t.Errorf("docs/errors.md has %d reasons, there are %d: %v", len(documented), len(rib.Reasons()), rib.Reasons())
	}
	for _, x := range textsOf(t, look{"vbr/rib/reason.go", within("reason")}) {
		if !strings.Contains(all, "`"+x.form+"`") {
			t.Errorf("docs/errors.md, %q: no `%s` (%s)", "Why a route is rejected", x.form, x.place)
		}
	}
}

// TestResourceErrors: the list of what may be wrong with a resource is that of the source.
func TestResourceErrors(t *testing.T) {
	var rows []string
	for _, x := range append(textsOf(t, look{"vbr/intent/*.go", problemOf("fail", 4, 5)}, look{"vbr/intent/*.go", problemOf("failDoc", 2, 3)},
		look{"vbr/intent/*.go", problemOf("", 0, 0)}, look{"vbr/intent/source/*.go", problemOf("", 0, 0)}, look{"vbr/control/*.go", problemOf("", 0, 0)}), fieldRules(t)...) {
		what, legal, _ := strings.Cut(x.form, "; legal: ")
		if wordsIn.MatchString(strings.ReplaceAll(what, "...", "")) {
			if legal == "..." {
				legal = "" // made of what there is
			}
			rows = append(rows, fmt.Sprintf("| %s | %s |\n", span(what), span(legal)))
		}
	}
	slices.Sort(rows)
	CheckGenerated(t, errorsPage, "TestResourceErrors", "| what is wrong | legal |\n|---|---|\n"+strings.Join(slices.Compact(rows), ""))
}

// span is text as code, with double quotes of the span if it has backquotes.
func span(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "|", `\|`)
	switch {
	case text == "":
		return ""
	case strings.Contains(text, "`"):
		return "`` " + text + " ``"
	}
	return "`" + text + "`"
}

// fieldRules are those of the schema.
func fieldRules(t *testing.T) (out []found) {
	t.Helper()
	text, err := os.ReadFile(root + "/proto/vbr/v1/resources.proto")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s+message: "(.*)"$`).FindAllStringSubmatch(string(text), -1) {
		out = append(out, found{form: strings.ReplaceAll(m[1], `\"`, `"`)})
	}
	if len(out) < 50 {
		t.Errorf("only %d field rules found", len(out))
	}
	return out
}

// problemOf picks problems, text and legal in one: of calls of a function, by the places of both, or of literals of source.Problem.
func problemOf(call string, text, legal int) func(ast.Node) []ast.Expr {
	join := func(text, legal ast.Expr) []ast.Expr {
		what, _ := formOf(text)
		right, ok := "", false
		if legal != nil {
			if right, ok = formOf(legal); !ok {
				right = "..."
			}
		}
		return []ast.Expr{&ast.BasicLit{ValuePos: text.Pos(), Kind: token.STRING, Value: fmt.Sprintf("%q", what+"; legal: "+right)}}
	}
	return func(n ast.Node) []ast.Expr {
		if c, ok := n.(*ast.CallExpr); ok && call != "" && nameOf(c.Fun) == call && legal < len(c.Args) {
			return join(c.Args[text], c.Args[legal])
		}
		l, ok := n.(*ast.CompositeLit)
		if !ok || call != "" {
			return nil
		}
		fields := make(map[string]ast.Expr)
		for _, e := range l.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				fields[nameOf(kv.Key)] = kv.Value
			}
		}
		if fields["Text"] == nil || l.Type != nil && nameOf(l.Type) != "Problem" {
			return nil
		}
		return join(fields["Text"], fields["Legal"])
	}
}
