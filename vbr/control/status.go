package control

import (
	"fmt"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// troubles are what is wrong now, by what it is about.
type troubles map[trouble]string

type trouble int

// In the order in which Status tells them.
const (
	troubleStore   trouble = iota // the store cannot be read, or was damaged
	troubleEmpty                  // the store has lost what was in it
	troubleConfirm                // an unconfirmed change could not be rolled back
	troubleRunner                 // the routers do not take the intent
	troubleCache                  // the cache cannot be written
	troubleCount
)

// trouble notes what is wrong; "": nothing.
func (c *Controller) trouble(about trouble, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.troubles == nil {
		c.troubles = troubles{}
	}
	if c.troubles[about] = text; text == "" {
		delete(c.troubles, about)
	}
}

// event tells of something that concerns the host.
func (c *Controller) event(t vbrv1.Event_Type, text string) {
	c.cfg.Events.Append(&vbrv1.Event{Type: t, Subject: c.cfg.Store.Name(), Text: text})
}

// maxLeftOut is how many resources that are left out Status names.
const maxLeftOut = 20

// Status is the store's name, the revision that runs here (0: none of the store's), and what is wrong. The problems may
// name resources of any owner: they are for callers that see all.
func (c *Controller) Status() (storeName string, revision uint64, problems []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs != nil {
		revision = c.runs.number()
	}
	if p := c.cfg.Store.Problem(); p != "" {
		problems = append(problems, p)
	}
	if c.partial != "" {
		problems = append(problems, "stored resources may be missing, so nothing that runs is removed: "+c.partial)
	}
	for about := range troubleCount {
		if text := c.troubles[about]; text != "" {
			problems = append(problems, text)
		}
	}
	for i, k := range sorted(c.state.left) {
		if i == maxLeftOut {
			problems = append(problems, fmt.Sprintf("%d more stored resources are left out", len(c.state.left)-i))
			break
		}
		problems = append(problems, "left out: "+c.state.left[k][0].Error())
	}
	return c.cfg.Store.Name(), revision, problems
}
