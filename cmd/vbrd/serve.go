package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr"
	"github.com/openvbr/openvbr/vbr/api"
	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/glass"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
	"github.com/openvbr/openvbr/vbr/metrics"
)

// serve runs the host until ctx is done. What can fail for the settings fails before anything is touched.
func serve(ctx context.Context, s *config.Settings, log *slog.Logger) error {
	began := timestamppb.Now()
	tune(s.Runtime)
	opts, lock, err := claim(s, log)
	if err != nil {
		return err
	}
	defer lock.Close()
	listener, err := api.Listen(apiConfig(s, log))
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed by its end already, if it served
	scrapes, door, err := beside(s, listener)
	if err != nil {
		return err
	}
	defer closeBeside(scrapes, door)
	st, damage, err := openStore(s, log)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }() // what it acknowledged is on disk
	var ctl *control.Controller
	opts.Partial = func() bool { return ctl.Partial() }
	h, err := vbr.NewHost(opts)
	if err != nil {
		return err
	}
	ctl = control.New(control.Config{
		Host: s.Host, Files: s.Resources, Store: st, Cache: cachePath(s), Shared: s.Store.Type == "etcd", Corrupt: damage,
		Check:    func(in *intent.Intent) intent.Errors { return check(s, in) },
		Supports: func(in *intent.Intent) intent.Errors { return supports(h, in) },
		Events:   h.Events(), Log: log,
	})
	in, err := ctl.Load(ctx)
	if err != nil {
		return errors.Join(err, h.Close())
	}
	log.Info("vbrd starts", "version", version, "host", s.Host, "settings", s.File, "resources", s.Resources, "store", st.Name())
	d := &server{log: log, host: h, control: ctl, api: listener, scrapes: scrapes, door: door, monitor: opts.Monitor, notify: notifierOf(h, log), about: api.Backends{Controller: ctl, Host: h, Events: h.Events(), Name: s.Host, Version: version, StartTime: began}}
	err = errors.Join(d.run(ctx, in), h.Close())
	if err == nil {
		log.Info("vbrd ends; devices and routes stay unless cleaned up")
	}
	return err
}

// server is what runs.
type server struct {
	log     *slog.Logger
	host    *vbr.Host
	control *control.Controller
	api     *api.Server
	scrapes net.Listener // nil: nobody asks for metrics
	monitor *bgp.Monitor // nil: nobody is told what peers announce
	door    *api.Door    // nil: there is no looking glass
	notify  *notifier
	about   api.Backends
}

// run runs all parts until ctx is done, or until the host cannot run, which is the only one that can end the others.
func (d *server) run(ctx context.Context, in *intent.Intent) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { d.reloads(ctx) })
	wg.Go(func() { d.notify.run(ctx) })
	wg.Go(func() { d.report("control", d.control.Run(ctx, d.host)) })
	wg.Go(func() { d.report("api", d.onceServing(ctx, func() error { return d.api.Serve(ctx, d.about) })) })
	if d.scrapes != nil {
		wg.Go(func() {
			d.report("metrics", d.onceServing(ctx, func() error { return metrics.Serve(ctx, d.scrapes, d.host, version, d.log) }))
		})
	}
	if d.monitor != nil {
		wg.Go(func() { d.monitor.Run(ctx) })
	}
	if d.door != nil {
		wg.Go(func() { d.report("glass", d.onceServing(ctx, func() error { return glass.Serve(ctx, d.door, d.log) })) })
	}
	return d.host.Run(ctx, in)
}

// onceServing answers callers as soon as the host knows its routers: till then they wait, as nothing true can be said of what is not read yet.
func (d *server) onceServing(ctx context.Context, answer func() error) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.host.Serving():
		return answer()
	}
}

// report logs the end of a part that the host can do without.
func (d *server) report(part string, err error) {
	if err != nil {
		d.log.Error("a part of vbrd has ended; the routers go on", "part", part, "err", err)
	}
}

// reloads reads the files again at each SIGHUP. With any error what was read before stays.
func (d *server) reloads(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		d.notify.reload(func() { d.reload(ctx) })
	}
}

// reload reads the files once.
func (d *server) reload(ctx context.Context) {
	err := d.control.Reload(ctx)
	var problems intent.Errors
	if errors.As(err, &problems) {
		for _, p := range problems {
			d.log.Error("resources not taken; what was read before stays", "problem", p.Error())
		}
	} else if err != nil && ctx.Err() == nil {
		d.log.Error("resources not read again", "err", err)
	}
}

// notifierOf tells of a host.
func notifierOf(h *vbr.Host, log *slog.Logger) *notifier {
	return &notifier{
		log: log, watchdog: watchdogTime(log), alive: h.Alive, settled: h.Settled(),
		status: func() string { return statusText(h.Status(), h.Adopting()) },
	}
}

// check asks the machine and the settings for what this host's part of an intent needs.
func check(s *config.Settings, in *intent.Intent) intent.Errors {
	problems, _ := intent.CheckHost(in, machine(s))
	problems = append(problems, config.CheckIntent(s, in)...)
	problems.Sort()
	return problems
}

// supports asks the kernel.
func supports(h *vbr.Host, in *intent.Intent) (problems intent.Errors) {
	if err := h.Supports(in); err != nil {
		problems.Add(source.Problem{Text: "the kernel cannot do it: " + err.Error()})
	}
	return problems
}

// claim locks the network namespace, until the lock is closed, and makes the host's options of the settings.
func claim(s *config.Settings, log *slog.Logger) (vbr.Options, io.Closer, error) {
	lock, err := vbr.Lock()
	if err != nil {
		return vbr.Options{}, nil, err
	}
	opts, err := hostOptions(s, log)
	if err != nil {
		return vbr.Options{}, nil, errors.Join(err, lock.Close())
	}
	return opts, lock, nil
}

// cleanup removes what vbrd owns, as the only vbrd of the network namespace.
func cleanup(ctx context.Context, s *config.Settings, log *slog.Logger) error {
	opts, lock, err := claim(s, log)
	if err != nil {
		return err
	}
	defer lock.Close()
	h, err := vbr.NewHost(opts)
	if err != nil {
		return err
	}
	return errors.Join(h.Cleanup(ctx), h.Close())
}
