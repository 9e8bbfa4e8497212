package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mutant is one changed file.
type mutant struct {
	path   string
	line   int
	change string
	source []byte
}

// opposite is what stands in place of an operator or a word.
var opposite = map[string]string{
	"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&", "+": "-", "-": "+",
	"true": "false", "false": "true", "err": "nil", "~=": "==", "=": "<>", "<>": "=",
	"and": "or", "or": "and", "AND": "OR", "OR": "AND",
}

// mutate returns the mutants of a Go, Lua or SQL file; other files have none.
func mutate(path string, source []byte) ([]mutant, error) {
	switch filepath.Ext(path) {
	case ".go":
		return mutateGo(path, source)
	case ".lua":
		return mutateLines(path, source, regexp.MustCompile(`<=|>=|==|~=|[<>]|\b(?:and|or|true|false)\b`)), nil
	case ".sql":
		return mutateLines(path, source, regexp.MustCompile(`<=|>=|<>|[<>=]|\b(?:AND|OR|true|false)\b`)), nil
	}
	return nil, nil
}

func mutateGo(path string, source []byte) ([]mutant, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var mutants []mutant
	replace := func(from, to token.Pos, text string) {
		start, end := files.Position(from), files.Position(to)
		mutants = append(mutants, change(path, source, start.Line, start.Offset, end.Offset, text))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if other, ok := opposite[n.Op.String()]; ok {
				replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other)
			}
			for _, side := range []ast.Expr{n.X, n.Y} { // a bound
				if number, ok := side.(*ast.BasicLit); ok && number.Kind == token.INT {
					replace(number.End(), number.End(), "+1")
				}
			}
		case *ast.ReturnStmt:
			for _, result := range n.Results {
				if word, ok := result.(*ast.Ident); ok && opposite[word.Name] != "" {
					replace(word.Pos(), word.End(), opposite[word.Name])
				}
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.SendStmt:
			replace(n.Pos(), n.End(), "")
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				replace(n.Pos(), n.End(), "")
			}
		}
		return true
	})
	return mutants, nil
}

// mutateLines drops each statement that is a line, and changes each operator, outside comments.
func mutateLines(path string, source []byte, operators *regexp.Regexp) []mutant {
	var mutants []mutant
	start := 0
	for i, text := range strings.SplitAfter(string(source), "\n") {
		code, _, _ := strings.Cut(text, "--")
		for _, at := range operators.FindAllStringIndex(code, -1) {
			mutants = append(mutants, change(path, source, i+1, start+at[0], start+at[1], opposite[code[at[0]:at[1]]]))
		}
		if code = strings.TrimRight(code, "\n"); strings.Contains(code, "redis.call") || strings.HasSuffix(code, ";") {
			mutants = append(mutants, change(path, source, i+1, start, start+len(code), ""))
		}
		start += len(text)
	}
	return mutants
}

func change(path string, source []byte, line, from, to int, text string) mutant {
	was := string(source[from:to])
	described := "`" + was + "` becomes `" + text + "`"
	if text == "" {
		first, _, _ := strings.Cut(strings.TrimSpace(was), "\n")
		described = "`" + first + "` is dropped"
	}
	// A dropped statement leaves its lines, so that positions in the output stay true.
	if text == "" {
		text = strings.Repeat("\n", bytes.Count(source[from:to], []byte("\n")))
	}
	return mutant{path: path, line: line, change: described, source: slices.Concat(source[:from], []byte(text), source[to:])}
}
