package redisstore

import (
	"testing"
	"testing/synctest"
	"time"
)

// One deadline is shared by the calls of a moment. A call that comes later gets a deadline of its own, or it would
// have less time than the timeout.
func TestDeadlines_areSharedForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadlines{timeout: 150 * time.Millisecond}
		first := d.current()
		time.Sleep(10*time.Millisecond - time.Nanosecond)
		if d.current() != first {
			t.Error("calls of one moment share no deadline")
		}
		time.Sleep(time.Nanosecond)
		second := d.current()
		if second == first {
			t.Fatal("a later call shares the deadline of an earlier one")
		}
		if end, _ := second.Deadline(); time.Until(end) != d.timeout {
			t.Errorf("it has %s, want %s", time.Until(end), d.timeout)
		}
		time.Sleep(d.timeout)
		synctest.Wait()
		if second.Err() == nil {
			t.Error("the deadline has not passed")
		}
	})
}
