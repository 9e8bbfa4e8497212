package audit

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// How histories are read from the database, package httpapi tests with all that is before it.

func TestCursor_isReadAsItWasWritten(t *testing.T) {
	last := event{ID: uuid.MustParse("0193a000-0000-7000-8000-000000000001"), OccurredAt: time.Date(2026, 11, 24, 10, 0, 0, 123456000, time.UTC)}
	at, id, err := readCursor(writeCursor(last))
	if err != nil || !at.Equal(last.OccurredAt) || id != last.ID {
		t.Errorf("readCursor = %v, %v, %v", at, id, err)
	}
	for _, bad := range []string{"x", "zzzz", writeCursor(last) + "A", writeCursor(last)[1:], strings.Repeat("_", 32)} {
		if _, _, err := readCursor(bad); !errors.Is(err, softdelete.ErrCursor) {
			t.Errorf("readCursor(%q) = %v", bad, err)
		}
	}
}

func TestTell_opensWhatIsThere(t *testing.T) {
	hash := `{"sha256":"` + strings.Repeat("0a", 32) + `"}`
	var ev event
	if err := json.Unmarshal([]byte(`{"Changes":{
		"first_name":{"from":null,"to":`+hash+`}, "email":{"from":`+hash+`,"to":null}, "is_primary":{"from":false,"to":true},
		"deletion_id":{"from":null,"to":"x"}, "client_company_id":{"from":`+hash+`}}}`), &ev); err != nil {
		t.Fatal(err)
	}
	told := ev.tell(store.Contacts, map[place]json.RawMessage{{ev.ID, "first_name", "to"}: json.RawMessage(`"Ann"`)})
	got, err := json.Marshal(told.Changes)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"clientCompanyId":{"from":` + hash + `},"deletionId":{"from":null,"to":"x"},"email":{"to":null,"erased":true},` +
		`"firstName":{"from":null,"to":"Ann"},"isPrimary":{"from":false,"to":true}}`
	if string(got) != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
}
