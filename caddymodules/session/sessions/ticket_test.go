package sessions_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/sessionstest"
)

func someTicket() sessions.Ticket {
	return sessions.Ticket{
		Session: sessions.Session{
			Identity: sessionstest.Person(), Selector: sessions.Selector{1, 2, 3}, Host: host,
			Created: 1_770_000_000_000, Absolute: 1_770_086_400_000, Generation: 7,
		},
		Hash: sessions.Verifier{9}.Hash(), Last: 1_770_000_100_000, OnlineAt: 1_770_000_090_000,
	}
}

func key(t testing.TB, id string, b byte) sessions.Key {
	t.Helper()
	k, err := sessions.ParseKey(id, base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(b)), 32))))
	require.NoError(t, err)
	return k
}

func codec(t testing.TB, namespace string, keys ...sessions.Key) *sessions.Tickets {
	t.Helper()
	k, err := sessions.NewKeys(keys...)
	require.NoError(t, err)
	return sessions.NewTickets(k, namespace, issuers)
}

func TestTickets_roundTrip(t *testing.T) {
	c := codec(t, "ns", key(t, "k1", 'a'))
	for name, change := range map[string]func(*sessions.Ticket){
		"whole":    func(*sessions.Ticket) {},
		"rebuilt":  func(k *sessions.Ticket) { k.Rebuilt = true },
		"cut":      func(k *sessions.Ticket) { k.GroupsCut, k.ClaimsCut = true, true },
		"bare":     func(k *sessions.Ticket) { k.Identity = sessions.Identity{Provider: "corp", Issuer: issuers["corp"]} },
		"no times": func(k *sessions.Ticket) { k.Last, k.OnlineAt, k.AuthTime = 0, 0, time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			want := someTicket()
			change(&want)
			got, ok := c.Open(c.Seal(want, host), host)
			require.True(t, ok)
			assert.Equal(t, &want, got)
		})
	}
}

func TestTickets_openNowhereElse(t *testing.T) {
	k1, k2 := key(t, "k1", 'a'), key(t, "k2", 'b')
	value := codec(t, "ns", k1).Seal(someTicket(), "App.Example.com:8443")
	for _, h := range []string{"app.example.com", "app.example.com:443", "APP.example.com.", "app.example.com.:1"} {
		_, ok := codec(t, "ns", k1).Open(value, h)
		assert.True(t, ok, h)
	}
	for _, h := range []string{"", "example.com", "app.example.org", "[::1]:8443", "app.example.com.evil"} {
		_, ok := codec(t, "ns", k1).Open(value, h)
		assert.False(t, ok, h)
	}
	_, ok := codec(t, "ns", k2, k1).Open(value, host)
	assert.True(t, ok, "an old key as a fallback")
	_, ok = codec(t, "ns", k2).Open(value, host)
	assert.False(t, ok, "another key")
	_, ok = codec(t, "ns", key(t, "k1", 'b')).Open(value, host)
	assert.False(t, ok, "another key of the same name")
	_, ok = codec(t, "other", k1).Open(value, host)
	assert.False(t, ok, "another namespace")
	keys, err := sessions.NewKeys(k1)
	require.NoError(t, err)
	_, ok = sessions.NewTickets(keys, "ns", map[string]string{"partner": "i"}).Open(value, host)
	assert.False(t, ok, "a provider that is not configured")
	raw, err := base64.RawURLEncoding.DecodeString(value)
	require.NoError(t, err)
	_, ok = keys.Sealer("login flow").Open(raw, nil)
	assert.False(t, ok, "another purpose")
}

func TestTickets_anyBitFlippedIsNone(t *testing.T) {
	c := codec(t, "ns", key(t, "k1", 'a'))
	value := c.Seal(someTicket(), host)
	raw, err := base64.RawURLEncoding.DecodeString(value)
	require.NoError(t, err)
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			_, ok := c.Open(base64.RawURLEncoding.EncodeToString(raw), host)
			require.False(t, ok, "byte %d bit %d", i, bit)
			raw[i] ^= 1 << bit
		}
	}
	for i := range value {
		_, ok := c.Open(value[:i], host)
		require.False(t, ok, "truncated to %d", i)
		_, ok = c.Open(value[:i]+"\n"+value[i:], host)
		require.False(t, ok, "line break at %d", i)
		// Also the bits of the last character that carry nothing.
		for _, r := range "AZaz09-_=. \x00" {
			if changed := value[:i] + string(r) + value[i+1:]; changed != value {
				_, ok = c.Open(changed, host)
				require.False(t, ok, "character %d as %q", i, r)
			}
		}
	}
}

