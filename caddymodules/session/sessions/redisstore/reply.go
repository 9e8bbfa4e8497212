package redisstore

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// decodeReply reads what answer in lib.lua makes.
func decodeReply(selector sessions.Selector, message rueidis.RedisMessage, err error) (sessions.Reply, error) {
	if err != nil {
		return sessions.Reply{}, failure(err)
	}
	parts, err := message.ToArray()
	if err != nil || len(parts) != 6 {
		return sessions.Reply{}, fmt.Errorf("%w: a script's reply", errDamaged)
	}
	var n [5]int64
	for _, i := range []int{0, 2, 3, 4} {
		if n[i], err = parts[i].ToInt64(); err != nil {
			return sessions.Reply{}, fmt.Errorf("%w: a script's reply", errDamaged)
		}
	}
	reason, err := parts[1].ToString()
	if err != nil || n[0] < 0 || n[0] > int64(sessions.NotDue) {
		return sessions.Reply{}, fmt.Errorf("%w: a script's reply", errDamaged)
	}
	reply := sessions.Reply{
		Outcome: sessions.Outcome(n[0]),
		Now:     sessions.Instant(n[2]),
		Last:    sessions.Instant(n[3]),
		Stored:  sessions.Instant(n[4]),
	}
	if reply.Outcome == sessions.Ended {
		reply.Reason = sessions.ParseReason(reason)
	}
	reply.Record, err = decodeFields(selector, parts[5])
	return reply, err
}

// decodeFields reads a session's fields and values; none is no session.
func decodeFields(selector sessions.Selector, message rueidis.RedisMessage) (*sessions.Record, error) {
	if message.IsNil() {
		return nil, nil //nolint:nilnil // No session and no failure is a common and complete answer.
	}
	fields, err := message.AsStrMap()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if len(fields) == 0 {
		return nil, nil //nolint:nilnil // As above.
	}
	return decodeRecord(selector, fields)
}

func asInt(message rueidis.RedisMessage, err error) (int64, error) {
	if err != nil {
		return 0, failure(err)
	}
	n, err := message.ToInt64()
	if err != nil {
		return 0, fmt.Errorf("%w: a script's reply", errDamaged)
	}
	return n, nil
}

func asInts(message rueidis.RedisMessage, err error, want int) ([]int64, error) {
	if err != nil {
		return nil, failure(err)
	}
	n, err := message.AsIntSlice()
	if err != nil || len(n) != want {
		return nil, fmt.Errorf("%w: a script's reply", errDamaged)
	}
	return n, nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func millis(d time.Duration) string { return number(d.Milliseconds()) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
