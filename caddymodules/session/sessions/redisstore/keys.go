package redisstore

import (
	"fmt"
	"regexp"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// keys are the names under which one namespace keeps its sessions. What one script touches shares a
// slot by its hash tag.
//
//	gh:<ns>:s:{selector}   the session: a hash, see record.go
//	gh:<ns>:a:{selector}   its last activity, ms
//	gh:<ns>:d:{selector}   its tombstone: the reason
//	gh:<ns>:t:{selector}   its sealed tokens (nobody writes them yet; buried with it)
//	gh:<ns>:u:{user}       the user's sessions: a sorted set by absolute end
//	gh:<ns>:nb:{user}      sessions of the user that were made up to here are revoked, ms
//	gh:<ns>:i:{provider's session}  the sessions of one session at the provider: a set
//	gh:<ns>:x:{provider's session}  that session was logged out (nobody writes it yet)
type keys struct{ prefix string }

var namespace = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func newKeys(ns string) (keys, error) {
	// A brace would move the hash tag, and with it the keys, to other slots.
	if !namespace.MatchString(ns) {
		return keys{}, fmt.Errorf("namespace: %q must be 1 to 64 letters, digits, dots, - or _", ns)
	}
	return keys{prefix: "gh:" + ns + ":"}, nil
}

// session are the keys of the scripts that decide on a session, in the order of lib.lua.
func (k keys) session(s sessions.Selector) []string {
	tag := "{" + s.String() + "}"
	return []string{k.prefix + "s:" + tag, k.prefix + "a:" + tag, k.prefix + "d:" + tag, k.prefix + "t:" + tag}
}

func (k keys) record(s sessions.Selector) string { return k.prefix + "s:{" + s.String() + "}" }

func (k keys) user(u sessions.User) string { return k.prefix + "u:{" + u.String() + "}" }

func (k keys) notBefore(u sessions.User) string { return k.prefix + "nb:{" + u.String() + "}" }

func (k keys) provider(p sessions.ProviderSession) string {
	return k.prefix + "i:{" + p.String() + "}"
}
