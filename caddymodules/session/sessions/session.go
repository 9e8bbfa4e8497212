package sessions

import (
	"crypto/sha256"
	"time"
)

// Identity is what the provider said of a person when they signed in.
type Identity struct {
	// Provider is the configured name, Issuer the provider's own. Subject is unique within Issuer.
	Provider, Issuer, Subject string
	// ClientID is this site's name at the provider, for which the provider authenticated the person.
	ClientID string
	// ProviderSession is the provider's `sid`, empty if it has none.
	ProviderSession string
	// ACR and AMR say how the person was authenticated, AuthTime when; zero if the provider did not say.
	ACR      string
	AMR      []string
	AuthTime time.Time
	// Groups are the values of the claim that rules call groups.
	Groups []string
	// Claims are the further claims that the configuration names, in its order.
	Claims Claims
}

// Claim is one claim by name. A claim that is no list has one value.
type Claim struct {
	Name   string   `json:"n"`
	Values []string `json:"v"`
}

// Claims are in the order of the configuration: the ticket keeps the first that fit.
type Claims []Claim

// Values of the claim of that name, nil if there is none.
func (c Claims) Values(name string) []string {
	for i := range c {
		if c[i].Name == name {
			return c[i].Values
		}
	}
	return nil
}

// Session is who is signed in and since when, as rules and upstreams may know it. It is shared by
// requests and never changed.
type Session struct {
	Identity
	Selector Selector
	// Host is the host at which the person signed in, in lower case and without a port. The session is
	// valid at no other host.
	Host string
	// Created is the login, Absolute the end that no activity moves.
	Created, Absolute Instant
	// Generation counts the rotations.
	Generation int64
	// GroupsCut says that the session is known from a ticket that had no room for all groups, so
	// rules by group must fail. ClaimsCut says the same of Claims.
	GroupsCut, ClaimsCut bool
	// Rebuilt says that the session was restored from a ticket after the store lost it. It passes
	// neither `strict` nor rules by acr or max_age.
	Rebuilt bool
}

// User is who this is, over all of their sessions.
func (s *Session) User() User { return UserOf(s.Issuer, s.Subject) }

// User names a person in the store's keys: a digest of issuer and subject. The zero User is nobody.
type User [16]byte

// UserOf is the User of a subject at an issuer.
func UserOf(issuer, subject string) User { return User(pairDigest("gh user", issuer, subject)) }

// String is the user in base64url, as the store's keys carry it.
func (u User) String() string { return encoding.EncodeToString(u[:]) }

// ProviderSession names a session at the provider (issuer and `sid`) in the store's keys. The zero
// value is none.
type ProviderSession [16]byte

// ProviderSessionOf is zero when there is no sid.
func ProviderSessionOf(issuer, sid string) ProviderSession {
	if sid == "" {
		return ProviderSession{}
	}
	return ProviderSession(pairDigest("gh provider session", issuer, sid))
}

// String is the provider's session in base64url, as the store's keys carry it.
func (p ProviderSession) String() string { return encoding.EncodeToString(p[:]) }

func pairDigest(purpose, a, b string) []byte {
	h := sha256.New()
	for _, part := range []string{purpose, a, b} {
		// The length keeps ("ab", "c") and ("a", "bc") apart.
		var n [4]byte
		n[0], n[1], n[2], n[3] = byte(len(part)>>24), byte(len(part)>>16), byte(len(part)>>8), byte(len(part))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:16]
}

// State of a Record. Only active sessions are kept today; the field is in the schema so that a later
// version can write others, which this one then refuses.
type State string

// Active is the state of a session that may be used.
const Active State = "active"

// MaxRetired is how many retired verifiers a session remembers, the newest.
const MaxRetired = 32

// Record is all that the store keeps of one session except its last activity. A Record is never
// changed once it is shared: changes are made to a copy.
type Record struct {
	Session
	State State
	// Current is the verifier in force. Used says that somebody has presented it: until then the
	// one before it is as good as it was.
	Current Hash
	Used    bool
	// Previous is the verifier before Current, zero if there is none. PreviousUntil is zero until
	// Current is used, and then the end of its grace.
	Previous      Hash
	PreviousUntil Instant
	// Next is the current verifier sealed under the previous one.
	Next []byte
	// Rotated is when Current was made.
	Rotated Instant
	// Retired are verifiers that must never come back, oldest first.
	Retired []RetiredHash
}

// clone copies what the state machine changes.
func (r *Record) clone() *Record {
	c := *r
	c.Retired = append([]RetiredHash(nil), r.Retired...)
	return &c
}

func (r *Record) retired(h Hash) bool {
	for _, m := range r.Retired {
		if m == h.mark() {
			return true
		}
	}
	return false
}

// knows says whether the verifier is or ever was this session's.
func (r *Record) knows(h Hash) bool {
	return r.Current.Equal(h) || r.Previous.Equal(h) || r.retired(h)
}
