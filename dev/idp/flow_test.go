package idp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	redirectURI = "https://app.example/_auth/callback/dev"
	verifier    = "a-code-verifier-of-forty-three-characters-00"
)

// world is a provider that listens, its clock, and a browser.
type world struct {
	*Server
	browser *Browser
	now     time.Time
	logouts chan string // logout tokens that the client received
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{browser: NewBrowser(nil), now: time.Unix(1_750_000_000, 0), logouts: make(chan string, 10)}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.logouts <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(receiver.Close)
	c := Config{
		AdminToken: "let-me-in",
		Clients: []Client{
			{ID: "app", Secret: "a secret/with+signs", RedirectURIs: []string{redirectURI},
				PostLogoutRedirectURIs: []string{"https://app.example/bye"}, BackchannelLogoutURI: receiver.URL},
			{ID: "native", RedirectURIs: []string{redirectURI}},
		},
		Now: func() time.Time { return w.now },
	}
	if change != nil {
		change(&c)
	}
	s, err := Start(t.Context(), "127.0.0.1:0", c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Server = s
	return w
}

// authURL is a sound authorization request with params set over it; an empty value takes one away.
func (w *world) authURL(params ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {redirectURI},
		"scope": {"openid profile email offline_access"}, "state": {"a-state"}, "nonce": {"a-nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for pair := range slices.Chunk(params, 2) {
		if q.Set(pair[0], pair[1]); pair[1] == "" {
			q.Del(pair[0])
		}
	}
	return w.Issuer() + "/authorize?" + q.Encode()
}

func (w *world) signIn(t *testing.T, user string, params ...string) url.Values {
	t.Helper()
	u, err := w.browser.SignIn(t.Context(), w.authURL(params...), redirectURI, user)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// token posts to the token endpoint as the client "app" with the parameters of a sound code exchange.
func (w *world) token(t *testing.T, params ...string) (int, tokenAnswer) {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {redirectURI}, "code_verifier": {verifier}}
	for pair := range slices.Chunk(params, 2) {
		form.Set(pair[0], pair[1])
	}
	req := w.request(t, http.MethodPost, "/token", form.Encode())
	if !form.Has("client_id") {
		req.SetBasicAuth("app", url.QueryEscape("a secret/with+signs"))
	}
	var v tokenAnswer
	return do(t, req, &v), v
}

// tokenAnswer is what the token endpoint says.
type tokenAnswer struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func (w *world) request(t *testing.T, method, path, form string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.Issuer()+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

// do sends a request and reads its answer's JSON, if it is any, into v.
func do(t *testing.T, req *http.Request, v any) int {
	t.Helper()
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_ = json.NewDecoder(resp.Body).Decode(v)
	return resp.StatusCode
}

func (w *world) userinfo(t *testing.T, token string) (int, map[string]any) {
	t.Helper()
	req := w.request(t, http.MethodGet, "/userinfo", "")
	req.Header.Set("Authorization", "Bearer "+token)
	var v map[string]any
	return do(t, req, &v), v
}

func (w *world) claims(t *testing.T, token string) map[string]any {
	t.Helper()
	payload, err := w.keys.payload(token)
	if err != nil {
		t.Fatalf("token %q: %v", token, err)
	}
	var v map[string]any
	if err := json.Unmarshal(payload, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLogin(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Algorithm = alg })
			answer := w.signIn(t, "adam")
			if answer.Get("state") != "a-state" || answer.Get("iss") != w.Issuer() || answer.Get("code") == "" {
				t.Fatalf("answer is %v, want a code with state and iss", answer)
			}
			status, tokens := w.token(t, "code", answer.Get("code"))
			if status != http.StatusOK {
				t.Fatalf("token endpoint answered %d %v", status, tokens)
			}
			id := w.claims(t, tokens.ID)
			for claim, want := range map[string]any{
				"iss": w.Issuer(), "sub": "adam", "aud": "app", "nonce": "a-nonce", "acr": "pwd",
				"email": "adam@example.test", "email_verified": true, "name": "Adam Adeyemi",
				"iat": float64(w.now.Unix()), "auth_time": float64(w.now.Unix()), "exp": float64(w.now.Unix() + 300),
				"at_hash": halfHash(alg, tokens.Access),
			} {
				if got := id[claim]; got != want {
					t.Errorf("%s = %v, want %v", claim, got, want)
				}
			}
			if sid, _ := id["sid"].(string); sid == "" {
				t.Error("the ID token has no sid")
			}
			if status, info := w.userinfo(t, tokens.Access); status != http.StatusOK || info["sub"] != "adam" {
				t.Errorf("userinfo answered %d %v", status, info)
			}
		})
	}
}

