package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

const (
	// providerHost is another than the sites': cookies ignore ports, and those of the provider must
	// not be theirs.
	providerHost = "127.0.0.1"
	clientID     = "gatehouse"
)

// startProvider starts the development identity provider, in this process, with the demo users.
func (r *run) startProvider(ctx context.Context) error {
	addr := net.JoinHostPort(providerHost, r.providerPort)
	if err := stack.CheckPortFree(ctx, addr); err != nil {
		return fmt.Errorf("identity provider: %w", err)
	}
	client := idp.Client{ID: clientID, Secret: rand.Text()}
	for _, port := range r.ports {
		site := "https://localhost:" + port
		client.RedirectURIs = append(client.RedirectURIs, site+"/_auth/callback/main")
		client.PostLogoutRedirectURIs = append(client.PostLogoutRedirectURIs, site+"/")
	}
	provider, err := idp.Start(ctx, addr, idp.Config{Clients: []idp.Client{client}}, nil)
	if err != nil {
		return fmt.Errorf("identity provider: %w", err)
	}
	r.stops = append(r.stops, func() { report(provider.Close()) })
	secret, err := r.keptKey("secret") // so that who was signed in still is
	if err != nil {
		return err
	}
	r.provider = provider.Issuer()
	r.signIn = []string{
		"GATEHOUSE_SIGN_IN=on", "GATEHOUSE_SECRET=" + secret,
		"OIDC_ISSUER=" + r.provider, "OIDC_CLIENT_ID=" + clientID, "OIDC_CLIENT_SECRET=" + client.Secret,
	}
	return nil
}
