package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

// Server is a provider that listens.
type Server struct {
	*Provider

	// Addr is the address it listens on, with the port that was chosen.
	Addr string

	http *http.Server
	done chan error
}

// Start listens on addr (host:port; port 0 chooses a free one) and serves, by https if cert is given.
// Without an issuer in c, it is the address itself. It is ready when Start returns.
func Start(ctx context.Context, addr string, c Config, cert *tls.Certificate) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start identity provider: %w", err)
	}
	scheme := "http://"
	if cert != nil {
		scheme = "https://"
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12})
	}
	if c.Issuer == "" {
		c.Issuer = scheme + l.Addr().String()
	}
	p, err := New(c)
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("start identity provider: %w", err)
	}
	s := &Server{Provider: p, Addr: l.Addr().String(), done: make(chan error, 1),
		http: &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}}
	go func() { s.done <- s.http.Serve(l) }()
	return s, nil
}

// Close stops serving at once, also requests that a fault holds.
func (s *Server) Close() error {
	s.Provider.Close()
	err := s.http.Close()
	if e := <-s.done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// Shutdown lets requests finish until ctx ends, then stops.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Provider.Close()
	_ = s.http.Shutdown(ctx)
	return s.Close()
}

// Certificate loads a certificate with its key, or makes a self-signed one for localhost,
// idp.localhost and 127.0.0.1 and writes both files if neither is there. Who calls the provider
// trusts the certificate's file.
func Certificate(certFile, keyFile string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writeCertificate(certFile, keyFile); err == nil {
			pair, err = tls.LoadX509KeyPair(certFile, keyFile)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("certificate of the identity provider: %w", err)
	}
	return &pair, nil
}

func writeCertificate(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "development identity provider"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		DNSNames: []string{"localhost", "idp.localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The key first and exclusively: a certificate that is there has its key.
	if err := writeNew(keyFile, 0o600, "PRIVATE KEY", private); err != nil {
		return err
	}
	return writeNew(certFile, 0o644, "CERTIFICATE", der)
}

func writeNew(name string, mode os.FileMode, kind string, der []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Close())
}