func TestTickets_fitTheCookie(t *testing.T) {
	c := codec(t, "ns", key(t, "sixteen-letters_", 'a'))
	const most = 1400 - len("__Host-rt=; __Host-sid=") - 68
	many := func(n, length int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.Repeat(string(rune('a'+i%26)), length)
		}
		return list
	}
	for _, x := range []struct {
		name                 string
		change               func(*sessions.Ticket)
		groupsCut, claimsCut bool
		none                 bool
	}{
		{"a full house", func(k *sessions.Ticket) {
			k.Groups = many(32, 16)
			k.Claims = sessions.Claims{{Name: "email", Values: many(1, 120)}, {Name: "name", Values: many(1, 120)}}
		}, false, false, false},
		{"33 groups", func(k *sessions.Ticket) { k.Groups = many(33, 1) }, true, false, false},
		{"513 bytes of groups", func(k *sessions.Ticket) { k.Groups = many(27, 19) }, true, false, false},
		{"257 bytes of claims", func(k *sessions.Ticket) {
			k.Claims = sessions.Claims{{Name: "email", Values: many(1, 128)}, {Name: "name", Values: many(1, 120)}}
		}, false, true, false},
		{"a long subject beside groups", func(k *sessions.Ticket) {
			k.Subject = strings.Repeat("s", 255)
			k.ProviderSession = strings.Repeat("s", 128)
			k.Groups = many(32, 16)
		}, true, false, false},
		{"a longer one beside claims", func(k *sessions.Ticket) {
			k.Subject, k.ProviderSession = strings.Repeat("s", 400), strings.Repeat("s", 250)
			k.Claims = sessions.Claims{{Name: "name", Values: many(1, 252)}}
		}, true, true, false},
		{"what never fits", func(k *sessions.Ticket) { k.Subject = strings.Repeat("s", 1000) }, true, true, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			ticket := someTicket()
			x.change(&ticket)
			value := c.Seal(ticket, host)
			if x.none {
				require.Empty(t, value)
				return
			}
			require.LessOrEqual(t, len(value), most)
			got, ok := c.Open(value, host)
			require.True(t, ok)
			assert.Equal(t, x.groupsCut, got.GroupsCut)
			assert.Equal(t, x.claimsCut, got.ClaimsCut)
			if x.groupsCut {
				assert.Empty(t, got.Groups, "some groups would let a rule pass and another fail")
			}
			assert.Equal(t, ticket.Subject, got.Subject)
		})
	}
}

func TestParseKey(t *testing.T) {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(250 + i)
	}
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), " " + base64.RawURLEncoding.EncodeToString(raw) + "\n",
	} {
		k, err := sessions.ParseKey("k1", text)
		require.NoError(t, err)
		require.Equal(t, raw, k.Secret[:])
		require.NotContains(t, k.String(), text)
	}
	for _, text := range []string{"", "short", base64.StdEncoding.EncodeToString(raw[:31]), strings.Repeat("!", 43)} {
		_, err := sessions.ParseKey("k1", text)
		require.ErrorContains(t, err, "openssl rand")
		if text != "" {
			require.NotContains(t, err.Error(), text)
		}
	}
	for _, id := range []string{"", "a b", strings.Repeat("a", 17)} {
		_, err := sessions.ParseKey(id, base64.StdEncoding.EncodeToString(raw))
		require.ErrorContains(t, err, "key id")
	}
	_, err := sessions.NewKeys()
	require.Error(t, err)
	_, err = sessions.NewKeys(key(t, "a", 1), key(t, "a", 2))
	require.ErrorContains(t, err, "twice")
	one, err := sessions.NewKeys(key(t, "a", 1), key(t, "b", 2))
	require.NoError(t, err)
	two, err := sessions.NewKeys(key(t, "a", 1), key(t, "b", 3))
	require.NoError(t, err)
	assert.Equal(t, one.Fingerprints()[0], two.Fingerprints()[0])
	assert.NotEqual(t, one.Fingerprints()[1], two.Fingerprints()[1])
}

func FuzzParseCookie(f *testing.F) {
	f.Add(sessions.Cookie{Selector: sessions.Selector{1}, Verifier: sessions.Verifier{2}}.Value())
	f.Add("1.." + strings.Repeat("A", 65))
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		c, ok := sessions.ParseCookie(value)
		if ok && c.Value() != value {
			t.Fatalf("%q is a second way to write %q", value, c.Value())
		}
	})
}

func FuzzParseSelector(f *testing.F) {
	f.Add(sessions.Selector{1}.String())
	f.Fuzz(func(t *testing.T, text string) {
		if s, ok := sessions.ParseSelector(text); ok && s.String() != text {
			t.Fatalf("%q is a second way to write %q", text, s)
		}
	})
}

func FuzzOpenTicket(f *testing.F) {
	c := codec(f, "ns", key(f, "k1", 'a'))
	f.Add(c.Seal(someTicket(), host), host)
	f.Add("", "")
	f.Add("AQ", "[::1]:80")
	f.Fuzz(func(t *testing.T, value, h string) {
		if ticket, ok := c.Open(value, h); ok && ticket.Provider != "corp" {
			t.Fatalf("opened %q to %+v", value, ticket)
		}
	})
}
