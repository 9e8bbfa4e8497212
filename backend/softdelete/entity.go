package softdelete

// Entity is the declaration of one kind of rows, made by [Declare] from a model and its [Spec]. Routes,
// pages, OpenAPI, the cascade plan and the tests of isolation follow from it.
type Entity struct {
	Spec
	// Table is the database's name: client_companies.
	Table string
	// Fields are the model's own columns in their order, without those of [Row].
	Fields []*Field

	fields map[string]*Field // by JSON name
	fresh  func() Record

	// What Link finds out.
	all      []*Entity
	children []edge
	plan     []step // what a deletion of one of its rows reaches, itself first
}

// Spec is what a model's columns do not say.
type Spec struct {
	// Kind is the name in paths and answers: "portal-access".
	Kind string
	// Singular and Plural are for people: "Client", "Clients".
	Singular, Plural string
	// Label are the columns whose values, with spaces between, name a row to people. Empty: the kind and
	// the date of creation do.
	Label []string
	// Sort is the column that lists go by, the newest first. Default: created_at.
	Sort string
	// Class is how long the business must keep a deleted row.
	Class Class
	// ManagersOnly keeps writing, deleting and restoring to owners and admins.
	ManagersOnly bool
	// Root marks the organizations themselves: their rows have no organization_id, are never made by a
	// request, and deleting one takes nothing along.
	Root bool
	// Membership marks who belongs to the organization, and as what: its columns user_id and role.
	Membership bool
	// Unique is the key that holds among live rows, as column names; see Revoke.
	Unique []string
	// Revoke is what a deletion does to a status, for good. The key of Unique holds only among rows of
	// the status that is revoked.
	Revoke Revoke
	// Rearm says what of a row is not given back when it is restored, in the words of an answer: "access
	// token". Empty for all that come back whole.
	Rearm string
}

// Revoke turns one status into another.
type Revoke struct{ Column, From, To string }

// Class is a class of retention. The days count from the deletion, for each row by itself.
type Class string

// The classes, and how long each is kept.
const (
	// Financial are financial and contract records: 2,555 days.
	Financial Class = "financial"
	// ClientRecord are other records of clients: 1,095 days.
	ClientRecord Class = "client"
	// Routine is the rest: 365 days.
	Routine Class = "routine"
	// Operator is purged by nobody but an operator.
	Operator Class = "operator"
)

// Days is how many days a deleted row of the class is kept; 0 for Operator's.
func (c Class) Days() int {
	switch c {
	case Financial:
		return 2555
	case ClientRecord:
		return 1095
	case Routine:
		return 365
	default:
		return 0
	}
}

// Field returns the field of a JSON name; nil when there is none.
func (e *Entity) Field(name string) *Field { return e.fields[name] }

// New returns an empty record of the entity's model.
func (e *Entity) New() Record { return e.fresh() }
