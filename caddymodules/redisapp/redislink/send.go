package redislink

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

// noScript is the first word of the reply to EVALSHA of a script that the server does not know.
const noScript = "NOSCRIPT"

// send is one round trip of a caller's command. It returns when ctx ends at the latest.
func (f *conn) send(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	seq, ok := f.inflight.acquire()
	if !ok {
		return rueidis.NewErrorResult(errFull)
	}
	if f.cluster {
		return apart(ctx, f, func(ctx context.Context) rueidis.RedisResult { return f.client.Do(ctx, cmd) }, rueidis.NewErrorResult)
	}
	result := f.client.Do(ctx, cmd)
	f.release(seq, result.NonRedisError())
	return result
}

// sendCached is send for a command whose answer may be in this process already.
func (f *conn) sendCached(ctx context.Context, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	seq, ok := f.inflight.acquire()
	if !ok {
		return rueidis.NewErrorResult(errFull)
	}
	if f.cluster {
		return apart(ctx, f, func(ctx context.Context) rueidis.RedisResult { return f.client.DoCache(ctx, cmd, ttl) }, rueidis.NewErrorResult)
	}
	result := f.client.DoCache(ctx, cmd, ttl)
	switch {
	case result.IsCacheHit():
		f.inflight.release() // Redis was not asked, so its answer settles nothing
	default:
		f.release(seq, result.NonRedisError())
	}
	return result
}

// sendAll is one round trip of several commands. They take one place, as they do in the client's ring.
func (f *conn) sendAll(ctx context.Context, cmds []rueidis.Completed) []rueidis.RedisResult {
	allFailed := func(err error) []rueidis.RedisResult {
		results := make([]rueidis.RedisResult, len(cmds))
		for i := range results {
			results[i] = rueidis.NewErrorResult(err)
		}
		return results
	}
	seq, ok := f.inflight.acquire()
	if !ok {
		return allFailed(errFull)
	}
	if f.cluster {
		return apart(ctx, f, func(ctx context.Context) []rueidis.RedisResult { return f.client.DoMulti(ctx, cmds...) }, allFailed)
	}
	results := f.client.DoMulti(ctx, cmds...)
	f.release(seq, results[len(results)-1].NonRedisError())
	return results
}

// release gives the place of a call back, unless it was given up and may still be answered.
func (f *conn) release(seq int64, err error) {
	switch {
	case err == nil:
		f.inflight.releaseAnswered(seq)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		f.inflight.abandon()
	default:
		f.inflight.release()
	}
}

// apart calls in a goroutine that the caller does not wait for when ctx ends. The goroutine keeps the call's
// place until the call is over.
func apart[T any](ctx context.Context, f *conn, call func(context.Context) T, failed func(error) T) T {
	answered := make(chan T, 1)
	go func() {
		defer f.inflight.release()
		answered <- call(lasting{ctx}) //nolint:contextcheck // It is ctx, without its end.
	}()
	select {
	case answer := <-answered:
		return answer
	case <-ctx.Done():
		return failed(ctx.Err())
	}
}
