package oidc

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func sealKey(id string, fill byte) SealKey {
	return SealKey{ID: id, Secret: bytes.Repeat([]byte{fill}, 32)}
}

func newSealer(t testing.TB, c *clock, binding string, keys ...SealKey) *FlowSealer {
	t.Helper()
	s, err := NewFlowSealer(keys, binding, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSeal(t testing.TB, s *FlowSealer, f Flow) string {
	t.Helper()
	v, err := s.Seal(f)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNewFlow_isFresh(t *testing.T) {
	a, b := NewFlow("corp", "/", time.Now()), NewFlow("corp", "/", time.Now())
	if a.State == b.State || a.Nonce == b.Nonce || a.Verifier == b.Verifier || a.State == a.Nonce {
		t.Errorf("two logins share secrets: %+v, %+v", a, b)
	}
	if len(a.Verifier) < 43 { // RFC 7636, 4.1
		t.Errorf("the verifier has %d characters", len(a.Verifier))
	}
}

func TestFlowID(t *testing.T) {
	f := NewFlow("corp", "/", time.Now())
	if got := FlowID(f.State); len(got) != 8 || !strings.HasPrefix(f.State, got) {
		t.Errorf("FlowID(%q) = %q", f.State, got)
	}
	for _, bad := range []string{"", "short", f.State + "x", f.State[:21] + "=", f.State[:21] + ";", f.State[:21] + "\n"} {
		if got := FlowID(bad); got != "" {
			t.Errorf("FlowID(%q) = %q, want none", bad, got)
		}
	}
}

func TestFlowSealer(t *testing.T) {
	c := newClock()
	s := newSealer(t, c, "default\x00app.example", sealKey("k1", 1))
	f := NewFlow("corp", "/inbox?x=1&y=2#z", c.now()).WithMaxAge(time.Minute)
	v := mustSeal(t, s, f)
	got, err := s.Open(v)
	if err != nil || got.MaxAge == nil || *got.MaxAge != 60 {
		t.Fatalf("got %+v, %v", got, err)
	}
	got.MaxAge, f.MaxAge = nil, nil
	if got != f {
		t.Errorf("got %+v, want %+v", got, f)
	}
	if again := mustSeal(t, s, f); again == v {
		t.Error("the same flow was sealed to the same value: the nonce is not fresh")
	}
	if strings.Contains(v, f.State) || strings.Contains(v, base64.RawURLEncoding.EncodeToString([]byte("inbox"))[:4]) {
		t.Error("the flow can be read without the key")
	}
}

func TestFlowSealer_longestReturnToFits(t *testing.T) {
	c := newClock()
	s := newSealer(t, c, "b", SealKey{ID: strings.Repeat("k", 32), Secret: make([]byte, 32)})
	for _, fill := range []string{"a", "&", "<", `"`, "é", " "} {
		to := ReturnTo("/?"+strings.Repeat(fill, 150), "/fallback")
		if to == "/fallback" {
			t.Errorf("150 × %q was refused", fill)
		}
		if _, err := s.Open(mustSeal(t, s, NewFlow(strings.Repeat("p", 64), to, c.now()))); err != nil {
			t.Errorf("%q: %v", fill, err)
		}
	}
	to := ReturnTo("/?"+strings.Repeat(`"`, maxReturnTo-2), "/fallback")
	mustSeal(t, s, NewFlow(strings.Repeat("p", 64), to, c.now()).WithMaxAge(time.Hour))
	if _, err := s.Seal(Flow{ReturnTo: strings.Repeat("a", maxFlow)}); err == nil {
		t.Error("a flow that no cookie holds was sealed")
	}
}

func TestFlowSealer_keysRotate(t *testing.T) {
	c := newClock()
	before := newSealer(t, c, "b", sealKey("k1", 1))
	during := newSealer(t, c, "b", sealKey("k2", 2), sealKey("k1", 1))
	after := newSealer(t, c, "b", sealKey("k2", 2))
	f := NewFlow("corp", "/", c.now())
	if _, err := during.Open(mustSeal(t, before, f)); err != nil {
		t.Errorf("the fallback key does not open: %v", err)
	}
	if _, err := after.Open(mustSeal(t, during, f)); err != nil {
		t.Errorf("the first key does not seal: %v", err)
	}
	if _, err := after.Open(mustSeal(t, before, f)); !errors.Is(err, ErrFlow) {
		t.Errorf("a key that is gone opens: %v", err)
	}
}

func TestFlowSealer_refuses(t *testing.T) {
	c := newClock()
	s := newSealer(t, c, "default\x00app.example", sealKey("k1", 1), sealKey("k2", 1))
	f := NewFlow("corp", "/", c.now())
	v := mustSeal(t, s, f)
	other := f
	other.Created = c.now().Add(futureFlow + time.Second).Unix()
	anonymous := f
	anonymous.State = ""
	for name, value := range map[string]string{
		"empty":              "",
		"no id":              v[2:],
		"no dot":             strings.ReplaceAll(v, ".", ""),
		"unknown key":        "k3" + v[2:],
		"other id, same key": "k2" + v[2:],
		"cut":                v[:len(v)-1],
		"longer":             v + "A",
		"line break":         v[:20] + "\n" + v[20:],
		"padding":            v + "=",
		"nonce alone":        v[:20],
		"too long":           v + strings.Repeat("A", maxFlow),
		"another key":        mustSeal(t, newSealer(t, c, "default\x00app.example", sealKey("k1", 9)), f),
		"another host":       mustSeal(t, newSealer(t, c, "default\x00evil.example", sealKey("k1", 1)), f),
		"another namespace":  mustSeal(t, newSealer(t, c, "other\x00app.example", sealKey("k1", 1)), f),
		"of the future":      mustSeal(t, s, other),
		"without a state":    mustSeal(t, s, anonymous),
	} {
		if _, err := s.Open(value); !errors.Is(err, ErrFlow) {
			t.Errorf("%s: got %v, want ErrFlow", name, err)
		}
	}
	for i := range v { // any bit
		for bit := range 8 {
			b := []byte(v)
			b[i] ^= 1 << bit
			if _, err := s.Open(string(b)); !errors.Is(err, ErrFlow) {
				t.Fatalf("bit %d of byte %d flipped: got %v, want ErrFlow", bit, i, err)
			}
		}
	}
	c.add(FlowLifetime)
	if _, err := s.Open(v); err != nil {
		t.Errorf("after %s: %v", FlowLifetime, err)
	}
	c.add(time.Second)
	if _, err := s.Open(v); !errors.Is(err, ErrFlow) {
		t.Errorf("after more than %s: got %v, want ErrFlow", FlowLifetime, err)
	}
}

func TestNewFlowSealer_refuses(t *testing.T) {
	for name, keys := range map[string][]SealKey{
		"no key":      nil,
		"no id":       {{Secret: make([]byte, 32)}},
		"id with dot": {{ID: "a.b", Secret: make([]byte, 32)}},
		"short":       {{ID: "k1", Secret: make([]byte, 31)}},
		"twice":       {sealKey("k1", 1), sealKey("k1", 2)},
	} {
		if _, err := NewFlowSealer(keys, "", nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Whatever a browser sends as a flow's cookie, it opens only if we have sealed it.
func FuzzFlowSealer_Open(f *testing.F) {
	c := newClock()
	// Each process of the fuzzer has its own key: what another has sealed is a stranger's.
	key := SealKey{ID: "k1", Secret: make([]byte, 32)}
	_, _ = rand.Read(key.Secret)
	s := newSealer(f, c, "default\x00app.example", key)
	flow := NewFlow("corp", "/", c.now())
	good := mustSeal(f, s, flow)
	for _, seed := range []string{good, "", "k1.", "k1." + good, good[:len(good)-1], "k1.\x00", strings.ToUpper(good), "..", good + good} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := s.Open(value)
		if err == nil && (value != good || got != flow) {
			t.Errorf("%q opens to %+v", value, got)
		}
		if err != nil && !errors.Is(err, ErrFlow) {
			t.Errorf("%q: %v is not ErrFlow", value, err)
		}
	})
}
