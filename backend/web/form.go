package web

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// pickSize is how many rows a picker offers before one searches.
const pickSize = 50

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

// change is a field that somebody else has changed while the form was open.
type change struct {
	Title, Before, Now string
	// Yours is what was typed here; empty where it was left as it was.
	Yours   string
	Clashes bool
}

// draft is what a form holds between two requests.
type draft struct {
	id      string // empty for a new row
	version int64
	// once names the form for a new row, however often it is sent.
	once string
	// typed is what the form shows, was what the fields held when it was first shown: the difference is
	// what is written, so that nobody's change is undone by a form that had been open.
	typed, was map[string]string
	find       map[string]string // what was looked for, by field
	looking    bool              // a search of a picker was asked for, and nothing else
	problems   map[string]string // by field
	alert      string
	changes    []change
}

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

// pick offers the newest rows of the kind that a field points to, or those that were looked for.
func (v *visit) pick(ctx context.Context, e *softdelete.Entity, d *draft, f *softdelete.Field, field *formField) error {
	target := v.byKind[f.Target]
	field.Kind, field.Find = "pick", d.find[f.Name]
	field.Address = "/new/" + e.Kind
	if d.id != "" {
		field.Address = rowPath(e, d.id) + "/edit"
	}
	found, err := v.store.Resources[target.Kind].List(ctx, v.tx, softdelete.Query{Search: field.Find, Limit: pickSize})
	if err != nil {
		return err
	}
	if err := v.know(ctx, target, found.Rows...); err != nil {
		return err
	}
	field.More = found.Next != "" || field.Find != ""
	if f.Required {
		field.Options = append(field.Options, option{"", "Choose " + article(lower(target.Singular)), field.Value == ""})
	} else {
		field.Options = append(field.Options, option{"", "None", field.Value == ""})
	}
	offered := false
	for _, record := range found.Rows {
		chosen := record.Key() == field.Value
		offered = offered || chosen
		field.Options = append(field.Options, option{record.Key(), v.label(target, record), chosen})
	}
	if field.Value == "" || offered {
		return nil
	}
	if err := v.knowRows(ctx, target.Kind, []string{field.Value}); err != nil {
		return err
	}
	if label := v.names.rows[target.Kind][field.Value]; label != "" {
		field.Options = slices.Insert(field.Options, 1, option{field.Value, label, true})
	}
	return nil
}

// peoplePick offers the members of the organization.
func (v *visit) peoplePick(ctx context.Context, f *softdelete.Field, field *formField) error {
	ids, err := v.members(ctx)
	if err != nil {
		return err
	}
	if field.Value != "" && !slices.Contains(ids, field.Value) {
		ids = append(ids, field.Value)
	}
	if err := v.knowPeople(ctx, ids); err != nil {
		return err
	}
	for _, id := range ids {
		name := v.names.people[id]
		if name == "" {
			name = "Former user"
		}
		field.Options = append(field.Options, option{id, name, id == field.Value})
	}
	slices.SortStableFunc(field.Options, func(a, b option) int { return strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)) })
	if f.Nullable || field.Value == "" {
		field.Options = slices.Insert(field.Options, 0, option{"", "Nobody", field.Value == ""})
	}
	return nil
}

// members are the ids of the people of the organization, of the newest 200.
func (v *visit) members(ctx context.Context) ([]string, error) {
	e := v.byKind["members"]
	if e == nil {
		return nil, nil
	}
	found, err := v.store.Resources[e.Kind].List(ctx, v.tx, softdelete.Query{Limit: 200})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, record := range found.Rows {
		if id, ok := e.Field("userId").Value(record).(string); ok {
			ids = append(ids, id)
		}
	}
	return unique(ids), nil
}

// texts are a record's values as a form shows them. A reference to what is not live is shown as none.
func (v *visit) texts(ctx context.Context, e *softdelete.Entity, record softdelete.Record) (map[string]string, error) {
	if err := v.know(ctx, e, record); err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, f := range written(e) {
		text := ""
		switch value := f.Value(record).(type) {
		case string:
			text = normal(value)
			if !f.Long {
				text = oneLine.Replace(text) // as browsers do: what nobody touched must come back as it was
			}
			if f.Target != "" && v.byKind[f.Target] != nil && v.names.rows[f.Target][value] == "" {
				text = ""
			}
		case bool:
			if value {
				text = "yes"
			}
		case int32:
			text = strconv.Itoa(int(value))
		case softdelete.Decimal:
			text = string(value)
		case time.Time:
			if isDay(f) {
				text = value.UTC().Format(time.DateOnly)
			} else {
				text = value.In(v.format.zone).Format(localTime)
			}
		case json.RawMessage:
			text = indented(value)
		}
		texts[f.Name] = text
	}
	return texts, nil
}

var oneLine = strings.NewReplacer("\n", "", "\r", "")

// shown is a form's text as a person reads it, when it stands outside of the form.
func (v *visit) shown(f *softdelete.Field, text string) string {
	switch {
	case f.Type == softdelete.Boolean && text == "yes":
		return "Yes"
	case f.Type == softdelete.Boolean:
		return "No"
	case text == "":
		return "nothing"
	case f.Target != "":
		if label := v.names.rows[f.Target][text]; label != "" {
			return label
		}
		return "one that is not there any more"
	case f.User:
		if name := v.names.people[text]; name != "" {
			return name
		}
		return "a former user"
	case f.Enum != nil:
		return word(text)
	case f.Type == softdelete.Timestamp:
		return strings.Replace(text, "T", ", ", 1)
	default:
		return text
	}
}

// rebase sets a draft upon a row that has changed since the form was first shown: what was not touched
// here is taken over, and what was keeps what was typed, beside what it holds now.
func (v *visit) rebase(ctx context.Context, e *softdelete.Entity, d *draft, record softdelete.Record) error {
	now, err := v.texts(ctx, e, record)
	if err != nil {
		return err
	}
	d.changes = nil
	for _, f := range written(e) {
		if err := v.knowTexts(ctx, f, d.was[f.Name], d.typed[f.Name]); err != nil {
			return err
		}
		was, is, typed := d.was[f.Name], now[f.Name], d.typed[f.Name]
		if was != is {
			c := change{Title: titleOf(f), Before: v.shown(f, was), Now: v.shown(f, is)}
			if typed != was && typed != is {
				c.Yours, c.Clashes = v.shown(f, typed), true
			}
			d.changes = append(d.changes, c)
		}
		if typed == was {
			d.typed[f.Name] = is
		}
	}
	d.was = maps.Clone(now)
	d.version = record.Life().Version
	return nil
}

func (v *visit) knowTexts(ctx context.Context, f *softdelete.Field, texts ...string) error {
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	switch {
	case len(texts) == 0:
		return nil
	case f.Target != "":
		return v.knowRows(ctx, f.Target, texts)
	case f.User:
		return v.knowPeople(ctx, texts)
	default:
		return nil
	}
}
