package web

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// word makes "On hold" of on_hold.
func word(value string) string {
	value = strings.ReplaceAll(value, "_", " ")
	first, size := utf8.DecodeRuneInString(value)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + value[size:]
}

// lower is a name for the middle of a sentence.
func lower(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(first)) + s[size:]
}

// quoted is a row's label in quotation marks, or "This client" for one that has none.
func quoted(label, singular string) string {
	if label == "" {
		return "This " + singular
	}
	return "“" + label + "”"
}

// article is "a client", "an invoice".
func article(singular string) string {
	if strings.ContainsRune("aeio", unicode.ToLower([]rune(singular)[0])) {
		return "an " + singular
	}
	return "a " + singular
}

// enumerate is "a", "a and b", "a, b and c".
func enumerate(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// with is " with a and b", or nothing.
func with(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return " with " + enumerate(parts)
}

// amount is "1 contact", "3 contacts".
func (p *Pages) amount(kind string, n int) string {
	e := p.byKind[kind]
	switch {
	case e == nil:
		return thousands(strconv.Itoa(n)) + " " + kind
	case n == 1:
		return "1 " + lower(e.Singular)
	default:
		return thousands(strconv.Itoa(n)) + " " + lower(e.Plural)
	}
}

// amounts are the counts in words, in the order of the entities.
func (p *Pages) amounts(counts softdelete.Counts) []string {
	var parts []string
	for _, kind := range p.kinds(counts) {
		parts = append(parts, p.amount(kind, counts[kind]))
	}
	return parts
}

// kinds are those that there are any of, in the order of the entities.
func (p *Pages) kinds(counts softdelete.Counts) []string {
	var kinds []string
	for _, e := range p.entities {
		if counts[e.Kind] > 0 {
			kinds = append(kinds, e.Kind)
		}
	}
	var unknown []string
	for kind, n := range counts {
		if n > 0 && p.byKind[kind] == nil {
			unknown = append(unknown, kind)
		}
	}
	slices.Sort(unknown)
	return append(kinds, unknown...)
}

// others are the counts in words, without the root itself.
func (p *Pages) others(counts softdelete.Counts, root string) []string {
	rest := softdelete.Counts{}
	for kind, n := range counts {
		if kind == root {
			n--
		}
		rest[kind] = n
	}
	return p.amounts(rest)
}

// notRearmed says of which rows a restore does not give everything back: " For safety, 1 portal access came
// back without its old access token.", or nothing. The verb is "came" or "would come".
func (p *Pages) notRearmed(counts softdelete.Counts, verb string) string {
	var parts []string
	for _, kind := range p.kinds(counts) {
		if e := p.byKind[kind]; e != nil && e.Rearm != "" {
			whose := "its"
			if counts[kind] > 1 {
				whose = "their"
			}
			parts = append(parts, p.amount(kind, counts[kind])+" "+verb+" back without "+whose+" old "+e.Rearm)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " For safety, " + enumerate(parts) + "."
}

// titles are names of fields that a column's name does not say well.
var titles = map[string]string{
	"clientCompanyId":   "Client",
	"createdAt":         "Added",
	"updatedAt":         "Changed",
	"closedAt":          "Closed",
	"sentAt":            "Sent",
	"viewedAt":          "Viewed",
	"paidAt":            "Paid",
	"signedAt":          "Signed",
	"respondedAt":       "Answered",
	"completedAt":       "Completed",
	"acceptedAt":        "Accepted",
	"approvedAt":        "Approved",
	"expiresAt":         "Expires",
	"lastMessageAt":     "Last message",
	"lastAccessedAt":    "Last visit",
	"expectedCloseDate": "Expected close",
	"totalAmount":       "Total",
	"paidAmount":        "Paid so far",
	"timezone":          "Time zone",
	"isPrimary":         "Primary contact",
	"isDefault":         "Default",
	"isClientVisible":   "Visible to the client",
	"zipCode":           "Postal code",
	"mimeType":          "File type",
	"slug":              "Short name",
	"dateFormat":        "Dates look like",
	"invitedById":       "Invited by",
	"sortOrder":         "Position",
}

// titleOf is a field's name for people.
func titleOf(f *softdelete.Field) string {
	if title := titles[f.Name]; title != "" {
		return title
	}
	return f.Title
}

// tones are the colours of values of an enumeration. The word is always there as well.
var tones = map[string]string{
	"won": "good", "paid": "good", "accepted": "good", "signed": "good", "approved": "good", "completed": "good", "active": "good",
	"overdue": "bad", "lost": "bad", "rejected": "bad", "urgent": "bad", "revoked": "bad",
	"on_hold": "warn", "expired": "warn", "pending": "warn", "high": "warn", "negotiation": "warn", "review": "warn",
	"sent": "info", "viewed": "info", "qualified": "info", "proposal": "info", "in_progress": "info", "client": "info", "owner": "info",
}
