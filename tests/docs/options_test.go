package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// block is a block of a directive that has options of its own.
type block struct {
	// name is what opens it in the page's syntax; empty: the directive itself.
	name string
	// caddyfile has an option that no block has, where this one's are.
	caddyfile string
	// structs are what its options are in JSON, in the directive's package.
	structs []string
}

const nonsense = "no_such_option 1"

// directives are the pages, each with the package that it tells of.
var directives = []struct {
	page, pkg string
	blocks    []block
}{
	{"redis", "redisapp", []block{
		{"", "{\n\tredis {\n\t\t" + nonsense + "\n\t}\n}\n", []string{"App"}},
		{"tls", "{\n\tredis {\n\t\taddress rediss://a\n\t\ttls {\n\t\t\t" + nonsense + "\n\t\t}\n\t}\n}\n", []string{"TLS"}},
	}},
	{"rate_limit", "ratelimit", []block{
		{"", "localhost {\n\trate_limit {\n\t\t" + nonsense + "\n\t}\n}\n", []string{"Handler"}},
		{"zone", "localhost {\n\trate_limit {\n\t\tzone a {\n\t\t\t" + nonsense + "\n\t\t}\n\t}\n}\n", []string{"Zone"}},
		{"distributed", "localhost {\n\trate_limit {\n\t\tdistributed {\n\t\t\t" + nonsense + "\n\t\t}\n\t}\n}\n", []string{"Distributed"}},
	}},
	{"session", "session", []block{
		{"", "localhost {\n\tsession {\n\t\t" + nonsense + "\n\t}\n}\n", []string{"Handler"}},
		{"provider", "localhost {\n\tsession {\n\t\tprovider a {\n\t\t\t" + nonsense + "\n\t\t}\n\t}\n}\n", []string{"Provider"}},
		{"rule", "localhost {\n\tsession {\n\t\trule /a {\n\t\t\t" + nonsense + "\n\t\t}\n\t}\n}\n", []string{"Rule"}},
	}},
	{"assert_identity", "assertidentity", []block{
		{"", "localhost {\n\tassert_identity {\n\t\t" + nonsense + "\n\t}\n}\n", []string{"Handler"}},
	}},
}

// inJSON are the options that JSON calls otherwise: lists, and what stands on another option's line.
var inJSON = map[string]string{
	"rate_limits": "zone", "max_events": "events", "limits": "limit", "keys": "key",
	"origins": "origin", "secrets": "secret", "providers": "provider", "rules": "rule", "persist": "cookie", "when_full": "max_sessions",
}

// The edge says which options it takes, in its answer to one that it does not. The page has those and no others.
func TestDirectivePages_haveEveryOption(t *testing.T) {
	t.Parallel()
	edge := stack.BuildGatehouse(t, false)
	allowed := regexp.MustCompile(`(?:allowed are|there are) ([a-z0-9_, ]+?)(?:, at |$|\n|")`)
	for _, d := range directives {
		blocks, text := syntaxOf(t, d.page), textFiles(t)["docs/directives/"+d.page+".md"]
		require.Len(t, blocks, len(d.blocks), "%s: blocks with options of their own", d.page)
		for _, b := range d.blocks {
			file := filepath.Join(t.TempDir(), "Caddyfile")
			require.NoError(t, os.WriteFile(file, []byte(b.caddyfile), 0o600))
			out, err := exec.CommandContext(t.Context(), edge, "adapt", "--config", file).CombinedOutput()
			require.Error(t, err)
			m := allowed.FindStringSubmatch(string(out))
			require.NotNil(t, m, "%s does not say what is allowed: %s", d.page, out)
			takes := strings.FieldsFunc(strings.ReplaceAll(m[1], " and ", ", "), func(r rune) bool { return r == ',' || r == ' ' })

			page := blocks[b.name]
			for _, option := range takes {
				assert.True(t, page.has(option), "docs/directives/%s.md, syntax: %s is missing in %q", d.page, option, b.name)
				assert.True(t, slices.Contains(unused, option) || explains(text, option), "docs/directives/%s.md explains no %s", d.page, option)
			}
			for option := range page.lines {
				assert.Contains(t, takes, option, "docs/directives/%s.md, syntax: there is no %s in %q", d.page, option, b.name)
			}
		}
	}
}

// unused are caddy-ratelimit's options, of which there is no more to say than that they are accepted.
var unused = []string{"distributed", "read_interval", "write_interval", "purge_age", "storage", "sweep_interval"}

// explains tells whether a page speaks of the option outside of its syntax.
func explains(page, option string) bool {
	return regexp.MustCompile("`(?:[^`\n]* )?" + option + "[` ]").MatchString(page)
}

