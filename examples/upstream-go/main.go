// Command upstream-go is a small service behind the edge that believes nobody but the edge: it verifies
// the assertion of who is asking, and refuses requests that did not come through it.
//
//	/public  everybody, by name if they are signed in
//	/admin   members of the group admins
//	/...     everybody who is signed in
//
// The environment says what to expect:
//
//	ADDRESS             where to listen (127.0.0.1:3000)
//	GATEHOUSE_AUDIENCE  this service's name in assert_identity (upstream-go)
//	GATEHOUSE_ISSUER    the edge's name (gatehouse)
//	GATEHOUSE_JWKS      the edge's key set: a URL or a file
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

func main() {
	handler, err := service(os.Getenv)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr: cmp.Or(os.Getenv("ADDRESS"), "127.0.0.1:3000"), Handler: handler,
		ReadHeaderTimeout: 10 * time.Second,
	}
	slog.Info("listening", "address", server.Addr)
	log.Fatal(server.ListenAndServe())
}

// service is the handler, with all that it needs to know whom to believe.
func service(env func(string) string) (http.Handler, error) {
	keys, err := keySet(cmp.Or(env("GATEHOUSE_JWKS"), "http://127.0.0.1:8080/.well-known/gatehouse-jwks.json"))
	if err != nil {
		return nil, err
	}
	verifier, err := identity.NewVerifier(identity.VerifierConfig{
		Issuer:   cmp.Or(env("GATEHOUSE_ISSUER"), "gatehouse"),
		Audience: cmp.Or(env("GATEHOUSE_AUDIENCE"), "upstream-go"),
		Keys:     keys,
	})
	if err != nil {
		return nil, err
	}
	everybody := identity.Middleware{Verifier: verifier, Anonymous: true, Refuse: refuse}
	signedIn := identity.Middleware{Verifier: verifier, Refuse: refuse}

	mux := http.NewServeMux()
	mux.Handle("/public", everybody.Wrap(http.HandlerFunc(hello)))
	mux.Handle("/admin", signedIn.Wrap(only("admins", hello)))
	mux.Handle("/", signedIn.Wrap(http.HandlerFunc(hello)))
	return mux, nil
}

func keySet(origin string) (*identity.KeySet, error) {
	if strings.HasPrefix(origin, "http://") || strings.HasPrefix(origin, "https://") {
		return identity.KeysFromURL(origin)
	}
	return identity.KeysFromFile(origin), nil
}

// only lets members of a group pass.
func only(group string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, _ := identity.FromContext(r.Context()); !slices.Contains(id.Groups, group) {
			answer(w, http.StatusForbidden, map[string]any{"error": "this is for " + group})
			return
		}
		next(w, r)
	})
}

// hello says who is asking.
func hello(w http.ResponseWriter, r *http.Request) {
	id, signedIn := identity.FromContext(r.Context())
	answer(w, http.StatusOK, map[string]any{
		"signedIn": signedIn, "subject": id.Subject, "email": id.Claim("email"), "groups": id.Groups,
		"requestId": r.Header.Get(identity.HeaderRequestID),
	})
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	// The reason is for the operator, under the id that the edge's log has too.
	slog.Warn("request refused", "request_id", r.Header.Get(identity.HeaderRequestID), "error", err)
	if errors.Is(err, identity.ErrKeysUnavailable) {
		answer(w, http.StatusServiceUnavailable, map[string]any{"error": "who is asking cannot be verified at the moment"})
		return
	}
	answer(w, http.StatusUnauthorized, map[string]any{"error": "sign in first"})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		slog.Error("answer", "error", err)
	}
}
