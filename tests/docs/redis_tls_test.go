package docs

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

const redisTLS = "examples/redis-tls/Caddyfile"

// The example's user must be able to do all that the edge does, and the edge must find Redis as it says.
func TestRedisTLS_limitsInRedis(t *testing.T) {
	t.Parallel()
	text := textFiles(t)[redisTLS]
	secrets := newSecrets(t)
	user := regexp.MustCompile(`(?m)^#\s+(user gatehouse .*)$`).FindStringSubmatch(text)
	require.NotNil(t, user, "the example says what the user may do")

	redis := stack.RedisForTest(t, stack.RedisOptions{
		TLS: secrets.tls,
		ACL: []string{"user default off", strings.Replace(user[1], "PASSWORD", secrets.password, 1)},
	})
	port, err := stack.ReservePort()
	require.NoError(t, err)
	t.Cleanup(port.Release)
	site := "http://" + port.Addr()
	edge := stack.GatewayForTest(t, stack.GatewayOptions{
		Caddyfile: replace(t, secrets.in(text),
			"\n{\n", "\n{\n\tadmin {$GATEHOUSE_ADMIN}\n",
			"redis.example.com:6380", redis.Addr(),
			"shop.example.com", site,
			"reverse_proxy 127.0.0.1:3000", "respond ok",
		),
		Listen: []string{port.Addr()},
	})

	require.Eventually(t, func() bool {
		return strings.Contains(get(t, edge.AdminURL()+"/metrics"), `gatehouse_rate_limit_mode{mode="exact"} 1`)
	}, 20*time.Second, 50*time.Millisecond, "the edge does not count in Redis")
	assert.Equal(t, "ok", get(t, site))
	counted, err := redis.CLI("KEYS", "gh:rl:*")
	require.NoError(t, err)
	assert.NotEmpty(t, counted, "the request was not counted in Redis")
	assert.NotContains(t, edge.Log(), "NOPERM", "the user may do less than the edge does")
}

// replace substitutes in a Caddyfile; each old text must be there.
func replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		require.Contains(t, text, pair[0])
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	return text
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

// secrets are files and folders that an example names and a machine that runs tests does not have.
type secrets struct {
	tls      *stack.TLSFiles
	password string
	file     string
}

func newSecrets(t *testing.T) secrets {
	t.Helper()
	dir := t.TempDir()
	tls, err := stack.MakeTLSFiles(dir)
	require.NoError(t, err)
	s := secrets{tls: tls, password: "correct-horse", file: filepath.Join(dir, "password")}
	require.NoError(t, os.WriteFile(s.file, []byte(s.password+"\n"), 0o600))
	return s
}

// in puts the files' real places into a Caddyfile.
func (s secrets) in(text string) string {
	return strings.NewReplacer("/run/secrets/redis", s.file, "/etc/ssl/redis-ca.pem", s.tls.CA, "/srv/gatehouse", filepath.Dir(s.file)+"/storage").Replace(text)
}

// The edge's user of the example cannot delete what is not the edge's, and cannot change or stop the server.
func TestRedisPage_userCanHurtNobody(t *testing.T) {
	t.Parallel()
	user := regexp.MustCompile(`(?m)^#\s+(user gatehouse .*)$`).FindStringSubmatch(textFiles(t)[redisTLS])
	require.NotNil(t, user)
	redis := stack.RedisForTest(t, stack.RedisOptions{ACL: []string{"user default off", strings.Replace(user[1], "PASSWORD", "hush", 1)}})
	options, err := rueidis.ParseURL(redis.URLFor("gatehouse", "hush"))
	require.NoError(t, err)
	client, err := rueidis.NewClient(options)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	for _, command := range [][]string{{"FLUSHALL"}, {"FLUSHDB"}, {"KEYS", "*"}, {"CONFIG", "GET", "*"}, {"SHUTDOWN"}, {"ACL", "LIST"}, {"GET", "theirs"}, {"SET", "theirs", "1"}} {
		err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).Error()
		assert.ErrorContains(t, err, "NOPERM", "%v", command)
	}
	assert.NoError(t, client.Do(t.Context(), client.B().Set().Key("gh:test").Value("1").Ex(time.Minute).Build()).Error())
}

// The page on setting Redis up, the example and docker compose give the edge's user the same rights, and the same
// settings to Redis.
func TestRedisPage_saysWhatIsTried(t *testing.T) {
	t.Parallel()
	page := textFiles(t)["docs/operations/redis.md"]
	user := regexp.MustCompile(`(?m)^#\s+user gatehouse (on .*)$`).FindStringSubmatch(textFiles(t)[redisTLS])
	require.NotNil(t, user)
	assert.Contains(t, page, "ACL SETUSER gatehouse "+user[1]+"\n")
	for _, right := range strings.Fields(user[1])[2:] {
		if right != "-@all" {
			assert.Regexp(t, "(?m)^\\| `[^|]*"+regexp.QuoteMeta(right), page, "the page does not say what %s is for", right)
		}
	}
	conf, err := os.ReadFile(filepath.Join(root(t), "deploy/compose/redis.conf"))
	require.NoError(t, err)
	for _, setting := range []string{"maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save", "tcp-keepalive"} {
		line := regexp.MustCompile(`(?m)^` + setting + `\s+(\S+)$`)
		assert.Equal(t, line.FindStringSubmatch(string(conf))[1], line.FindStringSubmatch(page)[1], setting)
	}
}
