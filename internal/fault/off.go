//go:build !faults

package fault

// Around does it.
func Around(_ string, do func() error) error { return do() }

// Arm leaves the environment as it is: without fault points [Variable] is as unknown as any other.
func Arm(env []string) (rest []string, armed string, err error) { return env, "", nil }
