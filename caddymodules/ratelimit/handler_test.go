package ratelimit

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
)

const (
	perClient = "key {http.vars.client_ip}"
	passed    = http.StatusOK
	tooMany   = http.StatusTooManyRequests
)

func TestServeHTTP_refusesAboveTheLimit(t *testing.T) {
	tests := []struct {
		name, limit string
		// pass is how many pass at once; then after wait exactly one more does.
		pass int
		wait time.Duration
	}{
		{"events", "events 3\nwindow 1m", 3, time.Minute},
		{"limit", "limit 4/1m", 4, 15 * time.Second},
		{"limit with burst", "limit 4/1m burst 2", 2, 15 * time.Second},
		{"events as gcra", "events 4\nwindow 1m\nalgorithm gcra", 4, 15 * time.Second},
		{"two limits", "limit 10/1m\nlimit 2/1s", 2, 500 * time.Millisecond},
		{"a limit and events", "limit 10/1s\nevents 2\nwindow 1m", 2, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, "rate_limit {\n zone z {\n"+perClient+"\n"+tt.limit+"\n}\n}")
			for range tt.pass {
				require.Equal(t, passed, f.status("192.0.2.1"))
			}
			require.Equal(t, tooMany, f.status("192.0.2.1"))
			require.Equal(t, passed, f.status("192.0.2.2"), "another client")
			f.clock.advance(tt.wait - time.Millisecond)
			require.Equal(t, tooMany, f.status("192.0.2.1"), "just before the wait is over")
			f.clock.advance(time.Millisecond)
			require.Equal(t, passed, f.status("192.0.2.1"), "after the wait")
		})
	}
}

func TestServeHTTP_zeroEventsRefuseAllForEver(t *testing.T) {
	f := open(t, "rate_limit {\n zone shut {\n events 0\n window 1h\n}\n}")
	r := client("192.0.2.1")
	w := f.do(r)
	require.Equal(t, tooMany, w.Code)
	require.Empty(t, w.Header().Values("Retry-After"), "no wait helps")
	require.Equal(t, `"shut";r=0`, w.Header().Get("RateLimit"))
	require.Equal(t, `"shut";q=0;w=3600`, w.Header().Get("RateLimit-Policy"))
	require.Empty(t, value(r, "http.rate_limit.retry_after"))
	require.Equal(t, "shut", value(r, "http.rate_limit.exceeded.name"))

	err := f.ServeHTTP(w, client("192.0.2.1"), f.next)
	require.ErrorContains(t, err, "can never pass")
}

func TestServeHTTP_decidesAllZonesTogether(t *testing.T) {
	f := open(t, `rate_limit {
		zone wide {
			key {http.vars.client_ip}
			events 5
			window 1h
		}
		zone narrow {
			key {http.request.header.X-Key}
			events 2
			window 1m
		}
	}`)
	with := func(key string) int {
		r := client("192.0.2.1")
		r.Header.Set("X-Key", key)
		return f.do(r).Code
	}
	require.Equal(t, passed, with("a"))
	require.Equal(t, passed, with("a"))
	for range 20 {
		require.Equal(t, tooMany, with("a"), "narrow is full")
	}
	// What narrow refused has cost wide nothing: three of five are left.
	require.Equal(t, passed, with("b"))
	require.Equal(t, passed, with("c"))
	require.Equal(t, passed, with("d"))
	require.Equal(t, tooMany, with("e"))
}

func TestServeHTTP_reportsTheLongestWait(t *testing.T) {
	f := open(t, `rate_limit {
		zone b-short {
			events 1
			window 1m
		}
		zone c-long {
			events 1
			window 1h
		}
		zone a-long {
			limit 100/1s
			events 1
			window 1h
		}
	}`)
	require.Equal(t, passed, f.status("192.0.2.1"))
	r := client("192.0.2.1")
	w := f.do(r)
	require.Equal(t, tooMany, w.Code)
	require.Equal(t, "3600", w.Header().Get("Retry-After"))
	for name, want := range map[string]string{
		"exceeded.name":     "a-long", // the first by name of those that wait longest
		"policy":            "a-long/2",
		"limit":             "1",
		"remaining":         "0",
		"retry_after":       "3600",
		"degraded":          "false",
		"problem":           "https://iana.org/assignments/http-problem-types#quota-exceeded",
		"violated_policies": `["a-long/2","b-short","c-long"]`,
	} {
		require.Equal(t, want, value(r, "http.rate_limit."+name), name)
	}
}

