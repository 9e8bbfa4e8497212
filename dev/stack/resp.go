package stack

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// This is the smallest client of Redis's protocol (RESP2) that can ask one thing: tests look at the server by
// it, so that what they see does not pass through the client library whose behaviour they judge.

// redisError is an error reply of the server, such as "NOAUTH Authentication required.".
type redisError string

func (e redisError) Error() string { return string(e) }

// ask opens a connection, signs in, sends one command and renders the reply as redis-cli would, without quotes:
// an array is one element a line, nil is empty.
func ask(ctx context.Context, network, addr string, secure *tls.Config, user, password string, args []string) (string, error) {
	var conn net.Conn
	var err error
	if secure != nil {
		conn, err = (&tls.Dialer{Config: secure}).DialContext(ctx, network, addr)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
	}
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	replies := bufio.NewReader(conn)
	if password != "" {
		auth := []string{"AUTH", password}
		if user != "" {
			auth = []string{"AUTH", user, password}
		}
		if _, err := exchange(conn, replies, auth); err != nil {
			return "", err
		}
	}
	reply, err := exchange(conn, replies, args)
	if err != nil && ctx.Err() != nil {
		return "", fmt.Errorf("no reply: %w", ctx.Err())
	}
	return reply, err
}

func exchange(w io.Writer, r *bufio.Reader, args []string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return "", err
	}
	return readReply(r, maxReplyDepth)
}

// Bounds of a reply, so that a damaged one is an error and no allocation of its size.
const (
	maxReplySize  = 64 << 20 // bytes of a string, elements of an array
	maxReplyDepth = 16       // arrays inside each other
)

// readReply reads one reply, which nests arrays at most depth deep.
func readReply(r *bufio.Reader, depth int) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("empty line where a reply should be")
	}
	kind, text := line[0], line[1:]
	switch kind {
	case '+', ':':
		return text, nil
	case '-':
		return "", redisError(text)
	}
	size, err := strconv.Atoi(text)
	if err != nil {
		return "", fmt.Errorf("reply %q: %w", line, err)
	}
	if size > maxReplySize || depth == 0 {
		return "", fmt.Errorf("reply %q is too large or too deep", line)
	}
	switch {
	case (kind == '$' || kind == '*') && size < 0:
		return "", nil
	case kind == '$':
		bulk := make([]byte, size+2)
		if _, err := io.ReadFull(r, bulk); err != nil {
			return "", err
		}
		if string(bulk[size:]) != "\r\n" {
			return "", fmt.Errorf("reply %q is longer than it says", line)
		}
		return string(bulk[:size]), nil
	case kind == '*':
		var parts []string
		for range size {
			part, err := readReply(r, depth-1)
			// An error inside an array (of EXEC) is an element, not the end of it.
			if inner, ok := errors.AsType[redisError](err); ok {
				part = inner.Error()
			} else if err != nil {
				return "", err
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, "\n"), nil
	}
	return "", fmt.Errorf("reply %q is of an unknown kind", line)
}
