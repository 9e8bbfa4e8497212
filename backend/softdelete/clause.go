package softdelete

import (
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// A clause is a piece of SQL whose values are in it already, quoted. It is a function and no struct, since
// Bun takes a lone struct among the arguments for a set of named ones.
type clause func(gen schema.QueryGen, b []byte) []byte

// AppendQuery makes a clause an argument of Bun's queries.
func (c clause) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) { return c(gen, b), nil }

// text makes a clause: each ? of the query stands for an argument, which may be a clause.
func text(query string, args ...any) clause {
	return func(gen schema.QueryGen, b []byte) []byte { return gen.AppendQuery(b, query, args...) }
}

// literal is a value alone.
func literal(value any) clause {
	return func(gen schema.QueryGen, b []byte) []byte { return gen.Append(b, value) }
}

// list is what IN takes, without ids that no row can have; of none it is what nothing is equal to.
func list(ids []string) clause {
	quoted := make([]clause, 0, len(ids))
	for _, id := range ids {
		if storable(id) {
			quoted = append(quoted, literal(id))
		}
	}
	if len(quoted) == 0 {
		return text("NULL")
	}
	return joined(", ", quoted)
}

// joined puts the separator between the clauses.
func joined(separator string, clauses []clause) clause {
	return func(gen schema.QueryGen, b []byte) []byte {
		for i, c := range clauses {
			if i > 0 {
				b = append(b, separator...)
			}
			b = c(gen, b)
		}
		return b
	}
}

// col is a column of the table that has the alias.
func col(alias, column string) bun.Ident { return bun.Ident(alias + "." + column) }

// from is the entity's table by an alias.
func (e *Entity) from(alias string) clause {
	return text("? AS ?", bun.Name(e.Table), bun.Name(alias))
}

// contains is a pattern of LIKE for texts that contain the words, whatever they are.
func contains(words string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(words) + "%"
}

// label names a row to people: by the columns of [Spec.Label], or else by its kind and the day that lists go by.
func (e *Entity) label(alias string) clause {
	day := text("? || ' ' || to_char(?, 'YYYY-MM-DD')", e.Singular, col(alias, e.Sort))
	if len(e.Label) == 0 {
		return day
	}
	words := make([]clause, len(e.Label))
	for i, column := range e.Label {
		words[i] = text("nullif(?, '')", col(alias, column))
	}
	return text("coalesce(nullif(concat_ws(' ', ?), ''), ?)", joined(", ", words), day)
}

// own says whether a row is the user's own: the user made it, or a field says so.
func (e *Entity) own(alias, user string) clause {
	owners := []clause{text("? = ?", col(alias, "created_by"), user)}
	for _, f := range e.Fields {
		if f.Own {
			owners = append(owners, text("? = ?", col(alias, f.Column), user))
		}
	}
	return text("coalesce(?, false)", joined(" OR ", owners))
}
