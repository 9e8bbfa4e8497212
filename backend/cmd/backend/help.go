package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
)

func help(_ context.Context, p process) error {
	var b strings.Builder
	b.WriteString("Usage: backend COMMAND\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-42s %s\n", strings.TrimSpace(c.name+" "+c.arguments), c.summary)
	}
	b.WriteString("\nThe environment of serve:\n\n")
	for _, v := range variables {
		fmt.Fprintf(&b, "  %-30s %s\n", v.name, v.about())
	}
	fmt.Fprintf(&b, "\nAll other commands read %s alone: the login that owns the tables, which serve must not have.\n", adminURL)
	_, err := p.stdout.Write([]byte(b.String()))
	return err
}

func version(_ context.Context, p process) error {
	if err := none(p); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, build())
	return err
}

// build is "v1.2.3", or "(devel) 0123456789ab" with a plus where the work tree had changes.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && !strings.Contains(text, s.Value[:min(len(s.Value), 12)]):
			text += " " + s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true" && !strings.HasSuffix(text, "+dirty"):
			text += "+"
		}
	}
	return text
}
