// Package chaos hurts the built edge at random, by a sequence of faults that a seed decides, while limits and
// sessions are under steady load, and holds what the clients saw against what is promised.
//
// `make chaos` runs it; CONTRIBUTING.md says how to run a seed again. Start with plan, which draws the faults, and
// with the verdicts, which know what each of them may cost.
package chaos
