package devstack

import (
	"os/exec"
	"slices"
	"strings"
)

// need is something that a machine must have, under the name that each package manager gives it.
type need struct {
	name     string
	packages map[string][]string // by manager
}

var (
	needRedis = need{name: "Redis or Valkey", packages: map[string][]string{
		"apt-get": {"redis-server"}, "brew": {"redis"}, "dnf": {"valkey"}, "pacman": {"valkey"}, "apk": {"valkey"}, "zypper": {"redis"},
	}}
)

// managers are the package managers that we can name the line for, in the order in which they are looked for.
var managers = []struct{ program, install string }{
	{"apt-get", "apt-get install -y --no-install-recommends"},
	{"brew", "brew install"},
	{"dnf", "dnf install -y"},
	{"pacman", "pacman -S --needed"},
	{"apk", "apk add"},
	{"zypper", "zypper install -y"},
}

// installLine is the one line that brings needs to this machine; empty when it has no manager that we know,
// or none with such packages.
func installLine(needs ...need) string {
	for _, m := range managers {
		if _, err := exec.LookPath(m.program); err != nil {
			continue
		}
		packages := packagesFor(m.program, needs)
		if len(packages) == 0 {
			return ""
		}
		line := m.install + " " + strings.Join(packages, " ")
		if m.program != "brew" { // Homebrew refuses root
			line = "sudo " + line
		}
		return line
	}
	return ""
}

func packagesFor(manager string, needs []need) []string {
	var packages []string
	for _, n := range needs {
		packages = append(packages, n.packages[manager]...)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}
