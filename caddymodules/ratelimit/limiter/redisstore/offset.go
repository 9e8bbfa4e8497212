package redisstore

import (
	"sync"
	"time"
)

// offset measures the server's clock against this process's.
type offset struct {
	mu sync.Mutex
	// difference, in microseconds, is wrong by half of the call's duration at most. It was measured
	// at the moment at of this process's clock.
	difference, half, at int64
	known                bool
}

// drift is how much a measurement is trusted less as it ages: 1 ms each second. So a quick call is
// kept over slow ones for a while, and a server with another clock is noticed within seconds.
const drift = 1000

// observe takes the server's moment of a call that was sent and answered at these of this process.
func (o *offset) observe(sent, answered, server int64) {
	if !o.mu.TryLock() {
		return // another call is just as good
	}
	defer o.mu.Unlock()
	half := (answered - sent) / 2
	if !o.known || half <= o.half+(answered-o.at)/drift {
		o.difference, o.half, o.at, o.known = server-sent-half, half, answered, true
	}
}

func (o *offset) value() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Duration(o.difference) * time.Microsecond
}
