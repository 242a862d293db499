package intent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// Options say how resources are put together.
type Options struct {
	// Host is the name of this host: resources that name no host are here.
	Host string
	// Sees tells whether problems may tell of resources of that owner; nil: of all. What is not to be told is in
	// use by nobody in particular, and names of it are not suggested.
	Sees func(owner string) bool
	// Now is when the check is made: a VBR terminated longer than VLANHold ago holds no VLAN. Zero: it holds them for ever.
	Now time.Time
}

// Load reads the resources in a file, or in the *.yaml and *.yml files of a folder in the order of their names
// (not below it; names that begin with a dot are left out). With any error there is no Intent.
func Load(path string) (*Intent, Errors) {
	in, _, problems := Options{}.Load(path)
	return in, problems
}

// LoadOn is Load and CheckHost in one, so that what is wrong with the resources and what the machine
// lacks for them are told together.
func LoadOn(path string, host HostFacts) (in *Intent, problems, warnings Errors) {
	return Options{}.LoadOn(path, host)
}

// Load is as the function of that name; it returns the documents too, each with its file as Origin.
func (o Options) Load(path string) (*Intent, []Document, Errors) {
	c := &checker{Options: o}
	return c.load(path)
}

// LoadOn is as the function of that name; the machine is asked only about what is on Options.Host, if that is given.
func (o Options) LoadOn(path string, host HostFacts) (in *Intent, problems, warnings Errors) {
	c := &checker{Options: o}
	in, _, problems = c.load(path)
	here := c.in
	if o.Host != "" {
		here = here.On(o.Host)
	}
	lacks, warnings := CheckHost(here, host)
	problems = append(problems, lacks...)
	problems.Sort()
	if len(problems) > 0 {
		in = nil
	}
	return in, problems, warnings
}

func (c *checker) load(path string) (*Intent, []Document, Errors) {
	files, problems := filesOf(path)
	c.problems, c.incomplete, c.in = problems, len(problems) > 0, &Intent{}
	var docs []Document
	for _, f := range files {
		trees, bad := source.ReadFile(f)
		c.problems = append(c.problems, bad...)
		read := decodeAll(trees, &c.problems)
		c.incomplete = c.incomplete || len(bad) > 0 || len(read) < len(trees)
		docs = append(docs, read...)
	}
	for i := range docs {
		docs[i].New = true
	}
	in, problems := c.assemble(docs)
	for i := range docs {
		docs[i].New = false
	}
	return in, docs, problems
}

// Build checks documents and makes them an Intent.
func Build(docs []Document) (*Intent, Errors) { return Options{}.Build(docs) }

// Build checks documents and makes them an Intent. Of two that clash the later has the problem. Documents that kept the
// field rules are marked, so that building them again with others does not look at those rules again.
func (o Options) Build(docs []Document) (*Intent, Errors) {
	return (&checker{Options: o, in: &Intent{}}).assemble(docs)
}

// New checks messages that did not come from a file and makes them an Intent. It panics on a message that is none
// of the kinds.
func New(messages ...proto.Message) (*Intent, Errors) {
	docs := make([]Document, len(messages))
	for i, m := range messages {
		docs[i] = Document{Message: m}
	}
	return Build(docs)
}

// assemble applies field rules, converts, and checks across resources.
func (c *checker) assemble(docs []Document) (*Intent, Errors) {
	rules, err := validator()
	if err != nil {
		return nil, Errors{{Text: "field rules cannot be set up: " + err.Error()}}
	}
	c.brought = map[string]bool{}
	for i := range docs {
		applyRules(rules, &docs[i], &c.problems)
		c.add(&docs[i])
	}
	c.all()
	c.problems.Sort()
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return c.in, nil
}

func filesOf(path string) ([]string, Errors) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, Errors{{Pos: source.Pos{File: path}, Text: "cannot be read: " + source.Reason(err)}}
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, Errors{{Pos: source.Pos{File: path}, Text: "cannot be read: " + source.Reason(err)}}
	}
	var files []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); slices.Contains([]string{".yaml", ".yml"}, ext) && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}
