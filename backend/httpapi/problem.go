package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// problem is an answer that says no, a problem document of RFC 9457. It is an error, so that whatever
// serves a request can return it.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	RequestID string `json:"requestId,omitempty"`

	// Errors are the parts that the problem has.
	Errors []problemPart `json:"errors,omitempty"`
	// Choices are the caller's own organizations, of choose_organization.
	Choices []store.Membership `json:"choices,omitempty"`
	// Preview is what was too large.
	Preview *previewBody `json:"preview,omitempty"`
}

// problemPart is one thing that is wrong with a request, or one reason of a conflict. It names places of
// the interface, such as "body.name" or "query.limit", and rows that the caller may see; never what
// the client has sent.
type problemPart struct {
	Location   string          `json:"location,omitempty"`
	Code       string          `json:"code"`
	Kind       string          `json:"kind,omitempty"`
	ID         string          `json:"id,omitempty"`
	Label      string          `json:"label,omitempty"`
	Count      int             `json:"count,omitempty"`
	Key        []string        `json:"key,omitempty"`
	Twin       *softdelete.Ref `json:"twin,omitempty"`
	Parent     *softdelete.Ref `json:"parent,omitempty"`
	DeletionID *uuid.UUID      `json:"deletionId,omitempty"`
}

// fail makes a problem of one of the [codes].
func fail(name string, parts ...problemPart) *problem {
	c := codeNamed(name)
	return &problem{Type: "/problems/" + c.name, Title: c.title, Status: c.status, Code: c.name, Errors: parts}
}

// at is a part that names a place and what is wrong there.
func at(location, code string) problemPart { return problemPart{Location: location, Code: code} }

func (p *problem) Error() string { return p.Code + ": " + p.Title }

// write answers with the problem.
func (p *problem) write(w http.ResponseWriter, r *http.Request) {
	document := *p
	document.RequestID = caller.RequestID(r.Context())
	body, err := json.Marshal(document)
	if err != nil { // of plain values
		panic(err)
	}
	switch p.Status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	case http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close") // else net/http would wait for the rest before it answers
	}
	send(w, r, p.Status, "application/problem+json", body)
}

// send answers with a body that is the caller's alone.
func send(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // nobody is left to be told
	}
}
