package idp

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Fault is something wrong that the provider does until it is switched off. [Faults] lists the names.
type Fault struct {
	Name string `json:"name"`
	// On is where: a kind of token (id, access, logout) or an endpoint (discovery, jwks, token, …,
	// * for all). Default: the first place in the list.
	On string `json:"on,omitempty"`
	// Arg is a duration for those that need one.
	Arg string `json:"arg,omitempty"`
	// Times limits how often it happens. Default: without limit.
	Times int `json:"times,omitempty"`
}

// tokenFault changes a token before it is signed, or how it is signed.
type tokenFault struct {
	about string
	on    string // default place
	apply func(p *Provider, d *draft, arg string)
}

// set makes a fault that puts a claim, or takes it away for nil.
func set(about, on, claim string, value any) tokenFault {
	return tokenFault{about, on, func(_ *Provider, d *draft, _ string) {
		if value == nil {
			delete(d.claims, claim)
		} else {
			d.claims[claim] = value
		}
	}}
}

// shift makes a fault that sets a time claim to now plus what arg, or else by, says.
func shift(about, on, claim string, by time.Duration) tokenFault {
	return tokenFault{about, on, func(p *Provider, d *draft, arg string) {
		d.claims[claim] = p.now().Add(duration(arg, by)).Unix()
	}}
}

func signedBy(about string, sign func(signingKey, string, []byte) (string, error)) tokenFault {
	return tokenFault{about, idToken, func(_ *Provider, d *draft, _ string) { d.sign = sign }}
}

