package redislink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// Errors of calls. What Redis answers otherwise, such as an error raised by a script, is returned as it came;
// a nil reply is [rueidis.Nil].
var (
	// ErrUnavailable says that nothing was executed: the breaker is open, there is no connection, too many
	// calls are in flight, the context had ended, or the server refused (OOM, READONLY, LOADING and the like).
	ErrUnavailable = errors.New("redis is unavailable")
	// ErrUnanswered says that the call was sent and no answer came: it may have been executed, or may yet be.
	ErrUnanswered = errors.New("redis did not answer")
	// ErrTimeout is an ErrUnanswered: the deadline passed.
	ErrTimeout = fmt.Errorf("%w in time", ErrUnanswered)
	// ErrConnectionLost is an ErrUnanswered: the connection broke.
	ErrConnectionLost = fmt.Errorf("%w before the connection was lost", ErrUnanswered)
)

// Each way of being unavailable, made once: these are returned under load, when Redis is at its worst.
var (
	errOpen        = fmt.Errorf("%w: calls are held back until it is healthy", ErrUnavailable)
	errFull        = fmt.Errorf("%w: %d calls are in flight", ErrUnavailable, maxInFlight)
	errNoDeadline  = fmt.Errorf("%w: no time was left for the call: %w", ErrUnavailable, context.DeadlineExceeded)
	errNoCaller    = fmt.Errorf("%w: the caller had gone: %w", ErrUnavailable, context.Canceled)
	errCallerGone  = fmt.Errorf("%w before the caller went away: %w", ErrUnanswered, context.Canceled)
	errSecondDial  = fmt.Errorf("%w: the connection is used up", ErrUnavailable)
	errLinkClosed  = errors.New("the link was closed")
	errPingTimeout = fmt.Errorf("a ping stayed unanswered: %w", context.DeadlineExceeded)
	errSlow        = fmt.Errorf("a probe took longer than op_timeout: %w", context.DeadlineExceeded)
)

// Result is what became of a call.
type Result uint8

const (
	// Answered says that Redis replied.
	Answered Result = iota
	// Erred says that Redis replied with another error than a refusal, such as one that a script raises:
	// Redis is well, and yet nothing came of the call.
	Erred
	// Refused says that Redis replied that it cannot serve: OOM, READONLY, LOADING and the like.
	Refused
	// TimedOut says that no reply came before the deadline.
	TimedOut
	// Lost says that the connection broke before a reply came.
	Lost
	// Rejected says that nothing was sent: breaker open, no connection, or no time left.
	Rejected
	// Full says that nothing was sent because too many calls were in flight.
	Full
	// Abandoned says that the caller went away before a reply came.
	Abandoned

	results = iota
)

// Results are all values of Result, for those who count them.
func Results() []Result {
	all := make([]Result, results)
	for i := range all {
		all[i] = Result(i)
	}
	return all
}

// String is the word for metrics.
func (r Result) String() string {
	return [results]string{"answered", "error", "refused", "timeout", "lost", "held", "full", "abandoned"}[r]
}

// refusals are the first words of error replies by which the server says that it cannot serve us now, and that
// it executed nothing.
var refusals = []string{
	"OOM", "READONLY", "LOADING", "MISCONF", "CLUSTERDOWN", "MASTERDOWN",
	"NOREPLICAS", "BUSY", noPerm, "NOAUTH",
}

// ErrNoRight is an ErrUnavailable: the user lacks the right to a command or key, and no call will succeed before
// it has it.
var ErrNoRight = fmt.Errorf("%w: the user lacks a right, grant it ~gh:* +@read +@write +@scripting +@connection +time", ErrUnavailable)

const (
	// noPerm is the first word of the reply to a command that the user has no right to.
	noPerm = "NOPERM"
	// scriptDenied begins Redis 7.0's reply to a script that calls such a command, without the ERR that rueidis
	// takes off. Later versions, and Valkey, say noPerm.
	scriptDenied = "The user executing the script can't "
)

// denied reports whether the error reply says that the user lacks a right, by itself or within a script.
func denied(err error) bool {
	var reply *rueidis.RedisError
	if err == nil || !errors.As(err, &reply) || reply.IsNil() {
		return false
	}
	return strings.HasPrefix(reply.Error(), scriptDenied) || code(err) == noPerm
}

// redirects are the first words of replies by which a Cluster moves a slot. They are no failures.
var redirects = []string{"MOVED", "ASK", "TRYAGAIN"}

// code is the first word of an error reply, empty for other errors.
func code(err error) string {
	if err == nil {
		return "" // before reply, which costs an allocation
	}
	var reply *rueidis.RedisError
	if !errors.As(err, &reply) || reply.IsNil() {
		return ""
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	return word
}

// isOneOf reports whether the error reply begins with one of the words.
func isOneOf(err error, words []string) bool {
	c := code(err)
	return c != "" && slices.Contains(words, c)
}

// verdict is what a reply means: the call's result, whether the breaker counts it as a failure, and the error
// for the caller.
func verdict(err error) (result Result, failure bool, out error) {
	switch {
	case err == nil, rueidis.IsRedisNil(err):
		return Answered, false, err
	case errors.Is(err, errFull):
		return Full, true, errFull
	case denied(err):
		return Refused, true, fmt.Errorf("%w: %w", ErrNoRight, err)
	case isOneOf(err, refusals):
		return Refused, true, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case isOneOf(err, redirects):
		return Refused, false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case code(err) != "":
		return Erred, false, err
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut, true, ErrTimeout
	case errors.Is(err, context.Canceled):
		return Abandoned, false, errCallerGone
	case errors.Is(err, errSecondDial):
		return Rejected, false, errSecondDial
	default:
		return Lost, true, fmt.Errorf("%w: %w", ErrConnectionLost, err)
	}
}
