package sessions_test

import (
	"testing"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

func BenchmarkParseCookie(b *testing.B) {
	value := sessions.Cookie{Selector: sessions.Selector{1}, Verifier: sessions.Verifier{2}}.Value()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := sessions.ParseCookie(value); !ok {
			b.Fatal()
		}
	}
}

func BenchmarkTicket_open(b *testing.B) {
	c := codec(b, "ns", key(b, "k1", 'a'))
	value := c.Seal(someTicket(), host)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Open(value, host); !ok {
			b.Fatal()
		}
	}
}

func BenchmarkTicket_seal(b *testing.B) {
	c := codec(b, "ns", key(b, "k1", 'a'))
	b.ReportAllocs()
	for b.Loop() {
		c.Seal(someTicket(), host)
	}
}

func BenchmarkCheck_copy(b *testing.B) {
	w := newWorld(b, 1)
	jar := w.login(w.nodes[0])
	jar.visit(w.nodes[0])
	jar.visit(w.nodes[0])
	b.ReportAllocs()
	for b.Loop() {
		if v := jar.ask(w.nodes[0]); v.Source != sessions.SourceCache {
			b.Fatal(v.Source)
		}
	}
}

func BenchmarkCheck_ridesOnTheTicket(b *testing.B) {
	w := newWorld(b, 2)
	jar := w.login(w.nodes[0])
	w.nodes[1].link.Cut()
	b.ReportAllocs()
	for b.Loop() {
		if v := jar.ask(w.nodes[1]); v.Source != sessions.SourceTicket {
			b.Fatal(v.Source)
		}
	}
}
