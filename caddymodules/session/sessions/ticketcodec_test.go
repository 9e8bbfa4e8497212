package sessions

import (
	"bytes"
	"testing"
)

// FuzzDecodeTicket reads plain texts as if somebody had our key.
func FuzzDecodeTicket(f *testing.F) {
	t := Ticket{Session: Session{Identity: Identity{Provider: "p", Groups: []string{"a", ""}, AMR: []string{"x"},
		Claims: Claims{{Name: "n", Values: []string{"v"}}, {Name: "m"}}}, Created: 1, Absolute: 2, Generation: 3}, Last: 4, OnlineAt: 5}
	f.Add(t.encode())
	f.Add([]byte{ticketVersion})
	f.Add(append(bytes.Repeat([]byte{1}, 60), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f))
	f.Fuzz(func(t *testing.T, plain []byte) {
		ticket, ok := decodeTicket(plain)
		if !ok {
			return
		}
		again, ok := decodeTicket(ticket.encode())
		if !ok {
			t.Fatal("what was read cannot be written")
		}
		if !bytes.Equal(again.encode(), ticket.encode()) {
			t.Fatal("writing what was read changes it")
		}
	})
}
