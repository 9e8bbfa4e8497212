package ratelimit

import (
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// keyed compiles a key with the default networks.
func keyed(parts ...string) key {
	z := &Zone{Keys: parts}
	z.setDefaults()
	return z.compileKey("ns", "zone")
}

// of is the digest of the key for the request.
func of(k key, r *http.Request) limiter.Key {
	digest, _, _ := k.of(r, nil)
	return digest
}

func TestKey_keepsApartWhatDiffers(t *testing.T) {
	r := client("192.0.2.1")
	r.Header.Set("A", "a")
	r.Header.Set("B", "b")
	r.Header.Set("AB", "ab")
	seen := make(map[limiter.Key]string)
	add := func(name string, k limiter.Key) {
		require.NotContains(t, seen, k, "%s is also %s", name, seen[k])
		seen[k] = name
	}
	for _, parts := range [][]string{
		nil,
		{"ab"},
		{"a", "b"},
		{"b", "a"},
		{"a"},
		{"{http.request.header.A}", "{http.request.header.AB}"},
		{"{http.request.header.AB}", "{http.request.header.A}"},
		{"a", "b", ""},
		{"{http.request.header.None}"}, // empty, and yet not no key… which is one part, too
	} {
		if len(parts) == 1 && strings.Contains(parts[0], "None") {
			require.Equal(t, of(keyed(), r), of(keyed(parts...), r), "an empty part is an empty part")
			continue
		}
		add(strings.Join(parts, "+"), of(keyed(parts...), r))
	}
	z := &Zone{Keys: []string{"a", "b"}}
	z.setDefaults()
	add("other zone", of(z.compileKey("ns", "other"), r))
	add("other namespace", of(z.compileKey("other", "zone"), r))
	add("name across the border", of(z.compileKey("nsz", "one"), r))
	k := keyed("{http.request.header.None}")
	fallback, _ := k.ofClient(r, nil)
	add("client instead", fallback)
	add("the client's address as a key", of(keyed("192.0.2.1"), r))
}

// The digest is part of the contract between nodes of different versions: a change forgets all counts.
func TestKey_digestStays(t *testing.T) {
	got := of(keyed("{http.vars.client_ip}"), client("192.0.2.1"))
	// printf '\0\0\0\2ns\0\0\0\4zone\0\0\0\x09192.0.2.1' | sha256sum | head -c 32
	require.Equal(t, "49e6336f256fd1acc277be4a2ddd5307", hex.EncodeToString(got[:]))
}

func TestKey_sameByWhateverWay(t *testing.T) {
	r := client("192.0.2.1")
	want := of(keyed("192.0.2.1"), r)
	for _, part := range []string{
		"{http.vars.client_ip}",       // straight from the server's variable
		"{http.request.remote.host}",  // from the connection
		"192.{http.request.header.N}", // a template
	} {
		r.Header.Set("N", "0.2.1")
		require.Equal(t, want, of(keyed(part), r), part)
	}
	r.Header.Set("X", "192.0.2.1")
	require.Equal(t, want, of(keyed("{http.request.header.X}"), r))
}

func TestKey_found(t *testing.T) {
	r := client("192.0.2.1")
	r.Header.Set("A", "a")
	for _, tt := range []struct {
		parts []string
		want  keyInfo
	}{
		{[]string{"constant"}, keyInfo{known: true}},
		{[]string{"{http.request.header.A}"}, keyInfo{known: true}},
		{[]string{"{http.request.header.B}"}, keyInfo{}},
		{[]string{"constant", "{http.request.header.B}"}, keyInfo{}},
		{[]string{"user-{http.request.header.B}"}, keyInfo{}},
		{[]string{"{http.request.header.B}{http.request.header.A}"}, keyInfo{known: true}},
		{[]string{"{http.auth.user.id}"}, keyInfo{anonymous: true}},
		{[]string{"u-{http.auth.user.id}", "{http.vars.client_ip}"}, keyInfo{known: true, anonymous: true}},
		{[]string{"{http.auth.candidate.id}"}, keyInfo{}},
	} {
		k := keyed(tt.parts...)
		_, got, _ := k.of(r, nil)
		require.Equal(t, tt.want, got, "%v", tt.parts)
	}
}

// In QUIC's early data the address of the connection is not proved yet.
func TestKey_unprovedAddressIsEmpty(t *testing.T) {
	r := client("192.0.2.1")
	r.TLS = &tls.ConnectionState{}
	k := keyed("{http.request.remote.host}")
	_, f, _ := k.of(r, nil)
	require.False(t, f.known)
	r.TLS.HandshakeComplete = true
	_, f, _ = k.of(r, nil)
	require.True(t, f.known)
}

func TestNetworks(t *testing.T) {
	tests := []struct {
		give   string
		v4, v6 int
		want   string
	}{
		{"192.0.2.129", 32, 64, "192.0.2.129"},
		{"192.0.2.129", 24, 64, "192.0.2.0/24"},
		{"192.0.2.129", 0, 64, "192.0.2.129"},
		{"192.0.2.129", 1, 64, "128.0.0.0/1"},
		{"::ffff:192.0.2.129", 32, 64, "192.0.2.129"},
		{"::ffff:c000:281", 24, 64, "192.0.2.0/24"},
		{"::FFFF:192.0.2.129", 0, 0, "192.0.2.129"},
		{"::192.0.2.129", 32, 64, "::/64"}, // IPv4-compatible, deprecated: an IPv6 address
		{"2001:db8:1:2:3:4:5:6", 32, 64, "2001:db8:1:2::/64"},
		{"2001:DB8:1:2::", 32, 64, "2001:db8:1:2::/64"},
		{"2001:db8:1:2:3:4:5:6", 32, 56, "2001:db8:1::/56"},
		{"2001:db8:1:2:3:4:5:6", 32, 48, "2001:db8:1::/48"},
		{"2001:db8:1:2:3:4:5:6", 32, 128, "2001:db8:1:2:3:4:5:6"},
		{"2001:db8:1:2:3:4:5:6", 32, 0, "2001:db8:1:2:3:4:5:6"},
		{"fe80::1%eth0", 32, 64, "fe80::/64"},
		{"fe80::1%eth0", 32, 128, "fe80::1"},
		{"::1", 32, 64, "::/64"},
		{"::", 32, 64, "::/64"},
		// No addresses: as they come.
		{"", 32, 64, ""},
		{"alice", 32, 64, "alice"},
		{"192.0.2", 32, 64, "192.0.2"},
		{"192.0.2.1:80", 32, 64, "192.0.2.1:80"},
		{"[2001:db8::1]:80", 32, 64, "[2001:db8::1]:80"},
		{"2001:db8::/64", 32, 64, "2001:db8::/64"},
		{"010.0.0.1", 24, 64, "010.0.0.1"},
		{"deadbeef", 24, 64, "deadbeef"},
		{"@", 24, 64, "@"},
	}
	for _, tt := range tests {
		n := networks{v4: tt.v4, v6: tt.v6}
		require.Equal(t, tt.want, string(n.append(nil, tt.give)), "%q /%d /%d", tt.give, tt.v4, tt.v6)
		require.Equal(t, "x\x00\x00\x00"+string(rune(len(tt.want)))+tt.want, string(n.appendSized([]byte("x"), tt.give)))
	}
}

// Folding never fails, keeps what is no address, and puts an address where all of its network are.
func FuzzNetworks(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0", "alice", "", "1.2.3", ":", "%"} {
		f.Add(seed, 24, 64)
	}
	f.Fuzz(func(t *testing.T, value string, v4, v6 int) {
		n := networks{v4: abs(v4) % 33, v6: abs(v6) % 129}
		got := string(n.append(nil, value))
		addr, err := netip.ParseAddr(value)
		if err != nil {
			require.Equal(t, value, got)
			return
		}
		addr = addr.Unmap().WithZone("")
		bits := n.v6
		if addr.Is4() {
			bits = n.v4
		}
		if bits == 0 || bits == addr.BitLen() {
			back, err := netip.ParseAddr(got)
			require.NoError(t, err)
			require.Equal(t, addr, back.WithZone(""))
			return
		}
		network, err := netip.ParsePrefix(got)
		require.NoError(t, err)
		require.Equal(t, bits, network.Bits())
		require.True(t, network.Contains(addr))
		require.Equal(t, network.Masked(), network)
		require.Equal(t, got, string(n.append(nil, network.Addr().String())), "the network's first address")
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

// Two requests have one key only if all parts are the same.
func FuzzKey_joining(f *testing.F) {
	f.Add("a", "bc", "ab", "c")
	f.Add("", "a", "a", "")
	f.Add("a\x00\x00\x00\x01b", "", "a", "b")
	f.Fuzz(func(t *testing.T, a1, a2, b1, b2 string) {
		// As they are: folding makes different addresses one key on purpose.
		join := func(x, y string) limiter.Key { return digest(appendSized(appendSized(nil, x), y)) }
		require.Equal(t, a1 == b1 && a2 == b2, join(a1, a2) == join(b1, b2))
	})
}
