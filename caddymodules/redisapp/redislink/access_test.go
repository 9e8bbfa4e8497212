package redislink

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

func TestLink_signsIn(t *testing.T) {
	t.Parallel()
	certificates := func(t *testing.T) *stack.TLSFiles {
		t.Helper()
		files, err := stack.MakeTLSFiles(t.TempDir())
		require.NoError(t, err)
		return files
	}
	tests := []struct {
		name  string
		serve func(t *testing.T) stack.RedisOptions
		by    func(t *testing.T, o *Options, r *stack.Redis)
	}{
		{
			name:  "by password",
			serve: func(*testing.T) stack.RedisOptions { return stack.RedisOptions{Password: "s3cret"} },
			by:    func(_ *testing.T, o *Options, _ *stack.Redis) { o.Password = "s3cret" },
		},
		{
			name: "as an ACL user, by a password from a file, into another database",
			serve: func(*testing.T) stack.RedisOptions {
				return stack.RedisOptions{ACL: []string{"user default off", "user gate on >s3cret ~gh:* -@all +@read +@write +@scripting +@connection +time -@dangerous +info"}}
			},
			by: func(t *testing.T, o *Options, _ *stack.Redis) {
				t.Helper()
				o.Username, o.PasswordFile, o.DB = "gate", filepath.Join(t.TempDir(), "password"), 3
				require.NoError(t, os.WriteFile(o.PasswordFile, []byte("s3cret\r\n"), 0o600))
			},
		},
		{
			name:  "over a unix socket",
			serve: func(*testing.T) stack.RedisOptions { return stack.RedisOptions{UnixSocket: true} },
			by:    func(_ *testing.T, o *Options, r *stack.Redis) { o.Addresses = []string{r.SocketPath()} },
		},
		{
			name: "over TLS, with a certificate",
			serve: func(t *testing.T) stack.RedisOptions {
				t.Helper()
				return stack.RedisOptions{TLS: certificates(t), RequireClientCert: true}
			},
			by: func(_ *testing.T, o *Options, r *stack.Redis) { o.TLS = r.TLSConfig() },
		},
		{
			name: "over TLS, by the name in the address",
			serve: func(t *testing.T) stack.RedisOptions {
				t.Helper()
				return stack.RedisOptions{TLS: certificates(t)}
			},
			by: func(_ *testing.T, o *Options, r *stack.Redis) {
				o.TLS = r.TLSConfig()
				o.TLS.ServerName = ""
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := stack.RedisForTest(t, tt.serve(t))
			opts := optionsFor(r)
			tt.by(t, &opts, r)
			l, j, at := healthy(t, opts, Settings{})
			got, err := evalEcho(t.Context(), l, "in")
			require.NoError(t, err)
			assert.Equal(t, "in", got)
			_, err = r.CLI("CLIENT", "KILL", "TYPE", "normal")
			require.NoError(t, err)
			_, at = j.awaitState(t, at, StateOpen)
			j.awaitState(t, at, StateClosed)
			assert.Empty(t, j.warnings)
		})
	}
}

func TestLink_isRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		serve stack.RedisOptions
		by    func(*Options)
		want  string
		mend  []string
	}{
		{
			name: "wrong password", serve: stack.RedisOptions{Password: "s3cret"},
			by: func(o *Options) { o.Password = "wrong" }, want: "WRONGPASS",
		},
		{
			name: "no password", serve: stack.RedisOptions{Password: "s3cret"},
			by: func(*Options) {}, want: "NOAUTH",
		},
		{
			name: "no rights on our keys", serve: stack.RedisOptions{ACL: []string{"user gate on >s3cret ~other:* +@all"}},
			by: func(o *Options) { o.Username, o.Password = "gate", "s3cret" }, want: "NOPERM",
			mend: []string{"ACL", "SETUSER", "gate", "~gh:*"},
		},
		{
			name: "no such database", by: func(o *Options) { o.DB = 99 }, want: "DB",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := stack.RedisForTest(t, tt.serve)
			opts := optionsFor(r)
			tt.by(&opts)
			l, j := openFor(t, opts, Settings{})
			_, at := j.await(t, 0, tt.want, func(c Change) bool { return code(c.Reason) == tt.want })
			assert.Equal(t, StateOpen, l.State())
			if tt.mend != nil {
				_, err := r.CLI(tt.mend...)
				require.NoError(t, err)
				j.awaitState(t, at, StateClosed)
			}
		})
	}
}

