package assertidentity

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// Bounds of ttl. A shorter one would sign nearly every request, a longer one would outlive sign-outs.
const (
	shortestTTL = 10 * time.Second
	longestTTL  = 10 * time.Minute
)

// Validate says what is wrong with the configuration, naming setting and cure. It changes nothing;
// defaults must have been set.
func (h *Handler) Validate() error {
	ttl := time.Duration(h.TTL)
	switch {
	case h.Audience == "":
		return errors.New("audience is missing: name the upstream, as in audience app; it must expect that name")
	case ttl < shortestTTL || ttl > longestTTL || ttl%time.Second != 0:
		return fmt.Errorf("ttl must be whole seconds from %s to %s, got %s: 1m suits nearly everyone", shortestTTL, longestTTL, ttl)
	case !strings.HasPrefix(h.JWKSPath, "/") || strings.ContainsAny(h.JWKSPath, "?#*{} "):
		return fmt.Errorf("jwks_path must be one path, got %q: write it as in %s", h.JWKSPath, defaultJWKSPath)
	}
	if err := validateClaims(h.Claims); err != nil {
		return fmt.Errorf("claims: %w", err)
	}
	if err := validateHeaders(h.Headers); err != nil {
		return fmt.Errorf("headers: %w", err)
	}
	return nil
}

func validateClaims(claims []string) error {
	seen := make(map[string]bool)
	for _, claim := range claims {
		switch {
		case claim == "" || strings.ContainsAny(claim, "{}"):
			return fmt.Errorf("%q is no claim: write names, as in claims email name", claim)
		case identity.Reserved(claim):
			return fmt.Errorf("%q has its own place in every assertion: leave it out", claim)
		case seen[claim]:
			return fmt.Errorf("%q is there twice: remove one", claim)
		}
		seen[claim] = true
	}
	return nil
}

func validateHeaders(names []string) error {
	seen := make(map[string]bool)
	for _, name := range names {
		normal := identity.Normalize(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return fmt.Errorf("%q is no header name: write it as in X-Auth-User", name)
		case strings.ContainsAny(name, "_."):
			return fmt.Errorf("%q has an underscore or a dot, which many servers drop: write it with hyphens", name)
		case content(name) == "":
			return fmt.Errorf("%q must end with what it carries, -User, -Email, -Groups or -Name: write it as in X-Auth-User", name)
		case seen[normal]:
			return fmt.Errorf("%q is there twice: remove one", name)
		}
		seen[normal] = true
	}
	return nil
}
