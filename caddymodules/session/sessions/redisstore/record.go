package redisstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// The fields of a session's hash. Times are ms but for auth_time, which is s as the provider says it;
// hashes are raw bytes; lists are JSON. Fields that say nothing are left out. Unknown fields are left
// alone, so that a newer version can add some.
const (
	fieldState     = "state"
	fieldCurrent   = "cur"
	fieldUsed      = "used"
	fieldPrevious  = "prev"
	fieldPrevUntil = "prev_until"
	fieldNext      = "next"
	fieldGen       = "gen"
	fieldRotated   = "rotated_at"
	fieldRetired   = "retired"
	fieldCreated   = "created"
	fieldAbsolute  = "absolute"
	fieldRebuilt   = "rebuilt"
	fieldProvider  = "provider"
	fieldIssuer    = "iss"
	fieldClientID  = "client_id"
	fieldHost      = "host"
	fieldSubject   = "sub"
	fieldSID       = "sid"
	fieldACR       = "acr"
	fieldAMR       = "amr"
	fieldAuthTime  = "auth_time"
	fieldGroups    = "groups"
	fieldClaims    = "claims"
)

// creationFields are the fields of a new session but for the times, which create.lua sets.
func creationFields(r *sessions.Record) ([]string, error) {
	f := []string{
		fieldState, string(sessions.Active),
		fieldCurrent, string(r.Current[:]),
		fieldUsed, "1",
		fieldGen, "1",
		fieldProvider, r.Provider,
		fieldIssuer, r.Issuer,
		fieldClientID, r.ClientID,
		fieldHost, r.Host,
		fieldSubject, r.Subject,
	}
	if r.ProviderSession != "" {
		f = append(f, fieldSID, r.ProviderSession)
	}
	if r.ACR != "" {
		f = append(f, fieldACR, r.ACR)
	}
	if !r.AuthTime.IsZero() {
		f = append(f, fieldAuthTime, strconv.FormatInt(r.AuthTime.Unix(), 10))
	}
	for _, list := range []struct {
		field string
		empty bool
		value any
	}{
		{fieldAMR, len(r.AMR) == 0, r.AMR},
		{fieldGroups, len(r.Groups) == 0, r.Groups},
		{fieldClaims, len(r.Claims) == 0, r.Claims},
	} {
		if list.empty {
			continue
		}
		text, err := json.Marshal(list.value)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", list.field, err)
		}
		f = append(f, list.field, string(text))
	}
	return f, nil
}

var errDamaged = errors.New("session in redis is damaged")

// decodeRecord reads a session's hash. Whoever can write the store could write anything, so nothing
// here may panic or allocate beyond what it is given; what is wrong is an error.
func decodeRecord(selector sessions.Selector, fields map[string]string) (*sessions.Record, error) {
	d := decoder{fields: fields}
	r := &sessions.Record{
		Session: sessions.Session{
			Identity: sessions.Identity{
				Provider:        fields[fieldProvider],
				Issuer:          fields[fieldIssuer],
				ClientID:        fields[fieldClientID],
				Subject:         fields[fieldSubject],
				ProviderSession: fields[fieldSID],
				ACR:             fields[fieldACR],
			},
			Selector:   selector,
			Host:       fields[fieldHost],
			Created:    sessions.Instant(d.number(fieldCreated)),
			Absolute:   sessions.Instant(d.number(fieldAbsolute)),
			Generation: d.number(fieldGen),
			Rebuilt:    fields[fieldRebuilt] == "1",
		},
		State:    sessions.State(fields[fieldState]),
		Current:  d.hash(fieldCurrent),
		Used:     fields[fieldUsed] == "1",
		Previous: d.hash(fieldPrevious),
		Rotated:  sessions.Instant(d.number(fieldRotated)),
		Retired:  d.marks(fieldRetired),
	}
	if fields[fieldPrevUntil] != "" {
		r.PreviousUntil = sessions.Instant(d.number(fieldPrevUntil))
	}
	if next := fields[fieldNext]; next != "" {
		r.Next = []byte(next)
	}
	if fields[fieldAuthTime] != "" {
		r.AuthTime = time.Unix(d.number(fieldAuthTime), 0).UTC()
	}
	d.list(fieldAMR, &r.AMR)
	d.list(fieldGroups, &r.Groups)
	d.list(fieldClaims, &r.Claims)
	if r.Current == (sessions.Hash{}) {
		d.fail(fieldCurrent)
	}
	if d.err != nil {
		return nil, d.err
	}
	return r, nil
}

// decoder keeps the first error.
type decoder struct {
	fields map[string]string
	err    error
}

// fail names the field and never its value.
func (d *decoder) fail(field string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: field %s", errDamaged, field)
	}
}

func (d *decoder) number(field string) int64 {
	n, err := strconv.ParseInt(d.fields[field], 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		d.fail(field)
		return 0
	}
	return n
}

func (d *decoder) hash(field string) (h sessions.Hash) {
	switch text := d.fields[field]; len(text) {
	case 0:
	case len(h):
		copy(h[:], text)
	default:
		d.fail(field)
	}
	return h
}

func (d *decoder) marks(field string) []sessions.RetiredHash {
	text := d.fields[field]
	const size = len(sessions.RetiredHash{})
	if text == "" {
		return nil
	}
	if len(text)%size != 0 || len(text) > size*sessions.MaxRetired {
		d.fail(field)
		return nil
	}
	marks := make([]sessions.RetiredHash, len(text)/size)
	for i := range marks {
		copy(marks[i][:], text[i*size:])
	}
	return marks
}

func (d *decoder) list(field string, into any) {
	text := d.fields[field]
	if text == "" {
		return
	}
	if json.Unmarshal([]byte(text), into) != nil {
		d.fail(field)
	}
}
