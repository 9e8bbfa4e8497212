package session

import (
	"context"
	_ "embed"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

//go:embed keep.lua
var keepLua string

var keepScript = redislink.NewScript(keepLua)

// idTokenField is the ID token's place among a session's tokens.
const idTokenField = "id"

// maxIDToken bounds an ID token that is kept, in bytes: it comes back in an address.
const maxIDToken = 4096

// tokenStore keeps sealed tokens beside their sessions. What is lost is lost: a logout at the provider
// then asks the person.
type tokenStore interface {
	keep(ctx context.Context, selector sessions.Selector, sealed string, ttl time.Duration) error
	load(ctx context.Context, selector sessions.Selector) (sealed string, err error)
}

// keepIDToken keeps the ID token for the logout at the provider.
func (h *Handler) keepIDToken(ctx context.Context, s *sessions.Session, token string) error {
	if h.Logout != logoutRP || token == "" || len(token) > maxIDToken {
		return nil
	}
	sealer, err := h.tokenSealer()
	if err != nil {
		return err
	}
	sealed := sealer.Seal([]byte(token), s.Selector[:])
	return h.sharedState.tokens.keep(ctx, s.Selector, string(sealed), s.Absolute.Sub(s.Created)+sessions.TombstoneTTL)
}

// idToken is what keepIDToken has kept, or nothing.
func (h *Handler) idToken(ctx context.Context, selector sessions.Selector) string {
	sealed, err := h.sharedState.tokens.load(ctx, selector)
	if err != nil || sealed == "" {
		return ""
	}
	sealer, err := h.tokenSealer()
	if err != nil {
		return ""
	}
	token, _ := sealer.Open([]byte(sealed), selector[:])
	return string(token)
}

func (h *Handler) tokenSealer() (*sessions.Sealer, error) {
	keys, err := sessions.NewKeys(h.keys...)
	if err != nil {
		return nil, err
	}
	return keys.Sealer("tokens"), nil
}

// redisTokens are a hash beside the session, which ends with it.
type redisTokens struct {
	link      *redislink.Link
	namespace string
}

func (t redisTokens) key(kind string, s sessions.Selector) string {
	return "gh:" + t.namespace + ":" + kind + ":{" + s.String() + "}"
}

func (t redisTokens) keep(ctx context.Context, s sessions.Selector, sealed string, ttl time.Duration) error {
	_, err := t.link.Eval(ctx, redislink.Call{
		Script: keepScript, Keys: []string{t.key("t", s), t.key("d", s)},
		Args: []string{idTokenField, sealed, strconv.FormatInt(ttl.Milliseconds(), 10)},
	})
	return err
}

func (t redisTokens) load(ctx context.Context, s sessions.Selector) (string, error) {
	sealed, err := t.link.Do(ctx, func(b rueidis.Builder) rueidis.Completed {
		return b.Hget().Key(t.key("t", s)).Field(idTokenField).Build()
	}).ToString()
	if rueidis.IsRedisNil(err) {
		return "", nil
	}
	return sealed, err
}

// localTokens are those of a store in this process.
type localTokens struct {
	mu   sync.Mutex
	held map[sessions.Selector]localToken
}

type localToken struct {
	sealed string
	until  time.Time
}

// maxLocalTokens bounds localTokens; a token takes a few KB.
const maxLocalTokens = 10_000

var errFull = errors.New("too many tokens are kept")

func (t *localTokens) keep(_ context.Context, s sessions.Selector, sealed string, ttl time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if len(t.held) >= maxLocalTokens {
		for selector, token := range t.held {
			if now.After(token.until) {
				delete(t.held, selector)
			}
		}
		if len(t.held) >= maxLocalTokens {
			return errFull
		}
	}
	if t.held == nil {
		t.held = make(map[sessions.Selector]localToken)
	}
	t.held[s] = localToken{sealed, now.Add(ttl)}
	return nil
}

// load also forgets: a token is asked for when its session ends.
func (t *localTokens) load(_ context.Context, s sessions.Selector) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token := t.held[s]
	delete(t.held, s)
	return token.sealed, nil
}

var (
	_ tokenStore = redisTokens{}
	_ tokenStore = (*localTokens)(nil)
)
