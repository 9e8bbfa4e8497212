package softdelete

// A state says which rows of the organization are meant.
type state string

const (
	live    state = " AND ? IS NULL"
	trashed state = " AND ? IS NOT NULL"
	either  state = ""
)

// A site is a place that reads live rows. Builds for tests can blank the predicate of one, to see that
// something notices; see [Sites].
type site string

const (
	siteGet     site = "get"     // one row for a request
	siteList    site = "list"    // the rows of a list
	siteCount   site = "count"   // the total of a list
	siteFilter  site = "filter"  // the target of a list's filter
	siteMask    site = "mask"    // the target of a reference that is shown
	siteLabel   site = "label"   // the names of what a page refers to
	siteWrite   site = "write"   // the row that is changed
	siteOwners  site = "owners"  // the owners, of which one must stay
	sitePreview site = "preview" // what a deletion would reach
	siteCascade site = "cascade" // what a deletion takes along
	siteTwin    site = "twin"    // what has the key of a row that is to come back
)

// Sites are the places that read live rows.
func Sites() []string {
	return []string{
		string(siteGet), string(siteList), string(siteCount), string(siteFilter), string(siteMask), string(siteLabel),
		string(siteWrite), string(siteOwners), string(sitePreview), string(siteCascade), string(siteTwin),
	}
}

// rows is the only place that says in SQL what a row of this organization is, and a live one. Row-level
// security says the first again.
func (tx *Tx) rows(s site, e *Entity, alias string, which state) clause {
	if blanked(s) {
		return text("TRUE")
	}
	organization := "organization_id"
	if e.Root {
		organization = "id"
	}
	return text("(? = ?"+string(which)+")", col(alias, organization), tx.Organization, col(alias, "deleted_at"))
}

// live is rows for live ones.
func (tx *Tx) live(s site, e *Entity, alias string) clause { return tx.rows(s, e, alias, live) }

// known is rows for those that are live or trashed, where a deletion is what is asked about.
func (tx *Tx) known(e *Entity, alias string) clause { return tx.rows("", e, alias, either) }

// deletions is what the actor may see in the Trash, of the deletions d: a manager all of the organization's,
// a member its own. Of a closed organization nothing is seen but how it was deleted.
func (tx *Tx) deletions() (clause, error) {
	ours := text("d.organization_id = ?", tx.Organization)
	switch {
	case tx.Closed && tx.Role == Owner:
		return text("(? AND d.root_id = d.organization_id)", ours), nil
	case tx.Closed:
		return nil, ErrForbidden
	case tx.Role.Manages():
		return ours, nil
	case tx.Role == Member:
		return text("(? AND d.actor_id = ?)", ours, tx.Actor), nil
	default:
		return nil, ErrForbidden
	}
}
