// Command devidp serves the development identity provider until it is interrupted. It prints the
// issuer's address on a line of its own when it is ready.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "host and port; port 0 takes a free one")
	config := flag.String("config", "", "JSON `file` with issuer, clients, users, admin_token")
	issuer := flag.String("issuer", "", "address that clients and browsers use (default: where it listens)")
	cert := flag.String("cert", "", "serve https with this certificate; made if neither `file` is there")
	key := flag.String("key", "", "private key of -cert")
	ca := flag.String("ca", "", "trust this certificate `file` when clients are told of a logout")
	flag.Parse()
	if err := run(*listen, *config, *issuer, *cert, *key, *ca); err != nil {
		fmt.Fprintln(os.Stderr, "devidp:", err)
		os.Exit(1)
	}
}

func run(listen, config, issuer, cert, key, ca string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var c idp.Config
	if config != "" {
		f, err := os.Open(config)
		if err != nil {
			return err
		}
		c, err = idp.ReadConfig(f)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", config, err)
		}
	}
	if issuer != "" {
		c.Issuer = issuer
	}
	if ca != "" {
		client, err := clientTrusting(ca)
		if err != nil {
			return err
		}
		c.HTTPClient = client
	}
	var pair *tls.Certificate
	if cert != "" {
		var err error
		if pair, err = idp.Certificate(cert, key); err != nil {
			return err
		}
	}
	s, err := idp.Start(ctx, listen, c, pair)
	if err != nil {
		return err
	}
	fmt.Println(s.Issuer())
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return s.Shutdown(ctx)
}

func clientTrusting(file string) (*http.Client, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return &http.Client{Transport: t, Timeout: 5 * time.Second}, nil
}
