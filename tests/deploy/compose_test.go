package deploy

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

const composeFile = "docker-compose.yml"

// composeSecrets are what deploy/compose/secrets.sh would make.
var composeSecrets = types.Mapping{ //nolint:gosec // made up
	"GATEHOUSE_SECRET":   "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
	"BACKEND_CURSOR_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
	"REDIS_PASSWORD":     "redis-secret", "POSTGRES_PASSWORD": "postgres-secret",
	"POSTGRES_OWNER_PASSWORD": "owner-secret", "POSTGRES_APP_PASSWORD": "app-secret",
}

// composed reads docker-compose.yml as docker compose does.
func composed(t *testing.T, env types.Mapping) (*types.Project, error) {
	t.Helper()
	root := moduleRoot(t)
	file := filepath.Join(root, composeFile)
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: root, ConfigFiles: []types.ConfigFile{{Filename: file}}, Environment: maps.Clone(env), // it adds to it
	}, func(o *loader.Options) {
		o.SetProjectName("gatehouse", true)
		o.Profiles = []string{"*"}
	})
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := composed(t, composeSecrets)
	require.NoError(t, err)
	return p
}

func TestCompose_hasTheWholeSystem(t *testing.T) {
	t.Parallel()
	require.ElementsMatch(t, []string{
		"entry", "edge1", "edge2", "redis", "provider", "postgres", "migrate", "seed", "backend", "prometheus", "grafana",
	}, project(t).ServiceNames())
}

// Without its secrets nothing starts, and what is said is the cure.
func TestCompose_demandsItsSecrets(t *testing.T) {
	t.Parallel()
	for name := range composeSecrets {
		env := types.Mapping{}
		for other, value := range composeSecrets {
			if other != name {
				env[other] = value
			}
		}
		_, err := composed(t, env)
		require.ErrorContains(t, err, name, "it starts without")
		require.ErrorContains(t, err, "run sh deploy/compose/secrets.sh >.env")
	}
}

// A tag that moves brings another program tomorrow. What is built here is called local, and never pulled.
var version = regexp.MustCompile(`:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$`)

func TestCompose_imagesArePinned(t *testing.T) {
	t.Parallel()
	for name, s := range project(t).Services {
		if s.Build == nil {
			assert.Regexp(t, version, s.Image, name)
			continue
		}
		assert.True(t, strings.HasSuffix(s.Image, ":local"), "%s: %s", name, s.Image)
		assert.Equal(t, "deploy/Dockerfile", s.Build.Dockerfile, name)
		assert.Contains(t, stages(t), s.Build.Target, name)
	}
}

func TestCompose_isHardened(t *testing.T) {
	t.Parallel()
	p := project(t)
	for name, s := range p.Services {
		assert.True(t, s.ReadOnly, "%s can write to its own programs", name)
		assert.Equal(t, []string{"ALL"}, s.CapDrop, name)
		assert.Empty(t, s.CapAdd, name)
		assert.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		assert.False(t, s.Privileged, name)
		assert.Positive(t, s.PidsLimit, name)
		assert.Positive(t, s.MemLimit, "%s may take all memory", name)
		user := s.User
		if s.Build != nil {
			user = stages(t)[s.Build.Target].user
		}
		account, _, _ := strings.Cut(user, ":")
		assert.NotContains(t, []string{"", "0", "root"}, account, "%s runs as root", name)
		for _, port := range s.Ports {
			assert.Equal(t, "127.0.0.1", port.HostIP, "%s is open to the network", name)
		}
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeBind:
				assert.True(t, v.ReadOnly, "%s may change %s", name, v.Source)
				_, err := os.Stat(v.Source)
				assert.NoError(t, err, name)
			case types.VolumeTypeVolume:
				assert.Contains(t, p.Volumes, v.Source, "%s keeps its data under no name", name)
			default:
				assert.Fail(t, "another kind of volume", "%s: %s", name, v.Type)
			}
		}
	}
	// Who needs nothing of Redis or PostgreSQL does not reach it.
	assert.ElementsMatch(t, []string{"redis", "edge1", "edge2"}, on(p, "redis-only"))
	assert.ElementsMatch(t, []string{"postgres", "migrate", "seed", "backend"}, on(p, "database"))
	assert.True(t, p.Networks["redis-only"].Internal)
	assert.True(t, p.Networks["database"].Internal)
}

func on(p *types.Project, network string) (names []string) {
	for name, s := range p.Services {
		if _, ok := s.Networks[network]; ok {
			names = append(names, name)
		}
	}
	return names
}