// What the comments of the structs, which are the JSON's documentation, call an option's default, the page does too.
func TestDirectivePages_haveTheDefaults(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, d := range directives {
		blocks, page := syntaxOf(t, d.page), textFiles(t)["docs/directives/"+d.page+".md"]
		for _, b := range d.blocks {
			for _, name := range b.structs {
				for _, f := range fieldsOf(t, d.pkg, name) {
					if opens := f.json == "name" || f.json == "match"; opens && b.name != "" && !blocks[b.name].has(f.json) {
						continue // it stands on the line that opens the block
					}
					option := f.json
					if !blocks[b.name].has(option) {
						option = inJSON[f.json]
					}
					if !assert.True(t, blocks[b.name].has(option), "%s.%s: JSON's %s is no option in %s.md", d.pkg, name, f.json, d.page) {
						continue
					}
					if f.usual == "" {
						continue
					}
					checked++
					row := regexp.MustCompile("(?m)^\\| (?:`[^`\n]+`, )*`" + option + "`[^\n]*$").FindString(page)
					told := blocks[b.name].lines[option] + "\n" + row
					assert.Contains(t, told, f.usual, "%s.%s: the default of %s is not in %s.md:\n%s", d.pkg, name, f.json, d.page, told)
				}
			}
		}
	}
	require.Greater(t, checked, 25, "the search finds too little")
}

// syntax is a block of a page's syntax.
type syntax struct {
	// lines are what follows each option; alternatives the words that may stand in an option's place.
	lines        map[string]string
	alternatives []string
}

func (s syntax) has(option string) bool {
	_, there := s.lines[option]
	return there || slices.Contains(s.alternatives, option)
}

// syntaxOf reads the block below a page's heading Syntax, by what opens each block in it.
func syntaxOf(t *testing.T, page string) map[string]syntax {
	t.Helper()
	text := textFiles(t)["docs/directives/"+page+".md"]
	m := regexp.MustCompile("(?s)\n## Syntax\n.*?\n```\n(.*?)\n```\n").FindStringSubmatch(text)
	require.NotNil(t, m, "%s.md has no syntax", page)
	blocks, open := map[string]syntax{}, []string{}
	for line := range strings.Lines(m[1]) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
			continue
		case words[0] == "}":
			open = open[:len(open)-1]
			continue
		}
		if in := strings.Join(open, " "); len(open) > 0 && !strings.HasPrefix(words[0], "<") {
			if _, there := blocks[in]; !there {
				blocks[in] = syntax{lines: map[string]string{}}
			}
			s := blocks[in]
			s.lines[words[0]] = strings.Join(words[1:], " ")
			for i := range words[:len(words)-1] {
				if words[i] == "|" {
					s.alternatives = append(s.alternatives, words[i+1])
				}
			}
			blocks[in] = s
		}
		if words[len(words)-1] == "{" {
			open = append(open, words[0])
		}
	}
	require.Empty(t, open, "%s.md: a block is not closed", page)
	// Within the directive, so known by what opens them there.
	inside := map[string]syntax{}
	for name, s := range blocks {
		_, name, _ = strings.Cut(name, " ")
		inside[name] = s
	}
	return inside
}

// field is a setting in JSON.
type field struct{ json, usual string }

var (
	usual = regexp.MustCompile(`Default: ([^\n]*?)\.(?:\s|$)`)
	// What says in words that there is none, or where it comes from.
	inWords = regexp.MustCompile(`^(none|false|no TLS|a key is|as elsewhere|that of|those of|the |whichever|everybody)`)
)

// fieldsOf reads the struct's fields from the sources, with the default that each field's comment names.
func fieldsOf(t *testing.T, pkg, name string) (fields []field) {
	t.Helper()
	dir := filepath.Join(root(t), "caddymodules", pkg)
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != name {
				return true
			}
			body, ok := spec.Type.(*ast.StructType)
			require.True(t, ok, "%s.%s", pkg, name)
			for _, f := range body.Fields.List {
				if f.Tag == nil {
					continue
				}
				tag, err := strconv.Unquote(f.Tag.Value)
				require.NoError(t, err)
				json, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
				if json == "" || json == "-" {
					continue
				}
				fields = append(fields, field{json: json, usual: usualOf(f.Doc.Text())})
			}
			return false
		})
	}
	require.NotEmpty(t, fields, "%s.%s", pkg, name)
	return fields
}

// usualOf is the default as a Caddyfile would have it; empty where words tell it.
func usualOf(comment string) string {
	m := usual.FindStringSubmatch(comment)
	if m == nil || inWords.MatchString(m[1]) {
		return ""
	}
	if strings.HasSuffix(m[1], "(64 MiB)") { // a size, which JSON has in bytes
		return "64MiB"
	}
	return strings.NewReplacer(", ", " ", " and ", " ").Replace(m[1])
}
