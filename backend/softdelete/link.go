package softdelete

import (
	"fmt"
	"slices"
)

// Link ties entities that refer to each other, which [Declare] cannot, since it sees one at a time. An entity
// is linked once, with all others of its database; it panics on a reference to a kind that is not among
// them and on parents that go in a circle.
func Link(entities ...*Entity) []*Entity {
	kinds := make(map[string]*Entity, len(entities))
	for _, e := range entities {
		if e.all != nil {
			panic(fmt.Sprintf("softdelete: %s is linked already", e.Kind))
		}
		if kinds[e.Kind] != nil {
			panic(fmt.Sprintf("softdelete: two entities are called %s", e.Kind))
		}
		kinds[e.Kind] = e
	}
	for _, e := range entities {
		e.all = entities
		for _, f := range e.Fields {
			if f.Target == "" {
				continue
			}
			f.target = kinds[f.Target]
			if f.target == nil {
				panic(fmt.Sprintf("softdelete: %s refers to %q, which is no entity", e.Kind, f.Target))
			}
			if f.Cascade {
				f.target.children = append(f.target.children, edge{child: e, field: f})
			}
		}
	}
	for _, e := range entities {
		e.plan = planOf(e, nil)
	}
	return entities
}

// edge leads from a parent to the rows that it takes along.
type edge struct {
	child *Entity
	field *Field // the child's, with the parent's id
}

// step is one table of a plan.
type step struct {
	*Entity
	// parents are the child's fields that lead to earlier steps; none for the root, two in a diamond.
	parents []*Field
}

// planOf lists what a deletion of a row of e reaches, parents before their children.
func planOf(e *Entity, above []*Entity) []step {
	if slices.Contains(above, e) {
		panic(fmt.Sprintf("softdelete: the parents of %s go in a circle", e.Kind))
	}
	reached := []*Entity{e}
	for _, down := range e.children {
		for _, s := range planOf(down.child, append(above, e)) {
			// What is reached twice goes after both of its parents.
			reached = slices.DeleteFunc(reached, func(r *Entity) bool { return r == s.Entity })
			reached = append(reached, s.Entity)
		}
	}
	plan := make([]step, len(reached))
	for i, r := range reached {
		plan[i].Entity = r
		for _, f := range r.Fields {
			if i > 0 && f.Cascade && slices.Contains(reached[:i], f.target) {
				plan[i].parents = append(plan[i].parents, f)
			}
		}
	}
	return plan
}