func TestServeHTTP_countsOnlyWhatMatches(t *testing.T) {
	f := open(t, `rate_limit {
		zone posts {
			match {
				method POST
				path /login
			}
			match {
				header X-Batch *
			}
			events 1
			window 1m
		}
	}`)
	do := func(method, path string, header ...string) int {
		r := request(method, "http://example.com"+path, "192.0.2.1:1")
		for _, h := range header {
			r.Header.Set(h, "x")
		}
		return f.do(r).Code
	}
	require.Equal(t, passed, do("POST", "/login"))
	require.Equal(t, tooMany, do("POST", "/login"))
	require.Equal(t, passed, do("GET", "/login"))
	require.Equal(t, passed, do("POST", "/logout"))
	require.Equal(t, tooMany, do("GET", "/", "X-Batch"), "either set of matchers suffices")
	require.Empty(t, f.do(request("GET", "http://example.com/", "192.0.2.1:1")).Header().Get("RateLimit"))
}

func TestServeHTTP_retryAfter(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n events 1\n window 10s\n}\n}")
	require.Equal(t, passed, f.status("192.0.2.1"))
	for _, tt := range []struct {
		advance time.Duration
		want    string
	}{
		{0, "10"},
		{time.Microsecond, "10"}, // 9.999999 s, rounded up
		{time.Second, "9"},
		{8 * time.Second, "1"},
		{900 * time.Millisecond, "1"}, // never 0
	} {
		f.clock.advance(tt.advance)
		w := f.do(client("192.0.2.1"))
		require.Equal(t, tooMany, w.Code)
		require.Equal(t, tt.want, w.Header().Get("Retry-After"))
		require.Equal(t, `"z";r=0;t=`+tt.want, w.Header().Get("RateLimit"))
	}
}

// caddy-ratelimit writes its wait plus half a second, rounded by strconv. Ours is that or one less,
// for a client that waits long enough need not wait longer.
func TestServeHTTP_retryAfterIsCaddyRateLimits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		wait := time.Microsecond + time.Duration(random.Int64N(int64(100*time.Second)))
		if i%10 == 0 {
			wait = wait.Truncate(time.Second) + time.Second // the ties
		}
		theirs, err := strconv.ParseInt(strconv.FormatFloat(wait.Seconds()+0.5, 'f', 0, 64), 10, 64)
		require.NoError(t, err)
		ours := max(1, seconds(wait))
		require.Contains(t, []int64{theirs, theirs - 1}, ours, "%s", wait)
		require.GreaterOrEqual(t, time.Duration(ours)*time.Second, wait)
	}
}

func TestServeHTTP_jitterAddsUpToItsPart(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n events 1\n window 100s\n}\n jitter 0.2\n}")
	require.Equal(t, passed, f.status("192.0.2.1"))
	seen := make(map[int]bool)
	for range 200 {
		w := f.do(client("192.0.2.1"))
		after, err := strconv.Atoi(w.Header().Get("Retry-After"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, after, 100)
		require.LessOrEqual(t, after, 120)
		require.Equal(t, `"z";r=0;t=100`, w.Header().Get("RateLimit"), "t is the wait itself")
		seen[after] = true
	}
	require.Greater(t, len(seen), 5, "the waits are spread")
}

func TestServeHTTP_logsAsCaddyRateLimitDoes(t *testing.T) {
	for _, tt := range []struct {
		option string
		want   map[string]any
	}{
		{"", map[string]any{"zone": "z", "wait": time.Minute, "remote_ip": "2001:db8::1"}},
		{"log_key", map[string]any{"zone": "z", "wait": time.Minute, "remote_ip": "2001:db8::1", "key": "2001:db8::/64 GET"}},
	} {
		t.Run(tt.option, func(t *testing.T) {
			f := open(t, "rate_limit {\n zone z {\n key {http.vars.client_ip} {http.request.method}\n events 1\n window 1m\n}\n"+tt.option+"\n}")
			f.statuses(2, "2001:db8::1")
			entries := f.logs.FilterMessage("rate limit exceeded").All()
			require.Len(t, entries, 1)
			require.Equal(t, tt.want, entries[0].ContextMap())
		})
	}
}

