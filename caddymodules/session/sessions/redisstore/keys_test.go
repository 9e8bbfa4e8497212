package redisstore

import (
	"strings"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// TestKeys_ofOneScriptShareASlot, or it could not run in a Cluster.
func TestKeys_ofOneScriptShareASlot(t *testing.T) {
	k, err := newKeys("Prod-1.eu")
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(255) {
		selector := sessions.Selector{i, 15: ^i}
		seen := map[string]bool{}
		for _, key := range k.session(selector) {
			_, tag, _ := strings.Cut(key, "{")
			tag, rest, ok := strings.Cut(tag, "}")
			if tag != selector.String() || rest != "" || !ok || seen[key] {
				t.Fatalf("key %q", key)
			}
			seen[key] = true
		}
		if !seen[k.record(selector)] {
			t.Fatalf("%q is not one of the script's keys", k.record(selector))
		}
	}
}

func TestNewKeys_refusesNamespaces(t *testing.T) {
	for _, ns := range []string{"", "a b", "{a}", "a:b", strings.Repeat("a", 65)} {
		if _, err := newKeys(ns); err == nil {
			t.Errorf("accepted %q", ns)
		}
	}
}
