package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// localTime is how browsers write a time of day without its zone.
const localTime = "2006-01-02T15:04"

// posted is the draft that a form has sent.
func posted(e *softdelete.Entity, id string, form url.Values) *draft {
	d := &draft{id: id, typed: map[string]string{}, was: map[string]string{}, find: map[string]string{}, problems: map[string]string{}}
	d.version, _ = strconv.ParseInt(form.Get("version"), 10, 64)
	d.looking = form.Has("find")
	if once, err := uuid.Parse(form.Get("once")); err == nil {
		d.once = once.String()
	} else {
		d.once = uuid.NewString()
	}
	for _, f := range written(e) {
		d.typed[f.Name] = normal(form.Get(f.Name))
		d.was[f.Name] = normal(form.Get("was." + f.Name))
		if find := form.Get("find." + f.Name); find != "" {
			d.find[f.Name] = find
			// Without scripts, Return in a picker's search sends the form as if it were to be saved.
			d.looking = d.looking || form.Has("found."+f.Name) && find != form.Get("found."+f.Name)
		}
	}
	return d
}

// normal is a text as it was before a browser made its line ends.
func normal(text string) string {
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// values are what a draft writes: of a new row all that was given, of another what was changed. Problems
// are left in the draft.
func (d *draft) values(e *softdelete.Entity, in format) map[string]any {
	values := map[string]any{}
	for _, f := range written(e) {
		typed := d.typed[f.Name]
		if d.id != "" && typed == d.was[f.Name] {
			continue
		}
		value, problem := parse(f, typed, in)
		switch {
		case problem != "":
			d.problems[f.Name] = problem
		case value != nil:
			values[f.Name] = value
		case f.Required, d.id != "" && !f.Nullable:
			d.problems[f.Name] = explainField(f, "required")
		case d.id != "":
			values[f.Name] = nil
		}
	}
	return values
}

// grouped is a number with commas between the thousands.
var grouped = regexp.MustCompile(`^-?\d{1,3}(,\d{3})+(\.\d+)?$`)

// parse reads what was typed as the API takes it. Nothing is nil.
func parse(f *softdelete.Field, typed string, in format) (value any, problem string) {
	trimmed := strings.TrimSpace(typed)
	switch {
	case f.Type == softdelete.Boolean:
		return typed == "yes", ""
	case !utf8.ValidString(typed) || strings.ContainsRune(typed, 0):
		return nil, "There are characters in it that cannot be kept."
	case trimmed == "":
		return nil, ""
	}
	switch f.Type {
	case softdelete.Number:
		if grouped.MatchString(trimmed) {
			trimmed = strings.ReplaceAll(trimmed, ",", "")
		}
		if !decimal.MatchString(trimmed) {
			return nil, "Write a number such as 1250.00."
		}
		return trimmed, ""
	case softdelete.Integer:
		n, err := strconv.ParseInt(trimmed, 10, 32)
		if err != nil {
			return nil, "Write a whole number such as 25."
		}
		return json.Number(strconv.FormatInt(n, 10)), ""
	case softdelete.Timestamp:
		return parseTime(f, trimmed, in)
	case softdelete.Document:
		return parseJSON(trimmed)
	default:
		return typed, ""
	}
}

var decimal = regexp.MustCompile(`^-?\d+(\.\d{1,2})?$`)

func parseTime(f *softdelete.Field, typed string, in format) (value any, problem string) {
	if isDay(f) {
		t, err := time.Parse(time.DateOnly, typed)
		if err != nil {
			return nil, "Write a date such as 2026-03-31."
		}
		return t.Format(time.RFC3339), ""
	}
	for _, layout := range []string{localTime, "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, typed, in.zone); err == nil {
			return t.UTC().Format(time.RFC3339), ""
		}
	}
	return nil, "Write a date and a time such as 2026-03-31 14:30."
}

// parseJSON reads a document, or says where it stops being one.
func parseJSON(typed string) (value any, problem string) {
	var syntax *json.SyntaxError
	if err := json.Unmarshal([]byte(typed), &value); errors.As(err, &syntax) && int(syntax.Offset) <= len(typed) {
		return nil, fmt.Sprintf("This is not JSON: look at line %d.", 1+strings.Count(typed[:syntax.Offset], "\n"))
	}
	decoder := json.NewDecoder(strings.NewReader(typed))
	decoder.UseNumber() // numbers stay as they were written
	value = nil
	if decoder.Decode(&value) != nil {
		return nil, "This is not JSON."
	}
	return value, ""
}

// maxIndented is the largest document that is set out in lines, in bytes.
const maxIndented = 32 << 10

// indented sets a document out in lines. Brackets in brackets make it many times as long, so a large one stays as it is.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if len(raw) == 0 || len(raw) > maxIndented || json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// explainField says what is wrong with a field, by the code that the store gives.
func explainField(f *softdelete.Field, code string) string {
	title := lower(titleOf(f))
	switch code {
	case "required", "null":
		if f.Target != "" || f.Enum != nil || f.User {
			return "Choose " + article(title) + "."
		}
		return "Enter " + article(title) + "."
	case "too_long":
		return fmt.Sprintf("Use at most %d characters.", f.Max)
	case "enum":
		return "Choose one of the values."
	case "reference_not_found":
		return "This one is not there any more. Choose another one."
	case "duplicate":
		return "There is one like it already."
	case "out_of_range":
		return "This number is too large to be kept."
	case "type":
		return "This cannot be kept as " + article(title) + "."
	default:
		return "This cannot be saved."
	}
}
