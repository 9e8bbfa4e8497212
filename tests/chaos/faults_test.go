//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// strike lets a fault begin, and returns what ends it.
func (s *system) strike(f fault) (end func() error, err error) {
	over := func() error { return nil }
	switch f.name {
	case "redis killed":
		return func() error { return s.redis.Restart(context.Background()) }, s.redis.Kill()
	case "redis restarted":
		return over, s.redis.Restart(context.Background())
	case "redis hung":
		return s.redis.Resume, s.redis.Pause()
	case "redis paused for its clients":
		_, err := s.redis.CLI("CLIENT", "PAUSE", strconv.FormatInt((f.to-f.from).Milliseconds(), 10), "ALL")
		return over, err // it ends by itself
	case "redis stalling":
		return s.repeat(300*time.Millisecond, "DEBUG", "SLEEP", "0.15"), nil
	case "scripts flushed":
		return s.repeat(20*time.Millisecond, "SCRIPT", "FLUSH"), nil
	case "all flushed":
		return over, s.redis.Flush()
	case "packets dropped":
		return s.cut(s.allNodes()...)
	case "packets of a node dropped":
		return s.cut(f.node)
	case "node killed":
		return s.takeDown(f.node)
	case "node restarted":
		end, err := s.takeDownInOrder(f.node)
		return end, err
	case "node reloaded":
		return over, s.nodes[f.node].Reload(context.Background(), s.files[f.node])
	}
	return over, fmt.Errorf("no such fault: %s", f.name)
}

func (s *system) allNodes() (all []int) {
	for i := range s.nodes {
		all = append(all, i)
	}
	return all
}

// repeat sends Redis a command again and again until it is ended.
func (s *system) repeat(pause time.Duration, command ...string) (end func() error) {
	stop := make(chan struct{})
	var failed error
	var running sync.WaitGroup
	running.Go(func() {
		for {
			if _, failed = s.redis.CLI(command...); failed != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
		}
	})
	return func() error {
		close(stop)
		running.Wait()
		return failed
	}
}

// cut loses the packets between Redis and some nodes.
func (s *system) cut(nodes ...int) (end func() error, err error) {
	for _, i := range nodes {
		err = errors.Join(err, s.wires[i].Drop())
	}
	return func() (err error) {
		for _, i := range slices.Backward(nodes) {
			err = errors.Join(err, s.wires[i].Restore())
		}
		return err
	}, err
}

// takeDown kills a node. It is started again at the end.
func (s *system) takeDown(node int) (end func() error, err error) {
	came := s.goes(node)
	return func() error {
		defer came()
		return s.nodes[node].Restart(context.Background())
	}, s.nodes[node].Kill()
}

// takeDownInOrder stops a node as an operator does, and starts it at once.
func (s *system) takeDownInOrder(node int) (end func() error, err error) {
	came := s.goes(node)
	defer came()
	return func() error { return nil }, s.nodes[node].Restart(context.Background())
}

// goes has the load go elsewhere, and notes when the node was down.
func (s *system) goes(node int) (came func()) {
	s.up[node].Store(false)
	from := time.Now()
	s.mu.Lock()
	i := len(s.down)
	s.down = append(s.down, outage{node: node, from: from, to: from.Add(time.Hour)})
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.down[i].to = time.Now()
		s.mu.Unlock()
		s.up[node].Store(true)
	}
}

// wasDown tells whether a node was killed or stopped while somebody waited for it.
func (s *system) wasDown(node int, from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.down, func(o outage) bool {
		return o.node == node && o.from.Before(to) && from.Before(o.to)
	})
}
