package caller

import (
	"encoding/json"
	"net/http"
)

// Problem answers with a problem document (RFC 9457) of the form that all of the backend's have: the
// type is the path of a page about the code.
func Problem(w http.ResponseWriter, r *http.Request, status int, code, title string) {
	body, err := json.Marshal(problem{
		Type: "/problems/" + code, Title: title, Status: status, Code: code, RequestID: RequestID(r.Context()),
	})
	if err != nil { // of five plain values
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // nobody is left to be told
	}
}

type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	RequestID string `json:"requestId"`
}
