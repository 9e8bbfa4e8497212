package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The control socket takes one command on a line and answers "ok <text>" or "error <text>". It stands in a
// directory that only this user can enter, and not in the state directory, whose path may be too long for a
// socket.

const controlTimeout = 30 * time.Second

// handler carries out a command and says what it did.
type handler func(ctx context.Context, command string) (string, error)

// serveControl answers commands until stop is called; it returns the socket's path.
func serveControl(ctx context.Context, do handler) (path string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "gatehouse-run-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "control.sock")
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed by stop
			}
			go serveOne(ctx, conn, do)
		}
	}()
	return path, func() {
		l.Close()
		<-done
		_ = os.RemoveAll(dir)
	}, nil
}

func serveOne(ctx context.Context, conn net.Conn, do handler) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(controlTimeout))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	reply, err := do(ctx, strings.TrimSpace(line))
	if err != nil {
		fmt.Fprintf(conn, "error %v", err)
		return
	}
	fmt.Fprintf(conn, "ok %s", reply)
}

// send has the run of a state directory carry out command.
func send(ctx context.Context, dir, command string) (string, error) {
	n, err := (&state{dir: dir}).read()
	if errors.Is(err, os.ErrNotExist) {
		return "", errors.New("nothing runs here: `make run` starts it")
	}
	if err != nil {
		return "", err
	}
	if n.Control == "" {
		return "", errors.New("this run has no Redis of its own")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", n.Control)
	if err != nil {
		return "", fmt.Errorf("the run (pid %d) does not answer, it may have crashed: %w", n.PID, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(controlTimeout))
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return "", err
	}
	reply, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	word, text, _ := strings.Cut(string(reply), " ")
	switch word {
	case "ok":
		return text, nil
	case "error":
		return "", errors.New(text)
	}
	return "", fmt.Errorf("the run ended before it answered %q", command)
}