func TestAuthorize_refusesOnAPageWhatItCannotTrust(t *testing.T) {
	w := newWorld(t, nil)
	for _, params := range [][]string{
		{"client_id", "unknown"},
		{"redirect_uri", redirectURI + "/"},
		{"redirect_uri", redirectURI + "?x=1"},
		{"redirect_uri", "https://APP.example/_auth/callback/dev"},
		{"redirect_uri", ""},
	} {
		p, err := w.browser.Visit(t.Context(), w.authURL(params...), redirectURI)
		if err != nil {
			t.Fatal(err)
		}
		if p.Status != http.StatusBadRequest {
			t.Errorf("%v: ended at %s with status %d, want 400 here", params, p.URL, p.Status)
		}
	}
	p, err := w.browser.Visit(t.Context(), w.authURL()+"&state=again", redirectURI)
	if err != nil || p.Status != http.StatusBadRequest {
		t.Errorf("a repeated parameter got %+v, %v, want 400", p, err)
	}
}

func TestAuthorize_refusesByRedirect(t *testing.T) {
	w := newWorld(t, nil)
	for _, tt := range []struct{ param, value, want string }{
		{"response_type", "token", "unsupported_response_type"},
		{"response_mode", "form_post", "invalid_request"},
		{"code_challenge", "", "invalid_request"},
		{"code_challenge_method", "plain", "invalid_request"},
		{"code_challenge_method", "", "invalid_request"},
		{"scope", "profile", "invalid_scope"},
		{"request", "x", "request_not_supported"},
		{"max_age", "-1", "invalid_request"},
		{"prompt", "none", "login_required"},
		{"prompt", "none login", "invalid_request"},
	} {
		answer := w.signIn(t, "adam", tt.param, tt.value)
		if answer.Get("error") != tt.want || answer.Get("state") != "a-state" || answer.Get("iss") != w.Issuer() || answer.Has("code") {
			t.Errorf("%s=%q got %v, want %s with state and iss", tt.param, tt.value, answer, tt.want)
		}
	}
}

func TestAuthorize_asksAgainWhenTheSessionIsNotEnough(t *testing.T) {
	w := newWorld(t, nil)
	w.signIn(t, "adam")
	w.now = w.now.Add(10 * time.Minute)
	for _, tt := range []struct {
		params []string
		asked  bool
	}{
		{nil, false},
		{[]string{"prompt", "none"}, false},
		{[]string{"max_age", "600"}, false},
		{[]string{"acr_values", "pwd"}, false},
		{[]string{"prompt", "login"}, true},
		{[]string{"max_age", "599"}, true},
		{[]string{"acr_values", "mfa"}, true},
	} {
		p, err := w.browser.Visit(t.Context(), w.authURL(tt.params...), redirectURI)
		if err != nil {
			t.Fatal(err)
		}
		if asked := p.Status == http.StatusOK; asked != tt.asked {
			t.Errorf("%v: asked %v, want %v", tt.params, asked, tt.asked)
		}
	}
	code := w.signIn(t, "adam", "acr_values", "mfa").Get("code")
	_, tokens := w.token(t, "code", code)
	if id := w.claims(t, tokens.ID); id["acr"] != "mfa" || id["auth_time"] != float64(w.now.Unix()) {
		t.Errorf("after the second factor acr = %v, auth_time = %v", id["acr"], id["auth_time"])
	}
}

func TestLoginPage_worksWithoutScript(t *testing.T) {
	w := newWorld(t, nil)
	req := w.request(t, http.MethodGet, strings.TrimPrefix(w.authURL("login_hint", "mia"), w.Issuer()), "")
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := string(raw)
	for _, want := range []string{`lang="en"`, `value="mia" autofocus`, "prefers-color-scheme: dark", `<meta name="viewport"`, "Olivia Owens"} {
		if !strings.Contains(body, want) {
			t.Errorf("the login page lacks %s", want)
		}
	}
	if strings.Contains(body, "<script") {
		t.Error("the login page has a script")
	}
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action 'self' https://app.example") {
		t.Errorf("Content-Security-Policy is %q: the form's redirect needs the client's origin, all else nothing", csp)
	}
}

func TestLogin_isRefusedFromAnotherSite(t *testing.T) {
	w := newWorld(t, nil)
	form := url.Values{"user": {"adam"}, "request": {strings.SplitN(w.authURL(), "?", 2)[1]}}
	req := w.request(t, http.MethodPost, "/login", form.Encode())
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if status := do(t, req, nil); status != http.StatusForbidden {
		t.Errorf("a login form of another site got %d, want 403", status)
	}
}

