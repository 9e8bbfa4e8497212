package softdelete

import "reflect"

// Field is a column of an entity as requests and pages see it. The model's tag `field` declares it, by
// words with commas between:
//
//	required      must be given on creation, and is never null
//	default       the database fills it in when it is not given, and it is never null
//	max=255       the longest text, in characters
//	enum=A|B      the values that there are
//	parent=KIND   the row is taken along when its parent, of that kind, is deleted
//	ref=KIND      a reference that is kept, and shown as absent while its target is trashed
//	user          the id of a user
//	own           the row is the own of the user whose id this is
//	actor         set to the actor on creation, when it is not given
//	search        lists are searched in it
//	filter        lists may be filtered by it
//	list          pages show it in lists
//	long          a text of several lines
//	readonly      shown, and set by the database or by the app alone
//	secret        never read, shown, logged or searched
//	personal      a personal value: never in a log or a label of others
type Field struct {
	// Column is the database's name, Name that of JSON.
	Column, Name string
	// Title is for people: "First name".
	Title string
	// Type says how values look in JSON and in a form.
	Type Type
	// Nullable says that null is a value.
	Nullable bool
	// Required says that creation must give it.
	Required bool
	// Max is the longest text, in characters; 0 for no bound but the body's.
	Max int
	// Enum are the values that there are; nil for all.
	Enum []string
	// Target is the kind of rows that it points to; empty when it is no reference.
	Target string
	// Cascade says that the target is a parent, which takes this row along.
	Cascade bool

	User, Own, Actor, Search, Filter, List, Long, ReadOnly, Secret, Personal bool

	target *Entity // of Target
	index  []int   // in the model
	kind   reflect.Type
}

// Type is a type of values.
type Type string

// The types, as JSON sees them.
const (
	Text      Type = "text"      // a string
	Number    Type = "number"    // a decimal in a string, such as "12.50": numeric(12,2)
	Integer   Type = "integer"   // a whole number of 32 bits
	Boolean   Type = "boolean"   // true or false
	Timestamp Type = "timestamp" // RFC 3339 with Z
	Document  Type = "document"  // any JSON
)

// Values are columns to be written, by JSON name; a nil value is null. They are checked by
// [Entity.Check], which requests never get past.
type Values map[string]any
