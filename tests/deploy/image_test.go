package deploy

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stage is a FROM of the Dockerfile and what follows it.
type stage struct {
	from, user         string
	entrypoint, volume string
	runs, copies       []string
}

// stages reads the Dockerfile, whose lines are few and plain.
func stages(t *testing.T) map[string]stage {
	t.Helper()
	all, name := map[string]stage{}, ""
	text := strings.ReplaceAll(read(t, "deploy/Dockerfile"), "\\\n", " ")
	for line := range strings.Lines(text) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		s := all[name]
		switch instruction {
		case "FROM":
			image, as, named := strings.Cut(rest, " AS ")
			require.True(t, named, "a stage without a name: %s", line)
			name, s = as, stage{from: image}
		case "USER":
			s.user = rest
		case "ENTRYPOINT":
			s.entrypoint = rest
		case "VOLUME":
			s.volume = rest
		case "RUN":
			s.runs = append(s.runs, rest)
		case "COPY":
			s.copies = append(s.copies, rest)
		}
		all[name] = s
	}
	return all
}

func TestDockerfile_isPinned(t *testing.T) {
	t.Parallel()
	all := stages(t)
	for name, s := range all {
		if _, ours := all[s.from]; !ours && s.from != "scratch" && name != "" {
			assert.Regexp(t, version, s.from, name)
		}
	}
	// The compiler is go.mod's.
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	assert.Contains(t, all["source"].from, "golang:"+wanted[1]+".")
}

// What is shipped in an image is built as what is tested, and runs without rights on nothing but itself.
func TestDockerfile_shipsWhatIsTested(t *testing.T) {
	t.Parallel()
	flags := regexp.MustCompile(`(?m)^export GOFLAGS\s*:= (.*)$`).FindStringSubmatch(read(t, "Makefile"))
	require.NotNil(t, flags)
	assert.Contains(t, read(t, "deploy/Dockerfile"), `CGO_ENABLED=0 GOFLAGS="`+flags[1]+`"`)
	for name, program := range targets {
		s := stages(t)[name]
		assert.Equal(t, "scratch", s.from, name)
		assert.Equal(t, "65532:65532", s.user, name)
		assert.Equal(t, `["/bin/`+filepath.Base(program)+`"]`, s.entrypoint, name)
		assert.Contains(t, strings.Join(stages(t)["build-"+name].runs, "\n"), "-o /out/"+filepath.Base(program)+" ./"+program, name)
	}
}

// targets are the images, by the package of their program.
var targets = map[string]string{
	"edge":    "caddymodules/cmd/gatehouse",
	"backend": "backend/cmd/backend",
	"devidp":  "dev/idp/cmd/devidp",
}

// The build is given what .dockerignore lets through, and no more. That must do, and hold no secret.
func TestDockerfile_isGivenWhatItNeeds(t *testing.T) {
	t.Parallel()
	root, context := moduleRoot(t), t.TempDir()
	given := givenBy(t, root)
	require.NotContains(t, given, ".env")
	for _, path := range given {
		require.NoError(t, os.MkdirAll(filepath.Join(context, filepath.Dir(path)), 0o750))
		content, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(context, path), content, 0o600))
	}
	for name, program := range targets {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", os.DevNull, "./"+program)
		cmd.Dir = context
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -tags=nobadger,nomysql,nopgx")
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s: %s", name, out)
	}
	for name, s := range stages(t) {
		for _, copied := range s.copies {
			if strings.HasPrefix(copied, "--from=") || strings.HasPrefix(copied, ". ") {
				continue
			}
			words := strings.Fields(copied)
			for _, source := range words[:len(words)-1] {
				assert.Contains(t, given, source, "%s copies what the build is not given", name)
			}
		}
	}
}

// givenBy are the files below root that .dockerignore lets through, which speaks in three forms only: everything
// is out, a path or a pattern of the root is in, a name is out wherever it is.
func givenBy(t *testing.T, root string) (files []string) {
	t.Helper()
	var in, out []string
	for line := range strings.Lines(read(t, ".dockerignore")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == "*" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "!"):
			in = append(in, line[1:])
		case strings.HasPrefix(line, "**/"):
			out = append(out, line[3:])
		default:
			require.Fail(t, "a form that this test does not know", line)
		}
	}
	matches := func(patterns []string, name string) bool {
		for _, p := range patterns {
			if ok, err := filepath.Match(p, name); ok && err == nil {
				return true
			}
		}
		return false
	}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if matches(out, entry.Name()) || (entry.IsDir() && (path == ".git" || path == ".stack" || path == "bin")) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		for _, p := range in {
			if ok, _ := filepath.Match(p, path); !entry.IsDir() && (ok || strings.HasPrefix(path, p+"/")) {
				files = append(files, path)
				break
			}
		}
		return nil
	})
	require.NoError(t, err)
	return files
}
