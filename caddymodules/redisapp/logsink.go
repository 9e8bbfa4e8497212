package redisapp

import (
	"slices"
	"sync"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// logSink is what a configuration offers to those who outlive it.
type logSink struct {
	logger  *zap.Logger
	storage certmagic.Storage
}

// outlets are those of the configurations that use a link. The newest is used: a logger is of no use once its
// configuration is unloaded, be it the old one after a reload or the new one that could not start.
type outlets struct {
	mu  sync.Mutex
	all []*logSink
}

func (o *outlets) add(out *logSink) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.all, out) {
		o.all = append(o.all, out)
	}
}

func (o *outlets) remove(out *logSink) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = slices.DeleteFunc(o.all, func(other *logSink) bool { return other == out })
}

// newest has a logger that says nothing when there is none.
func (o *outlets) newest() logSink {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.all) == 0 {
		return logSink{logger: zap.NewNop()}
	}
	return *o.all[len(o.all)-1]
}

func (o *outlets) logger() *zap.Logger { return o.newest().logger }
