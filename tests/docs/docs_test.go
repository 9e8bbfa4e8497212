package docs

import (
	"encoding/base64"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// A Caddyfile in a page is fenced as ```caddyfile and whole; syntax and excerpts have fences without a name.
var fence = regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```$")

func TestCaddyfiles_areTaken(t *testing.T) {
	t.Parallel()
	edge := stack.BuildGatehouse(t, false)
	secrets := newSecrets(t)
	files := caddyfiles(t)
	for _, must := range []string{"Caddyfile", "README.md:7", "examples/limit-an-app/Caddyfile"} {
		require.Contains(t, files, must, "the search finds too little")
	}
	for name, text := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "Caddyfile")
			require.NoError(t, os.WriteFile(file, []byte(secrets.in(text)), 0o600))

			// Provisioned and not only parsed. Redis does not answer, and but for secrets the environment
			// is empty: that is what a reader has who only looks.
			cmd := exec.CommandContext(t.Context(), edge, "adapt", "--validate", "--adapter", "caddyfile", "--config", file)
			cmd.Dir = dir
			cmd.Env = []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir,
				"GATEHOUSE_SECRET=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "OIDC_CLIENT_SECRET=secret"}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.NotContains(t, string(out), "not formatted", "run gatehouse fmt --overwrite")
		})
	}
}

// caddyfiles are all of the repository's, by file, or by file and line of the fence.
func caddyfiles(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for path, text := range textFiles(t) {
		switch {
		case filepath.Base(path) == "Caddyfile":
			found[path] = text
		case filepath.Ext(path) == ".md":
			for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
				line := 1 + strings.Count(text[:m[2]], "\n")
				found[path+":"+strconv.Itoa(line)] = text[m[2]:m[3]]
			}
		}
	}
	return found
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinks_leadSomewhere(t *testing.T) {
	t.Parallel()
	root, texts := root(t), textFiles(t)
	pages := 0
	for path, text := range texts {
		if filepath.Ext(path) != ".md" {
			continue
		}
		pages++
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			target = filepath.Join(filepath.Dir(path), target)
			if target == filepath.Dir(path) {
				target = path // a heading of the same page
			}
			_, err := os.Stat(filepath.Join(root, target))
			assert.NoError(t, err, "%s links to %s", path, m[1])
			if heading != "" {
				assert.Contains(t, headings(texts[target]), heading, "%s links to %s", path, m[1])
			}
		}
	}
	require.Greater(t, pages, 5, "the search finds too little")
}

var (
	headingLine = regexp.MustCompile("(?m)^#+ (.*)$")
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// headings are the anchors of a page's headings, as they are made where it is read: lower case, a dash for a space,
// other signs left out.
func headings(page string) (anchors []string) {
	for _, m := range headingLine.FindAllStringSubmatch(page, -1) {
		text := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		anchors = append(anchors, strings.ReplaceAll(text, " ", "-"))
	}
	return anchors
}

// textFiles are the repository's Caddyfiles and pages, by path below its root.
func textFiles(t *testing.T) map[string]string {
	t.Helper()
	tree, files := os.DirFS(root(t)), map[string]string{}
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if name != "Caddyfile" && filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := fs.ReadFile(tree, path)
		files[path] = string(text)
		return err
	})
	require.NoError(t, err)
	return files
}

func root(t *testing.T) string {
	t.Helper()
	root, err := stack.ModuleRoot()
	require.NoError(t, err)
	return root
}
