package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

// example is one of the example upstreams, running behind an edge.
type example struct {
	*edge
	address string // its own, which the edge guards and an attacker inside the network reaches
	process *stack.Process
}

// answer is what the examples say.
type answer struct {
	SignedIn  bool     `json:"signedIn"`
	Subject   string   `json:"subject"`
	Email     string   `json:"email"`
	Groups    []string `json:"groups"`
	RequestID string   `json:"requestId"`
	Error     string   `json:"error"`
}

// programs start the examples: the built one, and Node with the script.
var programs = map[string]func(t *testing.T) (path string, args []string){
	"upstream-go": func(t *testing.T) (string, []string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "upstream-go")
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "./examples/upstream-go")
		build.Dir = root(t)
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return path, nil
	},
	"upstream-node": func(t *testing.T) (string, []string) {
		t.Helper()
		path, err := exec.LookPath("node")
		require.NoError(t, err, "Node 18 or later runs the example upstream: apt-get install -y nodejs, or brew install node")
		return path, []string{filepath.Join(root(t), "examples", "upstream-node", "server.mjs")}
	},
}

// run starts an example behind an edge.
func run(t *testing.T, name string) *example {
	t.Helper()
	x := &example{address: stack.PortForTest(t).Addr()}
	x.edge = start(t, name, x.address)
	path, args := programs[name](t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := filepath.Join(t.TempDir(), name+".log")
	process, err := stack.Start(ctx, stack.Spec{
		Name: name, Path: path, Args: args, Log: log,
		Env:   append(os.Environ(), "ADDRESS="+x.address, "GATEHOUSE_JWKS="+x.jwks()),
		Ready: func(ctx context.Context) error { return stack.Answers(ctx, "http://"+x.address+"/public") },
	})
	require.NoError(t, err)
	x.process = process
	t.Cleanup(func() {
		_ = process.Kill()
		if text, _ := os.ReadFile(log); t.Failed() {
			t.Logf("log of %s:\n%s", name, text)
		} else {
			assert.NotRegexp(t, token, string(text), "an assertion is in the log of %s", name)
		}
	})
	return x
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := stack.ModuleRoot()
	require.NoError(t, err)
	return dir
}

// ask asks an address and reads the example's answer.
func ask(t *testing.T, address, path string, header ...string) (status int, a answer) {
	t.Helper()
	status, body := get(t, address, path, header...)
	require.NoError(t, json.Unmarshal([]byte(body), &a), "%s", body)
	return status, a
}

func forEach(t *testing.T, story func(t *testing.T, x *example)) {
	t.Helper()
	for name := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, run(t, name))
		})
	}
}

func TestUpstreams_knowWhoIsAskingThroughTheEdge(t *testing.T) {
	forEach(t, func(t *testing.T, x *example) {
		status, a := ask(t, x.edge.address, "/")
		assert.Equal(t, http.StatusOK, status)
		assert.True(t, a.SignedIn)
		assert.Equal(t, "ann", a.Subject)
		assert.Empty(t, a.Email, "nobody has verified it")
		assert.Len(t, a.RequestID, 36)

		status, a = ask(t, x.edge.address, "/rich")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, answer{SignedIn: true, Subject: "ann", Email: "ann@example.com", Groups: []string{"staff"}, RequestID: a.RequestID}, a)

		status, _ = ask(t, x.edge.address, "/admin")
		assert.Equal(t, http.StatusOK, status, "an admin")
		status, _ = ask(t, x.address, "/admin", "X-Auth-Assertion", x.good(map[string]any{"groups": []string{"staff"}}))
		assert.Equal(t, http.StatusForbidden, status, "not an admin")

		status, a = ask(t, x.edge.address, "/public", "X-Auth-Assertion", x.good(nil))
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, answer{RequestID: a.RequestID}, a, "a client's own assertion, even a good one, is not passed on")
	})
}

