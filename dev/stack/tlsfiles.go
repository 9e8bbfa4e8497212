package stack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// TLSFiles are the paths of PEM files: a CA, and a certificate of it with its key, good for server and client.
type TLSFiles struct{ CA, Cert, Key string }

// MakeTLSFiles writes a throw-away CA and a certificate for 127.0.0.1, ::1 and localhost into dir.
func MakeTLSFiles(dir string) (*TLSFiles, error) {
	files := &TLSFiles{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if err := files.make(); err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	return files, nil
}

func (f *TLSFiles) make() error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Gatehouse test CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(f.CA, "CERTIFICATE", caDER),
		writePEM(f.Cert, "CERTIFICATE", leafDER),
		writePEM(f.Key, "PRIVATE KEY", keyDER),
	)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// copyTLSFiles brings the files to where the server's account can read them, and loads them for our own client.
func (r *Redis) copyTLSFiles() error {
	for name, from := range map[string]string{"ca.pem": r.opts.TLS.CA, "cert.pem": r.opts.TLS.Cert, "key.pem": r.opts.TLS.Key} {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := r.writeFile(name, string(text)); err != nil {
			return err
		}
		if name != "ca.pem" {
			continue
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return fmt.Errorf("%s holds no certificate", from)
		}
		r.tls = &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	}
	pair, err := tls.LoadX509KeyPair(r.opts.TLS.Cert, r.opts.TLS.Key)
	if err != nil {
		return err
	}
	r.tls.Certificates = []tls.Certificate{pair}
	return nil
}

func (r *Redis) tlsLines() []string {
	clients := "optional"
	if r.opts.RequireClientCert {
		clients = "yes"
	}
	return []string{
		"port 0",
		"tls-port " + strconv.Itoa(r.port.Number),
		"tls-ca-cert-file " + strconv.Quote(filepath.Join(r.dir, "ca.pem")),
		"tls-cert-file " + strconv.Quote(filepath.Join(r.dir, "cert.pem")),
		"tls-key-file " + strconv.Quote(filepath.Join(r.dir, "key.pem")),
		"tls-auth-clients " + clients,
		"tls-replication yes",
	}
}
