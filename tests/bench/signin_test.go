//go:build bench

package bench

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// provider is where the benches' person signs in.
type provider struct{ *idp.Server }

func startProvider(t *testing.T, addrs []string) provider {
	t.Helper()
	client := idp.Client{ID: "app", Secret: "hush"}
	for _, addr := range addrs {
		client.RedirectURIs = append(client.RedirectURIs, "http://"+addr+"/_auth/callback/dev")
	}
	op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{Clients: []idp.Client{client}}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	return provider{op}
}

// signIn signs a user in at the edge, as a browser does, and returns the browser's cookies.
func (p provider) signIn(t *testing.T, addr string) map[string]string {
	t.Helper()
	cookies := map[string]string{}
	get := func(path string) *http.Response {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+addr+path, http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Accept", "text/html")
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Dest", "document")
		req.Header.Set("Cookie", NewJar(cookies).Header())
		resp, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		_ = resp.Body.Close()
		for _, c := range resp.Cookies() {
			cookies[c.Name] = c.Value
			if c.MaxAge < 0 {
				delete(cookies, c.Name)
			}
		}
		return resp
	}
	begun := get("/_auth/login").Header.Get("Location")
	u, err := url.Parse(begun)
	require.NoError(t, err)
	back, err := idp.NewBrowser(nil).SignIn(t.Context(), begun, u.Query().Get("redirect_uri"), "olivia")
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, get(back.RequestURI()).StatusCode)
	require.Equal(t, http.StatusOK, get("/").StatusCode)
	return cookies
}
