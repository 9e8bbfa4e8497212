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

// change is a field that somebody else has changed while the form was open.
type change struct {
	Title, Before, Now string
	// Yours is what was typed here; empty where it was left as it was.
	Yours   string
	Clashes bool
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
