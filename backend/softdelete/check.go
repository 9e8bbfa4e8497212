package softdelete

import (
	"slices"
	"strings"
)

// Check judges what a request wants to write: JSON as encoding/json decodes it with UseNumber, by JSON name.
// It returns the values as columns take them, or a *FieldError with everything that is wrong. On creation
// what is required must be there; otherwise what is absent stays as it is.
func (e *Entity) Check(values map[string]any, create bool) (Values, error) {
	checked := Values{}
	var problems []FieldProblem
	for _, f := range e.Fields {
		given, ok := values[f.Name]
		switch {
		case f.Secret:
			// For requests there is no such field.
		case !ok && create && f.Required:
			problems = append(problems, FieldProblem{f.Name, "required"})
		case !ok:
		case f.ReadOnly:
			problems = append(problems, FieldProblem{f.Name, "read_only"})
		default:
			value, code := f.check(given)
			if code != "" {
				problems = append(problems, FieldProblem{f.Name, code})
			}
			checked[f.Name] = value
		}
	}
	problems = append(problems, e.strangers(values)...)
	if len(problems) > 0 {
		return nil, &FieldError{Fields: problems}
	}
	return checked, nil
}

// rowNames are the members of every answer that no request writes.
var rowNames = []string{"id", "organizationId", "version", "createdBy"}

// strangers finds what is no field. Only names that are ours are said again.
func (e *Entity) strangers(values map[string]any) (problems []FieldProblem) {
	unknown := false
	for name := range values {
		if f := e.fields[name]; (f == nil || f.Secret) && !slices.Contains(rowNames, name) {
			unknown = true
		}
	}
	for _, name := range rowNames {
		if _, given := values[name]; given {
			problems = append(problems, FieldProblem{name, "read_only"})
		}
	}
	if unknown {
		problems = append(problems, FieldProblem{"", "unknown"})
	}
	return problems
}

// check judges one value, and returns a code when it cannot be.
func (f *Field) check(given any) (value any, code string) {
	if given == nil {
		switch {
		case f.Required:
			return nil, "required"
		case !f.Nullable:
			return nil, "null"
		}
		return nil, ""
	}
	switch f.Type {
	case Text:
		value, code = f.checkText(given)
	case Number:
		value, code = checkNumber(given)
	case Integer:
		value, code = checkInteger(given)
	case Timestamp:
		value, code = checkTimestamp(given)
	case Document:
		value, code = checkDocument(given)
	case Boolean:
		var ok bool
		if value, ok = given.(bool); !ok {
			code = "type"
		}
	}
	return value, code
}

func (f *Field) checkText(given any) (any, string) {
	text, ok := given.(string)
	switch {
	case !ok || !storable(text):
		return nil, "type"
	case f.Required && strings.TrimSpace(text) == "":
		return nil, "required"
	case f.Enum != nil && !slices.Contains(f.Enum, text):
		return nil, "enum"
	case f.Max > 0 && longer(text, f.Max):
		return nil, "too_long"
	}
	return text, ""
}

// unwritable says what of the values is not to be written by a request, for those that were never checked.
func (e *Entity) unwritable(v Values) error {
	for name := range v {
		if f := e.fields[name]; f == nil || f.Secret {
			return &FieldError{Fields: []FieldProblem{{"", "unknown"}}}
		} else if f.ReadOnly {
			return &FieldError{Fields: []FieldProblem{{name, "read_only"}}}
		}
	}
	return nil
}
