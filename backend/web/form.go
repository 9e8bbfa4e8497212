package web

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// formPage is a form for a new row, or for one that is there.
type formPage struct {
	Kind, Title, Action, Cancel, Submit string
	Version                             string // empty for a new row
	Once                                string // of a new row: sent twice, it is made once
	Fields                              []formField
	Problems                            []formProblem
	// Alert says what stands against the whole.
	Alert   string
	Changes []change // what somebody else has changed meanwhile
}

// formField is a field of a form. Kind is that of its control: "text", "long", "select", "pick",
// "check", "date", "datetime", "json".
type formField struct {
	ID, Name, Title, Kind string
	Type, Mode            string // of an input
	Value, Was            string
	Options               []option
	Required, Wide        bool
	Hint, Problem         string
	// Find is what was looked for among the rows of a picker, Address where to look while one types.
	Find, Address string
	// More says that a picker does not offer all.
	More bool
}

// Described are the ids of what explains the field, for aria-describedby.
func (f formField) Described() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.ID+"-hint")
	}
	if f.Problem != "" {
		ids = append(ids, f.ID+"-problem")
	}
	return strings.Join(ids, " ")
}

type formProblem struct{ ID, Title, Text string }

// written are the fields that a form has: the name first, long texts last.
func written(e *softdelete.Entity) []*softdelete.Field {
	fields := slices.DeleteFunc(slices.Clone(e.Fields), func(f *softdelete.Field) bool { return f.ReadOnly || f.Secret })
	place := func(f *softdelete.Field) int {
		switch {
		case labels(e, f):
			return 0
		case f.Long:
			return 2
		case f.Type == softdelete.Document:
			return 3
		default:
			return 1
		}
	}
	slices.SortStableFunc(fields, func(a, b *softdelete.Field) int { return place(a) - place(b) })
	return fields
}

// usual is what a new row's form begins with, where the database's default is not the first of the values.
var usual = map[string]string{"priority": "medium", "role": "member"}

// form shows a draft.
func (v *visit) form(ctx context.Context, e *softdelete.Entity, d *draft) (formPage, error) {
	page := formPage{Kind: e.Kind, Alert: d.alert, Changes: d.changes}
	if d.id == "" {
		page.Title, page.Submit = "Add "+article(lower(e.Singular)), "Add "+lower(e.Singular)
		page.Action, page.Cancel = "/ui/"+e.Kind, "/"+e.Kind
		page.Once = d.once
	} else {
		page.Title, page.Submit = "Edit "+lower(e.Singular), "Save changes"
		page.Cancel = v.href(e.Kind, d.id)
		page.Action = "/ui" + rowPath(e, d.id)
		page.Version = strconv.FormatInt(d.version, 10)
	}
	for _, f := range written(e) {
		field, err := v.field(ctx, e, d, f)
		if err != nil {
			return page, err
		}
		page.Fields = append(page.Fields, field)
		if field.Problem != "" {
			page.Problems = append(page.Problems, formProblem{field.ID, field.Title, field.Problem})
		}
	}
	return page, nil
}

func (v *visit) field(ctx context.Context, e *softdelete.Entity, d *draft, f *softdelete.Field) (formField, error) {
	field := formField{
		ID: "field-" + f.Name, Name: f.Name, Title: titleOf(f), Kind: "text", Type: "text",
		Value: d.typed[f.Name], Was: d.was[f.Name], Problem: d.problems[f.Name],
		Required: f.Required || d.id != "" && !f.Nullable && f.Type != softdelete.Boolean,
	}
	switch {
	case f.Enum != nil:
		field.Kind = "select"
		if f.Nullable {
			field.Options = append(field.Options, option{"", "None", field.Value == ""})
		}
		for _, value := range f.Enum {
			field.Options = append(field.Options, option{value, word(value), value == field.Value})
		}
	case f.Target != "" && v.byKind[f.Target] != nil:
		return field, v.pick(ctx, e, d, f, &field)
	case f.User && e.Kind != "members":
		field.Kind = "select"
		return field, v.peoplePick(ctx, f, &field)
	case f.User:
		field.Hint = "The id of the person's account"
	case f.Type == softdelete.Boolean:
		field.Kind = "check"
	case f.Type == softdelete.Document:
		field.Kind, field.Wide, field.Hint = "json", true, "JSON, or nothing"
	case isDay(f):
		field.Kind, field.Type = "date", "date"
	case f.Type == softdelete.Timestamp:
		field.Kind, field.Type, field.Hint = "datetime", "datetime-local", "In the time zone "+v.format.zone.String()
	case f.Type == softdelete.Number:
		field.Mode = "decimal"
	case f.Type == softdelete.Integer:
		field.Mode = "numeric"
	case f.Long:
		field.Kind, field.Wide = "long", true
	case f.Name == "email":
		field.Mode = "email"
	case f.Name == "phone":
		field.Mode = "tel"
	case f.Name == "website":
		field.Mode = "url"
	}
	return field, nil
}
