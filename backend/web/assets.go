package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assets are the files that pages load. Their addresses hold a digest of what is in them, so that browsers
// may keep them for ever, and a new version never meets an old page's style.
type assets struct {
	address map[string]string // by file name: /assets/style.0123456789ab.css
	file    map[string][]byte // by the last part of the address
	icon    []byte
}

func readAssets() *assets {
	a := &assets{address: map[string]string{}, file: map[string][]byte{}}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // embedded
	}
	for _, entry := range entries {
		name := entry.Name()
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err)
		}
		if name == "favicon.svg" {
			a.icon = content
		}
		digest := sha256.Sum256(content)
		ext := path.Ext(name)
		hashed := fmt.Sprintf("%s.%s%s", strings.TrimSuffix(name, ext), hex.EncodeToString(digest[:6]), ext)
		a.address[name] = "/assets/" + hashed
		a.file[hashed] = content
	}
	return a
}

// of is the address of a file. It panics on one that is not there: templates name fixed ones.
func (a *assets) of(name string) string {
	address, ok := a.address[name]
	if !ok {
		panic(fmt.Sprintf("web: there is no asset %q", name))
	}
	return address
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, ok := a.file[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // not from the machine's own table
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".svg":
		kind = "image/svg+xml"
	case ".LICENSE":
		kind = "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) // nobody is left to be told
	}
}

func (a *assets) favicon(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write(a.icon)
}
