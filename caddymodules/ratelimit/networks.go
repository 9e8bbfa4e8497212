package ratelimit

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// networks fold IP addresses into the networks by which they are counted: who has a whole IPv6
// network must not get a fresh limit with each of its addresses. 0 leaves addresses as they are.
type networks struct {
	v4, v6 int
}

// append appends the value, folded if it is an IP address. An IPv4-mapped IPv6 address is IPv4.
func (n networks) append(b []byte, value string) []byte {
	if !looksLikeAddress(value) {
		return append(b, value...)
	}
	addr, err := netip.ParseAddr(value)
	if err != nil {
		return append(b, value...)
	}
	addr = addr.Unmap()
	bits := n.v6
	if addr.Is4() {
		bits = n.v4
	}
	if bits == 0 {
		return addr.AppendTo(b)
	}
	if bits == addr.BitLen() {
		return addr.WithZone("").AppendTo(b)
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return append(b, value...) // only for prefixes that Validate refuses
	}
	return network.AppendTo(b)
}

// appendSized appends the folded value after its length.
func (n networks) appendSized(b []byte, value string) []byte {
	start := len(b)
	b = n.append(append(b, make([]byte, sizeLen)...), value)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-sizeLen))
	return b
}

// looksLikeAddress spares most keys that are no address the error that netip would make of them.
func looksLikeAddress(value string) bool {
	address, _, _ := strings.Cut(value, "%")
	if len(address) < 2 || len(address) > len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") {
		return false
	}
	separated := false
	for i := range len(address) {
		switch c := address[i]; {
		case c == '.' || c == ':':
			separated = true
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return separated
}