// A flood of refused requests is no flood of log entries.
func TestServeHTTP_logsRefusalsAtAPace(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n events 1\n window 1h\n}\n}")
	f.statuses(1001, "192.0.2.1")
	n := f.logs.FilterMessage("rate limit exceeded").Len()
	require.GreaterOrEqual(t, n, 20)
	require.Less(t, n, 1000, "a busy machine may need several seconds for them")
}

// heard collects events.
type heard struct{ events []caddy.Event }

func (h *heard) Handle(_ context.Context, e caddy.Event) error {
	h.events = append(h.events, e)
	return nil
}

func TestServeHTTP_emitsCaddyRateLimitsEvent(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n events 1\n window 1m\n}\n}")
	var h heard
	require.NoError(t, f.events.On("rate_limit_exceeded", &h))
	f.statuses(2, "192.0.2.1")
	require.Len(t, h.events, 1)
	require.Equal(t, map[string]any{"zone": "z", "wait": time.Minute, "remote_ip": "192.0.2.1"}, h.events[0].Data)
}

func TestServeHTTP_emptyKeys(t *testing.T) {
	open := func(t *testing.T, onEmpty string) *fixture {
		return open(t, "rate_limit {\n zone z {\n key {http.request.header.X-Key}\n events 1\n window 1m\n "+onEmpty+"\n}\n}")
	}
	t.Run("client by default", func(t *testing.T) {
		f := open(t, "")
		require.Equal(t, []int{passed, tooMany}, f.statuses(2, "2001:db8:0:1::1"))
		require.Equal(t, tooMany, f.status("2001:db8:0:1::2"), "the same network")
		require.Equal(t, passed, f.status("2001:db8:0:2::1"), "another network")

		// Nobody gets at a client's count by sending its address as a key.
		r := client("192.0.2.1")
		r.Header.Set("X-Key", "2001:db8:0:1::1")
		require.Equal(t, passed, f.do(r).Code)

		require.Len(t, f.logs.FilterMessageSnippet("the key of a request is empty").All(), 1, "logged once")
	})
	t.Run("skip", func(t *testing.T) {
		f := open(t, "on_empty_key skip")
		require.Equal(t, []int{passed, passed, passed}, f.statuses(3, "192.0.2.1"))
		require.Empty(t, f.do(client("192.0.2.1")).Header().Get("RateLimit"))
	})
	t.Run("reject", func(t *testing.T) {
		f := open(t, "on_empty_key reject")
		require.Equal(t, http.StatusBadRequest, f.status("192.0.2.1"))
	})
	t.Run("share", func(t *testing.T) {
		f := open(t, "on_empty_key share")
		require.Equal(t, passed, f.status("192.0.2.1"))
		require.Equal(t, tooMany, f.status("192.0.2.2"))
	})
}

func TestServeHTTP_partlyEmptyKeyIsAKey(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n key {http.request.header.X-Key} {http.vars.client_ip}\n events 1\n window 1m\n on_empty_key skip\n}\n}")
	require.Equal(t, []int{passed, tooMany}, f.statuses(2, "192.0.2.1"))
	require.Empty(t, f.logs.FilterMessageSnippet("empty").All())
}

func TestServeHTTP_countsBeforeTheUserIsKnown(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n key {http.auth.user.id} {http.request.method}\n events 2\n window 1m\n}\n}")
	require.Equal(t, []int{passed, passed, tooMany}, f.statuses(3, "192.0.2.1"))
	require.Len(t, f.logs.FilterMessageSnippet("nobody is known yet").All(), 1, "logged once")

	r := client("192.0.2.1")
	replacer(r).Set("http.auth.user.id", "alice")
	require.Equal(t, passed, f.do(r).Code)
	require.InDelta(t, 3, counterValue(t, f.zones[0].metrics.unknown), 0)
	require.InDelta(t, 0, counterValue(t, f.zones[0].metrics.emptyKeys), 0)
}

// alwaysClosed is a store whose Redis cannot be asked.
type alwaysClosed struct{ decider }

