package idp

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
)

// admin switches a running provider from outside. It exists only with an admin token, sent as
// Authorization: Bearer, so that no page in a developer's browser can reach it.
//
//	GET    /admin/faults           every fault with what it does
//	PUT    /admin/faults           [{"name":"wrong_nonce"},{"name":"slow","on":"token","arg":"2s","times":1}]
//	DELETE /admin/faults           sound again
//	POST   /admin/keys[?keep=1]    rotate the signing key; keep leaves the old ones published
//	PUT    /admin/clients          register a client, or replace the one with its id
//	POST   /admin/signout?sub=     end a subject's sessions and tell their clients
//	POST   /admin/notify?client=&sub=&sid=   send one logout token
//	GET    /admin/calls            requests by endpoint
//	GET    /admin/notices          logout tokens sent so far
func (p *Provider) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, Faults())
	})
	mux.HandleFunc("PUT /admin/faults", func(w http.ResponseWriter, r *http.Request) {
		var faults []Fault
		change(w, readJSON(r, &faults), func() error { return p.SetFaults(faults...) })
	})
	mux.HandleFunc("DELETE /admin/faults", func(w http.ResponseWriter, _ *http.Request) {
		change(w, nil, func() error { return p.SetFaults() })
	})
	mux.HandleFunc("POST /admin/keys", func(w http.ResponseWriter, r *http.Request) {
		change(w, nil, func() error { return p.RotateKeys(r.URL.Query().Get("keep") != "") })
	})
	mux.HandleFunc("PUT /admin/clients", func(w http.ResponseWriter, r *http.Request) {
		var c Client
		change(w, readJSON(r, &c), func() error { return p.SetClient(c) })
	})
	mux.HandleFunc("POST /admin/signout", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]int{"ended": p.EndSessions(r.Context(), r.URL.Query().Get("sub"))})
	})
	mux.HandleFunc("POST /admin/notify", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		writeJSON(w, http.StatusOK, p.Notify(r.Context(), q.Get("client"), q.Get("sub"), q.Get("sid")))
	})
	mux.HandleFunc("GET /admin/calls", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, p.allCalls())
	})
	mux.HandleFunc("GET /admin/notices", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, p.Notices())
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if p.adminToken == "" || subtle.ConstantTimeCompare([]byte(token), []byte(p.adminToken)) != 1 {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func readJSON(r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 64<<10))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// change answers 204, or 400 with what is wrong with the request.
func change(w http.ResponseWriter, bad error, apply func() error) {
	if bad == nil {
		bad = apply()
	}
	if bad != nil {
		writeError(w, http.StatusBadRequest, "invalid_request", bad.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
