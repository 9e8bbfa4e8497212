package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What encoding/json forgives, two readers may read differently, and PostgreSQL may not hold: members that
// are there twice, text that is not Unicode, text behind the value. Here all of it is refused.

// Bounds of a body beside its size.
const (
	maxDepth    = 64
	maxNumber   = 64  // characters
	maxExponent = 300 // of ten, either way
)

// Why a body is malformed, as an answer names it.
const (
	notJSON      = "syntax"
	notUnicode   = "unicode"
	twice        = "repeated"
	tooDeep      = "too_deep"
	numberTooBig = "out_of_range"
)

// readObject reads one JSON object. Objects are map[string]any, lists []any, and numbers json.Number, as they
// were written.
func readObject(body []byte) (map[string]any, *problem) {
	if reason := malformed(body); reason != "" {
		return nil, fail("malformed_body", at("body", reason))
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	value, err := readValue(d, 0)
	if m, ok := errors.AsType[malformedError](err); ok {
		return nil, fail("malformed_body", at("body", string(m)))
	}
	object, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil, fail("malformed_body", at("body", notJSON))
	}
	return object, nil
}

// malformed judges what can be judged without reading.
func malformed(body []byte) string {
	switch {
	case !utf8.Valid(body):
		return notUnicode
	case !json.Valid(body): // also for what follows the value
		return notJSON
	case halfSurrogate(body):
		return notUnicode
	default:
		return ""
	}
}

// halfSurrogate reports whether valid JSON escapes half of a surrogate pair, which decoding would
// silently replace.
func halfSurrogate(body []byte) bool {
	high := false // whether the escape before was a first half
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			if high {
				return true
			}
			continue
		}
		i++
		if body[i] != 'u' {
			if high {
				return true
			}
			continue
		}
		unit, _ := strconv.ParseUint(string(body[i+1:i+5]), 16, 16)
		i += 4
		low := unit >= 0xDC00 && unit <= 0xDFFF
		if low != high {
			return true
		}
		high = unit >= 0xD800 && unit <= 0xDBFF
	}
	return high
}

type malformedError string

func (e malformedError) Error() string { return string(e) }

func readValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, malformedError(tooDeep)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return readMembers(d, depth)
		}
		return readElements(d, depth)
	case string:
		return t, storable(t)
	case json.Number:
		return t, sane(t.String())
	default: // a bool or nil
		return t, nil
	}
}

func readMembers(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if err := storable(name); err != nil {
			return nil, err
		}
		if _, there := object[name]; there {
			return nil, malformedError(twice)
		}
		if object[name], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

func readElements(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		element, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	_, err := d.Token()
	return list, err
}

// storable refuses NUL, which PostgreSQL holds neither in text nor in jsonb.
func storable(text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return malformedError(notUnicode)
	}
	return nil
}

// sane refuses numbers of which a reader could make something endless.
func sane(number string) error {
	if len(number) > maxNumber {
		return malformedError(numberTooBig)
	}
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		if exponent, err := strconv.Atoi(number[i+1:]); err != nil || exponent > maxExponent || exponent < -maxExponent {
			return malformedError(numberTooBig)
		}
	}
	return nil
}
