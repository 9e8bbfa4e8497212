package web

import "github.com/gatehouse-proxy/gatehouse/backend/softdelete"

// What follows decides what pages offer. The store decides what is done, and refuses the same again.

// mayCreate reports whether the caller may add rows of an entity.
func (v *visit) mayCreate(e *softdelete.Entity) bool {
	switch {
	case v.tx.Closed || e.Root:
		return false
	case v.tx.Role.Manages():
		return true
	default:
		return v.tx.Role == softdelete.Member && !e.ManagersOnly
	}
}

// mayChange reports whether the caller may change and delete a row.
func (v *visit) mayChange(e *softdelete.Entity, record softdelete.Record) bool {
	switch {
	case v.tx.Closed:
		return false
	case e.Kind == "members" && e.Field("role").Value(record) == string(softdelete.Owner):
		return v.tx.Role == softdelete.Owner
	case v.tx.Role.Manages():
		return true
	case v.tx.Role != softdelete.Member || e.ManagersOnly:
		return false
	}
	if by := record.Life().CreatedBy; by != nil && *by == v.tx.Actor {
		return true
	}
	for _, f := range e.Fields {
		if id, ok := f.Value(record).(string); ok && f.Own && id == v.tx.Actor {
			return true
		}
	}
	return false
}

// mayDelete reports whether a page offers to delete a row.
func (v *visit) mayDelete(e *softdelete.Entity, record softdelete.Record) bool {
	if e.Root {
		return v.tx.Role == softdelete.Owner && !v.tx.Closed
	}
	return v.mayChange(e, record)
}

// mayTrash reports whether the caller has a Trash.
func (v *visit) mayTrash() bool { return v.tx.Role != softdelete.Viewer && !v.tx.Closed }
