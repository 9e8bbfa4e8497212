package idp

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Browser is a person at a browser without JavaScript: it keeps cookies, follows redirects and
// submits forms, at this provider or any other. It is not safe for concurrent use.
type Browser struct {
	client *http.Client
}

// Page is where a Browser has come to. It was not fetched, and has status 0, if it is where a visit
// was to stop.
type Page struct {
	URL    *url.URL
	Status int
	Body   string
}

// NewBrowser makes a browser without cookies. A nil transport is http.DefaultTransport.
func NewBrowser(transport http.RoundTripper) *Browser {
	jar, _ := cookiejar.New(nil) // its error is always nil
	return &Browser{client: &http.Client{
		Transport: transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Visit fetches address and follows redirects until a page answers, or an address begins with stop.
func (b *Browser) Visit(ctx context.Context, address, stop string) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return b.follow(req, stop)
}

// Submit sends the first form of a page with its hidden fields, and fields set over them.
func (b *Browser) Submit(ctx context.Context, p *Page, fields url.Values, stop string) (*Page, error) {
	action, values, err := firstForm(p.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.URL, err)
	}
	maps.Copy(values, fields)
	target, err := p.URL.Parse(action)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.URL.Scheme+"://"+p.URL.Host)
	return b.follow(req, stop)
}

// SignIn goes through a sign-in at this provider and returns the address it ends at, below redirectURI.
// A user who is signed in already is not asked again.
func (b *Browser) SignIn(ctx context.Context, authURL, redirectURI, user string) (*url.URL, error) {
	p, err := b.Visit(ctx, authURL, redirectURI)
	if err == nil && p.Status == http.StatusOK {
		p, err = b.Submit(ctx, p, url.Values{"user": {user}}, redirectURI)
	}
	if err != nil {
		return nil, err
	}
	if p.Status != 0 {
		return nil, fmt.Errorf("sign in: %s answered %d: %s", p.URL, p.Status, p.Body)
	}
	return p.URL, nil
}

func (b *Browser) follow(req *http.Request, stop string) (*Page, error) {
	for range 20 {
		if stop != "" && strings.HasPrefix(req.URL.String(), stop) {
			return &Page{URL: req.URL}, nil
		}
		resp, err := b.client.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 300 || resp.StatusCode > 399 {
			return &Page{URL: req.URL, Status: resp.StatusCode, Body: string(body)}, nil
		}
		next, err := resp.Location()
		if err != nil {
			return nil, err
		}
		if req, err = http.NewRequestWithContext(req.Context(), http.MethodGet, next.String(), nil); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s redirects without end", req.URL)
}

// firstForm finds the action and the inputs of the first form of a page.
func firstForm(page string) (action string, values url.Values, err error) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return "", nil, err
	}
	var form *html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" {
			form = n
			break
		}
	}
	if form == nil {
		return "", nil, fmt.Errorf("there is no form on this page: %s", page)
	}
	values = url.Values{}
	for n := range form.Descendants() {
		if name := attribute(n, "name"); n.Data == "input" && name != "" {
			values.Set(name, attribute(n, "value"))
		}
	}
	return attribute(form, "action"), values, nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
