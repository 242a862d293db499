package control

import (
	"crypto/sha256"
	"encoding/hex"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

// files are the resources from files: checked by themselves.
type files struct {
	docs      []intent.Document
	resources map[key]*vbrv1.Resource
	hash      string // of what they say
}

// state is everything that exists, as this host knows it. It does not change once made.
type state struct {
	files  *files
	stored *vbrv1.StoredRevision // never nil; revision 0 is an empty store
	kept   map[key]*vbrv1.Resource
	docs   map[key]intent.Document // of the stored resources in force
	left   map[key]intent.Errors   // stored resources that are not in force, and why
	// culprits are left out since resources of files would fail with them.
	culprits map[key]bool
	shown    map[key]*vbrv1.Resource // what exists for readers: files', then stored ones
	union    *intent.Intent
	here     *intent.Intent // this host's part
}

func (s *state) revision() *vbrv1.Revision { return s.stored.GetRevision() }
func (s *state) number() uint64            { return s.revision().GetNumber() }

// pending tells whether the newest change waits for Confirm.
func (s *state) pending() bool { return s.revision().GetConfirmBy() != nil }

// is tells whether the state is made from that revision.
func (s *state) is(r *vbrv1.StoredRevision) bool { return proto.Equal(s.revision(), r.GetRevision()) }

// machine finds what the machine, its kernel and the settings lack for this host's part of a change.
func (c *Controller) machine(in *intent.Intent) intent.Errors {
	problems := append(c.cfg.Check(in), c.cfg.Supports(in)...)
	problems.Sort()
	return problems
}

// readFiles reads the files and checks them, by themselves and then with check this host's part: every problem at once.
func (c *Controller) readFiles(check func(*intent.Intent) intent.Errors) (*files, intent.Errors) {
	f := &files{resources: map[key]*vbrv1.Resource{}}
	if c.cfg.Files == "" {
		return f, nil
	}
	in, docs, problems := intent.Options{Host: c.cfg.Host, Now: c.cfg.Now()}.Load(c.cfg.Files)
	if len(problems) > 0 {
		return nil, problems
	}
	if problems := check(in.On(c.cfg.Host)); len(problems) > 0 {
		return nil, problems
	}
	f.docs = docs
	sum := sha256.New()
	for _, d := range docs {
		r := vbrv1.Wrap(d.Message)
		r.Metadata = &vbrv1.Metadata{Generation: 1, Source: "file:" + d.Origin.Pos().File}
		f.resources[keyOfResource(r)] = r
		_, _ = sum.Write(intent.Marshal(d.Message))
		_, _ = sum.Write([]byte(r.Metadata.Source))
	}
	f.hash = hex.EncodeToString(sum.Sum(nil)[:6])
	return f, nil
}

// newState puts files and stored resources together; stored ones that clash with files or do not hold are left out.
func (c *Controller) newState(f *files, stored *vbrv1.StoredRevision, was *state) *state {
	s := rawState(f, stored)
	a := c.assemble(s, was, nil)
	return a.finish(a.leaveOut(), c.cfg.Host)
}

// rawState is a state that is not checked yet.
func rawState(f *files, stored *vbrv1.StoredRevision) *state {
	s := &state{files: f, stored: stored, kept: map[key]*vbrv1.Resource{}, shown: map[key]*vbrv1.Resource{},
		docs: map[key]intent.Document{}, left: map[key]intent.Errors{}, culprits: map[key]bool{}}
	for _, r := range stored.GetResources() {
		k := keyOfResource(r)
		s.kept[k], s.shown[k] = r, r
	}
	for k, r := range f.resources {
		s.shown[k] = r
	}
	return s
}
