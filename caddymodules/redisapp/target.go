package redisapp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

const (
	defaultNamespace = "default"
	filePrefix       = "file:"
	maxNodes         = 10_000
	maxDB            = 1 << 20 // far beyond any server's `databases`
)

// target is where the links of a configuration lead.
type target struct {
	options redislink.Options
	// key is the same for configurations whose links lead to the same place as the same user, and may be
	// shared. It is a digest: it covers passwords and certificates, and must not give them away.
	key [sha256.Size]byte
}

// resolve replaces the placeholders, and makes the target of what stands there then. No address is no error.
func (a *App) resolve(repl *caddy.Replacer) error {
	a.target = target{options: redislink.Options{Namespace: defaultNamespace}}
	fill := func(text string) string { return strings.TrimSpace(repl.ReplaceKnown(text, "")) }
	var places []place
	for _, text := range a.Address {
		for one := range strings.FieldsSeq(fill(text)) { // one variable may hold several
			p, err := parsePlace(one)
			if err != nil {
				return fmt.Errorf("address: %w", err)
			}
			places = append(places, p)
		}
	}
	if len(places) == 0 {
		return nil
	}
	all, err := combine(places)
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	o := redislink.Options{
		Namespace: fill(a.KeyNamespace), NodeID: fill(a.Node),
		DB: a.DB, Sentinel: fill(a.Sentinel), Cluster: a.Cluster || all.cluster,
		Username: fill(a.Username),
	}
	if o.Namespace == "" {
		o.Namespace = defaultNamespace
	}
	if all.hasDB {
		if a.DB != 0 && a.DB != all.db {
			return fmt.Errorf("db: %d here and %d in the address: give it once", a.DB, all.db)
		}
		o.DB = all.db
	}
	if !agree(&o.Sentinel, all.sentinel) {
		return fmt.Errorf("sentinel: %q here and %q in the address: give it once", o.Sentinel, all.sentinel)
	}
	if o.Sentinel == "" && len(all.hosts) > 1 {
		o.Cluster = true
	}
	port := redisPort
	if o.Sentinel != "" {
		port = sentinelPort
	}
	for _, host := range all.hosts {
		o.Addresses = append(o.Addresses, dialled(host, port))
	}
	if !agree(&o.Username, all.username) {
		return errors.New("username: one here and another in the address: give it once")
	}
	secret, err := a.credentials(&o, repl, all)
	if err != nil {
		return err
	}
	certificates, err := a.encrypt(&o, fill, all)
	if err != nil {
		return err
	}
	a.target.options = o
	a.target.key = digest(o, secret, certificates)
	return nil
}

// credentials returns what a password file holds now, so that a reload after it has changed connects anew.
func (a *App) credentials(o *redislink.Options, repl *caddy.Replacer, all place) (secret []byte, err error) {
	o.Password = repl.ReplaceKnown(a.Password, "")
	if path, ok := strings.CutPrefix(o.Password, filePrefix); ok {
		o.Password, o.PasswordFile = "", path
		if secret, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("password: %w: make the file readable, or name another", err)
		}
	}
	switch {
	case all.password == "":
	case o.PasswordFile != "", !agree(&o.Password, all.password):
		return nil, errors.New("password: one here and another in the address: give it once")
	}
	return secret, nil
}

func (a *App) encrypt(o *redislink.Options, fill func(string) string, all place) (identity []byte, err error) {
	settings := a.TLS
	if settings == nil && all.tls {
		settings = new(TLS)
	}
	if settings == nil {
		return nil, nil
	}
	o.TLS, identity, err = settings.config(fill)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return identity, nil
}

// digest covers all fields, those to come too.
func digest(o redislink.Options, secret, certificates []byte) [sha256.Size]byte {
	encrypted := o.TLS != nil
	o.TLS = nil // told by what its files hold
	return sha256.Sum256(fmt.Appendf(nil, "%#v %t %q %q", o, encrypted, secret, certificates))
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Validate judges what Provision has resolved.
func (a *App) Validate() error {
	if !a.Configured() {
		return nil
	}
	o := a.target.options
	socket := false
	for _, addr := range o.Addresses {
		socket = socket || strings.HasPrefix(addr, "/")
	}
	switch {
	case o.Sentinel != "" && o.Cluster:
		return errors.New("sentinel and cluster exclude one another: keep the one that your Redis is run by")
	case o.Cluster && socket:
		return errors.New("address: the nodes of a Cluster are reached over TCP: name host:port")
	case o.Cluster && o.DB != 0:
		return fmt.Errorf("db: a Cluster has only database 0, got %d; set a namespace instead", o.DB)
	case o.DB < 0 || o.DB > maxDB:
		return fmt.Errorf("db: must be 0 or more, got %d", o.DB)
	case !plainName.MatchString(o.Namespace):
		return fmt.Errorf("namespace: %q must be 1 to 64 letters, digits, dots, underscores and hyphens", o.Namespace)
	case !plainName.MatchString(o.NodeID):
		return fmt.Errorf("node: %q must be 1 to 64 letters, digits, dots, underscores and hyphens", o.NodeID)
	case a.Nodes < 0 || a.Nodes > maxNodes:
		return fmt.Errorf("nodes: must be from 1 to %d, or auto, got %d", maxNodes, a.Nodes)
	}
	return nil
}
