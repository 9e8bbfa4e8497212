package idp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Config is what a provider is made of. The tagged fields can come from a file, see [ReadConfig].
type Config struct {
	// Issuer is the provider's own address, without a path. Default of [Start]: where it listens.
	Issuer string `json:"issuer,omitempty"`
	// Algorithm signs tokens: ES256, RS256, PS256 or EdDSA. Default: ES256, whose keys are made in no time.
	Algorithm string `json:"algorithm,omitempty"`
	// Clients are the registered relying parties.
	Clients []Client `json:"clients,omitempty"`
	// Users can sign in. Default: DemoUsers.
	Users []User `json:"users,omitempty"`
	// AdminToken opens the admin endpoint to who sends it as a bearer token. Without it there is none.
	AdminToken string `json:"admin_token,omitempty"`
	// AccessSeconds is the life of access and ID tokens. Default: 300.
	AccessSeconds int `json:"access_seconds,omitempty"`

	// Now is the provider's clock. Default: time.Now.
	Now func() time.Time `json:"-"`
	// HTTPClient carries logout tokens to the clients. Default: one with a time-out of 5 s.
	HTTPClient *http.Client `json:"-"`
}

// Client is a registered relying party.
type Client struct {
	ID string `json:"id"`
	// Secret is sent by basic authentication or in the form. Empty: a public client.
	Secret string `json:"secret,omitempty"`
	// RedirectURIs and PostLogoutRedirectURIs are compared byte for byte.
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// BackchannelLogoutURI receives a logout token when a session with this client ends.
	BackchannelLogoutURI string `json:"backchannel_logout_uri,omitempty"`
	// Audience is the resource that this client's access tokens are for. Default: the issuer.
	Audience string `json:"audience,omitempty"`
}

// User is somebody who can sign in.
type User struct {
	Subject  string   `json:"subject"`
	Name     string   `json:"name"`
	Email    string   `json:"email,omitempty"`
	Verified bool     `json:"email_verified,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	// About tells a developer what this user is good for; it is shown on the login page alone.
	About string `json:"about,omitempty"`
}

// DemoUsers are the users of a provider that was given none: one for each role of the demo data, and
// one whom no rule should let in.
func DemoUsers() []User {
	return []User{
		{Subject: "olivia", Name: "Olivia Owens", Email: "olivia@example.test", Verified: true,
			Groups: []string{"staff", "admins", "owners"}, About: "owner: may do everything, also erase"},
		{Subject: "adam", Name: "Adam Adeyemi", Email: "adam@example.test", Verified: true,
			Groups: []string{"staff", "admins"}, About: "admin: invites people and exports data"},
		{Subject: "mia", Name: "Mia Moreau", Email: "mia@example.test", Verified: true,
			Groups: []string{"staff"}, About: "member: changes what is her own"},
		{Subject: "viktor", Name: "Viktor Vidal", Email: "viktor@example.test", Verified: true,
			Groups: []string{"staff"}, About: "viewer: reads"},
		{Subject: "nora", Name: "Nora Nobody", Email: "nora@elsewhere.test",
			About: "stranger: no groups, e-mail not verified"},
	}
}

// ReadConfig reads a configuration in JSON. Unknown members are errors.
func ReadConfig(r io.Reader) (Config, error) {
	var c Config
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("read provider configuration: %w", err)
	}
	return c, nil
}

// complete sets defaults and judges the result.
func (c *Config) complete() error {
	if c.Algorithm == "" {
		c.Algorithm = "ES256"
	}
	if c.Users == nil {
		c.Users = DemoUsers()
	}
	if c.AccessSeconds == 0 {
		c.AccessSeconds = 300
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{Timeout: 5 * time.Second}
	}
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("issuer must be scheme and host without a path, got %q", c.Issuer)
	}
	for _, client := range c.Clients {
		if err := client.check(); err != nil {
			return err
		}
	}
	for _, user := range c.Users {
		if user.Subject == "" {
			return errors.New("a user needs a subject")
		}
	}
	return nil
}

func (c Client) check() error {
	if c.ID == "" {
		return errors.New("a client needs an id")
	}
	for _, uri := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
		u, err := url.Parse(uri)
		if err != nil || !u.IsAbs() || u.Host == "" || u.Fragment != "" {
			return fmt.Errorf("client %q: %q is not an absolute address without a fragment", c.ID, uri)
		}
	}
	return nil
}
