package httpapi

import (
	"bytes"
	"html/template"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"
)

// serveDocument serves the document, which is made when it is first asked for.
func (a *api) serveDocument(contentType string, write func(*huma.OpenAPI) ([]byte, error)) http.HandlerFunc {
	document := sync.OnceValues(func() ([]byte, error) { return write(a.document) })
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := document()
		if err != nil {
			a.logger.Error("the OpenAPI document cannot be written", zap.Error(err))
			fail("internal").write(w, r)
			return
		}
		sendPublic(w, r, contentType, body)
	}
}

var problemPage = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}} – {{.Name}}</title>
<main>
<h1>{{.Title}}</h1>
<p>{{.Help}}</p>
<p>Status <strong>{{.Status}}</strong>, code <code>{{.Name}}</code>.</p>
</main>
</html>
`))

// serveProblemPage tells people about a code.
func (a *api) serveProblemPage(w http.ResponseWriter, r *http.Request) {
	_, name := a.routes.find(r.URL.EscapedPath())
	for _, c := range codes {
		if c.name != name {
			continue
		}
		var page bytes.Buffer
		err := problemPage.Execute(&page, struct {
			Title, Name, Help string
			Status            int
		}{c.title, c.name, c.help, c.status})
		if err != nil { // of four plain values
			panic(err)
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		sendPublic(w, r, "text/html; charset=utf-8", page.Bytes())
		return
	}
	fail("not_found").write(w, r)
}

// sendPublic answers with what is the same for everybody until the next release.
func sendPublic(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // nobody is left to be told
	}
}
