package softdelete

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// storable reports whether PostgreSQL stores the text as it is: no NUL, and UTF-8.
func storable(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

// longer counts characters, as varchar does.
func longer(text string, limit int) bool {
	return len(text) > limit && utf8.RuneCountInString(text) > limit
}

var decimal = regexp.MustCompile(`^-?([0-9]+)(?:\.([0-9]+))?$`)

// checkNumber takes what numeric(12,2) holds without rounding.
func checkNumber(given any) (any, string) {
	text, ok := given.(string)
	if !ok || len(text) > 64 {
		return nil, "type"
	}
	parts := decimal.FindStringSubmatch(text)
	switch {
	case parts == nil:
		return nil, "type"
	case len(strings.TrimLeft(parts[1], "0")) > 10, len(strings.TrimRight(parts[2], "0")) > 2:
		return nil, "out_of_range"
	}
	return Decimal(text), ""
}

func checkInteger(given any) (any, string) {
	number, ok := given.(json.Number)
	if !ok || strings.ContainsAny(string(number), ".eE") {
		return nil, "type"
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return nil, "type"
	case err != nil, n < math.MinInt32, n > math.MaxInt32:
		return nil, "out_of_range"
	}
	return int32(n), ""
}

// checkTimestamp takes RFC 3339 of any offset, and keeps the moment in UTC to the microsecond, which is what
// PostgreSQL keeps.
func checkTimestamp(given any) (any, string) {
	text, ok := given.(string)
	if !ok {
		return nil, "type"
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, "type"
	}
	at = at.UTC().Truncate(time.Microsecond)
	if at.Year() < 1 || at.Year() > 9999 {
		return nil, "out_of_range"
	}
	return at, ""
}

// What jsonb holds, and what the server reads again without harm.
const (
	maxDepth  = 100 // of a document
	maxDigits = 400 // of a number in it, written out
)

func checkDocument(given any) (any, string) {
	if code := checkNode(given, 0); code != "" {
		return nil, code
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(given); err != nil {
		return nil, "type"
	}
	return json.RawMessage(bytes.TrimSpace(out.Bytes())), ""
}

func checkNode(node any, depth int) string {
	if depth > maxDepth {
		return "out_of_range"
	}
	switch node := node.(type) {
	case string:
		if !storable(node) {
			return "type"
		}
	case json.Number:
		return checkDigits(string(node))
	case []any:
		for _, item := range node {
			if code := checkNode(item, depth+1); code != "" {
				return code
			}
		}
	case map[string]any:
		for name, item := range node {
			if !storable(name) {
				return "type"
			}
			if code := checkNode(item, depth+1); code != "" {
				return code
			}
		}
	case nil, bool:
	default:
		return "type"
	}
	return ""
}

// checkDigits refuses 1e400000, of which PostgreSQL would write all the noughts.
func checkDigits(number string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	e := 0
	if exponent != "" {
		var err error
		if e, err = strconv.Atoi(exponent); err != nil {
			return "out_of_range"
		}
	}
	if len(mantissa) > maxDigits || e > maxDigits || e < -maxDigits {
		return "out_of_range"
	}
	return ""
}

// parse takes a value from a query string, to compare with.
func (f *Field) parse(text string) (value any, code string) {
	switch f.Type {
	case Boolean:
		if text == "true" || text == "false" {
			return text == "true", ""
		}
		return nil, "type"
	case Integer:
		return checkInteger(json.Number(text))
	case Text:
		// A text that no row can have finds none; PostgreSQL refuses to look for what is no value of an enum.
		switch {
		case !storable(text):
			return nil, "type"
		case f.Enum != nil && !slices.Contains(f.Enum, text):
			return nil, "enum"
		}
		return text, ""
	default:
		return f.check(text)
	}
}