// Without a right that scripts need no call would ever succeed, so the link is not healthy, and says why: when the
// right is missing from the first, and when it is taken away.
func TestLink_isRefusedItsScripts(t *testing.T) {
	t.Parallel()
	for _, right := range []string{"time", "evalsha", "@scripting"} {
		t.Run(right, func(t *testing.T) {
			t.Parallel()
			r := stack.RedisForTest(t, stack.RedisOptions{ACL: []string{"user gate on >s3cret ~gh:* +@all -" + right}})
			opts := optionsFor(r)
			opts.Username, opts.Password = "gate", "s3cret"
			l, j := openFor(t, opts, Settings{})
			clock := NewScript(`return redis.call('TIME')`)
			l.Preload(clock)
			told := func(c Change) bool {
				return c.State == StateOpen && errors.Is(c.Reason, ErrNoRight) && strings.Contains(c.Reason.Error(), "+time")
			}
			_, at := j.await(t, 0, "the missing right", told)

			_, err := r.CLI("ACL", "SETUSER", "gate", "+"+right)
			require.NoError(t, err)
			_, at = j.awaitState(t, at, StateClosed)

			_, err = r.CLI("ACL", "SETUSER", "gate", "-"+right)
			require.NoError(t, err)
			call := Call{Script: clock, Keys: []string{"gh:{test}:k"}}
			require.Eventually(t, func() bool {
				_, err = l.Eval(t.Context(), call)
				return l.State() == StateOpen
			}, patience, 10*time.Millisecond)
			require.ErrorIs(t, err, ErrUnavailable)
			_, at = j.await(t, at, "the right that was taken away", told)
			time.Sleep(4 * probeEvery) // enough for probes to close it, if they asked too little
			assert.Equal(t, StateOpen, l.State())
			assert.Empty(t, j.warnings)

			_, err = r.CLI("ACL", "SETUSER", "gate", "+"+right)
			require.NoError(t, err)
			j.awaitState(t, at, StateClosed)
		})
	}
}

// A script that always fails harms no other call, and yet somebody must know.
func TestLink_warnsOfAScriptThatFails(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, at := healthy(t, optionsFor(r), Settings{})
	fails := Call{Script: NewScript(`return redis.call('GET')`), Keys: []string{"gh:{test}:k"}}
	for range 20 {
		_, err := l.Eval(t.Context(), fails)
		require.ErrorContains(t, err, "Wrong number of args")
		require.Error(t, l.Pipeline(t.Context(), []Call{fails})[0].Err)
	}
	assert.Equal(t, 40, j.count(Erred))
	assert.Equal(t, StateClosed, l.State())
	require.ErrorContains(t, j.awaitWarning(t, CallErred).Err, "Wrong number of args")
	assert.Len(t, j.warnings, 1, "told once")

	_, err := r.CLI("CLIENT", "KILL", "TYPE", "normal")
	require.NoError(t, err)
	_, at = j.awaitState(t, at, StateOpen)
	j.awaitState(t, at, StateClosed)
	_, err = l.Eval(t.Context(), fails)
	require.Error(t, err)
	assert.Len(t, j.warnings, 2, "and once more over a new connection")
}

func TestLink_readsARotatedPassword(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{Password: "old", ACL: []string{"user gate on >old ~* +@all"}})
	opts := optionsFor(r)
	opts.Username, opts.PasswordFile = "gate", filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(opts.PasswordFile, []byte("old"), 0o600))
	_, j, at := healthy(t, opts, Settings{})

	require.NoError(t, os.WriteFile(opts.PasswordFile, []byte("new\n"), 0o600))
	_, err := r.CLI("ACL", "SETUSER", "gate", "resetpass", ">new")
	require.NoError(t, err)
	_, err = r.CLI("CLIENT", "KILL", "USER", "gate")
	require.NoError(t, err)
	_, at = j.awaitState(t, at, StateOpen)
	j.awaitState(t, at, StateClosed)

	require.NoError(t, os.Remove(opts.PasswordFile))
	_, err = r.CLI("CLIENT", "KILL", "USER", "gate")
	require.NoError(t, err)
	j.await(t, at, "the file is gone", func(c Change) bool { return errors.Is(c.Reason, os.ErrNotExist) })
}

func TestLink_worksWithoutTheRightToReadInfo(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{ACL: []string{
		"user gate on >s3cret ~gh:{test}:* -@all +@connection +@scripting +get +set",
	}})
	opts := optionsFor(r)
	opts.Username, opts.Password = "gate", "s3cret"
	l, j, at := healthy(t, opts, Settings{})
	require.Error(t, j.awaitWarning(t, NoInfo).Err)
	_, err := evalEcho(t.Context(), l, "x")
	require.NoError(t, err)
	awaitBeat(t, r)

	_, err = r.CLI("CLIENT", "KILL", "USER", "gate")
	require.NoError(t, err)
	_, at = j.awaitState(t, at, StateOpen)
	change, _ := j.awaitState(t, at, StateClosed)
	assert.Empty(t, change.Arrival.RunID)
	assert.False(t, change.Arrival.SameRun, "not known")
	assert.True(t, change.Arrival.DataIntact, "the beat needs no INFO")
	assert.Len(t, j.warnings, 1, "told once")
}

func TestLink_refusesAStrangersCertificate(t *testing.T) {
	t.Parallel()
	files, err := stack.MakeTLSFiles(t.TempDir())
	require.NoError(t, err)
	r := stack.RedisForTest(t, stack.RedisOptions{TLS: files})
	opts := optionsFor(r)
	opts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	_, j := openFor(t, opts, Settings{})
	change, _ := j.awaitState(t, 0, StateOpen)
	var wrong *tls.CertificateVerificationError
	require.ErrorAs(t, change.Reason, &wrong)
}

func TestLink_plainToTLSAndBackIsToldAsAnError(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	opts := optionsFor(r)
	opts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	_, j := openFor(t, opts, Settings{})
	change, _ := j.awaitState(t, 0, StateOpen)
	require.Error(t, change.Reason)
	require.NotErrorIs(t, change.Reason, context.Canceled)
}
