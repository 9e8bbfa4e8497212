package httpapi

import (
	"reflect"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// This file makes the published schemas of entities from their declarations.

// entityNames are how programs and people call an entity.
type entityNames struct {
	one, many string // ProjectTemplate, ProjectTemplates
	people    string // project templates
}

func namesOf(e *softdelete.Entity) entityNames {
	return entityNames{one: pascal(e.Singular), many: pascal(e.Plural), people: strings.ToLower(e.Plural)}
}

func pascal(words string) string {
	var name strings.Builder
	for word := range strings.FieldsSeq(words) {
		letters := []rune(word)
		name.WriteRune(unicode.ToUpper(letters[0]))
		name.WriteString(string(letters[1:]))
	}
	return name.String()
}

// schemasOf are the schemas of a row, of what creates it and of what changes it, and of a list, by name.
func schemasOf(e *softdelete.Entity) map[string]*huma.Schema {
	n := namesOf(e)
	schemas := map[string]*huma.Schema{
		n.one:            rowSchema(e),
		n.one + "Update": inputSchema(e, false),
		n.one + "List":   listSchema(ref(n.one), true),
	}
	if !e.Root {
		schemas[n.one+"Create"] = inputSchema(e, true)
	}
	return schemas
}

// rowSchema is what answers say of a row; every member is always there.
func rowSchema(e *softdelete.Entity) *huma.Schema {
	properties := map[string]*huma.Schema{
		"id":        {Type: huma.TypeString},
		"version":   {Type: huma.TypeInteger, Format: "int64", Description: "Counts the changes of the row; its ETag."},
		"createdBy": {Type: huma.TypeString, Nullable: true, Description: "The user who created it, where that is known."},
	}
	required := []string{"id", "version", "createdBy"}
	if !e.Root {
		properties["organizationId"] = &huma.Schema{Type: huma.TypeString}
		required = append(required, "organizationId")
	}
	for _, f := range e.Fields {
		if f.Secret {
			continue
		}
		s := valueSchema(f)
		if f.Type == softdelete.Text {
			s.MaxLength, s.Pattern = nil, "" // what the old app wrote is shown as it is
		}
		properties[f.Name] = s
		required = append(required, f.Name)
	}
	return object(properties, required...)
}

// inputSchema is what a request may say of a row; what the backend alone sets is not in it.
func inputSchema(e *softdelete.Entity, create bool) *huma.Schema {
	properties := map[string]*huma.Schema{}
	var required []string
	for _, f := range e.Fields {
		if f.Secret || f.ReadOnly {
			continue
		}
		properties[f.Name] = valueSchema(f)
		if create && f.Required {
			required = append(required, f.Name)
		}
	}
	return object(properties, required...)
}

// decimalPattern is a numeric(12,2).
const decimalPattern = `^-?[0-9]{1,10}(\.[0-9]{1,2})?$`

func valueSchema(f *softdelete.Field) *huma.Schema {
	s := &huma.Schema{Nullable: f.Nullable, Description: describeField(f)}
	switch f.Type {
	case softdelete.Text:
		s.Type = huma.TypeString
		if f.Max > 0 {
			s.MaxLength = new(f.Max)
		}
		if f.Required {
			s.Pattern = `\S` // not empty, and not of spaces alone
		}
		for _, value := range f.Enum {
			s.Enum = append(s.Enum, value)
		}
		if s.Nullable && s.Enum != nil {
			s.Enum = append(s.Enum, nil)
		}
	case softdelete.Number:
		s.Type, s.Pattern, s.Examples = huma.TypeString, decimalPattern, []any{"12.50"}
	case softdelete.Integer:
		s.Type, s.Format, s.Minimum, s.Maximum = huma.TypeInteger, "int32", new(-1.0*(1<<31)), new(1.0*(1<<31-1))
	case softdelete.Boolean:
		s.Type = huma.TypeBoolean
	case softdelete.Timestamp:
		s.Type, s.Format = huma.TypeString, "date-time"
	case softdelete.Document: // any JSON, which has no type
		s.Nullable = false
	}
	return s
}

func describeField(f *softdelete.Field) string {
	switch {
	case f.Cascade:
		return "The id of one of " + f.Target + ", which takes this along when it is deleted."
	case f.Target != "":
		return "The id of one of " + f.Target + "; null while that is in the Trash."
	case f.User:
		return "The id of a user."
	case f.Type == softdelete.Number:
		return "A decimal, exact."
	case f.Type == softdelete.Document:
		return "Any JSON."
	default:
		return ""
	}
}

// filterSchema is what a list may be filtered by.
func filterSchema(f *softdelete.Field) *huma.Schema {
	s := valueSchema(f)
	s.Nullable, s.Pattern, s.Description = false, "", ""
	if len(f.Enum) > 0 {
		s.Enum = s.Enum[:len(f.Enum)] // without null
	} else if s.Type == huma.TypeString && s.MaxLength == nil {
		s.MaxLength = new(maxID)
	}
	return s
}

// listSchema is a page of a list, with or without pages that are counted.
func listSchema(of *huma.Schema, paged bool) *huma.Schema {
	properties := map[string]*huma.Schema{
		"data":       {Type: huma.TypeArray, Items: of},
		"nextCursor": {Type: huma.TypeString, Nullable: true, Description: "Where the list goes on; null at its end."},
	}
	required := []string{"data", "nextCursor"}
	if paged {
		properties["pagination"] = orNull(ref("Pagination"))
		required = append(required, "pagination")
	}
	return object(properties, required...)
}

// trashedSchema is a row in the Trash.
func trashedSchema(row string) *huma.Schema {
	return object(map[string]*huma.Schema{
		"row":        ref(row),
		"deletedAt":  {Type: huma.TypeString, Format: "date-time"},
		"deletedBy":  {Type: huma.TypeString, Nullable: true, Description: "The user, or the old app's role."},
		"deletionId": uuidSchema(),
		"restoreUrl": {Type: huma.TypeString},
	}, "row", "deletedAt", "deletedBy", "deletionId", "restoreUrl")
}

// object is an object with no other members than these.
func object(properties map[string]*huma.Schema, required ...string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Properties: properties, Required: required, AdditionalProperties: false}
}

const schemaPrefix = "#/components/schemas/"

func ref(name string) *huma.Schema { return &huma.Schema{Ref: schemaPrefix + name} }

func orNull(s *huma.Schema) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{s, {Type: "null"}}}
}

func uuidSchema() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Format: "uuid"} }

func query(name, says string, schema *huma.Schema) *huma.Param {
	schema.PrecomputeMessages()
	return &huma.Param{Name: name, In: "query", Description: says, Schema: schema}
}

func limitParameter() *huma.Param {
	return query("limit", "How many at most. Default: 50.", &huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0), Maximum: new(float64(maxLimit))})
}

func cursorParameter() *huma.Param {
	return query("cursor", "The nextCursor of the part before, of the same list.", &huma.Schema{Type: huma.TypeString, MaxLength: new(2000)})
}

// schemaOf is the schema of a type of ours.
func (a *api) schemaOf(body any) *huma.Schema {
	return a.document.Components.Schemas.Schema(reflect.TypeOf(body), true, "")
}
