package stack

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Need is something that must be on the machine, under the name that each package manager gives it.
type Need struct {
	Name     string
	packages map[string][]string // by program of the manager
	present  func() bool
}

// NeedRedis and NeedPostgres are what the demo needs beside Go, the others what the tests need too.
var (
	NeedRedis = Need{
		Name: "Redis or Valkey",
		packages: map[string][]string{
			"apt-get": {"redis-server"}, "brew": {"redis"}, "dnf": {"valkey"}, "pacman": {"valkey"}, "apk": {"valkey"}, "zypper": {"redis"},
		},
		present: func() bool { return os.Getenv(redisServerEnv) != "" || findRedisServer() != "" },
	}
	NeedPostgres = Need{
		Name: "PostgreSQL 15 or later",
		packages: map[string][]string{
			"apt-get": {"postgresql"}, "brew": {"postgresql@17"}, "dnf": {"postgresql-server"}, "pacman": {"postgresql"},
			"apk": {"postgresql"}, "zypper": {"postgresql-server"},
		},
		present: func() bool { _, err := PostgresPrograms(); return err == nil },
	}
	NeedCompiler = Need{
		Name: "a C compiler, for the race detector (on macOS: xcode-select --install)",
		packages: map[string][]string{
			"apt-get": {"gcc", "libc6-dev"}, "dnf": {"gcc", "glibc-devel"}, "pacman": {"gcc"},
			"apk": {"gcc", "musl-dev"}, "zypper": {"gcc", "glibc-devel"},
		},
		present: haveCompiler,
	}
	NeedNode = Need{
		Name: "Node.js 18 or later with npm, for the example upstream and the certified OpenID implementations",
		packages: map[string][]string{
			"apt-get": {"nodejs", "npm"}, "brew": {"node"}, "dnf": {"nodejs", "npm"}, "pacman": {"nodejs", "npm"},
			"apk": {"nodejs", "npm"}, "zypper": {"nodejs", "npm"},
		},
		present: haveNode,
	}
	NeedChromium = Need{
		Name: "Chromium, in which people sign in",
		packages: map[string][]string{
			"apt-get": {"chromium"}, "dnf": {"chromium"}, "pacman": {"chromium"}, "apk": {"chromium"}, "zypper": {"chromium"},
		},
		present: func() bool { return Chromium() != "" },
	}
	NeedCurl = Need{
		Name: "curl, which the quick start types",
		packages: map[string][]string{
			"apt-get": {"curl"}, "dnf": {"curl"}, "pacman": {"curl"}, "apk": {"curl"}, "zypper": {"curl"},
		},
		present: func() bool { return havePrograms("curl") },
	}
	NeedPromtool = Need{
		Name: "promtool, which evaluates the alert rules",
		packages: map[string][]string{
			"apt-get": {"prometheus"}, "brew": {"prometheus"}, "dnf": {"golang-github-prometheus"}, "pacman": {"prometheus"},
			"apk": {"prometheus"}, "zypper": {"golang-github-prometheus-prometheus"},
		},
		present: func() bool { return havePrograms("promtool") },
	}
	NeedSystemd = Need{
		Name: "systemd-analyze, which checks the units",
		packages: map[string][]string{
			"apt-get": {"systemd"}, "dnf": {"systemd"}, "pacman": {"systemd"}, "zypper": {"systemd"},
		},
		// Only Linux has systemd.
		present: func() bool { return runtime.GOOS != "linux" || havePrograms("systemd-analyze") },
	}
)

// Chromium is the browser of this machine's that the stories drive, empty if there is none. On macOS,
// whose package managers have no command of it, that may be Chrome.
func Chromium() string {
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome",
		"/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Missing returns those of needs that this machine lacks.
func Missing(needs ...Need) []Need {
	return slices.DeleteFunc(slices.Clone(needs), func(n Need) bool { return n.present() })
}

// havePrograms reports whether PATH has each of names.
func havePrograms(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		_, err := exec.LookPath(name)
		return err != nil
	})
}

// haveCompiler asks for the headers of the C library too: a compiler can be there without them.
func haveCompiler() bool {
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = map[bool]string{true: "clang", false: "gcc"}[runtime.GOOS == "darwin"]
	}
	if _, err := exec.LookPath(compiler); err != nil {
		return false
	}
	if runtime.GOOS == "darwin" { // the headers are inside the SDK
		return exec.Command("xcrun", "--find", "clang").Run() == nil
	}
	_, err := os.Stat("/usr/include/stdlib.h")
	return err == nil
}

func haveNode() bool {
	if !havePrograms("npm") {
		return false
	}
	version, err := exec.Command("node", "--version").Output() // v18.20.4
	if err != nil {
		return false
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
	number, err := strconv.Atoi(major)
	return err == nil && number >= 18
}

// manager is a package manager that this machine has.
type manager struct{ program, install string }

// managers are those that we can name the line for, in the order in which they are looked for.
var managers = []manager{
	{"apt-get", "apt-get install -y --no-install-recommends"},
	{"brew", "brew install"},
	{"dnf", "dnf install -y"},
	{"pacman", "pacman -S --needed"},
	{"apk", "apk add"},
	{"zypper", "zypper install -y"},
}

func findManager() (manager, bool) {
	for _, m := range managers {
		if _, err := exec.LookPath(m.program); err == nil {
			return m, true
		}
	}
	return manager{}, false
}

func (m manager) packages(needs []Need) []string {
	var packages []string
	for _, n := range needs {
		packages = append(packages, n.packages[m.program]...)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// line is what a person types to install needs; empty when the manager has none of them.
func (m manager) line(needs []Need) string {
	packages := m.packages(needs)
	if len(packages) == 0 {
		return ""
	}
	line := m.install + " " + strings.Join(packages, " ")
	if m.program == "brew" || os.Geteuid() == 0 { // Homebrew refuses root
		return line
	}
	if _, err := exec.LookPath("sudo"); err != nil {
		return "su -c '" + line + "'"
	}
	return "sudo " + line
}

// MissingError says what is not on this machine, and what to type.
type MissingError struct {
	Needs []Need
	// Line brings all of it; empty where we know no package manager that has it.
	Line string
}

func missing(needs []Need) *MissingError {
	e := &MissingError{Needs: needs}
	if m, ok := findManager(); ok {
		e.Line = m.line(needs)
	}
	return e
}

func (e *MissingError) Error() string {
	names := make([]string, len(e.Needs))
	for i, n := range e.Needs {
		names[i] = n.Name
	}
	text := "missing on this machine: " + strings.Join(names, "; ")
	if e.Line == "" {
		return text + ": install it and try again"
	}
	return text + ": type `" + e.Line + "` and try again"
}