func TestLogin_cancelled(t *testing.T) {
	w := newWorld(t, nil)
	p, err := w.browser.Visit(t.Context(), w.authURL(), redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	p, err = w.browser.Submit(t.Context(), p, url.Values{"cancel": {"1"}}, redirectURI)
	if err != nil || p.URL.Query().Get("error") != "access_denied" {
		t.Errorf("cancelling led to %v, %v, want access_denied", p, err)
	}
}

func TestCode_isGoodOnceAndForItsLogin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params []string
		wait   time.Duration
	}{
		{name: "wrong verifier", params: []string{"code_verifier", strings.Repeat("x", 43)}},
		{name: "no verifier", params: []string{"code_verifier", ""}},
		{name: "other redirect URI", params: []string{"redirect_uri", redirectURI + "x"}},
		{name: "other client", params: []string{"client_id", "native"}},
		{name: "too late", wait: time.Minute + time.Second},
		{name: "other code", params: []string{"code", "nonsense"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			code := w.signIn(t, "adam").Get("code")
			w.now = w.now.Add(tt.wait)
			status, got := w.token(t, append([]string{"code", code}, tt.params...)...)
			if status != http.StatusBadRequest || got.Error != "invalid_grant" {
				t.Errorf("got %d %v, want invalid_grant", status, got)
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		w := newWorld(t, nil)
		code := w.signIn(t, "adam").Get("code")
		_, tokens := w.token(t, "code", code)
		if status, _ := w.token(t, "code", code); status != http.StatusBadRequest {
			t.Errorf("the code was good twice")
		}
		if status, _ := w.userinfo(t, tokens.Access); status != http.StatusUnauthorized {
			t.Errorf("the access token outlived the theft of its code: status %d", status)
		}
		if status, _ := w.token(t, "grant_type", "refresh_token", "refresh_token", tokens.Refresh); status != http.StatusBadRequest {
			t.Errorf("the refresh token outlived the theft of its code")
		}
	})
}

func TestToken_authenticatesTheClient(t *testing.T) {
	w := newWorld(t, nil)
	for _, params := range [][]string{
		{"client_id", "app"},
		{"client_id", "app", "client_secret", "guess"},
		{"client_id", "nobody", "client_secret", ""},
	} {
		status, got := w.token(t, append([]string{"code", "x"}, params...)...)
		if status != http.StatusUnauthorized || got.Error != "invalid_client" {
			t.Errorf("%v got %d %v, want invalid_client", params, status, got)
		}
	}
	code := w.signIn(t, "adam").Get("code")
	if status, got := w.token(t, "code", code, "client_id", "app", "client_secret", "a secret/with+signs"); status != http.StatusOK {
		t.Errorf("the secret in the form got %d %v", status, got)
	}
	code = w.signIn(t, "adam", "client_id", "native").Get("code")
	if status, got := w.token(t, "code", code, "client_id", "native"); status != http.StatusOK {
		t.Errorf("a public client got %d %v", status, got)
	}
}

func TestRefresh_rotatesAndDetectsReuse(t *testing.T) {
	w := newWorld(t, nil)
	_, first := w.token(t, "code", w.signIn(t, "adam").Get("code"))
	refresh := func(tokens tokenAnswer) (int, tokenAnswer) {
		return w.token(t, "grant_type", "refresh_token", "refresh_token", tokens.Refresh)
	}
	status, second := refresh(first)
	if status != http.StatusOK || second.Refresh == first.Refresh || second.Access == first.Access {
		t.Fatalf("refresh got %d, want new tokens", status)
	}
	id := w.claims(t, second.ID)
	if id["sub"] != "adam" || id["nonce"] != nil || id["sid"] != w.claims(t, first.ID)["sid"] {
		t.Errorf("refreshed ID token %v: want the same sub and sid and no nonce", id)
	}
	if status, _ := refresh(first); status != http.StatusBadRequest {
		t.Errorf("a spent refresh token got %d, want 400", status)
	}
	if status, _ := refresh(second); status != http.StatusBadRequest {
		t.Errorf("the successor of a token that was used twice got %d, want 400", status)
	}
	if _, tokens := w.token(t, "code", w.signIn(t, "adam", "scope", "openid").Get("code")); tokens.Refresh != "" {
		t.Error("a refresh token came without offline_access")
	}
}

func TestKeys_rotate(t *testing.T) {
	w := newWorld(t, nil)
	published := func() int {
		var set struct{ Keys []map[string]any }
		do(t, w.request(t, http.MethodGet, "/jwks", ""), &set)
		for _, key := range set.Keys {
			if key["d"] != nil {
				t.Fatal("a private key was published")
			}
		}
		return len(set.Keys)
	}
	_, before := w.token(t, "code", w.signIn(t, "adam").Get("code"))
	if err := w.RotateKeys(true); err != nil || published() != 2 {
		t.Fatalf("after a rotation that keeps, %d keys are published (%v)", published(), err)
	}
	w.claims(t, before.ID) // still verifies
	if err := w.RotateKeys(false); err != nil || published() != 1 {
		t.Fatalf("after a rotation that does not keep, %d keys are published (%v)", published(), err)
	}
	if _, err := w.keys.payload(before.ID); err == nil {
		t.Error("a token outlived its key")
	}
}

func TestLogout_byHintTellsTheClients(t *testing.T) {
	w := newWorld(t, nil)
	_, tokens := w.token(t, "code", w.signIn(t, "adam", "scope", "openid").Get("code"))
	id := w.claims(t, tokens.ID)
	w.now = w.now.Add(time.Hour) // an expired hint is good
	p, err := w.browser.Visit(t.Context(), w.Issuer()+"/logout?"+url.Values{
		"id_token_hint": {tokens.ID}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"s"},
	}.Encode(), "https://app.example/")
	if err != nil || p.URL.String() != "https://app.example/bye?state=s" {
		t.Fatalf("logout ended at %+v, %v", p, err)
	}
	got := w.claims(t, <-w.logouts)
	events, _ := got["events"].(map[string]any)
	if got["sub"] != "adam" || got["sid"] != id["sid"] || got["aud"] != "app" || events[logoutEvent] == nil || got["nonce"] != nil {
		t.Errorf("logout token is %v", got)
	}
	if n := w.Notices(); len(n) != 1 || n[0].Status != http.StatusOK {
		t.Errorf("notices are %+v, want one that was answered 200", n)
	}
	if answer := w.signIn(t, "adam", "prompt", "none"); answer.Get("error") != "login_required" {
		t.Errorf("after the logout prompt=none got %v", answer)
	}
}

