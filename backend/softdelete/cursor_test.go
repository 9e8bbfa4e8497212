package softdelete

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	someKey   = cursors("0123456789abcdef0123456789abcdef")
	someOrder = order{"list", "deals", "", "o1", "mia", "0"}
)

func TestCursor_isReadAsItWasWritten(t *testing.T) {
	for _, want := range []position{{}, {at: 1_764_000_000_000_000, id: "x"}, {at: -1, id: "żółw"}} {
		got, err := someKey.read(someOrder, someKey.write(someOrder, want))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestCursor_isOfOneListAlone(t *testing.T) {
	cursor := someKey.write(someOrder, position{at: 7, id: "x"})
	for _, other := range []order{
		{"trashed", "deals", "", "o1", "mia", "0"},
		{"list", "contacts", "", "o1", "mia", "0"},
		{"list", "deals", "a", "o1", "mia", "0"},
		{"list", "deals", "", "o2", "mia", "0"},
		{"list", "deals", "", "o1", "max", "0"},
		{"list", "deals", "", "o1", "mia", "1", "stage", "won"},
		{"list", "deals", "", "o1mia", "", "0"}, // the same letters, cut otherwise
	} {
		_, err := someKey.read(other, cursor)
		require.ErrorIs(t, err, ErrCursor, other)
	}
	_, err := cursors("another key").read(someOrder, cursor)
	require.ErrorIs(t, err, ErrCursor)
}

// No letter of a cursor can be another one, none added and none left out.
func TestCursor_everyLetterCounts(t *testing.T) {
	cursor := someKey.write(someOrder, position{at: 7, id: "client-1"})
	for i := range cursor {
		for _, letter := range []byte("Aw_0\n= ") {
			changed := cursor[:i] + string(letter) + cursor[i+1:]
			if changed == cursor {
				continue
			}
			_, err := someKey.read(someOrder, changed)
			require.ErrorIs(t, err, ErrCursor, "letter %d", i)
		}
		_, err := someKey.read(someOrder, cursor[:i])
		require.ErrorIs(t, err, ErrCursor)
	}
	for _, more := range []string{"A", "=", "\n"} {
		_, err := someKey.read(someOrder, cursor+more)
		require.ErrorIs(t, err, ErrCursor)
	}
}

// Nobody makes a cursor up: what is read was written, letter by letter.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Add(someKey.write(someOrder, position{at: 7, id: "x"}))
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := someKey.read(someOrder, cursor)
		if err != nil {
			require.ErrorIs(t, err, ErrCursor)
			return
		}
		require.Equal(t, cursor, someKey.write(someOrder, p))
	})
}
