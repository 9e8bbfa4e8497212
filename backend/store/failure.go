package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// errLost says that a connection was of no use before anything was done on it.
var errLost = errors.New("the connection was lost")

// unavailable says ErrUnavailable of what the database did not do, and leaves every other error as it is:
// those of callers, and those that say what is wrong with a statement.
func unavailable(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, ErrUnavailable), errors.Is(err, context.Canceled), !absent(err):
		return err
	case errors.Is(ctx.Err(), context.Canceled): // by the caller, and pgx has closed the connection for it
		return fmt.Errorf("%w: %w", context.Canceled, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}

// absent reports whether the error is that of a database which does not answer, or not in time.
func absent(err error) bool {
	if state := sqlState(err); state != "" {
		return slices.Contains(absences, state) || slices.Contains(absences, state[:2])
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.Is(err, errLost) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, pgconn.ErrConnClosed)
}

// dead reports whether a connection had ended before it was used, so that another one may do.
func dead(err error) bool {
	switch sqlState(err) {
	case "":
		return absent(err)
	case "57P01", "57P02", "57P05": // what a server leaves behind for us to read when it sends us away
		return true
	default:
		return false
	}
}

// absences are SQLSTATEs and classes of them.
var absences = []string{
	"08",    // the connection
	"53",    // no memory, no room on the disk, too many connections
	"58",    // the machine
	"55P03", // a lock that could not be had in time
	"57014", // the statement took too long, or an operator cancelled it
	"57P01", // an operator shuts it down
	"57P02", // it crashed
	"57P03", // it starts
	"57P05", // idle for too long
	"25P03", // idle within a transaction for too long
}

// retryable reports whether a transaction would succeed if it ran again, by the SQLSTATE; "" otherwise.
func retryable(err error) string {
	switch state := sqlState(err); state {
	case "40P01", "40001": // a deadlock; a serialisation failure
		return state
	default:
		return ""
	}
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && len(pg.Code) == 5 {
		return pg.Code
	}
	return ""
}
