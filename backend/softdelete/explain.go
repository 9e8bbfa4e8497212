package softdelete

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Explain turns what the database refused of a row of the entity into a *FieldError: a reference to what is
// trashed, foreign or absent, and a key that another live row has. Other errors stay as they are.
func Explain(err error, e *Entity) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Code == "23503" && strings.HasSuffix(refused.ConstraintName, "_live"):
		column := strings.TrimSuffix(strings.TrimPrefix(refused.ConstraintName, e.Table+"_"), "_live")
		if f := e.column(column); f != nil {
			return &FieldError{Fields: []FieldProblem{{f.Name, "reference_not_found"}}}
		}
	case refused.Code == "23503":
		// A plain foreign key, to what has no deletion: <table>_<column>_fkey, as PostgreSQL names it.
		for _, f := range e.Fields {
			if strings.HasPrefix(refused.ConstraintName, e.Table+"_"+f.Column+"_") {
				return &FieldError{Fields: []FieldProblem{{f.Name, "reference_not_found"}}}
			}
		}
	case twinOf(refused):
		return &FieldError{Fields: problems(e.key(), "duplicate")}
	case refused.Code == "23505":
		// A key that is unique among all rows: <table>_<column>_key, as PostgreSQL names it.
		for _, f := range e.Fields {
			if !f.Secret && strings.HasPrefix(refused.ConstraintName, e.Table+"_"+f.Column+"_") {
				return &FieldError{Fields: problems([]string{f.Name}, "duplicate")}
			}
		}
	}
	return err
}

// isTwin reports that a live row has the key already.
func isTwin(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && twinOf(refused)
}

func twinOf(refused *pgconn.PgError) bool {
	return refused.Code == "23505" && strings.HasSuffix(refused.ConstraintName, "_live_key")
}

// key are the JSON names of the entity's unique key.
func (e *Entity) key() (names []string) {
	for _, column := range e.Unique {
		if f := e.column(column); f != nil {
			names = append(names, f.Name)
		}
	}
	return slices.Clip(names)
}

func problems(names []string, code string) []FieldProblem {
	all := make([]FieldProblem, len(names))
	for i, name := range names {
		all[i] = FieldProblem{name, code}
	}
	return all
}
