package stack

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// postgresBinEnv names the environment variable that picks one PostgreSQL of several, by the directory of its programs.
const postgresBinEnv = "GATEHOUSE_POSTGRES_BIN"

// oldestPostgres is the oldest major version that the schema works with.
const oldestPostgres = 15

// postgresDirs are patterns of directories where packages put the server. Most are not in PATH: several versions
// live side by side.
var postgresDirs = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // packages of the PostgreSQL project for Red Hat's
	"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
	"/usr/lib/postgresql*/bin",     // SUSE
	"/usr/libexec/postgresql*/bin", // Alpine
	"/usr/libexec/postgresql*",
	"/usr/local/pgsql/bin", "/usr/bin", "/usr/local/bin",
}

// Programs are those of one PostgreSQL.
type Programs struct {
	// Bin is their directory as it was found. Symbolic links are not resolved: initdb looks for postgres beside itself.
	Bin string
	// Version is what postgres calls itself: "15.14 (Debian 15.14-0+deb12u1)".
	Version string
	// Major is its first number.
	Major int
}

func (p Programs) path(name string) string { return filepath.Join(p.Bin, name) }

// errNoPostgres is how Need's look fails; people see a *MissingError.
var errNoPostgres = errors.New("no PostgreSQL")

// PostgresPrograms finds the newest PostgreSQL of this machine, or the one of GATEHOUSE_POSTGRES_BIN.
func PostgresPrograms() (Programs, error) {
	if dir := os.Getenv(postgresBinEnv); dir != "" {
		p, err := programsIn(dir)
		if err == nil && p.Major < oldestPostgres {
			err = fmt.Errorf("PostgreSQL %s is older than %d", p.Version, oldestPostgres)
		}
		if err != nil {
			return Programs{}, fmt.Errorf("%s: %w", postgresBinEnv, err)
		}
		return p, nil
	}
	var found []Programs
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), postgresGlob()...) {
		if p, err := programsIn(dir); err == nil {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return Programs{}, errNoPostgres
	}
	// The first of equals, so that PATH decides between two of one version.
	slices.SortStableFunc(found, func(a, b Programs) int { return cmp.Compare(b.Major, a.Major) })
	if newest := found[0]; newest.Major < oldestPostgres {
		return Programs{}, fmt.Errorf("%w of version %d or later: the newest is %s in %s", errNoPostgres, oldestPostgres, newest.Version, newest.Bin)
	}
	return found[0], nil
}

func postgresGlob() []string {
	var dirs []string
	for _, pattern := range postgresDirs {
		matches, _ := filepath.Glob(pattern) // the patterns are good
		dirs = append(dirs, matches...)
	}
	return dirs
}

// programsIn looks at one directory. Clients alone, as Debian puts into PATH, are no server.
func programsIn(dir string) (Programs, error) {
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return Programs{}, err
		}
	}
	// postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)
	line, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // what PATH or a person names is what is to run
	if err != nil {
		return Programs{}, fmt.Errorf("%s --version: %w", filepath.Join(dir, "postgres"), err)
	}
	_, version, _ := strings.Cut(string(bytes.TrimSpace(line)), "(PostgreSQL) ")
	digits := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(version)
	}
	major, err := strconv.Atoi(version[:digits])
	if err != nil {
		return Programs{}, fmt.Errorf("%s calls itself %q, which names no version", filepath.Join(dir, "postgres"), bytes.TrimSpace(line))
	}
	return Programs{Bin: dir, Version: version, Major: major}, nil
}
