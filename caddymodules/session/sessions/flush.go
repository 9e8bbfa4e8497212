package sessions

import (
	"container/heap"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// flushBatch is how many touches one call carries.
	flushBatch = 256
	// flushSlack lets touches that are due close together go together.
	flushSlack = 20 * time.Millisecond
	// flushRetry is how often a store that is away is tried, when something is dirty.
	flushRetry = 250 * time.Millisecond
)

// flusher knows what is to be flushed and when.
type flusher struct {
	mu     sync.Mutex
	queue  queue
	signal chan struct{}
	// all asks for everything to be flushed: the store is back.
	all atomic.Bool
}

// task is one flush. It is void when its session was flushed or validated since.
type task struct {
	due        time.Time
	cacheEntry *cacheEntry
}

type queue []task

func newFlusher() *flusher { return &flusher{signal: make(chan struct{}, 1)} }

// add schedules a flush.
func (f *flusher) add(due time.Time, h *cacheEntry) {
	f.mu.Lock()
	heap.Push(&f.queue, task{due, h})
	first := f.queue[0].cacheEntry == h
	f.mu.Unlock()
	if first {
		f.wake()
	}
}

func (f *flusher) wake() {
	select {
	case f.signal <- struct{}{}:
	default:
	}
}

// take removes up to most tasks that are due by the moment; all of them when it is zero.
func (f *flusher) take(by time.Time, most int) []task {
	f.mu.Lock()
	defer f.mu.Unlock()
	var tasks []task
	for len(tasks) < most && len(f.queue) > 0 && (by.IsZero() || !f.queue[0].due.After(by)) {
		tasks = append(tasks, heap.Pop(&f.queue).(task))
	}
	return tasks
}

// next is when the earliest flush is due.
func (f *flusher) next() (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return time.Time{}, false
	}
	return f.queue[0].due, true
}

// Run flushes activity when it is due, until ctx ends. It does not flush at the end: call Flush.
func (n *Node) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour) //nolint:forbidigo // waits in real time; what is due is decided by now
	defer timer.Stop()
	for {
		var err error
		if n.flusher.all.Swap(false) {
			err = n.Flush(ctx)
		} else {
			err = n.FlushDue(ctx)
		}
		wait := time.Hour
		if due, ok := n.flusher.next(); ok {
			wait = max(0, due.Sub(n.now()))
		}
		if _, waiting := n.revoked.waiting(); waiting || err != nil {
			wait = flushRetry
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-n.flusher.signal:
			if err != nil && n.Away() {
				// Woken by requests that ride: they must not hurry a store that is away.
				select {
				case <-ctx.Done():
					return
				case <-timer.C:
				}
			}
		}
	}
}

// FlushDue flushes what is due, and repeats revocations that the store has not heard of.
func (n *Node) FlushDue(ctx context.Context) error {
	if err := n.replay(ctx); err != nil {
		return err
	}
	by := n.now().Add(flushSlack)
	for {
		tasks := n.flusher.take(by, flushBatch)
		if len(tasks) == 0 {
			return nil
		}
		if err := n.flush(ctx, tasks); err != nil {
			return err
		}
	}
}

// Flush flushes all activity, due or not: when the store returns, at shutdown, and before a
// configuration is unloaded. The caller's ctx bounds it.
func (n *Node) Flush(ctx context.Context) error {
	if err := n.replay(ctx); err != nil {
		return err
	}
	var kept []task
	defer func() {
		for _, t := range kept {
			n.flusher.add(t.due, t.cacheEntry)
		}
	}()
	tasks := n.flusher.take(time.Time{}, int(^uint(0)>>1))
	for len(tasks) > 0 {
		batch := tasks[:min(flushBatch, len(tasks))]
		tasks = tasks[len(batch):]
		for i := range batch {
			// Not due, but asked for.
			n.hasten(&batch[i])
		}
		if err := n.flush(ctx, batch); err != nil {
			kept = append(kept, tasks...)
			return err
		}
	}
	return nil
}

// hasten makes a task of a dirty session due at once.
func (n *Node) hasten(t *task) {
	s := n.table.lock(t.cacheEntry.selector)
	defer s.mu.Unlock()
	if t.cacheEntry.dirty && t.cacheEntry.due.Equal(t.due) {
		t.due = time.Time{}
		t.cacheEntry.due = t.due
	}
}

// flush sends a batch. On failure its tasks are scheduled again.
func (n *Node) flush(ctx context.Context, tasks []task) error {
	now := n.now()
	touches := make([]Touch, 0, len(tasks))
	sent := make([]sentTouch, 0, len(tasks))
	for _, t := range tasks {
		s := n.table.lock(t.cacheEntry.selector)
		if t.cacheEntry.dirty && t.cacheEntry.due.Equal(t.due) {
			touches = append(touches, Touch{Selector: t.cacheEntry.selector, Age: now.Sub(t.cacheEntry.seenHere)})
			sent = append(sent, sentTouch{t.cacheEntry, t.cacheEntry.seenHere})
		}
		s.mu.Unlock()
	}
	if len(touches) == 0 {
		return nil
	}
	epoch := n.link.epoch.Load()
	answers, err := n.store.Touch(ctx, touches)
	if err != nil {
		n.failed(err)
		for _, t := range sent {
			n.again(t.cacheEntry, now.Add(flushRetry))
		}
		return err
	}
	n.answered(answers[len(answers)-1].Now, now)
	for i, t := range sent {
		n.flushed(t, answers[i], epoch)
	}
	return nil
}

type sentTouch struct {
	cacheEntry *cacheEntry
	seenHere   time.Time
}

// flushed takes the answer to a touch, which is a revalidation too: a session that is over or has
// another generation is a copy no longer.
func (n *Node) flushed(t sentTouch, answer Touched, epoch uint64) {
	h := t.cacheEntry
	s := n.table.lock(h.selector)
	defer s.mu.Unlock()
	if !answer.Active {
		h.dirty = false
		s.forget(h)
		return
	}
	if h.copy.Record != nil && h.copy.Record.Generation != answer.Generation {
		h.copy = CachedSession{}
	}
	h.seenStored, h.epoch = answer.Stored, epoch
	if h.dirty = h.seenHere.After(t.seenHere); h.dirty {
		// Activity came while the touch was on its way: its turn is one interval after the one
		// that was just stored.
		h.due = n.clock.local(answer.Stored).Add(h.every)
		n.flusher.add(h.due, h)
	}
}

// again schedules the flush of a session that could not be flushed.
func (n *Node) again(h *cacheEntry, due time.Time) {
	s := n.table.lock(h.selector)
	defer s.mu.Unlock()
	if h.dirty {
		h.due = due
		n.flusher.add(due, h)
	}
}

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is container/heap's.
func (q *queue) Push(x any) { *q = append(*q, x.(task)) }

// Pop is container/heap's.
func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = task{}
	*q = old[:len(old)-1]
	return t
}
