package layout

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

const softdelete = backend + "/softdelete"

// RowRules says which folders may do what other code could reach past organizations and deletions by. A
// folder counts with all below it; tests are free.
type RowRules struct {
	// Data are the packages that write SQL, and whose own tests watch what it finds.
	Data []string
	// Scopes may make a scope, which says for whom a transaction works.
	Scopes []string
}

// RowLaw are the rules of this module.
var RowLaw = RowRules{
	Data:   []string{"backend/softdelete", "backend/audit", "backend/store", "backend/migrate"},
	Scopes: []string{"backend/store", "backend/cmd/backend"},
}

// loopholes are methods of Bun's queries to which neither the soft_delete tag nor the predicate of package
// softdelete applies as one would think: they read rows that are in the trash, or those of others.
var loopholes = map[string]string{
	"Table":               "deletes for real, and reads what is in the trash",
	"TableExpr":           "reads what is in the trash",
	"ModelTableExpr":      "reads what is in the trash",
	"NewRaw":              "is filtered by nothing",
	"NewRawQuery":         "is filtered by nothing",
	"ForceDelete":         "deletes for real",
	"WhereAllWithDeleted": "reads what is in the trash",
	"WhereOr":             "reads rows of other organizations",
	"JoinOnOr":            "reads rows of other organizations",
	"Relation":            "shows a target that is in the trash, when its own query asks for more",
}

// Check says where Go files below folder, a path in the module whose root is given, break the rules, one
// sentence each. It reads what is written, without types: a method of that name of anything else is
// refused too, and wants another name.
func (r RowRules) Check(root, folder string) (breaches []string, err error) {
	err = fs.WalkDir(os.DirFS(root), folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		text, err := fs.ReadFile(os.DirFS(root), name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		within := func(folders []string) bool {
			return slices.ContainsFunc(folders, func(folder string) bool { return within(name, folder) })
		}
		f := rowFile{file: file, data: within(r.Data), scopes: within(r.Scopes)}
		ast.Inspect(file, func(n ast.Node) bool {
			if what := f.judge(n); what != "" {
				breaches = append(breaches, fmt.Sprintf("%s: %s", files.Position(n.Pos()), what))
			}
			return true
		})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is nothing to check: %w", err)
	}
	return breaches, err
}

// rowFile is a file with what it may do.
type rowFile struct {
	file         *ast.File
	data, scopes bool
}

// judge says what is wrong with a node, if it is.
func (f rowFile) judge(n ast.Node) string {
	selector, _ := n.(*ast.SelectorExpr)
	if call, ok := n.(*ast.CallExpr); ok {
		if selector, _ = call.Fun.(*ast.SelectorExpr); selector == nil || selector.Sel.Name != "Table" {
			return ""
		}
	} else if selector == nil || selector.Sel.Name == "Table" { // of an entity: a field
		return ""
	}
	name := selector.Sel.Name
	from, _ := selector.X.(*ast.Ident)
	switch {
	case !f.scopes && name == "NewTx" && from != nil && from.Name == f.imported(softdelete):
		return "softdelete.NewTx makes a scope: only a membership that was looked up in the same transaction does that, in backend/store"
	case f.data || f.imported(bun) == "" && f.imported(softdelete) == "" && f.imported(backend+"/store") == "":
		return "" // it has no query in hand
	case name == "DB" && from != nil && from.Name == f.imported(bun):
		return "bun.DB is a connection without an organization: take a *softdelete.Tx"
	case loopholes[name] != "":
		return fmt.Sprintf("%s %s: use a repository, or add to one", name, loopholes[name])
	default:
		return ""
	}
}

// imported is the name by which the file knows a package; empty when it does not.
func (f rowFile) imported(pkg string) string {
	for _, spec := range f.file.Imports {
		if given, err := strconv.Unquote(spec.Path.Value); err == nil && given == pkg {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(pkg)
		}
	}
	return ""
}
