package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

func TestLoggable_hasNoValues(t *testing.T) {
	_, conversion := strconv.Atoi("Ann's")
	refused := &pgconn.PgError{Severity: "ERROR", Code: "22P02", Message: `invalid input: "Ann's"`, Detail: "Ann's", TableName: "deals", ConstraintName: "deals_name_check"}
	for _, tt := range []struct {
		give error
		want string
	}{
		{nil, ""},
		{fmt.Errorf("create a row: %w", refused), "create a row: SQLSTATE 22P02 deals deals_name_check"},
		{fmt.Errorf("scan: %w", conversion), "scan: *strconv.NumError"},
		{fmt.Errorf("%w: %w", store.ErrUnavailable, refused), "the database is unavailable: SQLSTATE 22P02 deals deals_name_check"},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), "read: context deadline exceeded"},
		{fmt.Errorf("read: %w", fmt.Errorf("converting %q", "Ann's")), "read: *errors.errorString"},
		{fmt.Errorf("read: %w (row %d)", sql.ErrNoRows, 7), "sql: no rows in result set"},
		{fmt.Errorf("read: %w", valued{"Ann's"}), "read: store_test.valued"},
		{errors.Join(errors.New("one"), valued{"Ann's"}), "*errors.errorString: store_test.valued"},
	} {
		if got := store.Loggable(tt.give); got != tt.want {
			t.Errorf("Loggable(%v) = %q, want %q", tt.give, got, tt.want)
		}
	}
}

type valued struct{ value string }

func (v valued) Error() string { return "cannot be " + v.value }
