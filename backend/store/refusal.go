package store

import (
	"fmt"
	"strings"
)

// RefusedError says why this program must not serve from a database, every reason at once.
type RefusedError struct{ Reasons []Reason }

// Reason is one, with its cure.
type Reason struct {
	// What is wrong, and Cure what mends it.
	What, Cure string
}

func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the database is refused, for %d %s", len(e.Reasons), plural(len(e.Reasons), "reason"))
	for _, r := range e.Reasons {
		fmt.Fprintf(&b, "\n- %s: %s", r.What, r.Cure)
	}
	return b.String()
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// reasons collects.
type reasons []Reason

func (r *reasons) add(cure, format string, args ...any) {
	*r = append(*r, Reason{What: fmt.Sprintf(format, args...), Cure: cure})
}

func (r reasons) err() error {
	if len(r) == 0 {
		return nil
	}
	return &RefusedError{Reasons: r}
}
