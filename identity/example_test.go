package identity_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// An upstream that lets nobody in but whom the edge vouches for.
func Example() {
	keys, err := identity.KeysFromURL("https://app.example.com/.well-known/gatehouse-jwks.json")
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := identity.NewVerifier(identity.VerifierConfig{Issuer: "gatehouse", Audience: "app", Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := identity.FromContext(r.Context())
		fmt.Fprintf(w, "hello %s", id.Claim("name"))
	})
	handler := identity.Middleware{Verifier: verifier}.Wrap(hello)

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Code, w.Body)
	// Output:
	// 401 this request carries no valid identity
}

// Every spelling of an identity header that some server takes for X-Auth-User belongs to the edge.
func ExampleNames_Own() {
	names := identity.NewNames("Remote-User")
	for _, name := range []string{"X-Auth-User", "x_auth_user", "Remote.User", "X-Forwarded-For"} {
		fmt.Println(name, names.Own(name))
	}
	// Output:
	// X-Auth-User true
	// x_auth_user true
	// Remote.User true
	// X-Forwarded-For false
}