// Whoever reaches the upstream without passing the edge gets nothing, whatever they send.
func TestUpstreams_believeNobodyButTheEdge(t *testing.T) {
	forEach(t, func(t *testing.T, x *example) {
		good := x.good(nil)
		status, a := ask(t, x.address, "/", "X-Auth-Assertion", good)
		require.Equal(t, http.StatusOK, status, "the assertion that the others are made from: %v", a)
		for name, forged := range x.attacks() {
			for _, path := range []string{"/", "/admin", "/public"} {
				status, a := ask(t, x.address, path, "X-Auth-Assertion", forged)
				assert.Equal(t, http.StatusUnauthorized, status, "%s on %s", name, path)
				assert.Empty(t, a.Subject, "%s on %s", name, path)
			}
		}
		for name, header := range map[string][]string{
			"nothing":          {},
			"plain headers":    {"X-Auth-User", "ann", "X-Auth-Groups", "admins"},
			"two of them":      {"X-Auth-Assertion", good, "X-Auth-Assertion", good},
			"another spelling": {"X_auth_assertion", good},
			"bearer":           {"Authorization", "Bearer " + good},
		} {
			status, _ := ask(t, x.address, "/", header...)
			assert.Equal(t, http.StatusUnauthorized, status, name)
		}
	})
}

// The edge gets a new key and forgets the old one: the upstream notices without being told.
func TestUpstreams_followTheEdgesKeys(t *testing.T) {
	forEach(t, func(t *testing.T, x *example) {
		status, _ := ask(t, x.edge.address, "/")
		require.Equal(t, http.StatusOK, status)
		old := x.good(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})

		x.addKey("2.pem")
		require.NoError(t, os.Remove(filepath.Join(x.keys, "1.pem")))
		require.NoError(t, x.node.Restart(t.Context()))
		// An unknown key is looked up at most once in 10 s.
		require.Eventually(t, func() bool { status, _ = ask(t, x.edge.address, "/"); return status == http.StatusOK }, 30*time.Second, 200*time.Millisecond)
		status, _ = ask(t, x.address, "/", "X-Auth-Assertion", old)
		assert.Equal(t, http.StatusUnauthorized, status, "an assertion of the withdrawn key")
	})
}

// Without the edge an upstream goes on with the keys that it knows, and one that knows none refuses.
func TestUpstreams_withoutTheEdge(t *testing.T) {
	forEach(t, func(t *testing.T, x *example) {
		status, _ := ask(t, x.edge.address, "/")
		require.Equal(t, http.StatusOK, status)
		require.NoError(t, x.node.Kill())
		status, _ = ask(t, x.address, "/", "X-Auth-Assertion", x.good(nil))
		assert.Equal(t, http.StatusOK, status, "with the keys that it knows")

		name := x.process.Name()
		path, args := programs[name](t)
		address := stack.PortForTest(t).Addr()
		fresh, err := stack.Start(t.Context(), stack.Spec{
			Name: name + " without keys", Path: path, Args: args, Log: filepath.Join(t.TempDir(), "log"),
			Env:   append(os.Environ(), "ADDRESS="+address, "GATEHOUSE_JWKS="+x.jwks()),
			Ready: func(ctx context.Context) error { return stack.Answers(ctx, "http://"+address+"/public") },
		})
		require.NoError(t, err)
		defer func() { _ = fresh.Kill() }()
		status, _ = ask(t, address, "/", "X-Auth-Assertion", x.good(nil))
		assert.Equal(t, http.StatusServiceUnavailable, status, "without any key")
	})
}

// good is an assertion of ann as the edge would sign it, with some members changed; nil takes one away.
func (x *example) good(changes map[string]any) string {
	private, id := x.private("1.pem")
	return sign(private, `{"alg":"EdDSA","kid":"`+id+`","typ":"gh-id+jwt"}`, x.payload(changes))
}

func (x *example) payload(changes map[string]any) string {
	now := time.Now().Unix()
	members := map[string]any{"iss": "gatehouse", "aud": x.process.Name(), "iat": now, "exp": now + 60, "sub": "ann", "groups": []string{"admins"}}
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	data, err := json.Marshal(members)
	require.NoError(x.tb, err)
	return string(data)
}

