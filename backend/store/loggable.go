package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// Loggable is an error as a log may have it. PostgreSQL quotes values in what it says, and so do conversions: of
// what is at the bottom of an error only the kind is told, unless its text is known to be nobody's. What was
// wrapped around it on the way by fmt.Errorf stays.
func Loggable(err error) string {
	if err == nil {
		return ""
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var parts []string
		for _, part := range several.Unwrap() {
			parts = append(parts, Loggable(part))
		}
		return strings.Join(parts, ": ")
	}
	inner := errors.Unwrap(err)
	if inner == nil || reflect.TypeOf(err) != wrapping {
		return kindOf(err)
	}
	around, _ := strings.CutSuffix(err.Error(), inner.Error())
	if around == err.Error() { // the wrapped one is somewhere in it
		around = ""
	}
	return around + Loggable(inner)
}

// wrapping is what fmt.Errorf makes of one %w.
var wrapping = reflect.TypeOf(fmt.Errorf("%w", io.EOF))

// kindOf is what may be told of an error by itself.
func kindOf(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.Join(strings.Fields("SQLSTATE "+refused.Code+" "+refused.TableName+" "+refused.ColumnName+" "+refused.ConstraintName), " ")
	}
	if _, network := errors.AsType[net.Error](err); network {
		return err.Error() // also of context.DeadlineExceeded
	}
	for _, known := range harmless {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fmt.Sprintf("%T", err)
}

// harmless are errors whose text is the program's.
var harmless = []error{
	ErrUnavailable, ErrClosed, ErrNoAccount, ErrAmbiguousAccount, ErrNoOrganization, ErrKeyReused, errLost,
	softdelete.ErrNotFound, softdelete.ErrForbidden, softdelete.ErrVersion, softdelete.ErrNotDeleted, softdelete.ErrTooLarge,
	softdelete.ErrLastOwner, softdelete.ErrCursor, softdelete.ErrBeyond,
	context.Canceled, io.EOF, io.ErrUnexpectedEOF, sql.ErrNoRows, sql.ErrTxDone, sql.ErrConnDone,
}