func TestLogout_withoutAHintAsks(t *testing.T) {
	w := newWorld(t, nil)
	w.signIn(t, "adam")
	p, err := w.browser.Visit(t.Context(), w.Issuer()+"/logout?client_id=app&post_logout_redirect_uri=https://app.example/bye", "https://app.example/")
	if err != nil || p.Status != http.StatusOK || !strings.Contains(p.Body, "Adam Adeyemi") {
		t.Fatalf("logout without a hint got %+v, %v, want a question", p, err)
	}
	if answer := w.signIn(t, "adam", "prompt", "none"); answer.Get("code") == "" {
		t.Errorf("the question already ended the session: %v", answer)
	}
	if p, err = w.browser.Submit(t.Context(), p, nil, "https://app.example/"); err != nil || p.URL.String() != "https://app.example/bye" {
		t.Fatalf("the confirmed logout ended at %+v, %v", p, err)
	}
}

func TestLogout_redirectsToRegisteredAddressesOnly(t *testing.T) {
	w := newWorld(t, nil)
	_, tokens := w.token(t, "code", w.signIn(t, "adam").Get("code"))
	for _, q := range []url.Values{
		{"id_token_hint": {tokens.ID}, "post_logout_redirect_uri": {"https://evil.example/"}},
		{"post_logout_redirect_uri": {"https://app.example/bye"}},
		{"id_token_hint": {"nonsense"}},
		{"id_token_hint": {tokens.ID}, "client_id": {"native"}},
	} {
		p, err := w.browser.Visit(t.Context(), w.Issuer()+"/logout?"+q.Encode(), "https://")
		if err != nil || p.Status != http.StatusBadRequest {
			t.Errorf("%v ended at %+v, %v, want 400", q, p, err)
		}
	}
}

func TestSignIn_asSomebodyElseIsAnotherSession(t *testing.T) {
	w := newWorld(t, nil)
	sid := func(user string) any {
		_, tokens := w.token(t, "code", w.signIn(t, user, "prompt", "login").Get("code"))
		return w.claims(t, tokens.ID)["sid"]
	}
	adam := sid("adam")
	if again := sid("adam"); again != adam {
		t.Errorf("the same person again has sid %v, want %v", again, adam)
	}
	if mia := sid("mia"); mia == adam {
		t.Error("another person has the same sid")
	}
}