var tokenFaults = map[string]tokenFault{
	"wrong_nonce":    set("nonce of another login", idToken, "nonce", "somebody-elses"),
	"no_nonce":       set("nonce left out", idToken, "nonce", nil),
	"with_nonce":     set("nonce where none belongs", logoutToken, "nonce", "a-nonce"),
	"wrong_aud":      set("for another audience", idToken, "aud", "another-client"),
	"no_aud":         set("audience left out", idToken, "aud", nil),
	"wrong_iss":      set("from another issuer", idToken, "iss", "https://other.example"),
	"wrong_azp":      set("authorized party is another client", idToken, "azp", "another-client"),
	"no_sub":         set("subject left out", idToken, "sub", nil),
	"empty_sub":      set("empty subject", idToken, "sub", ""),
	"other_sub":      set("subject is somebody else", idToken, "sub", "somebody-else"),
	"control_sub":    set("subject with control characters", idToken, "sub", "a\x00b\r\nX-Admin: 1"),
	"no_sid":         set("session id left out", logoutToken, "sid", nil),
	"no_exp":         set("expiry left out", idToken, "exp", nil),
	"no_iat":         set("issue time left out", logoutToken, "iat", nil),
	"no_jti":         set("token id left out", logoutToken, "jti", nil),
	"no_events":      set("events left out", logoutToken, "events", nil),
	"other_events":   set("another event", logoutToken, "events", map[string]any{"https://other.example/event": map[string]any{}}),
	"events_list":    set("events is a list", logoutToken, "events", []any{logoutEvent}),
	"event_text":     set("the event is no object", logoutToken, "events", map[string]any{logoutEvent: "yes"}),
	"no_auth_time":   set("time of authentication left out", idToken, "auth_time", nil),
	"wrong_at_hash":  set("bound to another access token", idToken, "at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
	"unverified":     set("e-mail not verified", idToken, "email_verified", false),
	"double_email":   set("e-mail with two @", idToken, "email", "a@good.example@evil.example"),
	"expired":        shift("expired (arg: by how much it is ahead)", idToken, "exp", -time.Minute),
	"nbf_future":     shift("not valid yet", idToken, "nbf", 6*time.Minute),
	"iat_future":     shift("issued in the future", idToken, "iat", 6*time.Minute),
	"old_iat":        shift("issued long ago", logoutToken, "iat", -6*time.Minute),
	"old_auth_time":  shift("authenticated long ago", idToken, "auth_time", -time.Hour),
	"alg_none":       signedBy("not signed (alg none)", signNone),
	"alg_hs256":      signedBy("HMAC with the public key as secret", signHMAC),
	"unknown_key":    signedBy("signed by a key that is not published", signUnknown),
	"wrong_key":      signedBy("signed by another key under a published name", signWrong),
	"bad_signature":  signedBy("signature of other content", signOther),
	"extra_aud":      {"for a second audience, without azp", idToken, extraAudience},
	"clock_skew":     {"the provider's clock is wrong (arg: by how much)", idToken, skew},
	"no_sid_no_sub":  {"neither session id nor subject", logoutToken, neither},
	"wrong_typ":      {"typ is that of another kind of token", logoutToken, wrongType},
	"plain_typ":      {"typ is JWT", accessToken, func(_ *Provider, d *draft, _ string) { d.typ = "JWT" }},
	"replay":         {"jti of the logout token before", logoutToken, replay},
	"looks_like_id":  {"an ID token in place of the logout token", logoutToken, looksLikeID},
	"padding":        set("a claim of 40 KiB", idToken, "padding", strings.Repeat("x", 40<<10)),
	"shadowed_claim": {"claims in a second spelling", idToken, shadow},
}

var responseFaults = map[string]struct {
	about string
	apply func(url.Values)
}{
	"response_wrong_iss":   {"iss of another issuer in the response", func(v url.Values) { v.Set("iss", "https://other.example") }},
	"response_no_iss":      {"no iss in the response", func(v url.Values) { v.Del("iss") }},
	"response_wrong_state": {"state of another login", func(v url.Values) { v.Set("state", randomString(16)) }},
	"response_no_state":    {"no state", func(v url.Values) { v.Del("state") }},
	"response_twice":       {"two codes", func(v url.Values) { v.Add("code", "another") }},
}

var userinfoFaults = map[string]struct {
	about string
	apply func(claims map[string]any)
}{
	"userinfo_other_sub":  {"userinfo about somebody else", func(c map[string]any) { c["sub"] = "somebody-else" }},
	"userinfo_no_sub":     {"userinfo without subject", func(c map[string]any) { delete(c, "sub") }},
	"userinfo_unverified": {"userinfo with an e-mail that nobody has verified", func(c map[string]any) { c["email"] = "admin@example.test"; delete(c, "email_verified") }},
	"userinfo_acr":        {"userinfo with protocol claims", func(c map[string]any) { c["acr"] = acrSecondFactor; c["sid"] = "other"; c["auth_time"] = 1 }},
}

// answerFaults change what one endpoint answers; its handler looks for them.
var answerFaults = map[string]struct{ about, on string }{
	"wrong_issuer":     {"discovery names another issuer", "discovery"},
	"no_id_token":      {"the ID token is left out", "token"},
	"wrong_token_type": {"a token that is not a bearer's", "token"},
	"invalid_grant":    {"every grant is refused", "token"},
}

// Faults describes every fault by name.
func Faults() map[string]string {
	all := map[string]string{}
	for name, f := range endpointFaults {
		all[name] = f.about
	}
	for name, f := range answerFaults {
		all[name] = f.about
	}
	for name, f := range tokenFaults {
		all[name] = f.about
	}
	for name, f := range responseFaults {
		all[name] = f.about
	}
	for name, f := range userinfoFaults {
		all[name] = f.about
	}
	return all
}

// SetFaults replaces the faults in force. Without arguments the provider is sound again.
func (p *Provider) SetFaults(faults ...Fault) error {
	faults = slices.Clone(faults)
	for i := range faults {
		f := &faults[i]
		if _, ok := Faults()[f.Name]; !ok {
			return fmt.Errorf("there is no fault %q", f.Name)
		}
		if _, err := time.ParseDuration(f.Arg); f.Arg != "" && err != nil {
			return fmt.Errorf("fault %q: %q is not a duration", f.Name, f.Arg)
		}
		if f.On == "" {
			f.On = defaultPlace(f.Name)
		}
		if f.Times == 0 {
			f.Times = -1
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = faults
	return nil
}

func defaultPlace(name string) string {
	if f, ok := tokenFaults[name]; ok {
		return f.on
	}
	if _, ok := responseFaults[name]; ok {
		return "response"
	}
	if _, ok := userinfoFaults[name]; ok {
		return "userinfo"
	}
	if f, ok := answerFaults[name]; ok {
		return f.on
	}
	return "*"
}

// hit returns the faults in force at a place that known has, and counts them.
func (p *Provider) hit(place string, known func(name string) bool) []Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	var hit []Fault
	for i := range p.faults {
		f := &p.faults[i]
		if f.Times != 0 && known(f.Name) && (f.On == place || f.On == "*") {
			f.Times--
			hit = append(hit, *f)
		}
	}
	return hit
}

// hits is hit for one fault.
func (p *Provider) hits(place, name string) bool {
	return len(p.hit(place, func(n string) bool { return n == name })) > 0
}

func keyOf[V any](table map[string]V) func(string) bool {
	return func(name string) bool { _, ok := table[name]; return ok }
}
