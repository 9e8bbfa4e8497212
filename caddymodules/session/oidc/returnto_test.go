package oidc

import (
	"net/url"
	"strings"
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

func TestReturnTo(t *testing.T) {
	for _, tt := range []struct{ give, want string }{
		{"/", "/"},
		{"/inbox", "/inbox"},
		{"/inbox?unread=1&from=a@b.example#top", "/inbox?unread=1&from=a@b.example#top"},
		{"/search?q=//x&next=https://other.example/%0d%0a", "/search?q=//x&next=https://other.example/%0d%0a"},
		{"/#/route//x", "/#/route//x"},
		{"/a//b", "/a//b"},
		{"/projects/a%2Fb", "/projects/a%2Fb"},
		{"/files/100%25", "/files/100%25"},
		{"/files/100%25/x", "/files/100%25/x"},
		{"/a:b@c", "/a:b@c"},
		{"/.well-known/x", "/.well-known/x"},
		{"/..a/b..", "/..a/b.."},
		{"/straße?ß", "/stra%C3%9Fe?%C3%9F"},
		{"/a b", "/a%20b"},
	} {
		if got := ReturnTo(tt.give, "/default"); got != tt.want {
			t.Errorf("ReturnTo(%q) = %q, want %q", tt.give, got, tt.want)
		}
	}
}

// The list of attacks on redirects, and its neighbours.
var redirectAttacks = []string{
	"", "evil", "?x", "#x", ".", "./x", "../x",
	"//evil.example", "///evil.example", "////evil.example", "//evil.example/%2f..", "/%2f/evil.example", "/%2fevil.example", "/%2Fevil.example", "/%252fevil.example",
	`/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, "/%5cevil.example", "/%5Cevil.example", "/%255cevil.example", `/a/..\evil.example`, `/a\b`,
	"%09//evil.example", "/%09/evil.example", "/\t/evil.example", "\t//evil.example", "/%2509/evil.example", " //evil.example", "/\x00/evil.example", "/%00/evil.example",
	"%0d%0a", "/%0d%0aLocation:%20//evil.example", "/\r\nSet-Cookie: sid=x", "/\n/evil.example", "/%0a/evil.example", "/x\u0085y", "/x\u007fy",
	"/?x\r\nSet-Cookie: sid=x", "/#\r\n", "/?\x00",
	"http:evil.example", "http:/evil.example", "https:evil.example", "https://evil.example", "https:///evil.example", "HtTpS://evil.example", "//app.example@evil.example",
	"good.example@evil.example", "@evil.example", "https://app.example@evil.example", "https://app.example:x@evil.example",
	"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)", "data:text/html,x", "vbscript:x",
	"/./evil", "/../evil", "/a/../../evil", "/.//evil.example", "/..//evil.example", "/%2e%2e//evil.example", "/%2e/x", "/a/%2e%2e/b", "/a/.%2E/b", "/a/..", "/a/.", "/%252e%252e/x",
	"/%zz", "/%", "/%2", "/\xff\xfe", "/" + strings.Repeat("a", maxReturnTo), "/" + strings.Repeat("é", maxReturnTo/3), "/%252525252f", "/%252f%25zz/evil.example", "/%2f%25/evil.example",
}

func TestReturnTo_attacksLeadToTheDefault(t *testing.T) {
	for _, give := range redirectAttacks {
		if got := ReturnTo(give, "/default"); got != "/default" {
			t.Errorf("ReturnTo(%q) = %q, want the default", give, got)
		}
	}
}

// Whatever comes in: a browser that follows what comes out stays on the site, and it fits a header.
func FuzzReturnTo(f *testing.F) {
	for _, seed := range redirectAttacks {
		f.Add(seed)
	}
	f.Add("/inbox?x=1#top")
	f.Add("/projects/a%2Fb")
	const origin = "https://app.example"
	f.Fuzz(func(t *testing.T, raw string) {
		got := ReturnTo(raw, "/default")
		for _, c := range []byte(got) {
			if c <= ' ' || c >= 0x7f {
				t.Fatalf("ReturnTo(%q) = %q holds %#x", raw, got, c)
			}
		}
		if len(got) > maxReturnTo {
			t.Fatalf("ReturnTo(%q) has %d bytes", raw, len(got))
		}
		// As a browser reads it (WHATWG URL), and as Go does.
		u, err := whatwg.ParseRef(origin+"/_auth/callback/corp", got)
		if err != nil {
			t.Fatalf("ReturnTo(%q) = %q: no browser can follow it: %v", raw, got, err)
		}
		if u.Scheme() != "https" || u.Host() != "app.example" || u.Username() != "" || strings.HasPrefix(u.Pathname(), "//") {
			t.Fatalf("ReturnTo(%q) = %q leads a browser to %s", raw, got, u.Href(false))
		}
		base, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := base.Parse(got); err != nil || v.Scheme != "https" || v.Host != "app.example" {
			t.Fatalf("ReturnTo(%q) = %q leads Go to %v, %v", raw, got, v, err)
		}
		// And once more, as an app may that unescapes what it was given.
		if path, _, _ := strings.Cut(got, "?"); got != "/default" {
			path, _, _ = strings.Cut(path, "#")
			for range 2 {
				if path, err = url.PathUnescape(path); err != nil {
					break
				}
				if w, err := whatwg.ParseRef(origin, path); err == nil && w.Host() != "app.example" {
					t.Fatalf("ReturnTo(%q) = %q, unescaped, leads to %s", raw, got, w.Href(false))
				}
			}
		}
		if again := ReturnTo(got, "/default"); again != got {
			t.Fatalf("ReturnTo(%q) = %q, but of that it is %q", raw, got, again)
		}
	})
}
