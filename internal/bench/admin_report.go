package main

// adminMetrics are those of a run of `bench admin` in that place.
func adminMetrics(place string) []metric {
	if place == inDefault {
		return []metric{
			{"call", "Apply of one VBR, until the reply", "s", func(r *Run) float64 { return r.Admin.Call }},
			{"session", "Apply of one VBR, until its session is up", "s", func(r *Run) float64 { return r.Admin.Session }},
			{"first", "Apply of one VBR, until the first route is in the kernel", "s", func(r *Run) float64 { return r.Admin.FirstRoute }},
			{"received", "ListRoutes of all received", "s", func(r *Run) float64 { return r.Admin.Received }},
			{"kernel", "ListRoutes of all in the kernel", "s", func(r *Run) float64 { return r.Admin.Kernel }},
			{"prefix", "Explain of a prefix, median", "ms", func(r *Run) float64 { return r.Admin.Prefix.Median * 1000 }},
			{"prefix-99", "Explain of a prefix, 99th percentile", "ms", func(r *Run) float64 { return r.Admin.Prefix.P99 * 1000 }},
			{"prefix-max", "Explain of a prefix, longest", "ms", func(r *Run) float64 { return r.Admin.Prefix.Max * 1000 }},
			{"address", "Explain of an address, median", "ms", func(r *Run) float64 { return r.Admin.Address.Median * 1000 }},
			{"address-99", "Explain of an address, 99th percentile", "ms", func(r *Run) float64 { return r.Admin.Address.P99 * 1000 }},
			{"address-max", "Explain of an address, longest", "ms", func(r *Run) float64 { return r.Admin.Address.Max * 1000 }},
		}
	}
	return []metric{
		{"call", "Apply of all, until the reply", "s", func(r *Run) float64 { return r.Admin.Call }},
		{"devices", "Apply of all, until all devices exist", "s", func(r *Run) float64 { return r.Admin.Devices }},
		{"devices-each", "the same by VBR", "ms", func(r *Run) float64 { return r.Admin.Devices / float64(r.N) * 1000 }},
		{"cpu", "CPU of that", "s", func(r *Run) float64 { return r.Admin.CPU }},
		{"sessions", "from then until all sessions are up", "s", func(r *Run) float64 { return r.Admin.Sessions }},
		{"before", "memory before", "MiB", func(r *Run) float64 { return float64(r.Admin.Before) / mib }},
		{"made-each", "memory by VBR, all devices, no session", "KiB", func(r *Run) float64 { return r.Admin.each(r.Admin.Made, r.N) / kib }},
		{"up-each", "memory by VBR, all sessions up", "KiB", func(r *Run) float64 { return r.Admin.each(r.Admin.Up, r.N) / kib }},
		{"peak-each", "peak memory by VBR", "KiB", func(r *Run) float64 { return r.Admin.each(r.Admin.Peak, r.N) / kib }},
		{"request", "the Apply's message", "KiB", func(r *Run) float64 { return float64(r.Admin.Request) / kib }},
	}
}

// explainLimit is in milliseconds.
const explainLimit = 5

// adminTargets are for a table of 100,000 routes.
func adminTargets(place string) []target {
	if place != inDefault {
		return nil
	}
	sizes := []int{100_000}
	return []target{
		{"prefix-99", sizes, "Explain of a prefix below 5 ms, 99 of 100", "", explainLimit},
		{"address-99", sizes, "Explain of an address below 5 ms, 99 of 100", "", explainLimit},
	}
}
