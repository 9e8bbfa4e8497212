package migrate

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// step is one migration, as far as its file tells what to do around it.
type step struct {
	version int64
	file    string
	// about and locks are the file's opening comment: what it does, and on which tables it holds which locks.
	about, locks string
	// transaction tells that the step takes effect as a whole.
	transaction bool
	// index is what a step by CREATE INDEX CONCURRENTLY builds; nil for others.
	index *index
}

// index is what one file makes.
type index struct {
	name, table string
	// keys and where are the definition's, and unique tells whether duplicates stop it.
	keys, where string
	unique      bool
}

var indexStatement = regexp.MustCompile(`(?m)^create (unique )?index concurrently if not exists (\w+) on public\.(\w+) (\(.+?\))(?: where (.+))?;$`)

// readSteps reads the files in order.
func readSteps(files fs.FS) ([]step, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	steps := make([]step, 0, len(names))
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read the migration %s: %w", name, err)
		}
		s, err := readStep(name, string(text))
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func readStep(name, text string) (step, error) {
	number, _, _ := strings.Cut(name, "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return step{}, fmt.Errorf("the name does not begin with a version: %w", err)
	}
	head, rest, found := strings.Cut(text, "-- +goose ")
	if !found {
		return step{}, fmt.Errorf("no goose annotation")
	}
	s := step{version: version, file: name, transaction: !strings.Contains(text, "-- +goose NO TRANSACTION")}
	var words []string
	for line := range strings.Lines(head) {
		words = append(words, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "--")))
	}
	about, locks, found := strings.Cut(strings.TrimSpace(strings.Join(words, " ")), "Locks: ")
	if !found {
		return step{}, fmt.Errorf("the opening comment does not say which locks it takes")
	}
	s.about, s.locks = strings.TrimSpace(about), locks
	up, _, _ := strings.Cut(rest, "-- +goose Down")
	if strings.Contains(up, "concurrently") {
		found := indexStatement.FindAllStringSubmatch(up, -1)
		if len(found) != 1 || strings.Count(up, ";") != 1 || s.transaction {
			return step{}, fmt.Errorf("an index is made concurrently, by one statement in a file without a transaction")
		}
		f := found[0]
		s.index = &index{name: f[2], table: f[3], keys: f[4][1 : len(f[4])-1], where: f[5], unique: f[1] != ""}
	}
	return s, nil
}
