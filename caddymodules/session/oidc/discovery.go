package oidc

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// asymmetric are the algorithms that a provider may sign with. None of them lets who can verify sign.
var asymmetric = []string{
	gooidc.RS256, gooidc.RS384, gooidc.RS512, gooidc.ES256, gooidc.ES384, gooidc.ES512,
	gooidc.PS256, gooidc.PS384, gooidc.PS512, gooidc.EdDSA,
}

// metadata is what is used of a discovery document (OpenID Connect Discovery 1.0, 3).
type metadata struct {
	Issuer         string   `json:"issuer"`
	AuthURL        string   `json:"authorization_endpoint"`
	TokenURL       string   `json:"token_endpoint"`
	UserInfoURL    string   `json:"userinfo_endpoint"`
	KeysURL        string   `json:"jwks_uri"`
	EndSessionURL  string   `json:"end_session_endpoint"`
	Algorithms     []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods    []string `json:"token_endpoint_auth_methods_supported"`
	ResponseModes  []string `json:"response_modes_supported"`
	ChallengeTypes []string `json:"code_challenge_methods_supported"`
	// IssuerInResponse promises the iss parameter of RFC 9207.
	IssuerInResponse bool `json:"authorization_response_iss_parameter_supported"`

	signing []jose.SignatureAlgorithm // announced and asymmetric
	style   oauth2.AuthStyle
}

// readMetadata validates a discovery document for a configuration.
func readMetadata(raw []byte, c *Config) (*metadata, error) {
	m := &metadata{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("discovery document: %w", err)
	}
	if m.Issuer != c.Issuer {
		return nil, fmt.Errorf("discovery document is of issuer %q, configured is %q: they must be equal to the last slash", clip(m.Issuer), c.Issuer)
	}
	secure := strings.HasPrefix(c.Issuer, "https:")
	endpoints := [][2]string{{"authorization_endpoint", m.AuthURL}, {"token_endpoint", m.TokenURL}, {"jwks_uri", m.KeysURL}}
	if m.EndSessionURL != "" {
		endpoints = append(endpoints, [2]string{"end_session_endpoint", m.EndSessionURL})
	}
	if c.UserInfo {
		endpoints = append(endpoints, [2]string{"userinfo_endpoint", m.UserInfoURL})
	}
	for _, e := range endpoints {
		if err := checkEndpoint(e[0], e[1], secure); err != nil {
			return nil, fmt.Errorf("discovery document: %w", err)
		}
	}
	for _, alg := range m.Algorithms {
		if slices.Contains(asymmetric, alg) {
			m.signing = append(m.signing, jose.SignatureAlgorithm(alg))
		}
	}
	if len(m.Algorithms) == 0 {
		m.signing = []jose.SignatureAlgorithm{jose.RS256} // the one that every provider must offer
	}
	if len(m.signing) == 0 {
		return nil, fmt.Errorf("discovery document: provider signs with %v only; an asymmetric algorithm is needed", m.Algorithms)
	}
	if len(m.ResponseModes) > 0 && !slices.Contains(m.ResponseModes, "query") {
		return nil, fmt.Errorf("discovery document: provider answers by %v only; query is needed", m.ResponseModes)
	}
	if len(m.ChallengeTypes) > 0 && !slices.Contains(m.ChallengeTypes, "S256") {
		return nil, fmt.Errorf("discovery document: provider knows PKCE by %v only; S256 is needed", m.ChallengeTypes)
	}
	var err error
	m.style, err = authStyle(m.AuthMethods, c.ClientSecret != "")
	return m, err
}

// authStyle says how the client authenticates. Nothing is probed: a failed attempt spends the code.
func authStyle(methods []string, secret bool) (oauth2.AuthStyle, error) {
	switch {
	case !secret:
		return oauth2.AuthStyleInParams, nil
	case len(methods) == 0 || slices.Contains(methods, "client_secret_basic"):
		return oauth2.AuthStyleInHeader, nil
	case slices.Contains(methods, "client_secret_post"):
		return oauth2.AuthStyleInParams, nil
	}
	return 0, fmt.Errorf("discovery document: provider authenticates clients by %v only; client_secret_basic or client_secret_post is needed", methods)
}

// checkIssuer validates a configured issuer. Plain http is for this machine alone, unless allowed.
func checkIssuer(issuer string, allowHTTP bool) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#") {
		return fmt.Errorf("issuer must be an address without query and fragment, got %q", issuer)
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		host := u.Hostname()
		ip := net.ParseIP(host)
		if allowHTTP || host == "localhost" || strings.HasSuffix(host, ".localhost") || (ip != nil && ip.IsLoopback()) {
			return nil
		}
		return fmt.Errorf("issuer %q must be https: plain http is accepted on this machine alone", issuer)
	}
	return fmt.Errorf("issuer %q must begin with https://", issuer)
}
