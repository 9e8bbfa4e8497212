package store_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// Each entity answers to its own names, and each name is that of its entity: nothing else is deleted by it.
func TestNamed_isCompleteAndOfItsEntity(t *testing.T) {
	s := open(t, database(t), store.Options{})
	methods := reflect.ValueOf(s)
	for _, e := range store.Entities {
		name := ""
		for word := range strings.FieldsSeq(e.Singular) {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		remove, there := reflect.TypeAssert[func(context.Context, *softdelete.Tx, string, int64, string) (softdelete.Deletion, error)](methods.MethodByName("SoftDelete" + name))
		require.True(t, there, name)
		restore, there := reflect.TypeAssert[func(context.Context, *softdelete.Tx, string) (softdelete.Outcome, error)](methods.MethodByName("Restore" + name))
		require.True(t, there, name)
		if e.Kind != "clients" {
			require.ErrorIs(t, s.Do(t.Context(), from("ann", "o1"), func(ctx context.Context, tx *softdelete.Tx) error {
				_, err := remove(ctx, tx, "c1", 0, "")
				return err
			}), softdelete.ErrNotFound, name)
			continue
		}
		require.NoError(t, s.Do(t.Context(), from("ann", "o1"), func(ctx context.Context, tx *softdelete.Tx) error {
			deletion, err := remove(ctx, tx, "c1", 0, "")
			require.Equal(t, softdelete.Counts{"clients": 1}, deletion.Counts)
			return err
		}))
		require.NoError(t, s.Do(t.Context(), from("ann", "o1"), func(ctx context.Context, tx *softdelete.Tx) error {
			_, err := restore(ctx, tx, "c1")
			return err
		}))
	}
}
