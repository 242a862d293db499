package control

import (
	"context"
	"log/slog"
	"sync"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/events"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// The bounds.
const (
	// MaxResources is how many resources one call may bring or name.
	MaxResources = 10_000
	// MaxStored is how many resources the store may hold.
	MaxStored = 100_000
	// MaxNames is how many names one listing may ask for.
	MaxNames = 1000
	// MaxComment is the length of a revision's comment in characters.
	MaxComment = 256
	// MinConfirm and MaxConfirm bound confirm_within. Until a change is confirmed nobody may make another, so that who has owners, and does
	// not answer for all, has MaxConfirmOwned.
	MinConfirm      = 10 * time.Second
	MaxConfirm      = 24 * time.Hour
	MaxConfirmOwned = 10 * time.Minute

	// maxOwner is the length of an owner in characters.
	maxOwner = 64
	// readsAtOnce is how many calls may have whole old revisions in memory, which are those of all owners.
	readsAtOnce = 2
	// storeTime bounds a write to the store that the caller can no longer cancel.
	storeTime = 15 * time.Second
	// realiseTime bounds one attempt to bring the routers to a new intent.
	realiseTime = time.Minute
)

// Runner makes routers what an intent says; *vbr.Host is one.
type Runner interface {
	// Apply returns when the routers have taken the intent, or an error after which it is to be called again.
	Apply(ctx context.Context, in *intent.Intent) error
	// Effects says what Apply(after) would do now.
	Effects(before, after *intent.Intent) []*vbrv1.Effect
}

// Config is what a Controller stands on.
type Config struct {
	// Host is this host's name: resources that name it, or no host, are its part.
	Host string
	// Files is the file or folder of resources; empty: none.
	Files string
	// Store is required; its owner closes it after Run has ended.
	Store store.Store
	// Cache is the path where the last realised revision is kept for the time the store is away; empty: nowhere.
	// A path of its own for each store: name it after what the store is.
	Cache string
	// Shared tells that several hosts use the store: stored resources must name their host.
	Shared bool
	// Corrupt tells that the store, if it is empty, is so since an old one was damaged, now or at an earlier start, and how; nil: none was.
	Corrupt error
	// Check asks the machine and the settings whether they have what this host's part needs; nil: nothing is asked.
	Check func(*intent.Intent) intent.Errors
	// Supports asks the kernel for it, but not in Load: a runner asks by itself for what it is given first. nil: nothing is asked.
	Supports func(*intent.Intent) intent.Errors
	// Events gets what is worth an event; nil: nobody does.
	Events *events.Log
	// Log gets changes and troubles; nil: slog.Default.
	Log *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Controller is the desired state of this host's files and the store. Its methods may be called from any goroutine
// after Load.
type Controller struct {
	cfg Config

	// turn is held, one token, by whoever changes the state: from reading the store's head to installing what follows from it.
	turn chan struct{}
	// reads is held, one token each, by those who read old revisions.
	reads chan struct{}
	// look asks Run to read the head now.
	look chan struct{}

	mu       sync.Mutex // guards what follows; never held over I/O
	state    *state
	held     *vbrv1.StoredRevision // what an empty store held before
	override *state                // runs instead of state: an unconfirmed change is over, and the store cannot take the rollback
	before   *vbrv1.StoredRevision // what a change that waits for confirmation would be rolled back to
	turnOf   time.Time             // who has owners lets others wait for a confirmation again from then on; see othersTurn
	changes  changes
	runner   Runner
	runs     *state // what the runner has taken
	lost     bool   // the store cannot be read
	partial  string // why stored resources may be missing; "": they are not
	sticky   bool   // partial until an admin has applied
	unmarked bool   // sticky, and no file says so yet: see mark
	troubles troubles
	tallies  tallies
}

// New returns a Controller that knows nothing yet: Load first.
func New(cfg Config) *Controller {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Events == nil {
		cfg.Events = events.NewLog(1)
	}
	for _, check := range []*func(*intent.Intent) intent.Errors{&cfg.Check, &cfg.Supports} {
		if *check == nil {
			*check = func(*intent.Intent) intent.Errors { return nil }
		}
	}
	c := &Controller{cfg: cfg, turn: make(chan struct{}, 1), reads: make(chan struct{}, readsAtOnce), look: make(chan struct{}, 1)}
	c.tallies.turn = make(chan struct{}, 1)
	c.state = &state{files: &files{}, stored: &vbrv1.StoredRevision{Revision: &vbrv1.Revision{}}, union: &intent.Intent{}, here: &intent.Intent{}}
	c.changes.more = make(chan struct{})
	return c
}

// take waits for the turn to change the state; release gives it back.
func (c *Controller) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Controller) release() { <-c.turn }

// now is the state as it is known.
func (c *Controller) now() *state {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// poke asks Run to look at the store now.
func (c *Controller) poke() {
	select {
	case c.look <- struct{}{}:
	default:
	}
}