func TestAdmin(t *testing.T) {
	call := func(w *world, method, path, token, body string) (int, map[string]any) {
		req := w.request(t, method, path, body)
		req.Header.Set("Authorization", "Bearer "+token)
		var v map[string]any
		return do(t, req, &v), v
	}
	t.Run("is not there without a token", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.AdminToken = "" })
		if status, _ := call(w, "GET", "/admin/faults", "", ""); status != http.StatusNotFound {
			t.Errorf("got %d, want 404", status)
		}
	})
	w := newWorld(t, nil)
	t.Run("wrong token", func(t *testing.T) {
		if status, _ := call(w, "DELETE", "/admin/faults", "guess", ""); status != http.StatusNotFound {
			t.Errorf("got %d, want 404", status)
		}
	})
	t.Run("switches faults", func(t *testing.T) {
		if status, got := call(w, "PUT", "/admin/faults", "let-me-in", `[{"name":"wrong_nonce","times":1}]`); status != http.StatusNoContent {
			t.Fatalf("got %d %v", status, got)
		}
		for _, want := range []string{"somebody-elses", "a-nonce"} {
			_, tokens := w.token(t, "code", w.signIn(t, "adam").Get("code"))
			if got := w.claims(t, tokens.ID)["nonce"]; got != want {
				t.Errorf("nonce is %v, want %v", got, want)
			}
		}
		for _, bad := range []string{`[{"name":"no_such"}]`, `[{"name":"slow","arg":"soon"}]`, `{}`} {
			if status, got := call(w, "PUT", "/admin/faults", "let-me-in", bad); status != http.StatusBadRequest {
				t.Errorf("%s got %d %v, want 400", bad, status, got)
			}
		}
	})
	t.Run("registers clients", func(t *testing.T) {
		status, got := call(w, "PUT", "/admin/clients", "let-me-in", `{"id":"late","redirect_uris":["`+redirectURI+`"]}`)
		if status != http.StatusNoContent {
			t.Fatalf("got %d %v", status, got)
		}
		if answer := w.signIn(t, "adam", "client_id", "late"); answer.Get("code") == "" {
			t.Errorf("the new client got %v", answer)
		}
	})
	t.Run("signs people out", func(t *testing.T) {
		w.signIn(t, "mia", "prompt", "login")
		if _, got := call(w, "POST", "/admin/signout?sub=mia", "let-me-in", ""); got["ended"] != float64(1) {
			t.Fatalf("got %v, want one session ended", got)
		}
		if got := w.claims(t, <-w.logouts)["sub"]; got != "mia" {
			t.Errorf("the logout token is about %v", got)
		}
		if _, got := call(w, "GET", "/admin/calls", "let-me-in", ""); got["login"] == nil {
			t.Errorf("calls are %v", got)
		}
	})
}

func TestFaults_eachChangesWhatItSays(t *testing.T) {
	w := newWorld(t, nil)
	for name, about := range Faults() {
		if about == "" || defaultPlace(name) == "" {
			t.Errorf("fault %q has no description or no place", name)
		}
	}
	for name, f := range tokenFaults {
		if err := w.SetFaults(Fault{Name: name}); err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{
			"iss": "i", "sub": "s", "aud": "a", "exp": int64(2), "iat": int64(1), "auth_time": int64(1), "jti": "j", "nonce": "n", "sid": "s",
			"at_hash": "h", "events": map[string]any{}, "email_verified": true, "email": "a@b",
		}
		sound, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		w.lastJTI = "before"
		token, err := w.issue(f.on, "JWT-as-sent", claims)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := w.keys.payload(token)
		var header map[string]any
		raw, _ := base64.RawURLEncoding.DecodeString(strings.SplitN(token, ".", 2)[0])
		_ = json.Unmarshal(raw, &header)
		if err == nil && slices.Equal(payload, sound) && header["typ"] == "JWT-as-sent" {
			t.Errorf("fault %q changes nothing", name)
		}
	}
}

func TestClose_releasesWhatHangs(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.SetFaults(Fault{Name: "hang", On: "jwks"}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() { ended <- do(t, w.request(t, http.MethodGet, "/jwks", ""), nil) }()
	for w.Calls("jwks") == 0 {
		time.Sleep(time.Millisecond)
	}
	select {
	case status := <-ended:
		t.Fatalf("the fault let the request go: status %d", status)
	default:
	}
	w.Provider.Close()
	<-ended // or the test never ends
}

func TestStart_overHTTPS(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // made, then loaded
		cert, err := Certificate(dir+"/idp.pem", dir+"/idp-key.pem")
		if err != nil {
			t.Fatal(err)
		}
		s, err := Start(t.Context(), "127.0.0.1:0", Config{}, cert)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: trusting(t, dir+"/idp.pem"), Timeout: time.Minute}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Issuer()+"/.well-known/openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
}
