package softdelete

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Declare reads the declaration of an entity from its model T, a struct that embeds [Row] (or, for the
// organizations, [Lifecycle]), whose fields have the tags bun, json and field; see [Field]. It panics on
// a declaration that makes no sense: that is a mistake of the program, found by its first test.
func Declare[T any](spec Spec) *Entity {
	model := reflect.TypeFor[T]()
	e := &Entity{
		Spec:   spec,
		fields: map[string]*Field{},
		fresh:  func() Record { return any(new(T)).(Record) },
	}
	if e.Sort == "" {
		e.Sort = "created_at"
	}
	for f := range model.Fields() {
		e.read(f)
	}
	if err := e.sound(); err != nil {
		panic(fmt.Sprintf("softdelete: declare %s: %v", model, err))
	}
	return e
}

func (e *Entity) read(f reflect.StructField) {
	if table, ok := strings.CutPrefix(f.Tag.Get("bun"), "table:"); ok {
		e.Table, _, _ = strings.Cut(table, ",")
		return
	}
	tag, declared := f.Tag.Lookup("field")
	if !declared {
		return
	}
	column, _, _ := strings.Cut(f.Tag.Get("bun"), ",")
	field := &Field{
		Column: column, Name: f.Tag.Get("json"), Title: title(column), Type: typeOf(f.Type),
		Nullable: f.Type.Kind() == reflect.Pointer || f.Type == reflect.TypeFor[json.RawMessage](),
		index:    f.Index, kind: f.Type,
	}
	if field.Name == "-" { // a secret
		field.Name = camel(column)
	}
	for word := range strings.SplitSeq(tag, ",") {
		if word != "" {
			field.say(word)
		}
	}
	e.Fields = append(e.Fields, field)
	e.fields[field.Name] = field
}

// say takes one word of a tag.
func (f *Field) say(word string) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "required":
		f.Required, f.Nullable = true, false
	case "default":
		f.Nullable = false
	case "max":
		f.Max, _ = strconv.Atoi(value)
	case "enum":
		f.Enum = strings.Split(value, "|")
	case "parent":
		f.Target, f.Cascade = value, true
	case "ref":
		f.Target = value
	case "user":
		f.User = true
	case "own":
		f.Own = true
	case "actor":
		f.Actor = true
	case "search":
		f.Search = true
	case "filter":
		f.Filter = true
	case "list":
		f.List = true
	case "long":
		f.Long = true
	case "readonly":
		f.ReadOnly = true
	case "secret":
		f.Secret = true
	case "personal":
		f.Personal = true
	default:
		panic(fmt.Sprintf("softdelete: field %s: unknown word %q", f.Column, word))
	}
}

func (e *Entity) sound() error {
	if e.Table == "" || e.Kind == "" || e.Singular == "" || e.Plural == "" || e.Class == "" {
		return fmt.Errorf("table %q, kind %q, names %q and %q and class %q must all be given", e.Table, e.Kind, e.Singular, e.Plural, e.Class)
	}
	columns := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		columns[i] = f.Column
		if f.Column == "" || f.Type == "" {
			return fmt.Errorf("field %d has no column or no type that is known", i)
		}
		if f.Secret && (f.Search || f.Filter || f.List) {
			return fmt.Errorf("%s is secret, and must not be shown", f.Column)
		}
	}
	named := slices.Concat(e.Label, []string{e.Sort}, e.Unique)
	if e.Membership {
		named = append(named, "user_id", "role")
	}
	if e.Revoke.Column != "" {
		named = append(named, e.Revoke.Column)
	}
	for _, column := range named {
		if !slices.Contains(columns, column) && column != "organization_id" {
			return fmt.Errorf("there is no field of column %q", column)
		}
	}
	return nil
}

func typeOf(t reflect.Type) Type {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return Timestamp
	case t == reflect.TypeFor[json.RawMessage]():
		return Document
	case t == reflect.TypeFor[Decimal]():
		return Number
	case t.Kind() == reflect.String:
		return Text
	case t.Kind() == reflect.Bool:
		return Boolean
	case t.Kind() == reflect.Int32:
		return Integer
	default:
		return ""
	}
}

// column returns the field of a column; nil when there is none.
func (e *Entity) column(name string) *Field {
	i := slices.IndexFunc(e.Fields, func(f *Field) bool { return f.Column == name })
	if i < 0 {
		return nil
	}
	return e.Fields[i]
}

// title makes "First name" of first_name, and leaves out the id of a reference.
func title(column string) string {
	words := []rune(strings.ReplaceAll(strings.TrimSuffix(column, "_id"), "_", " "))
	if len(words) > 0 {
		words[0] = unicode.ToUpper(words[0])
	}
	return string(words)
}

// camel makes firstName of first_name.
func camel(column string) string {
	words := strings.Split(column, "_")
	for i, word := range words[1:] {
		if word != "" {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

// Value is the field's value in a record: nil for null and for a reference whose target is trashed, a string, bool, int32,
// Decimal, time.Time or json.RawMessage otherwise.
func (f *Field) Value(r Record) any {
	value := reflect.ValueOf(r).Elem().FieldByIndex(f.index)
	switch {
	case value.Kind() == reflect.Pointer && value.IsNil(), f.Type == Document && value.Len() == 0,
		f.Target != "" && value.Kind() == reflect.String && value.Len() == 0:
		return nil
	case value.Kind() == reflect.Pointer:
		return value.Elem().Interface()
	default:
		return value.Interface()
	}
}