// Everything that goes on running says whether it is well, and nobody waits for what never says so.
func TestCompose_startsInOrder(t *testing.T) {
	t.Parallel()
	p := project(t)
	once := func(name string) bool { return p.Services[name].Restart == types.RestartPolicyNo }
	for name, s := range p.Services {
		if once(name) {
			assert.Nil(t, s.HealthCheck, name)
		} else {
			require.NotNil(t, s.HealthCheck, name)
			assert.NotEmpty(t, s.HealthCheck.Test, name)
			assert.Equal(t, types.RestartPolicyUnlessStopped, s.Restart, name)
		}
		for other, d := range s.DependsOn {
			want := types.ServiceConditionHealthy
			if once(other) {
				want = types.ServiceConditionCompletedSuccessfully
			}
			assert.Equal(t, want, d.Condition, "%s waits for %s", name, other)
		}
	}
	for _, before := range []struct{ first, then string }{
		{"postgres", "migrate"}, {"migrate", "seed"}, {"migrate", "backend"}, {"edge1", "entry"}, {"edge2", "entry"},
	} {
		assert.Contains(t, p.Services[before.then].DependsOn, before.first, "%s does not wait", before.then)
	}
}

// Of what fits together by being written twice, both are compared.
func TestCompose_fitsTogether(t *testing.T) {
	t.Parallel()
	p := project(t)
	front := p.Services["entry"].Networks["front"].Ipv4Address
	for _, node := range []string{"edge1", "edge2"} {
		s := p.Services[node]
		env := s.Environment
		assert.Equal(t, front, *env["GATEHOUSE_TRUSTED_PROXIES"], "%s believes somebody else", node)
		assert.Contains(t, read(t, "deploy/compose/entry.caddyfile"), "https://"+node+":8443")
		assert.Equal(t, p.Services["edge1"].Environment, env, "the nodes differ")
		assert.Contains(t, p.Services["provider"].Command, *env["OIDC_ISSUER"])
		assert.Contains(t, *env["REDIS_URL"], composeSecrets["REDIS_PASSWORD"])
	}
	assert.NotEqual(t, volume(p, "edge1", "/data"), volume(p, "edge2", "/data"), "two nodes with one identity count as one")
	assert.Equal(t, volume(p, "edge1", "/storage"), volume(p, "edge2", "/storage"))
	assert.Equal(t, volume(p, "edge1", "/storage"), volume(p, "entry", "/storage"))

	// The rights of the edge's user of Redis are those that the example gives it.
	example := regexp.MustCompile(`(?m)^#\s+user gatehouse on >PASSWORD (.*)$`).FindStringSubmatch(read(t, "examples/redis-tls/Caddyfile"))
	require.NotNil(t, example)
	assert.Contains(t, strings.Join(p.Services["redis"].Command, " "), "--user gatehouse on >redis-secret "+example[1])
}

// A server sees no more than it needs: the owner of the tables is only for migrations, and passwords go nowhere else.
func TestCompose_givesSecretsToWhoNeedsThem(t *testing.T) {
	t.Parallel()
	needs := map[string][]string{
		"GATEHOUSE_SECRET": {"edge1", "edge2"}, "BACKEND_CURSOR_KEY": {"backend"},
		"REDIS_PASSWORD": {"edge1", "edge2", "redis"}, "POSTGRES_PASSWORD": {"postgres"},
		"POSTGRES_OWNER_PASSWORD": {"postgres", "migrate", "seed"}, "POSTGRES_APP_PASSWORD": {"postgres", "backend"},
	}
	marks := types.Mapping{}
	for name := range composeSecrets {
		marks[name] = "mark-" + strings.ToLower(name)
	}
	p, err := composed(t, marks)
	require.NoError(t, err)
	for secret, mark := range marks {
		var got []string
		for name, s := range p.Services {
			text, err := json.Marshal(s)
			require.NoError(t, err)
			if strings.Contains(string(text), mark) {
				got = append(got, name)
			}
		}
		assert.ElementsMatch(t, needs[secret], got, secret)
	}
}

func volume(p *types.Project, service, target string) string {
	mounts := p.Services[service].Volumes
	i := slices.IndexFunc(mounts, func(v types.ServiceVolumeConfig) bool { return v.Target == target })
	if i < 0 {
		return ""
	}
	return mounts[i].Source
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := stack.ModuleRoot()
	require.NoError(t, err)
	return root
}

// read is a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), path))
	require.NoError(t, err)
	return string(text)
}
