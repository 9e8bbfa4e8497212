package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// redisCommands are what the run understands, typed into its terminal or sent by `stack redis`.
const redisCommands = "status|kill|hang|resume|stop|start|flush"

const (
	redisStartTimeout = 20 * time.Second
	redisStopGrace    = 10 * time.Second
)

// redisControl carries out commands on the Redis of a run, one at a time.
type redisControl struct {
	redis *stack.Redis

	mu sync.Mutex
	// restarted hands each new process to the run, which watches for its end.
	restarted chan<- *stack.Process
}

// do carries out one command and says what it did.
func (c *redisControl) do(ctx context.Context, command string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	running := c.redis.Process().Running()
	if !running && (command == "kill" || command == "hang" || command == "resume" || command == "stop" || command == "flush") {
		return "", errors.New("redis is down already: start brings it back")
	}
	switch command {
	case "status":
		return c.status(), nil
	case "kill":
		return "redis is killed, as by a crash", c.redis.Kill()
	case "stop":
		return "redis is stopped in order", c.redis.Process().Stop(redisStopGrace)
	case "hang":
		return "redis hangs: it takes connections and answers nothing; each node limits by its share", c.redis.Pause()
	case "resume":
		return "redis goes on: the nodes hand over to it in a few seconds", c.redis.Resume()
	case "start":
		if running {
			return c.status(), nil
		}
		ctx, cancel := context.WithTimeout(ctx, redisStartTimeout)
		defer cancel()
		if err := c.redis.Restart(ctx); err != nil {
			return "", err
		}
		select {
		case c.restarted <- c.redis.Process():
		case <-ctx.Done(): // the run is ending and takes Redis with it
		}
		return fmt.Sprintf("redis (pid %d) is back with what it had counted: the nodes hand over to it in a few seconds", c.redis.Process().Pid()), nil
	case "flush":
		return "redis has forgotten what it counted", c.redis.Flush()
	default:
		return "", fmt.Errorf("%q is none of %s", command, strings.ReplaceAll(redisCommands, "|", ", "))
	}
}

// status asks the server itself: it may have been hurt by its pid.
func (c *redisControl) status() string {
	p := c.redis.Process()
	if !p.Running() {
		return "redis is down: start brings it back"
	}
	if !c.redis.Answers(time.Second) {
		return fmt.Sprintf("redis (pid %d) hangs: resume lets it go on", p.Pid())
	}
	return fmt.Sprintf("redis (pid %d) answers at %s", p.Pid(), c.redis.URL())
}

// redisCommand sends one command to the run that goes on elsewhere.
func redisCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("redis", flag.ContinueOnError)
	dir := flags.String("state", "", "the state directory of the run")
	if len(args) == 0 {
		return fmt.Errorf("which of %s?", strings.ReplaceAll(redisCommands, "|", ", "))
	}
	command := args[0]
	if err := parse(flags, args[1:]); err != nil {
		return err
	}
	where, err := stateDir(*dir)
	if err != nil {
		return err
	}
	reply, err := send(ctx, where, command)
	if err != nil {
		return err
	}
	fmt.Println(reply)
	return nil
}
