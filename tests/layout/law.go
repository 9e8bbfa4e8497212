package layout

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Check says where the packages of the graph break the law of the areas, one sentence each.
func Check(g Graph, areas []Area) []string {
	l := law{graph: g, areas: areas}
	for _, a := range areas {
		l.present(a)
	}
	for _, pkg := range g.ours() {
		a, ok := l.place(pkg)
		if !ok {
			l.breach("%s has no place in the layout: give it one in tests/layout/areas.go", short(pkg))
			continue
		}
		l.named(pkg)
		l.forbidden(pkg, a)
		l.halves(pkg)
		if a.Kind == Store {
			l.store(pkg, a)
		}
		for _, imported := range g[pkg].Imports {
			l.direct(pkg, a, imported)
		}
	}
	return l.breaches
}

type law struct {
	graph    Graph
	areas    []Area
	breaches []string
}

func (l *law) breach(format string, args ...any) {
	l.breaches = append(l.breaches, fmt.Sprintf(format, args...))
}

// place finds the area of the package.
func (l *law) place(pkg string) (Area, bool) {
	i := slices.IndexFunc(l.areas, func(a Area) bool { return a.contains(pkg) })
	if i < 0 {
		return Area{}, false
	}
	return l.areas[i], true
}

// present keeps the table honest: what it names is there, and what it says is coming is not.
func (l *law) present(a Area) {
	there := slices.ContainsFunc(l.graph.ours(), a.contains)
	switch {
	case !there && !a.Coming:
		l.breach("%s is gone: its rules would hold for nothing", short(a.importPath()))
	case there && a.Coming:
		l.breach("%s has come: strike Coming from its line in tests/layout/areas.go", short(a.importPath()))
	}
}

// named refuses the names that say nothing, and the package that does not say what it is for.
func (l *law) named(pkg string) {
	if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "models", "misc"}, path.Base(pkg)) {
		l.breach("%s: a package is named for what it holds", short(pkg))
	}
	if l.graph[pkg].Doc == "" {
		l.breach("%s has no package comment", short(pkg))
	}
}

// forbidden follows all imports of the package, its tests' too, to what its kind may not reach.
func (l *law) forbidden(pkg string, a Area) {
	not := slices.Clone(a.Not)
	switch a.Kind {
	case Pure, Store, TestKit:
		not = append(not, caddy, zap, bun)
	case Rows:
		not = append(not, caddy, "net/http")
	case Backend:
		not = append(not, caddy)
	}
	for _, target := range not {
		found := func(p string) bool { return within(p, target) }
		if way := l.graph.way(pkg, l.graph[pkg].Imports, found); way != nil {
			l.breach("%s must not reach %s: %s", short(pkg), target, chain(way))
		}
	}
	if a.Kind == Pure && l.graph.way(pkg, l.graph[pkg].Tests, func(p string) bool { return within(p, caddy) }) != nil {
		l.breach("%s is pure, and so are its tests: they must not reach Caddy", short(pkg))
	}
}

// halves keeps the edge and the backend apart, their tests too: they meet in identity.
func (l *law) halves(pkg string) {
	var others []string
	switch {
	case within(pkg, edge):
		others = []string{backend}
	case within(pkg, backend):
		others = []string{edge}
	case within(pkg, identity):
		others = []string{edge, backend}
	}
	first := slices.Concat(l.graph[pkg].Imports, l.graph[pkg].Tests)
	for _, other := range others {
		if way := l.graph.way(pkg, first, func(p string) bool { return within(p, other) }); way != nil {
			l.breach("%s must not reach %s, they meet in identity: %s", short(pkg), short(other), chain(way))
		}
	}
}

// store allows a store its contract, its drivers and the standard library.
func (l *law) store(pkg string, a Area) {
	for _, imported := range l.graph[pkg].Imports {
		allowed := l.graph[imported].Standard || imported == path.Dir(pkg) ||
			slices.ContainsFunc(a.Drivers, func(d string) bool { return within(imported, d) })
		if !allowed {
			l.breach("%s is a store: it imports its contract and one driver, not %s", short(pkg), short(imported))
		}
	}
}

// direct judges one import of one package of this module by another.
func (l *law) direct(pkg string, a Area, imported string) {
	b, ok := l.place(imported)
	if !ok {
		return
	}
	test := a.Kind == Tests || a.Kind == TestKit
	switch {
	case (b.Kind == Tests || b.Kind == TestKit) && !test:
		l.breach("%s is shipped, and imports %s, which is for tests", short(pkg), short(imported))
	case b.Kind == Adapter && a.Kind != Registry:
		l.breach("%s imports %s: adapters are imported by nobody but the registry", short(pkg), short(imported))
	case b.Kind == Registry && a.Kind != Command && !test:
		l.breach("%s imports %s: only programs and tests do", short(pkg), short(imported))
	case moduleOf(pkg) != "" && moduleOf(imported) != "" && moduleOf(pkg) != moduleOf(imported) && imported != redislink:
		l.breach("%s imports %s: modules do not import each other", short(pkg), short(imported))
	}
}

// moduleOf is the folder of the Caddy module that the package belongs to: ratelimit for
// caddymodules/ratelimit/limiter. Programs belong to none.
func moduleOf(pkg string) string {
	below, ok := strings.CutPrefix(pkg, edge+"/")
	if !ok {
		return ""
	}
	folder, _, _ := strings.Cut(below, "/")
	if folder == "cmd" {
		return ""
	}
	return folder
}

// short leaves out the path that all packages of this module begin with.
func short(pkg string) string {
	if pkg == Module {
		return "the module's root package"
	}
	return strings.TrimPrefix(pkg, Module+"/")
}

func chain(way []string) string {
	names := make([]string, len(way))
	for i, pkg := range way {
		names[i] = short(pkg)
	}
	return strings.Join(names, " → ")
}