// attacks are assertions that no upstream may accept. What can be signed is signed with the edge's own key.
func (x *example) attacks() map[string]string {
	private, id := x.private("1.pem")
	keyPEM, stranger, err := identity.GenerateKey()
	require.NoError(x.tb, err)
	require.NoError(x.tb, os.WriteFile(filepath.Join(x.keys, "stranger"), keyPEM, 0o600))
	other, _ := x.private("stranger")
	now := time.Now().Unix()
	good, payload := x.good(nil), x.payload(nil)
	header := func(alg, typ string) string { return `{"alg":"` + alg + `","kid":"` + id + `","typ":"` + typ + `"}` }
	parts := strings.Split(good, ".")
	hs256 := encode([]byte(header("HS256", "gh-id+jwt"))) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, private[32:])
	mac.Write([]byte(hs256))

	return map[string]string{
		"nothing":                   "",
		"nonsense":                  "e30.e30.e30",
		"no signature":              parts[0] + "." + parts[1] + ".",
		"another's signature":       parts[0] + "." + parts[1] + "." + strings.Split(x.good(map[string]any{"sub": "bob"}), ".")[2],
		"another's payload":         parts[0] + "." + encode([]byte(x.payload(map[string]any{"sub": "root"}))) + "." + parts[2],
		"trailing garbage":          good + "x",
		"a fourth part":             good + ".e30",
		"a space inside":            good[:30] + " " + good[30:],
		"padding":                   good + "=",
		"standard base64":           strings.Replace(good, ".", "+.", 1),
		"a scheme":                  "Bearer " + good,
		"two, joined":               good + ", " + good,
		"alg none":                  encode([]byte(header("none", "gh-id+jwt"))) + "." + encode([]byte(payload)) + ".",
		"alg none, signed":          sign(private, header("none", "gh-id+jwt"), payload),
		"HS256 with the public key": hs256 + "." + encode(mac.Sum(nil)),
		"typ JWT":                   sign(private, header("EdDSA", "JWT"), payload),
		"typ at+jwt":                sign(private, header("EdDSA", "at+jwt"), payload),
		"no typ":                    sign(private, `{"alg":"EdDSA","kid":"`+id+`"}`, payload),
		"crit":                      sign(private, `{"alg":"EdDSA","crit":["b64"],"b64":true,"kid":"`+id+`","typ":"gh-id+jwt"}`, payload),
		"a key brought along":       sign(other, `{"alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"`+encode(other[32:])+`"},"kid":"`+stranger+`","typ":"gh-id+jwt"}`, payload),
		"duplicate alg":             sign(private, `{"alg":"EdDSA","alg":"EdDSA","kid":"`+id+`","typ":"gh-id+jwt"}`, payload),
		"unknown kid":               sign(other, `{"alg":"EdDSA","kid":"`+stranger+`","typ":"gh-id+jwt"}`, payload),
		"a stranger's key":          sign(other, header("EdDSA", "gh-id+jwt"), payload),
		"another issuer":            x.good(map[string]any{"iss": "gatehouse2"}),
		"no issuer":                 x.good(map[string]any{"iss": nil}),
		"another audience":          x.good(map[string]any{"aud": "backend"}),
		"a list of audiences":       x.good(map[string]any{"aud": []string{x.process.Name(), "backend"}}),
		"no audience":               x.good(map[string]any{"aud": nil}),
		"expired":                   x.good(map[string]any{"iat": now - 120, "exp": now - 60}),
		"no expiry":                 x.good(map[string]any{"exp": nil}),
		"an expiry that is a text":  x.good(map[string]any{"exp": "99999999999"}),
		"issued in the future":      x.good(map[string]any{"iat": now + 60, "exp": now + 120}),
		"no time of issue":          x.good(map[string]any{"iat": nil}),
		"no subject":                x.good(map[string]any{"sub": nil}),
		"an empty subject":          x.good(map[string]any{"sub": ""}),
		"a subject that is a list":  x.good(map[string]any{"sub": []string{"ann"}}),
		"garbage behind":            sign(private, header("EdDSA", "gh-id+jwt"), payload+"x"),
		"a second object":           sign(private, header("EdDSA", "gh-id+jwt"), payload+payload),
		"null":                      sign(private, header("EdDSA", "gh-id+jwt"), "null"),
	}
}

func sign(key ed25519.PrivateKey, header, payload string) string {
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	return signed + "." + encode(ed25519.Sign(key, []byte(signed)))
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
