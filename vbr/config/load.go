package config

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// Input is where settings come from.
type Input struct {
	Args     []string               // command line without the program's name
	Env      []string               // as os.Environ gives it
	Hostname func() (string, error) // os.Hostname; called when no source names the host
}

// loader gathers the sources and remembers where each value came from.
type loader struct {
	in       Input
	v        *viper.Viper
	flags    *pflag.FlagSet
	places   map[string]spot // by dotted path
	problems intent.Errors
}

// spot is where a value came from and how it was written.
type spot struct {
	pos  source.Pos
	text string
}

// Load merges the sources into Settings. With any error there are no Settings. --help and --version look at nothing
// but the flags.
func Load(in Input) (*Settings, intent.Errors) {
	l := &loader{in: in, v: viper.NewWithOptions(viper.KeyDelimiter(delimiter)), flags: flags(), places: map[string]spot{}}
	action := l.parseFlags()
	if len(l.problems) == 0 && (action == Help || action == Version) {
		return &Settings{Action: action}, nil
	}
	for _, k := range keys() {
		if k.shape == scalar {
			l.v.SetDefault(k.path, k.value)
		}
	}
	file := l.file(action)
	l.environment()
	l.overrides()
	var r raw
	if err := l.v.UnmarshalExact(&r); err != nil { // the walk of the file lets nothing through that does not fit
		l.problems.Add(source.Problem{Text: "settings do not fit: " + err.Error()})
	}
	s := l.settings(&r)
	s.File, s.Action = file, action
	if len(l.problems) > 0 {
		l.problems.Sort()
		return nil, l.problems
	}
	return s, nil
}

// parseFlags reads the command line; unknown flags are all reported.
func (l *loader) parseFlags() Action {
	l.unknownFlags()
	l.flags.ParseErrorsAllowlist.UnknownFlags = true
	if err := l.flags.Parse(l.in.Args); err != nil {
		l.problems.Add(source.Problem{Text: "command line: " + err.Error()})
	}
	if l.flags.NArg() > 0 {
		l.problems.Add(source.Problem{Value: source.Quote(l.flags.Arg(0)), Text: "unexpected argument", Legal: "flags only; see vbrd --help"})
	}
	given, action := []string{}, Run
	for i, name := range []string{"check", "cleanup", "version", "help"} {
		if on, _ := l.flags.GetBool(name); on {
			given, action = append(given, "--"+name), Action(i+1)
		}
	}
	if len(given) > 1 && action != Help {
		l.problems.Add(source.Problem{Value: strings.Join(given, " "), Text: "flags exclude each other", Legal: "one of --check, --cleanup, --version"})
	}
	return action
}

func (l *loader) unknownFlags() {
	var names []string
	l.flags.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	for _, a := range l.in.Args {
		if a == "--" {
			return
		}
		name, _, _ := strings.Cut(a, "=")
		switch {
		case !strings.HasPrefix(name, "-") || name == "-h" || strings.HasPrefix(name, "-c"):
		case strings.HasPrefix(name, "--") && slices.Contains(names, name):
		default:
			l.problems.Add(unknown(source.Pos{File: name}, "", "flag", name, names))
		}
	}
}

// unknown is the problem of a name that is none of the candidates.
func unknown(pos source.Pos, path, what, name string, candidates []string) source.Problem {
	if s := source.Suggest(name, candidates); s != "" {
		return source.Problem{Pos: pos, Path: path, Text: fmt.Sprintf("unknown %s; did you mean %q?", what, s)}
	}
	return source.Problem{Pos: pos, Path: path, Text: "unknown " + what, Legal: strings.Join(candidates, ", ")}
}

// file finds and reads the settings file. Cleaning up needs none: the defaults will do.
func (l *loader) file(action Action) string {
	path, named := DefaultFile, false
	for _, e := range l.in.Env {
		if v, ok := strings.CutPrefix(e, "VBRD_CONFIG="); ok && v != "" {
			path, named = v, true
		}
	}
	if l.flags.Changed("config") {
		path, _ = l.flags.GetString("config")
		named = true
	}
	if _, err := os.Stat(path); os.IsNotExist(err) && !named && action == Cleanup {
		return ""
	} else if err != nil {
		l.problems.Add(source.Problem{Pos: source.Pos{File: path}, Text: "settings cannot be read: " + source.Reason(err),
			Legal: "a settings file, named by --config or VBRD_CONFIG, otherwise " + DefaultFile})
		return ""
	}
	trees, problems := source.ReadFile(path)
	l.problems = append(l.problems, problems...)
	if len(trees) > 1 {
		l.problems.Add(source.Problem{Pos: trees[1].Pos, Text: "a second document", Legal: "one document of settings; resources go to the resources folder"})
	}
	if len(trees) > 0 {
		l.merge(l.group(trees[0], ""))
	}
	return path
}

// merge puts a source over the earlier ones.
func (l *loader) merge(values map[string]any) {
	if err := l.v.MergeConfigMap(values); err != nil {
		l.problems.Add(source.Problem{Text: "settings do not fit: " + err.Error()})
	}
}

// environment reads VBRD_* variables. An empty one counts as absent.
func (l *loader) environment() {
	names := []string{"VBRD_CONFIG"}
	byName := map[string]key{}
	for _, k := range keys() {
		if k.shape != objects {
			names, byName[k.variable()] = append(names, k.variable()), k
		}
	}
	for _, e := range l.in.Env {
		name, value, _ := strings.Cut(e, "=")
		k, ok := byName[name]
		switch {
		case !strings.HasPrefix(name, "VBRD_") || name == "VBRD_CONFIG" || value == "":
		case !ok:
			l.problems.Add(unknown(source.Pos{File: name}, "", "variable", name, names))
		default:
			l.set(k, source.Pos{File: name}, value)
		}
	}
}

// overrides reads the flags of keys.
func (l *loader) overrides() {
	for _, k := range keys() {
		if k.flag != "" && l.flags.Changed(k.flag) {
			value, _ := l.flags.GetString(k.flag)
			l.set(k, source.Pos{File: "--" + k.flag}, value)
		}
	}
}

// set puts one value over the earlier sources.
func (l *loader) set(k key, pos source.Pos, value string) {
	l.places[dotted(k.path)] = spot{pos, value}
	if k.shape == list {
		parts := strings.Split(value, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
			l.places[fmt.Sprintf("%s[%d]", dotted(k.path), i)] = spot{pos, parts[i]}
		}
		l.v.Set(k.path, parts)
		return
	}
	l.v.Set(k.path, value)
}
