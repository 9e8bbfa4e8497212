package redisapp

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("redis", parseGlobalOption)
}

func parseGlobalOption(d *caddyfile.Dispenser, before any) (any, error) {
	if before != nil {
		return nil, d.Err("redis: the option stands twice: name all addresses of one Redis in one")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "redis", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens. Syntax:
//
//	redis [<address>...] {
//		address    <address>...
//		sentinel   <name> | cluster
//		username   <name>
//		password   <value> | file:<path>
//		db         <number>
//		tls {
//			ca          <file>
//			cert        <file>
//			key         <file>
//			server_name <name>
//		}
//		namespace  <name>
//		node       <name>
//		nodes      auto | <number>
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // option name
	a.Address = d.RemainingArgs()
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		option := d.Val()
		if seen[option] {
			return d.Errf("redis: %s stands twice", option)
		}
		seen[option] = true
		if err := a.unmarshalOption(d, option); err != nil {
			return err
		}
	}
	if len(a.Address) == 0 {
		return d.Err("redis: no address: write redis redis://host:6379, or address host:6379 in the block")
	}
	return nil
}

func (a *App) unmarshalOption(d *caddyfile.Dispenser, option string) (err error) {
	one := func(into *string) error {
		if !d.AllArgs(into) {
			return d.Errf("redis: %s takes one value", option)
		}
		return nil
	}
	switch option {
	case "address":
		more := d.RemainingArgs()
		if len(more) == 0 {
			return d.Err("redis: address takes one value or more")
		}
		a.Address = append(a.Address, more...)
	case "sentinel":
		return one(&a.Sentinel)
	case "cluster":
		if d.NextArg() {
			return d.Err("redis: cluster takes no value")
		}
		a.Cluster = true
	case "username":
		return one(&a.Username)
	case "password":
		return one(&a.Password)
	case "db":
		var text string
		if err := one(&text); err != nil {
			return err
		}
		if a.DB, err = strconv.Atoi(text); err != nil {
			return d.Errf("redis: db: %q is not a whole number", text)
		}
	case "tls":
		return a.unmarshalTLS(d)
	case "namespace":
		return one(&a.KeyNamespace)
	case "node":
		return one(&a.Node)
	case "nodes":
		return a.unmarshalNodes(d, one)
	default:
		return d.Errf("redis: %q is not known: there are address, sentinel, cluster, username, password, db, tls, namespace, node and nodes", option)
	}
	return nil
}

// unmarshalNodes refuses a written 0, which in JSON is what auto is here.
func (a *App) unmarshalNodes(d *caddyfile.Dispenser, one func(*string) error) (err error) {
	var text string
	if err := one(&text); err != nil {
		return err
	}
	if text == "auto" {
		return nil
	}
	if a.Nodes, err = strconv.Atoi(text); err != nil || a.Nodes == 0 {
		return d.Errf("redis: nodes: %q is neither auto nor a number of nodes", text)
	}
	return nil
}

func (a *App) unmarshalTLS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Err("redis: tls takes a block, or nothing")
	}
	a.TLS = new(TLS)
	settings := map[string]*string{"ca": &a.TLS.CA, "cert": &a.TLS.Cert, "key": &a.TLS.Key, "server_name": &a.TLS.ServerName}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		into, ok := settings[option]
		if !ok {
			return d.Errf("redis: tls: %q is not known: there are ca, cert, key and server_name", option)
		}
		if *into != "" {
			return d.Errf("redis: tls: %s stands twice", option)
		}
		if !d.AllArgs(into) {
			return d.Errf("redis: tls: %s takes one value", option)
		}
	}
	return nil
}

// Guards.
var _ caddyfile.Unmarshaler = (*App)(nil)
