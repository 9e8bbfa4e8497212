package sessions

import (
	"net/netip"
	"strings"
	"time"
)

// What a ticket may hold, so that it and the session cookie stay under 1.4 KB together.
const (
	maxTicketChars      = 1308
	maxTicketGroups     = 32
	maxTicketGroupBytes = 512
	maxTicketClaimBytes = 256
	// maxAhead is how far in this node's future a ticket's times may lie: clocks differ.
	maxAhead = 2 * time.Minute
)

// Ticket is the sealed evidence of a session that the browser keeps for an outage of the store. It
// is worth nothing without the cookie whose verifier it is bound to.
type Ticket struct {
	Session
	Hash Hash
	// Last is the last activity known when it was issued, OnlineAt the last time at which the store
	// confirmed the session.
	Last, OnlineAt Instant
}

// Tickets seals and opens tickets of one namespace.
type Tickets struct {
	sealer    *Sealer
	namespace string
	issuers   map[string]string
}

// NewTickets makes the codec. The issuers are those of the configured providers by name: a ticket
// names its provider only, and one of another provider is none.
func NewTickets(keys *Keys, namespace string, issuers map[string]string) *Tickets {
	return &Tickets{sealer: keys.Sealer("ride-through ticket"), namespace: namespace, issuers: issuers}
}

// Seal returns the cookie's value for a host, or "" if even the least ticket of this session would be
// too long: then it cannot ride through an outage on another node. Groups that do not fit are left
// out with a mark, then claims.
func (t *Tickets) Seal(ticket Ticket, host string) string {
	if len(ticket.Groups) > maxTicketGroups || size(ticket.Groups) > maxTicketGroupBytes {
		ticket.Groups, ticket.GroupsCut = nil, true
	}
	ticket.Claims, ticket.ClaimsCut = fitting(ticket.Claims, ticket.ClaimsCut)
	room := encoding.DecodedLen(maxTicketChars) - t.sealer.Overhead()
	plain := ticket.encode()
	if len(plain) > room {
		ticket.Groups, ticket.GroupsCut = nil, ticket.GroupsCut || len(ticket.Groups) > 0
		plain = ticket.encode()
	}
	if len(plain) > room {
		ticket.Claims, ticket.ClaimsCut = nil, ticket.ClaimsCut || len(ticket.Claims) > 0
		plain = ticket.encode()
	}
	if len(plain) > room {
		return ""
	}
	return encoding.EncodeToString(t.sealer.Seal(plain, t.additional(host)))
}

// Open returns the ticket that Seal made for this host. Everything else is as good as no ticket.
func (t *Tickets) Open(value, host string) (*Ticket, bool) {
	if value == "" || len(value) > maxTicketChars {
		return nil, false
	}
	sealed, err := encoding.DecodeString(value)
	// DecodeString skips line breaks; a value with one is not what Seal wrote.
	if err != nil || strings.ContainsAny(value, "\r\n") {
		return nil, false
	}
	plain, ok := t.sealer.Open(sealed, t.additional(host))
	if !ok {
		return nil, false
	}
	ticket, ok := decodeTicket(plain)
	if !ok {
		return nil, false
	}
	if ticket.Issuer, ok = t.issuers[ticket.Provider]; !ok {
		return nil, false
	}
	ticket.Host = bareHost(host) // a ticket opens at no other host
	return ticket, true
}

// additional binds a ticket to namespace and host. Ports are left out: cookies ignore them.
func (t *Tickets) additional(host string) []byte {
	host = bareHost(host)
	b := make([]byte, 0, len("gh-rt1")+len(t.namespace)+len(host)+2)
	b = append(b, "gh-rt1"...)
	b = append(b, 0)
	b = append(b, t.namespace...)
	b = append(b, 0)
	return append(b, host...)
}

// bareHost is the host of a Host header, in lower case, without port and final dot.
func bareHost(host string) string {
	if host != "" && (host[0] == '[' || host[0] >= '0' && host[0] <= '9') {
		if a, err := netip.ParseAddrPort(host); err == nil {
			return a.Addr().String()
		}
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host, ':') == i {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// upToNow takes times in the near future as now. It refuses a ticket from further ahead.
func (t *Ticket) upToNow(now Instant) bool {
	limit := now.Add(maxAhead)
	if t.Last > limit || t.OnlineAt > limit || t.Created > limit {
		return false
	}
	t.Last, t.OnlineAt = min(t.Last, now), min(t.OnlineAt, now)
	return true
}

func size(values []string) (n int) {
	for _, v := range values {
		n += len(v)
	}
	return n
}

// fitting are the first claims that fit.
func fitting(claims Claims, cut bool) (Claims, bool) {
	n := 0
	for i, c := range claims {
		if n += len(c.Name) + size(c.Values); n > maxTicketClaimBytes {
			return claims[:i:i], true
		}
	}
	return claims, cut
}
