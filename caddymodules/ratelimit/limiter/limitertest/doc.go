// Package limitertest is what every limiter.Store has to pass, and the tools to drive one: a Clock
// that only moves when told, and the Model, a store so plain that it can be believed by reading it.
//
// [TestStore] states the contract case by case; [Differential] sends random operations to a store
// and to the Model and wants the same Decisions, to the microsecond.
package limitertest
