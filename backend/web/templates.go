package web

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

// looks are the templates. Each page's is in a file of its own, what they share in parts.html.
type looks struct {
	set map[string]*template.Template
}

func readLooks(a *assets) *looks {
	functions := template.FuncMap{
		"asset": a.of,
		// with lends a row's template what it does not know itself.
		"pair": func(first, second any) pair { return pair{first, second} },
	}
	parts := template.Must(template.New("parts").Funcs(functions).ParseFS(templateFiles, "templates/parts.html", "templates/frame.html"))
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // embedded
	}
	l := &looks{set: map[string]*template.Template{}}
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".html")
		if name == "parts" || name == "frame" {
			continue
		}
		l.set[name] = template.Must(template.Must(parts.Clone()).ParseFS(templateFiles, "templates/"+entry.Name()))
	}
	return l
}

type pair struct{ First, Second any }

// shown is what a template gets.
type shown struct {
	frame

	Body any
}

func (l *looks) render(w io.Writer, look string, f frame, body any) error {
	t := l.set[look]
	if t == nil {
		return fmt.Errorf("there is no template %q", look)
	}
	return t.ExecuteTemplate(w, "frame", shown{f, body})
}
