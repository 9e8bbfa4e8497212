package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"
)

// What encoding/json forgives, two readers may read differently: duplicate members, members that
// differ in case, bytes that are not UTF-8, and text behind the value. Here all of it is refused.

var (
	errNotObject = errors.New("not one JSON object in UTF-8")
	errDuplicate = errors.New("a JSON object with a member twice")
)

// readObject reads one JSON object, by the exact names of its members. It does not look into them.
func readObject(data []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if !utf8.Valid(data) || json.Unmarshal(data, &members) != nil || members == nil {
		return nil, errNotObject
	}
	if countMembers(data) != len(members) {
		return nil, errDuplicate
	}
	return members, nil
}

// countMembers counts the members of an object that is known to be JSON, by their colons.
func countMembers(object []byte) (count int) {
	depth, quoted := 0, false
	for i := 0; i < len(object); i++ {
		switch c := object[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ':' && depth == 1:
			count++
		}
	}
	return count
}

// readText reads a member that is a string.
func readText(members map[string]json.RawMessage, name string, to *string) bool {
	raw := members[name]
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, to) == nil
}

// readTexts reads a list of strings.
func readTexts(raw json.RawMessage, to *[]string) bool {
	var elements []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		return false
	}
	texts := make([]string, len(elements))
	for i, element := range elements {
		if element[0] != '"' || json.Unmarshal(element, &texts[i]) != nil {
			return false
		}
	}
	*to = texts
	return true
}

// readTime reads whole seconds since 1970, not before it and not past the year 36812.
func readTime(members map[string]json.RawMessage, name string) (time.Time, bool) {
	var seconds int64
	raw := members[name]
	if len(raw) == 0 || raw[0] < '0' || raw[0] > '9' || json.Unmarshal(raw, &seconds) != nil || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0).UTC(), true
}

// readClaim reads what Sign lets a claim be, with numbers kept exactly.
func readClaim(raw json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errNotObject
	}
	return value, checkClaim(value)
}
