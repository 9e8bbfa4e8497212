// Command upstream is the small app that `make run` puts behind the edge; see package upstream for its paths.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "address to listen on")
	name := flag.String("name", "upstream", "name to answer with, to tell several apart")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *name); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, name string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("%s answers on http://%s\n", name, l.Addr())
	return upstream.New(name).Serve(ctx, l)
}
