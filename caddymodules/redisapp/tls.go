package redisapp

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS is how connections to Redis are encrypted.
type TLS struct {
	// CA is a PEM file of the authorities that the server's certificate is checked against. It is read when
	// the configuration is loaded. Default: those of the system.
	CA string `json:"ca,omitempty"`

	// Cert is the PEM file of a certificate to show to the server; needs key. It is read again for every
	// new connection, so that it can be renewed without a reload. Default: none.
	Cert string `json:"cert,omitempty"`

	// Key is the PEM file of the certificate's private key. Default: none.
	Key string `json:"key,omitempty"`

	// ServerName is the name that the server's certificate must have. Default: the host in the address.
	ServerName string `json:"server_name,omitempty"`
}

// config also returns a digest of what the files hold.
func (t *TLS) config(fill func(string) string) (c *tls.Config, identity []byte, err error) {
	ca, cert, key, name := fill(t.CA), fill(t.Cert), fill(t.Key), fill(t.ServerName)
	c = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %q %q", ca, cert, key, name)
	read := func(setting, path string) ([]byte, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: make the file readable, or name another", setting, err)
		}
		sum.Write(text)
		return text, nil
	}
	if ca != "" {
		text, err := read("ca", ca)
		if err != nil {
			return nil, nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, nil, fmt.Errorf("ca: %s holds no certificate: it must be PEM", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, nil, errors.New("cert and key belong together: set both, or none")
	}
	if cert != "" {
		if _, err := read("cert", cert); err != nil {
			return nil, nil, err
		}
		if _, err := read("key", key); err != nil {
			return nil, nil, err
		}
		if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
			return nil, nil, fmt.Errorf("cert and key: %w", err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			return &pair, err
		}
	}
	return c, sum.Sum(nil), nil
}
