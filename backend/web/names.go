package web

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// names are the rows and people that a page refers to. A page asks for all of a kind at once.
type names struct {
	rows   map[string]map[string]string // by kind and id; empty for what is not live
	people map[string]string            // by id
}

func newNames() *names {
	return &names{rows: map[string]map[string]string{}, people: map[string]string{}}
}

// know finds the names of all that the records refer to.
func (v *visit) know(ctx context.Context, e *softdelete.Entity, records ...softdelete.Record) error {
	wanted := map[string][]string{}
	var people []string
	for _, record := range records {
		for _, f := range e.Fields {
			id, ok := f.Value(record).(string)
			switch {
			case !ok || id == "" || f.Secret:
			case f.Target != "":
				wanted[f.Target] = append(wanted[f.Target], id)
			case f.User:
				people = append(people, id)
			}
		}
		if by := record.Life().CreatedBy; by != nil {
			people = append(people, *by)
		}
	}
	for kind, ids := range wanted {
		if err := v.knowRows(ctx, kind, ids); err != nil {
			return err
		}
	}
	return v.knowPeople(ctx, people)
}

func (v *visit) knowRows(ctx context.Context, kind string, ids []string) error {
	e := v.byKind[kind]
	if e == nil {
		return nil
	}
	known := v.names.rows[kind]
	if known == nil {
		known = map[string]string{}
		v.names.rows[kind] = known
	}
	ids = slices.DeleteFunc(unique(ids), func(id string) bool { _, ok := known[id]; return ok })
	if len(ids) == 0 {
		return nil
	}
	labels, err := v.store.Deletions.Labels(ctx, v.tx, e, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		known[id] = labels[id]
	}
	return nil
}

func (v *visit) knowPeople(ctx context.Context, ids []string) error {
	ids = slices.DeleteFunc(unique(ids), func(id string) bool { _, ok := v.names.people[id]; return ok })
	if len(ids) == 0 {
		return nil
	}
	people, err := store.People(ctx, v.tx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		v.names.people[id] = people[id]
	}
	return nil
}

func unique(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// label names a record to people: what the declaration says, or a person's name, or its kind and day.
func (v *visit) label(e *softdelete.Entity, record softdelete.Record) string {
	var parts []string
	for _, column := range e.Label {
		for _, f := range e.Fields {
			if f.Column == column {
				if text, ok := f.Value(record).(string); ok && strings.TrimSpace(text) != "" {
					parts = append(parts, text)
				}
			}
		}
	}
	if len(parts) > 0 {
		return strings.Join(parts, " ")
	}
	if e.Kind == "members" || e.Kind == "user-roles" {
		if id, ok := e.Field("userId").Value(record).(string); ok && v.names.people[id] != "" {
			return v.names.people[id]
		}
	}
	if e.Kind == "invitations" {
		if email, ok := e.Field("email").Value(record).(string); ok {
			return email
		}
	}
	for _, f := range e.Fields {
		if at, ok := f.Value(record).(time.Time); ok && f.Column == e.Sort {
			return e.Singular + " of " + v.format.day(at)
		}
	}
	return e.Singular
}
