package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"time"
)

const (
	// fetchTimeout bounds one fetch of discovery, keys or userinfo.
	fetchTimeout = 5 * time.Second
	// exchangeTimeout bounds the exchange of a code, for which a person waits.
	exchangeTimeout = 15 * time.Second
	// refreshTimeout bounds a refresh, which happens in the background. Giving up early is costly:
	// the provider may have spent the refresh token.
	refreshTimeout = time.Minute
	// maxBody bounds every answer of a provider.
	maxBody = 1 << 20
)

// boundedClient copies a client so that no answer is larger than maxBody and no redirect is followed:
// an issuer answers itself, and a redirect would carry codes and secrets to somebody else.
func boundedClient(base *http.Client) *http.Client {
	c := *base
	c.Jar = nil
	transport := c.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	c.Transport = bounded{transport}
	c.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		return fmt.Errorf("refused to follow a redirect to %q: the issuer must be the address that answers itself", next.URL.Redacted())
	}
	return &c
}

type bounded struct{ next http.RoundTripper }

// RoundTrip bounds the answer's body.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	return resp, nil
}

// fetch gets a JSON document. Every error is ErrUnavailable.
func fetch(ctx context.Context, client *http.Client, address string, header http.Header) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fmt.Errorf("%w: %s answered more than %d bytes", ErrUnavailable, address, maxBody)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: %s answered %s", ErrUnavailable, address, resp.Status)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "application/jwt" {
		return nil, fmt.Errorf("%w: %s answered a signed token; register the client for plain JSON", ErrUnavailable, address)
	}
	return body, nil
}

// checkEndpoint validates an address that the provider gave. An issuer on https has nothing on http.
func checkEndpoint(name, address string, secure bool) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%s %q is not an absolute address", name, clip(address))
	case u.Scheme == "https" || (u.Scheme == "http" && !secure):
		return nil
	}
	return fmt.Errorf("%s %q must be https", name, clip(address))
}
