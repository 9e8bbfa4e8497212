package main

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.uber.org/zap/zapcore"
)

// adminURL names the login that owns the tables.
const adminURL = "DATABASE_ADMIN_URL"

// config is what serve is told by its environment.
type config struct {
	databaseURL       string
	connections       int
	listen            string
	metricsListen     string
	keysURL, keysFile string
	keysCA            *x509.CertPool
	issuer, audience  string
	cursorKey         []byte
	level             zapcore.Level
	signOut           []string
}

// variable is one of the environment's.
type variable struct {
	name, summary, usual string
	required             bool
	read                 func(*config, string) error
}

func (v variable) about() string {
	switch {
	case v.usual != "":
		return v.summary + "; default: " + v.usual
	case v.required:
		return v.summary + "; required"
	default:
		return v.summary
	}
}

// variables are all that serve reads.
var variables = []variable{
	{name: "DATABASE_URL", required: true, summary: "PostgreSQL, by a login of the group gatehouse_app", read: func(c *config, s string) error {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.User.Username() == "" {
			return errors.New("must be a URL such as postgres://user:password@host:5432/name") // never repeats what it was
		}
		c.databaseURL = s
		return nil
	}},
	{name: "BACKEND_DATABASE_CONNECTIONS", usual: "10", summary: "how many connections to it at most", read: func(c *config, s string) (err error) {
		if c.connections, err = strconv.Atoi(s); err != nil || c.connections < 1 || c.connections > 1000 {
			return fmt.Errorf("must be a number from 1 to 1000, got %q", s)
		}
		return nil
	}},
	{name: "BACKEND_LISTEN", usual: "127.0.0.1:3000", summary: "where it listens for the edge", read: func(c *config, s string) error {
		c.listen = s
		return address(s)
	}},
	{name: "BACKEND_METRICS_LISTEN", usual: "127.0.0.1:3001", summary: "where it listens for Prometheus, at /metrics", read: func(c *config, s string) error {
		c.metricsListen = s
		return address(s)
	}},
	{name: "IDENTITY_JWKS_URL", summary: "the edge's keys: https, or http over a network that you trust", read: func(c *config, s string) error {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("must be an http or https URL, got %q", s)
		}
		c.keysURL = s
		return nil
	}},
	{name: "IDENTITY_JWKS_CA", summary: "a PEM file of roots to believe of that URL, beside the system's", read: func(c *config, s string) error {
		text, err := os.ReadFile(s)
		if err != nil {
			return fmt.Errorf("must name a PEM file: %w", err)
		}
		if c.keysCA, err = x509.SystemCertPool(); err != nil {
			c.keysCA = x509.NewCertPool()
		}
		if !c.keysCA.AppendCertsFromPEM(text) {
			return fmt.Errorf("must name a PEM file with a certificate: %s has none", s)
		}
		return nil
	}},
	{name: "IDENTITY_JWKS_FILE", summary: "a copy of the edge's keys in a file, instead of the URL", read: func(c *config, s string) error {
		c.keysFile = s
		return nil
	}},
	{name: "IDENTITY_ISSUER", usual: "gatehouse", summary: "what assert_identity calls the edge", read: func(c *config, s string) error {
		c.issuer = s
		return nil
	}},
	{name: "IDENTITY_AUDIENCE", usual: "app", summary: "what assert_identity calls the backend", read: func(c *config, s string) error {
		c.audience = s
		return nil
	}},
	{name: "BACKEND_CURSOR_KEY", required: true, summary: "signs the cursors of lists: 32 bytes or more in base64, the same on all servers", read: func(c *config, s string) (err error) {
		if c.cursorKey, err = base64.StdEncoding.DecodeString(s); err != nil || len(c.cursorKey) < 32 {
			return errors.New("must be 32 bytes or more in base64: openssl rand -base64 32 makes them")
		}
		return nil
	}},
	{name: "BACKEND_SIGN_OUT_ORIGINS", summary: "origins to which signing out leads, with spaces between: the identity provider's", read: func(c *config, s string) error {
		for origin := range strings.FieldsSeq(s) {
			u, err := url.Parse(origin)
			if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || origin != u.Scheme+"://"+u.Host || strings.ContainsAny(u.Host, ";,'*") {
				return fmt.Errorf("must be origins such as https://login.example.com, got %q", origin)
			}
			c.signOut = append(c.signOut, origin)
		}
		return nil
	}},
	{name: "BACKEND_LOG_LEVEL", usual: "info", summary: "debug, info, warn or error", read: func(c *config, s string) error {
		if err := c.level.Set(s); err != nil || c.level > zapcore.ErrorLevel {
			return fmt.Errorf("must be debug, info, warn or error, got %q", s)
		}
		return nil
	}},
}

// read takes all of it, and returns all that is wrong with it.
func read(getenv func(string) string) (*config, error) {
	c := &config{}
	var wrong []string
	for _, v := range variables {
		text := getenv(v.name)
		if text == "" {
			text = v.usual
		}
		if text == "" {
			if v.required {
				wrong = append(wrong, v.name+" is not set: "+v.summary)
			}
			continue
		}
		if err := v.read(c, text); err != nil {
			wrong = append(wrong, v.name+" "+err.Error())
		}
	}
	if (getenv("IDENTITY_JWKS_URL") == "") == (getenv("IDENTITY_JWKS_FILE") == "") {
		wrong = append(wrong, "exactly one of IDENTITY_JWKS_URL and IDENTITY_JWKS_FILE must be set: without the edge's keys nobody can be believed")
	}
	if c.keysCA != nil && !strings.HasPrefix(c.keysURL, "https:") {
		wrong = append(wrong, "IDENTITY_JWKS_CA is of no use: IDENTITY_JWKS_URL is no https URL")
	}
	if getenv(adminURL) != "" {
		wrong = append(wrong, adminURL+" must not be set here: it is for `backend migrate` and `backend seed`, and who breaks into a server must not find it")
	}
	if len(wrong) > 0 {
		return nil, usagef("the environment cannot be served from:\n- %s", strings.Join(wrong, "\n- "))
	}
	return c, nil
}

func address(s string) error {
	_, port, err := net.SplitHostPort(s)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		return fmt.Errorf("must be an address such as 127.0.0.1:3000, got %q", s)
	}
	return nil
}

// admin is the DSN of the owner of the tables.
func admin(p process) (string, error) {
	dsn := p.getenv(adminURL)
	if dsn == "" {
		return "", usagef("%s is not set: PostgreSQL, by the login that owns the tables", adminURL)
	}
	return dsn, nil
}
