package sessions

import (
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

// The successor of a verifier lies in the store sealed under the verifier that it replaces, so that
// every node can hand it to whoever still presents the old one, and a dump of the store holds no
// verifier at all.

func sealSuccessor(old Verifier, selector Selector, generation int64, next Verifier) []byte {
	return seal(newAEAD(successorKey(old)), nil, next[:], successorData(selector, generation))
}

func openSuccessor(old Verifier, r *Record) (next Verifier, ok bool) {
	plaintext, ok := open(newAEAD(successorKey(old)), r.Next, successorData(r.Selector, r.Generation))
	if !ok || len(plaintext) != len(next) {
		return Verifier{}, false
	}
	next = Verifier(plaintext)
	// What does not hash to the current verifier would sign its bearer out.
	if !next.Hash().Equal(r.Current) {
		return Verifier{}, false
	}
	return next, true
}

func successorKey(old Verifier) []byte {
	return derive(old[:], "gh next", chacha20poly1305.KeySize)
}

func successorData(selector Selector, generation int64) []byte {
	return binary.BigEndian.AppendUint64(selector[:], uint64(generation))
}
