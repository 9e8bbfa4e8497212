package session

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

var (
	//go:embed pages.html
	pageHTML string
	//go:embed pages.css
	pageCSS string
)

// page is what a person reads. It loads nothing: it must work when nothing else does.
type page struct {
	Title, Text string
	// Action is where its one button leads; Label is what is on it. Post has it send a form.
	Action, Label string
	Post          bool
	// Choices are several buttons.
	Choices []choice
	// FormOrigin is another origin to which a form's redirect may lead.
	FormOrigin string
}

type choice struct{ Address, Label string }

// pages renders them.
type pages struct {
	template *template.Template
	style    template.CSS
	policy   string
}

func newPages() *pages {
	style := strings.TrimSpace(pageCSS)
	sum := sha256.Sum256([]byte(style))
	return &pages{
		template: template.Must(template.New("pages").Parse(pageHTML)),
		style:    template.CSS(style), //nolint:gosec // It is ours, and embedded.
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
	}
}

// page writes a page.
func (c *requestContext) page(w http.ResponseWriter, status int, p page) error {
	var body bytes.Buffer
	err := c.h.pages.template.ExecuteTemplate(&body, "page", map[string]any{
		"Page": p, "Style": c.h.pages.style, "RequestID": requestID(c.r),
	})
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	policy := c.h.pages.policy
	if p.FormOrigin != "" {
		policy += " " + p.FormOrigin
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// A callback's address has a code in it, which is nobody's business. With no-referrer a form's
	// Origin would be null.
	h.Set("Referrer-Policy", "no-referrer")
	if p.Post {
		h.Set("Referrer-Policy", "same-origin")
	}
	c.ours(h)
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that went away is told nothing
	return nil
}
