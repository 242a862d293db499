// Package config is the settings of the vbrd daemon itself: where its files are, how it logs, its place in the
// backbone, its timers. What customers get (resources) is vbr/intent's.
//
// Settings come from, the later winning: defaults, the file of --config, VBRD_* variables of the environment, flags.
// A private viper instance merges them; keys.go lists every key once, with flag, variable, default and legal range.
// A wrong or unknown key, variable or flag refuses the start, all of them reported at once, each with its place.
//
// Settings hold no secrets: keys are in files that intent.ReadKey reads when they are needed.
package config
