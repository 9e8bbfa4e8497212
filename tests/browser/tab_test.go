package browser

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

const zapWarn = zap.WarnLevel

// tab is somebody at a browser.
type tab struct {
	*site
	ctx context.Context //nolint:containedctx // it is the tab: chromedp keeps it there

	mu         sync.Mutex // guards complaints
	complaints []string
}

// look is how a tab shows pages.
type look struct {
	name          string
	width, height int64
	dark          bool
}

var (
	desk      = look{"desk", 1280, 900, false}
	deskDark  = look{"desk-dark", 1280, 900, true}
	phone     = look{"phone", 390, 844, false}
	phoneDark = look{"phone-dark", 390, 844, true}
	looks     = []look{desk, deskDark, phone, phoneDark}
)

// open opens a tab in a browser of its own.
func (s *site) open(scripts bool) *tab {
	s.t.Helper()
	path := stack.Chromium()
	require.NotEmpty(s.t, path, "Chromium is needed: make deps installs it or says how")
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(path), chromedp.UserDataDir(s.t.TempDir()), chromedp.IgnoreCertErrors, chromedp.DisableGPU, chromedp.WindowSize(1280, 900))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Minute)
	s.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	s.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	s.t.Cleanup(cancel)
	b := &tab{site: s, ctx: ctx}
	messages := chromedp.Console(ctx)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		b.listen(messages)
	}()
	s.t.Cleanup(func() { cancel(); <-heard })
	if !scripts {
		b.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	}
	return b
}

// command is a command of the browser's protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

func get[T any](b *tab, a chromedp.Action[T]) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, a)
	require.NoError(b.t, err)
	return value
}

// screenshot keeps what is seen, where GATEHOUSE_SCREENSHOTS says.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("GATEHOUSE_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture := get(b, chromedp.FullScreenshot(100))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
}

// use changes how pages are shown.
func (b *tab) use(l look) {
	b.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	mobile := func(*emulation.SetDeviceMetricsOverrideParams, *emulation.SetTouchEmulationEnabledParams) {}
	if l.width < 600 {
		mobile = chromedp.EmulateMobile
	}
	b.do(chromedp.EmulateViewport(l.width, l.height, mobile), command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}))
}

// visit opens a page of the site, and returns its status.
func (b *tab) visit(path string) int64 {
	b.t.Helper()
	return b.leads(chromedp.Navigate(b.url + path))
}

// leads does what leads to another page, and returns its status.
func (b *tab) leads(actions ...chromedp.Action[chromedp.Void]) int64 {
	b.t.Helper()
	response, err := chromedp.RunResponse(b.ctx, actions...)
	require.NoError(b.t, err)
	require.NotNil(b.t, response)
	return response.Status
}

// path is where the tab is.
func (b *tab) path() string {
	b.t.Helper()
	return strings.TrimPrefix(get(b, chromedp.Location()), b.url)
}

func (b *tab) text(selector string) string {
	b.t.Helper()
	return strings.Join(strings.Fields(get(b, chromedp.TextContent(selector))), " ")
}

// signIn signs somebody in at the provider.
func (b *tab) signIn(name string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url+"/"), chromedp.WaitVisible(`button[value="`+name+`"]`))
	b.leads(chromedp.Click(`button[value="` + name + `"]`))
}

// press clicks, by the node's own method where nothing is laid out over it.
func (b *tab) press(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(selector)
}

// attribute is one of a node's.
func (b *tab) attribute(selector, name string) string {
	b.t.Helper()
	return get(b, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).getAttribute(%q)`, selector, name)))
}

func (b *tab) number(expression string) int {
	b.t.Helper()
	return get(b, chromedp.Evaluate[int](expression))
}

// listen keeps what the browser complains about. That a page was answered with a status of 400 or more is no
// complaint of ours.
func (b *tab) listen(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range messages {
		if err != nil {
			return // the tab was closed
		}
		if m.Source == "network" || m.Type != chromedp.ConsoleException && m.Type != chromedp.ConsoleError && m.Type != chromedp.ConsoleWarning {
			continue
		}
		b.mu.Lock()
		b.complaints = append(b.complaints, m.String()+" at "+m.URL)
		b.mu.Unlock()
	}
}

// quiet asserts that the browser had nothing to complain about: no policy was broken, no script failed.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.complaints)
}
