package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// found is a text that the source has for people: its form, in which ... stands for what is filled in, and its place.
type found struct{ form, place string }

// look is a place where such texts are: in these files (a pattern from the root, without tests) what pick takes of each node.
type look struct {
	files string
	pick  func(ast.Node) []ast.Expr
}

// textsOf are the texts of all looks, sorted, each form once. Each look has to find some.
func textsOf(t *testing.T, looks ...look) (out []found) {
	t.Helper()
	for _, l := range looks {
		texts := textsAt(t, l)
		if len(texts) == 0 {
			t.Errorf("%s: no text is where this test looks for it", l.files)
		}
		out = append(out, texts...)
	}
	slices.SortStableFunc(out, func(a, b found) int { return strings.Compare(a.form, b.form) })
	return slices.CompactFunc(out, func(a, b found) bool { return a.form == b.form })
}

func textsAt(t *testing.T, l look) (out []found) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, l.files))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no such files (%v)", l.files, err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			out = append(out, textsIn(t, name, l.pick)...)
		}
	}
	return out
}

func textsIn(t *testing.T, name string, pick func(ast.Node) []ast.Expr) (out []found) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		for _, e := range pick(n) {
			for _, form := range formsIn(e) {
				place, _ := filepath.Rel(root, name)
				out = append(out, found{form, place + ":" + strconv.Itoa(files.Position(e.Pos()).Line)})
			}
		}
		return true
	})
	return out
}

// formsIn are the forms of the strings in an expression that say something: those with a letter.
func formsIn(n ast.Node) (forms []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		form, isText := formOf(e)
		if isText && strings.ContainsFunc(form, func(r rune) bool { return r >= 'a' && r <= 'z' }) {
			forms = append(forms, form)
		}
		return !isText
	})
	return forms
}

var (
	verb   = regexp.MustCompile(`%[-+# 0-9.*\[\]]*[a-zA-Z]`)
	upTo   = regexp.MustCompile(`(\d)\.{5}`)
	filled = regexp.MustCompile(`\.{6,}`)
)

// formOf is the form of a string: a literal, a sum with one, or a call of fmt.Sprintf and its like.
func formOf(e ast.Expr) (form string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok1 := formOf(e.X)
		right, ok2 := formOf(e.Y)
		if e.Op != token.ADD || !ok1 && !ok2 {
			return "", false
		}
		if !ok1 {
			left = "..."
		}
		if !ok2 {
			right = "..."
		}
		return filled.ReplaceAllString(left+right, "..."), true
	case *ast.CallExpr:
		if name := nameOf(e.Fun); len(e.Args) == 0 || name != "Sprintf" && name != "Errorf" {
			return "", false
		}
		form, ok = formOf(e.Args[0])
		form = strings.ReplaceAll(verb.ReplaceAllStringFunc(strings.ReplaceAll(form, "%%", "\x00"), func(v string) string {
			if strings.HasSuffix(v, "q") {
				return `"..."`
			}
			return "..."
		}), "\x00", "%")
		form = upTo.ReplaceAllString(strings.ReplaceAll(form, "........", "N..M"), "$1..N") // %d..%d, 0..%d
		return form, ok
	}
	return "", false
}

// nameOf is the last part of what is called: "Errorf" of status.Errorf.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.UnaryExpr:
		return nameOf(e.X)
	}
	return ""
}

// argument picks one argument of the calls of a function or method of that name.
func argument(name string, i int) func(ast.Node) []ast.Expr {
	return func(n ast.Node) []ast.Expr {
		if c, ok := n.(*ast.CallExpr); ok && nameOf(c.Fun) == name && i < len(c.Args) {
			return c.Args[i : i+1]
		}
		return nil
	}
}

// within picks all that the functions of these names say.
func within(names ...string) func(ast.Node) []ast.Expr {
	return func(n ast.Node) []ast.Expr {
		f, ok := n.(*ast.FuncDecl)
		if !ok || !slices.Contains(names, f.Name.Name) {
			return nil
		}
		return said(f.Body)
	}
}

// said are the expressions at which a function's texts begin.
func said(body ast.Node) (out []ast.Expr) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name := nameOf(n.Fun); slices.Contains([]string{"Join", "Info", "Warn", "Error", "Debug", "Format"}, name) {
				return false // separators, and what is for the log
			}
		case *ast.CaseClause:
			for _, s := range n.Body {
				out = append(out, said(s)...)
			}
			return false
		}
		if e, ok := n.(ast.Expr); ok {
			if _, isText := formOf(e); isText {
				out = append(out, e)
				return false
			}
		}
		return true
	})
	return out
}

// literal picks a field of the composite literals of a type, by name or by place.
func literal(typ, field string, i int) func(ast.Node) []ast.Expr {
	return func(n ast.Node) []ast.Expr {
		c, ok := n.(*ast.CompositeLit)
		if !ok || c.Type == nil || nameOf(c.Type) != typ {
			return nil
		}
		for _, e := range c.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && nameOf(kv.Key) == field {
				return []ast.Expr{kv.Value}
			} else if ok {
				i = len(c.Elts)
			}
		}
		if i < len(c.Elts) {
			return c.Elts[i : i+1]
		}
		return nil
	}
}

// coded picks what is said with a gRPC code: of calls that have codes.NAME among their arguments, those behind it.
func coded(code string) func(ast.Node) []ast.Expr {
	return func(n ast.Node) []ast.Expr {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return nil
		}
		for i, a := range c.Args {
			s, ok := a.(*ast.SelectorExpr)
			if x, isIdent := identOf(s, ok); isIdent && x == "codes" && s.Sel.Name == code {
				return formatted(c, i)
			}
		}
		return nil
	}
}

func identOf(s *ast.SelectorExpr, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return "", false
	}
	return x.Name, true
}

// formatted is what a call says with its code as argument at: status.Errorf and fail have a format behind it, others text.
func formatted(c *ast.CallExpr, at int) []ast.Expr {
	switch nameOf(c.Fun) {
	case "Errorf", "Newf", "fail":
		sprintf := &ast.CallExpr{Fun: ast.NewIdent("Sprintf"), Lparen: c.Pos(), Args: c.Args[at+1 : at+2]}
		sprintf.Fun.(*ast.Ident).NamePos = c.Pos()
		return []ast.Expr{sprintf}
	case "within":
		return c.Args[:at]
	case "refuse":
		return nil // problems: they have a section of their own
	}
	return c.Args[at+1:]
}

// codesIn are the names of all gRPC codes that files use.
func codesIn(t *testing.T, patterns ...string) (names []string) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no such files (%v)", pattern, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if x, isIdent := identOf(s, ok); isIdent && x == "codes" && s.Sel.Name != "Code" {
					names = append(names, s.Sel.Name)
				}
				return true
			})
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