func (alwaysClosed) Take(context.Context, []limiter.Claim) error { return limiter.ErrClosed }
func (alwaysClosed) Mode() degraded.Mode                         { return degraded.Exact }

func TestServeHTTP_closedIs503(t *testing.T) {
	f := open(t, `rate_limit {
		zone open {
			limit 10/1s
		}
		zone shut {
			limit 20/1s
			limit 5/1s
			on_failure closed
		}
	}`)
	f.redis = alwaysClosed{}
	r := client("192.0.2.1")
	w := f.do(r)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	for name, want := range map[string]string{
		"exceeded.name":     "",
		"policy":            "shut",
		"limit":             "20",
		"degraded":          "true",
		"problem":           "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
		"violated_policies": `["shut","shut/2"]`,
	} {
		require.Equal(t, want, value(r, "http.rate_limit."+name), name)
	}
	require.InDelta(t, 1, counterValue(t, f.zones[1].metrics.closed), 0)
	require.InDelta(t, 0, counterValue(t, f.zones[0].metrics.closed), 0)
}

func TestServeHTTP_clientThatWentAway(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n events 1\n window 1m\n}\n}")
	r := client("192.0.2.1")
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	require.Equal(t, statusClientGone, f.do(r.WithContext(ctx)).Code)
	require.Equal(t, passed, f.status("192.0.2.1"), "it was not counted")
}

func TestServeHTTP_passesErrorsOn(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n events 1\n window 1m\n}\n}")
	f.next = func(http.ResponseWriter, *http.Request) error {
		return caddyhttp.Error(http.StatusBadGateway, errors.New("upstream is down"))
	}
	w := f.do(client("192.0.2.1"))
	require.Equal(t, http.StatusBadGateway, w.Code)
	require.Equal(t, `"z";r=0;t=60`, w.Header().Get("RateLimit"), "the request was counted, so it is told")
}

func TestServeHTTP_metrics(t *testing.T) {
	f := open(t, `rate_limit {
		zone always {
			events 100
			window 1m
		}
		zone once {
			events 1
			window 1m
		}
	}`)
	f.statuses(3, "192.0.2.1")
	always, once := f.zones[0].metrics, f.zones[1].metrics
	require.InDelta(t, 1, counterValue(t, once.allowed), 0)
	require.InDelta(t, 2, counterValue(t, once.refused), 0)
	require.InDelta(t, 1, counterValue(t, always.allowed), 0, "what another zone refused it has not counted")
	require.InDelta(t, 0, counterValue(t, always.refused), 0)
	require.Equal(t, 2, held())
	require.Equal(t, "local", currentMode())
}

func TestServeHTTP_disableMetrics(t *testing.T) {
	f := open(t, "rate_limit {\n zone z {\n key {http.request.header.X-Key}\n events 1\n window 1m\n}\n disable_metrics\n}")
	require.Equal(t, []int{passed, tooMany}, f.statuses(2, "192.0.2.1"))
	require.Nil(t, f.metrics)
}

func TestServeHTTP_allocatesNothing(t *testing.T) {
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	for _, tt := range []struct {
		name, directive string
		most            float64
	}{
		{"constant key", "zone z {\n limit 1000000/1s\n}\n headers off", 0},
		{"client", "zone z {\n key {http.vars.client_ip}\n limit 1000000/1s\n}\n headers off", 0},
		{"client, two zones, windows", "zone a {\n key {http.vars.client_ip}\n events 1000000\n window 1s\n}\n zone b {\n limit 1000000/1s\n}\n headers off", 0},
		// The writer, and the text of both fields.
		{"headers", "zone z {\n key {http.vars.client_ip}\n limit 1000000/1s\n}", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, "rate_limit {\n"+tt.directive+"\n}")
			r, w := client("192.0.2.1"), &discard{header: make(http.Header)}
			serve := func() {
				if err := f.Handler.ServeHTTP(w, r, next); err != nil {
					t.Fatal(err)
				}
				clear(w.header)
			}
			serve()
			most := tt.most
			if raceDetector {
				most += 2 // what the pool has dropped
			}
			require.LessOrEqual(t, testing.AllocsPerRun(1000, serve), most)
		})
	}
}

// discard is a ResponseWriter that allocates nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
