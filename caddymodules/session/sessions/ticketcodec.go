package sessions

import (
	"encoding/binary"
	"time"
)

// The plain text of a ticket: a version, then fixed and length-prefixed fields in this order. It is
// authenticated before it is read, and read as if it were not.
const ticketVersion = 2

const (
	flagGroupsCut = 1 << iota
	flagClaimsCut
	flagRebuilt

	knownFlags = flagGroupsCut | flagClaimsCut | flagRebuilt
)

func (t *Ticket) encode() []byte {
	b := make([]byte, 0, 512)
	b = append(b, ticketVersion, t.flags())
	b = append(b, t.Selector[:]...)
	b = append(b, t.Hash[:]...)
	for _, i := range []Instant{t.Created, t.Absolute, t.Last, t.OnlineAt} {
		b = binary.AppendUvarint(b, uint64(max(i, 0)))
	}
	b = binary.AppendUvarint(b, uint64(max(t.Generation, 0)))
	var auth int64
	if !t.AuthTime.IsZero() {
		auth = max(t.AuthTime.Unix(), 0)
	}
	b = binary.AppendUvarint(b, uint64(auth))
	for _, s := range []string{t.Provider, t.ClientID, t.Subject, t.ProviderSession, t.ACR} {
		b = appendString(b, s)
	}
	b = appendStrings(b, t.AMR)
	b = appendStrings(b, t.Groups)
	b = binary.AppendUvarint(b, uint64(len(t.Claims)))
	for _, c := range t.Claims {
		b = appendString(b, c.Name)
		b = appendStrings(b, c.Values)
	}
	return b
}

func (t *Ticket) flags() (f byte) {
	if t.GroupsCut {
		f |= flagGroupsCut
	}
	if t.ClaimsCut {
		f |= flagClaimsCut
	}
	if t.Rebuilt {
		f |= flagRebuilt
	}
	return f
}

func decodeTicket(plain []byte) (*Ticket, bool) {
	r := reader{rest: plain}
	t := new(Ticket)
	if r.byte() != ticketVersion {
		return nil, false
	}
	flags := r.byte()
	t.GroupsCut = flags&flagGroupsCut != 0
	t.ClaimsCut = flags&flagClaimsCut != 0
	t.Rebuilt = flags&flagRebuilt != 0
	copy(t.Selector[:], r.bytes(len(t.Selector)))
	copy(t.Hash[:], r.bytes(len(t.Hash)))
	t.Created, t.Absolute = Instant(r.number()), Instant(r.number())
	t.Last, t.OnlineAt = Instant(r.number()), Instant(r.number())
	t.Generation = r.number()
	if auth := r.number(); auth > 0 {
		t.AuthTime = time.Unix(auth, 0).UTC()
	}
	t.Provider, t.ClientID, t.Subject = r.string(), r.string(), r.string()
	t.ProviderSession, t.ACR = r.string(), r.string()
	t.AMR = r.strings()
	t.Groups = r.strings()
	if n := r.count(); n > 0 {
		t.Claims = make(Claims, n)
		for i := range t.Claims {
			t.Claims[i] = Claim{Name: r.string(), Values: r.strings()}
		}
	}
	if r.failed || len(r.rest) > 0 || flags&^byte(knownFlags) != 0 {
		return nil, false
	}
	return t, true
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

// reader takes a plain text apart. After the first thing that is not there, everything is zero.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) bytes(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// number is at most 2⁵³, which every party can hold.
func (r *reader) number() int64 {
	n, length := binary.Uvarint(r.rest)
	if r.failed || length <= 0 || n > 1<<53 {
		r.failed = true
		return 0
	}
	r.rest = r.rest[length:]
	return int64(n)
}

// count is the length of something of which each element takes at least a byte, so that what a
// forged length can make us allocate is bounded by what was sent.
func (r *reader) count() int {
	n := r.number()
	if n > int64(len(r.rest)) {
		r.failed = true
		return 0
	}
	return int(n)
}

func (r *reader) string() string { return string(r.bytes(r.count())) }

func (r *reader) strings() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.string()
	}
	return list
}
