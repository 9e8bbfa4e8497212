package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// People names users by id: by their names, else by their address. Row-level security shows those of the
// organization and the actor; who has left is left out.
func People(ctx context.Context, tx *softdelete.Tx, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !text(id) }) // nobody's
	if len(ids) == 0 {
		return names, nil
	}
	var users []User
	err := tx.Conn().NewSelect().Model(&users).Column("id", "email", "first_name", "last_name").Where("u.id IN (?)", bun.List(ids)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("name people: %w", err)
	}
	for i := range users {
		names[users[i].ID] = users[i].name()
	}
	return names, nil
}

func (u *User) name() string {
	var words []string
	for _, word := range []*string{u.FirstName, u.LastName} {
		if word != nil && strings.TrimSpace(*word) != "" {
			words = append(words, strings.TrimSpace(*word))
		}
	}
	if len(words) == 0 && u.Email != nil {
		return *u.Email
	}
	return strings.Join(words, " ")
}
