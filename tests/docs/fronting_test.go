package docs

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

const fronting = "docs/fronting-an-app.md"

// The page's Caddyfiles are steps. Each is loaded into the edge that runs the one before, as a reader would, and
// does then what its step says.
func TestFronting_stepByStep(t *testing.T) {
	t.Parallel()
	steps := fence.FindAllStringSubmatch(textFiles(t)[fronting], -1)
	require.Len(t, steps, 4, "one for each of the first four steps")
	w := newWalk(t)

	w.take(steps[0][1])
	assert.Equal(t, http.StatusOK, w.send(http.MethodGet, "/clients").StatusCode)

	w.take(steps[1][1])
	for range 4 {
		assert.Equal(t, http.StatusOK, w.send(http.MethodPost, "/login").StatusCode)
	}
	assert.Regexp(t, `"login";r=[45];`, w.send(http.MethodPost, "/login").Header.Get("RateLimit"))
	assert.Equal(t, http.StatusOK, w.send(http.MethodGet, "/clients").StatusCode)

	w.take(steps[2][1])
	w.eventually(`gatehouse_session_provider_ready{provider="corp"} 1`)
	w.eventually("gatehouse_session_degraded 0")
	script := w.send(http.MethodGet, "/api/clients")
	assert.Equal(t, http.StatusUnauthorized, script.StatusCode)
	assert.Equal(t, "application/problem+json", script.Header.Get("Content-Type"))
	assert.Equal(t, http.StatusOK, w.send(http.MethodGet, "/health").StatusCode)
	assert.Equal(t, http.StatusOK, w.send(http.MethodGet, "/assets/app.css").StatusCode)
	assert.Empty(t, w.signIn("/clients").Headers[identity.HeaderAssertion])
	assert.Equal(t, "/_auth/login", w.send(http.MethodGet, "/login").Header.Get("Location"))

	w.take(steps[3][1])
	keys, err := identity.KeysFromURL(w.site + "/.well-known/gatehouse-jwks.json")
	require.NoError(t, err)
	verifier, err := identity.NewVerifier(identity.VerifierConfig{Issuer: "gatehouse", Audience: "app", Keys: keys})
	require.NoError(t, err)
	seen := w.seen("/clients") // still signed in
	id, err := verifier.Verify(t.Context(), seen.Headers.Get(identity.HeaderAssertion))
	require.NoError(t, err)
	assert.Equal(t, "corp:olivia", id.Subject)
	assert.Equal(t, "olivia@example.test", id.Claim("email"))
	assert.Contains(t, id.Groups, "admins")

	// The tries of the second step are counted still, two reloads later.
	tries := 0
	for tries < 10 && w.send(http.MethodGet, "/_auth/login").StatusCode != http.StatusTooManyRequests {
		tries++
	}
	assert.Less(t, tries, 5)
	assert.NotEmpty(t, w.send(http.MethodGet, "/_auth/login").Header.Get("Retry-After"))
}

// What the page says of the environment, of paths and of metrics is so.
func TestFronting_namesWhatIsThere(t *testing.T) {
	t.Parallel()
	text := textFiles(t)[fronting]
	for _, metric := range []string{"gatehouse_rate_limit_decisions_total", "gatehouse_rate_limit_mode", "gatehouse_session_provider_ready"} {
		assert.Contains(t, text, metric)
		found := false
		for path, page := range textFiles(t) {
			found = found || strings.HasPrefix(path, "docs/directives/") && strings.Contains(page, "| `"+metric+"`")
		}
		assert.True(t, found, "no directive's page knows %s", metric)
	}
}

// walk is a reader with an edge that runs, a provider, Redis and an app.
type walk struct {
	t       *testing.T
	edge    *stack.Gateway
	site    string
	places  *strings.Replacer
	browser *idp.Browser
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	addr := stack.PortForTest(t).Addr()
	w := &walk{t: t, site: "http://" + addr, browser: idp.NewBrowser(navigating{})}
	provider, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{Clients: []idp.Client{{
		ID: "app", Secret: "secret", RedirectURIs: []string{w.site + "/_auth/callback/corp"}, PostLogoutRedirectURIs: []string{w.site + "/"},
	}}}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = provider.Close() })
	redis := stack.RedisForTest(t, stack.RedisOptions{AppendOnly: true})
	_, app := upstream.Start(t, "app")
	w.places = strings.NewReplacer("app.example.com", w.site, "127.0.0.1:3000", app, "https://login.example.com", provider.Issuer())
	w.edge = stack.GatewayForTest(t, stack.GatewayOptions{
		Caddyfile: w.global("") + w.site + " {\n\trespond ok\n}\n", Listen: []string{addr},
		Env: []string{"REDIS_URL=" + redis.URL(), "OIDC_CLIENT_SECRET=secret", "GATEHOUSE_SECRET=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
	})
	return w
}

func (w *walk) global(options string) string {
	return "{\n\tadmin {$GATEHOUSE_ADMIN}\n" + options + "}\n"
}

// take loads a Caddyfile of the page.
func (w *walk) take(caddyfile string) {
	w.t.Helper()
	text := w.places.Replace(caddyfile)
	if options, ok := strings.CutPrefix(text, "{\n"); ok {
		options, site, _ := strings.Cut(options, "\n}\n")
		text = w.global(options+"\n") + site
	} else {
		text = w.global("") + text
	}
	require.NoError(w.t, w.edge.Reload(w.t.Context(), text))
}

func (w *walk) eventually(line string) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return strings.Contains(get(w.t, w.edge.AdminURL()+"/metrics"), line) }, 30*time.Second, 50*time.Millisecond, line)
}

// send is a script's request, without cookies. While an edge reloads, Linux resets connections that the old listener
// had not accepted yet; then it is sent once more, and may have counted twice.
func (w *walk) send(method, path string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.site+path, http.NoBody)
	require.NoError(w.t, err)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		resp, err = http.DefaultTransport.RoundTrip(req)
	}
	require.NoError(w.t, err)
	require.NoError(w.t, resp.Body.Close())
	return resp
}

// signIn opens a page at the browser, which leads to the login and back.
func (w *walk) signIn(path string) upstream.Answer {
	w.t.Helper()
	page, err := w.browser.Visit(w.t.Context(), w.site+path, "")
	require.NoError(w.t, err)
	page, err = w.browser.Submit(w.t.Context(), page, url.Values{"user": {"olivia"}}, "")
	require.NoError(w.t, err)
	require.Equal(w.t, w.site+path, page.URL.String())
	return w.answer(page)
}

func (w *walk) seen(path string) upstream.Answer {
	w.t.Helper()
	page, err := w.browser.Visit(w.t.Context(), w.site+path, "")
	require.NoError(w.t, err)
	return w.answer(page)
}

func (w *walk) answer(page *idp.Page) (seen upstream.Answer) {
	w.t.Helper()
	require.Equal(w.t, http.StatusOK, page.Status, page.Body)
	require.NoError(w.t, json.Unmarshal([]byte(page.Body), &seen))
	return seen
}

// navigating sends requests as a browser does that somebody steers.
type navigating struct{}

func (navigating) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil && r.Method == http.MethodGet { // see send
		resp, err = http.DefaultTransport.RoundTrip(r)
	}
	return resp, err
}
