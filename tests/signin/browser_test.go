package signin

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// browse opens Chromium. GATEHOUSE_SCREENSHOTS names a folder for what it has seen.
func browse(t *testing.T) context.Context {
	t.Helper()
	path := stack.Chromium()
	require.NotEmpty(t, path, "Chromium is needed: make deps installs it or says how")
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.IgnoreCertErrors, chromedp.DisableGPU, chromedp.WindowSize(900, 700))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// get does a and returns what it found.
func get[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T { //nolint:revive // t comes first in tests
	t.Helper()
	value, err := chromedp.Run(ctx, a)
	require.NoError(t, err)
	return value
}

func screenshot(t *testing.T, ctx context.Context, name string) { //nolint:revive // t comes first in tests
	t.Helper()
	picture := get(t, ctx, chromedp.FullScreenshot(100))
	require.NotEmpty(t, picture)
	if dir := os.Getenv("GATEHOUSE_SCREENSHOTS"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
	}
}

// Somebody signs in by a real browser at one node over https, goes on at the other, and signs out there.
func TestBrowser_signsInAndOut(t *testing.T) {
	s := startTLS(t, "after_logout /health")
	ctx := browse(t)
	body := func() string { return get(t, ctx, chromedp.TextContent("body")) }

	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(s.url(0)+"/orders?page=2"), chromedp.WaitVisible(`button[value="adam"]`)))
	require.Contains(t, get(t, ctx, chromedp.Location()), s.op.Issuer())
	_, err := chromedp.RunResponse(ctx, chromedp.Click(`button[value="adam"]`))
	require.NoError(t, err)
	require.Equal(t, s.url(0)+"/orders?page=2", get(t, ctx, chromedp.Location()))
	require.Contains(t, body(), "dev:adam")
	screenshot(t, ctx, "signed-in")
	require.Empty(t, get(t, ctx, chromedp.Evaluate[string](`document.cookie`)), "scripts see no cookie of ours")

	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(s.url(1)+"/other")))
	require.Equal(t, s.url(1)+"/other", get(t, ctx, chromedp.Location()), "cookies ignore ports, so the other node knows them")
	require.Contains(t, body(), "dev:adam")

	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(s.url(1)+"/_auth/logout"), chromedp.WaitVisible("form button")))
	screenshot(t, ctx, "logout")
	require.NoError(t, chromedp.Do(ctx, chromedp.Click("form button")))
	require.Eventually(t, func() bool { return get(t, ctx, chromedp.Location()) == s.url(1)+"/health" }, 30*time.Second, 100*time.Millisecond, "signed out")
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(s.url(0)+"/_auth/session")))
	require.Contains(t, body(), `"reason":"none"`, "the cookies are gone")

	// A callback that no login has asked for.
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(s.url(0)+"/_auth/callback/dev?code=x&state=y"), chromedp.WaitVisible("main a.button")))
	require.Contains(t, body(), "not signed in yet")
	screenshot(t, ctx, "no-login-under-way")
}
