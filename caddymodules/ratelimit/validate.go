package ratelimit

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// largestOpTimeout bounds op_timeout: a request that waits longer for its limits is a failed one.
const largestOpTimeout = 10 * time.Second

// notBuilt are values of caddyfile.md's settings that this version does not know yet.
var notBuilt = map[string][]string{
	"mode":    {"lease"},
	"headers": {"legacy", "both"},
}

// Validate says what is wrong with the configuration, naming zone, setting and cure. It changes
// nothing; defaults must have been set.
func (h *Handler) Validate() error {
	switch {
	case h.OpTimeout < 0 || time.Duration(h.OpTimeout) > largestOpTimeout:
		return fmt.Errorf("op_timeout must be above 0 and at most %s, got %s: 25ms suits a Redis in the same network",
			largestOpTimeout, time.Duration(h.OpTimeout))
	case h.MaxKeys < 0:
		return fmt.Errorf("max_keys must be positive, got %d", h.MaxKeys)
	case h.MaxMemory < 0:
		return fmt.Errorf("max_memory must be positive, got %d bytes", h.MaxMemory)
	case h.Jitter < 0 || math.IsNaN(h.Jitter) || math.IsInf(h.Jitter, 0):
		return fmt.Errorf("jitter must be 0 or more, got %v: 0.2 adds up to 20 %% to Retry-After", h.Jitter)
	}
	if err := oneOf("headers", h.Headers, headersDraft, headersOff); err != nil {
		return err
	}
	for _, name := range sortedNames(h.RateLimits) {
		if name == "" {
			return errors.New("a zone has an empty name: name it for what it limits, as in zone login")
		}
		if h.RateLimits[name] == nil {
			return fmt.Errorf("zone %q is null: give it a limit, or remove it", name)
		}
		if err := h.RateLimits[name].validate(name); err != nil {
			return fmt.Errorf("zone %q: %w", name, err)
		}
	}
	return nil
}

func (z *Zone) validate(name string) error {
	if z.Key != "" && len(z.Keys) > 0 {
		return errors.New("key and keys are both set: move key to the front of keys")
	}
	for i, part := range z.Keys {
		if part == "" {
			return fmt.Errorf("keys: part %d is empty: remove it", i+1)
		}
	}
	if err := z.validateEnums(); err != nil {
		return err
	}
	if p := *z.IPv4Prefix; p < 0 || p > 32 {
		return fmt.Errorf("ipv4_prefix must be from 0 (off) to 32, got %d", p)
	}
	if p := *z.IPv6Prefix; p < 0 || p > 128 {
		return fmt.Errorf("ipv6_prefix must be from 0 (off) to 128, got %d", p)
	}
	return z.validateLimits(name)
}

func (z *Zone) validateEnums() error {
	return errors.Join(
		oneOf("on_empty_key", z.OnEmptyKey, emptyKeyClient, emptyKeySkip, emptyKeyReject, emptyKeyShare),
		oneOf("mode", z.Mode, modeExact, modeLocal),
		oneOf("on_failure", z.OnFailure, failureShare, failureLocal, failureOpen, failureClosed),
	)
}

func (z *Zone) validateLimits(name string) error {
	switch {
	case z.MaxEvents == nil && z.Window != 0:
		return errors.New("window is set without events (max_events in JSON): set both, as in events 100 with window 1m")
	case z.MaxEvents != nil && z.Window == 0:
		return errors.New("events (max_events in JSON) is set without window: set both, as in events 100 with window 1m")
	case z.MaxEvents == nil && z.Algorithm != "" && !strings.EqualFold(z.Algorithm, limiter.GCRA.String()):
		return fmt.Errorf("algorithm %s counts events: set events and window, for a limit R/T is always gcra", z.Algorithm)
	case z.MaxEvents == nil && len(z.Limits) == 0:
		return errors.New("it has no limit: set limit, as in limit 500/15m, or events and window")
	}
	_, err := z.policies(name)
	return err
}

// oneOf says whether a setting has one of its values; empty stands for the default.
func oneOf(setting, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	if slices.Contains(notBuilt[setting], value) {
		return fmt.Errorf("%s %s is not built yet in this version: use %s", setting, value, strings.Join(allowed, " or "))
	}
	return fmt.Errorf("%s %q is not one of %s", setting, value, strings.Join(allowed, ", "))
}

// warn logs what is valid and yet surely not meant.
func (h *Handler) warn() {
	if len(h.RateLimits) == 0 {
		h.logger.Warn("rate_limit without a zone limits nothing")
	}
	if h.Distributed != nil || h.StorageRaw != nil {
		if h.redis != nil {
			h.logger.Warn("counts are shared through redis; distributed and storage are accepted for caddy-ratelimit's sake and not used")
		} else {
			h.logger.Warn("each node counts alone, distributed and storage are not used: configure the global option redis to share counts")
		}
	}
	if h.SweepInterval != 0 {
		h.logger.Info("sweep_interval is accepted for caddy-ratelimit's sake and not used: expired counts make room by themselves",
			zap.Duration("sweep_interval", time.Duration(h.SweepInterval)))
	}
}

// sortedNames are the zones' names in the order in which they are decided and reported.
func sortedNames(zones map[string]*Zone) []string {
	return slices.Sorted(maps.Keys(zones))
}
