package layout

import (
	"strings"
	"testing"
)

func TestModule_reachesRowsByRepositoriesAlone(t *testing.T) {
	for _, folder := range []string{"backend", "migrations"} {
		breaches, err := RowLaw.Check("../..", folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, breach := range breaches {
			t.Error(breach)
		}
	}
}

// Each function of the fixture does one thing that is forbidden, and is named for it.
func TestRowRules_bite(t *testing.T) {
	breaches, err := RowLaw.Check("testdata", "backend")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Table deletes", "TableExpr reads", "ModelTableExpr reads", "NewRaw is", "NewRawQuery is", "ForceDelete deletes",
		"WhereAllWithDeleted reads", "WhereOr reads", "JoinOnOr reads", "Relation shows", "bun.DB is", "softdelete.NewTx makes"}
	for i, breach := range breaches {
		if i >= len(want) || !strings.Contains(breach, ": "+want[i]) || !strings.HasPrefix(breach, "backend/httpapi/loopholes.go:") {
			t.Errorf("breach %d: %s", i, breach)
		}
	}
	if len(breaches) != len(want) {
		t.Errorf("%d of %d are found", len(breaches), len(want))
	}
	if _, err := RowLaw.Check("testdata", "nowhere"); err == nil {
		t.Error("a folder that is not there has nothing wrong with it")
	}
}
