package assertidentity

import (
	"maps"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// published is a publisher with some placeholders.
type published map[string]any

func (p published) Placeholder(name string) (any, bool) {
	value, known := p[name]
	return value, known
}

// publishedRequest is a request of a user whose placeholders are known to the replacer and to a publisher.
func publishedRequest(values, also map[string]any) *http.Request {
	r := request(values)
	p := published{}
	maps.Copy(p, values)
	maps.Copy(p, also)
	caddyhttp.SetVar(r.Context(), publisherVar, p)
	return r
}

func TestServeHTTP_asksThePublisher(t *testing.T) {
	f := open(t, "claims email name plan")
	for _, c := range []struct {
		name        string
		set, theirs map[string]any
		want        map[string]any
	}{
		{"the same user", ann(), nil, ann()},
		{"a claim that the replacer does not know", ann(), map[string]any{"http.auth.user.plan": "pro"}, with(ann(), "http.auth.user.plan", "pro")},
		{"a claim that only the replacer knows", with(ann(), "http.auth.user.plan", "pro"), nil, with(ann(), "http.auth.user.plan", "pro")},
		// basic_auth behind session sets a user of its own. Nothing of the session's user may be asserted.
		{"another user came later", map[string]any{"http.auth.user.id": "bob"}, ann(), map[string]any{"http.auth.user.id": "bob"}},
		{"the publisher has no user", map[string]any{"http.auth.user.id": "bob"}, map[string]any{"http.auth.user.id": nil, "http.auth.user.name": "Ann"}, map[string]any{"http.auth.user.id": "bob"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.do(publishedRequest(c.set, c.theirs))
			got, err := f.verifier.Verify(t.Context(), f.got.Header.Get(identity.HeaderAssertion))
			require.NoError(t, err)
			assert.Equal(t, f.uncached(c.want), got)
		})
	}
	f.do(publishedRequest(nil, ann()))
	assert.Empty(t, f.got.Header[identity.HeaderAssertion], "the replacer decides who is signed in")
}
