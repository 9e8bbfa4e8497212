package redisapp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

// place is what one text of `address` says. Errors about it never quote the text: it may hold a password.
type place struct {
	hosts              []string // "host" or "host:port", or the path of a socket
	tls                bool
	username, password string
	sentinel           string
	cluster            bool
	db                 int
	hasDB              bool
}

// parsePlace reads a URL, "host:port" or the path of a socket. Like other tools it takes several hosts in one
// URL, which net/url does not.
func parsePlace(text string) (place, error) {
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		if strings.Contains(text, "@") {
			return place{}, errors.New("credentials belong into a URL, redis://user:password@host, or into username and password")
		}
		return place{hosts: []string{text}}, checkHost(text)
	}
	var p place
	var err error
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	if fragment != "" {
		return place{}, errors.New("a # in a password is written %23")
	}
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		if p.username, p.password, err = parseUser(authority[:i]); err != nil {
			return place{}, err
		}
		authority = authority[i+1:]
	}
	switch strings.ToLower(scheme) {
	case "redis", "rediss":
		p.tls = strings.EqualFold(scheme, "rediss")
		p.hosts = strings.Split(authority, ",")
		if err := p.parseDB(strings.TrimPrefix(path, "/"), "the path of a URL is the number of the database, as in redis://host/0"); err != nil {
			return place{}, err
		}
	case "unix":
		if authority != "" {
			return place{}, errors.New("a unix URL has three slashes, as in unix:///run/redis.sock")
		}
		if path, err = url.PathUnescape(path); err != nil {
			return place{}, errors.New("the path of a unix URL is not well escaped: a % is written %25")
		}
		p.hosts = []string{path}
	default:
		return place{}, errors.New("a URL begins with redis://, rediss:// (TLS) or unix://")
	}
	for _, host := range p.hosts {
		if err := checkHost(host); err != nil {
			return place{}, err
		}
	}
	return p, p.parseQuery(query)
}

func parseUser(text string) (username, password string, err error) {
	username, password, _ = strings.Cut(text, ":")
	u, err1 := url.PathUnescape(username)
	p, err2 := url.PathUnescape(password)
	if err1 != nil || err2 != nil {
		return "", "", errors.New("user or password in a URL is not well escaped: a % is written %25; or use the options username and password")
	}
	return u, p, nil
}

func (p *place) parseDB(text, cure string) error {
	if text == "" {
		return nil
	}
	db, err := strconv.Atoi(text)
	if err != nil || db < 0 {
		return errors.New(cure)
	}
	p.db, p.hasDB = db, true
	return nil
}

func (p *place) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("what follows the ? of a URL is not well escaped")
	}
	for name, all := range values {
		value := all[0]
		switch {
		case len(all) > 1:
			return fmt.Errorf("%q stands twice in a URL", name)
		case name == "sentinel" && value == "":
			return errors.New("sentinel in a URL needs the name of the primary, as in ?sentinel=mymaster")
		case name == "sentinel":
			p.sentinel = value
		case name == "cluster" && (value == "" || value == "true"):
			p.cluster = true
		case name == "cluster":
			return errors.New("cluster in a URL takes no value, as in ?cluster")
		case name == "db":
			if p.hasDB {
				return errors.New("the database stands twice in a URL: as its path, and as ?db=")
			}
			if err := p.parseDB(value, "db in a URL is a whole number, as in ?db=0"); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q is not known in a URL: there are sentinel, cluster and db", name)
		}
	}
	return nil
}

// checkHost accepts "host", "host:port", "[v6]", "[v6]:port" and the absolute path of a socket.
func checkHost(host string) error {
	switch {
	case host == "":
		return errors.New("a host is missing")
	case strings.HasPrefix(host, "/"):
		if len(host) == 1 || strings.ContainsRune(host, 0) {
			return errors.New("the path of the socket is missing, as in unix:///run/redis.sock")
		}
		return nil
	case strings.ContainsAny(host, " \t\r\n/?#@{}\"\\,"):
		return errors.New("a host has a character that no host has; write host:port, an absolute path, or a URL")
	}
	name, port, err := splitHost(host, redisPort)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("port %q of %q is not a number from 1 to 65535", port, name)
	}
	return nil
}

// splitHost adds the port where there is none.
func splitHost(host, port string) (string, string, error) {
	name := host
	switch {
	case strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"):
		name = host[1 : len(host)-1]
	case strings.Contains(host, ":"):
		var err error
		if name, port, err = net.SplitHostPort(host); err != nil || name == "" {
			return "", "", fmt.Errorf("%q is not host:port; an IPv6 address is written [::1]:6379", host)
		}
	}
	if strings.ContainsAny(host, "[]") {
		if _, err := netip.ParseAddr(name); err != nil {
			return "", "", fmt.Errorf("%q is not an IPv6 address", host)
		}
	}
	return name, port, nil
}

// dialled is the host as it is dialled.
func dialled(host, port string) string {
	if strings.HasPrefix(host, "/") {
		return host
	}
	name, port, err := splitHost(host, port)
	if err != nil {
		return host // checkHost has refused it
	}
	return net.JoinHostPort(name, port)
}

// combine makes one of several, which must not contradict each other.
func combine(places []place) (place, error) {
	all := places[0]
	all.hosts = slices.Clone(all.hosts)
	for _, p := range places[1:] {
		all.hosts = append(all.hosts, p.hosts...)
		all.cluster = all.cluster || p.cluster
		switch {
		case p.tls != all.tls:
			return place{}, errors.New("some addresses have TLS (rediss://) and some have not: give all the same scheme")
		case !agree(&all.sentinel, p.sentinel):
			return place{}, errors.New("two addresses name different primaries: keep one sentinel=")
		case !agree(&all.username, p.username), !agree(&all.password, p.password):
			return place{}, errors.New("two addresses have different credentials: give them once")
		case p.hasDB && all.hasDB && p.db != all.db:
			return place{}, errors.New("two addresses name different databases: give it once")
		case p.hasDB:
			all.db, all.hasDB = p.db, true
		}
	}
	return all, nil
}

// agree takes over what was not said yet.
func agree(have *string, said string) bool {
	if *have == "" {
		*have = said
	}
	return said == "" || said == *have
}
