package caller

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// MaxRequestID is the longest id of a request that is taken over, in bytes.
const MaxRequestID = 64

// RequestID returns the id that [Log] gave the request of the context; empty outside of it.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestID takes the edge's id where it is one, else makes one: it goes into logs, answers and the
// audit trail, where text of a stranger's choosing has no place.
func requestID(r *http.Request) string {
	if given := r.Header[identity.HeaderRequestID]; len(given) == 1 && validRequestID(given[0]) {
		return given[0]
	}
	return uuid.NewString()
}

func validRequestID(id string) bool {
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return id != "" && len(id) <= MaxRequestID
}

type requestIDKey struct{}
