package web

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// pickSize is how many rows a picker offers before one searches.
const pickSize = 50

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
func (v *visit) peoplePick(ctx context.Context, f *softdelete.Field, field *formField) (err error) {
	if field.Options, err = v.peopleOptions(ctx, field.Value); err != nil {
		return err
	}
	if f.Nullable || field.Value == "" {
		field.Options = slices.Insert(field.Options, 0, option{"", "Nobody", field.Value == ""})
	}
	return nil
}

// peopleOptions are the members of the organization, and who is chosen, by their names.
func (v *visit) peopleOptions(ctx context.Context, chosen string) ([]option, error) {
	ids, err := v.members(ctx)
	if err != nil {
		return nil, err
	}
	if chosen != "" && !slices.Contains(ids, chosen) {
		ids = append(ids, chosen)
	}
	if err := v.knowPeople(ctx, ids); err != nil {
		return nil, err
	}
	options := make([]option, 0, len(ids)+1)
	for _, id := range ids {
		options = append(options, option{id, who(softdelete.Person{Name: v.names.people[id]}), id == chosen})
	}
	slices.SortStableFunc(options, func(a, b option) int { return strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)) })
	return options, nil
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
