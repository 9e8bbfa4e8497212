package softdelete

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A position is the last row of a page: what the list is sorted by, and the id.
type position struct {
	at int64
	id string
}

// An order is what a list was asked for, by whom. A cursor of one is none of another.
type order []string

// order is the query's, of rows of a kind.
func (tx *Tx) order(list, kind, search string, filter map[string]string) order {
	o := order{list, kind, search, tx.Organization, tx.Actor, strconv.Itoa(len(filter))}
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		o = append(o, name, filter[name])
	}
	return o
}

// cursors writes and reads cursors. They are signed, so that nobody makes one up: the position in one is
// data of the organization, and PostgreSQL's for free.
type cursors []byte

var cursorText = base64.RawURLEncoding.Strict()

func (key cursors) write(o order, p position) string {
	body := binary.BigEndian.AppendUint64(nil, uint64(p.at))
	body = append(body, p.id...)
	return cursorText.EncodeToString(append(key.sign(o, body), body...))
}

// read returns ErrCursor for all that write has not written for this order.
func (key cursors) read(o order, cursor string) (position, error) {
	raw, err := cursorText.DecodeString(cursor)
	if err != nil || len(raw) < sha256.Size+8 || strings.ContainsAny(cursor, "\r\n") { // base64 passes over these
		return position{}, ErrCursor
	}
	signature, body := raw[:sha256.Size], raw[sha256.Size:]
	if !hmac.Equal(signature, key.sign(o, body)) {
		return position{}, ErrCursor
	}
	return position{at: int64(binary.BigEndian.Uint64(body)), id: string(body[8:])}, nil
}

func (key cursors) sign(o order, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range append(o, string(body)) {
		// Lengths keep two parts from being read as others.
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}
