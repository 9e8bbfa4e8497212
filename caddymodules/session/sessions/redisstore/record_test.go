package redisstore

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/sessionstest"
)

// FuzzDecodeRecord reads fields as if somebody could write the store. A field is a line, name=value.
func FuzzDecodeRecord(f *testing.F) {
	r := sessions.Record{
		Session: sessions.Session{Identity: sessionstest.Person(), Selector: sessions.Selector{1}},
		Current: sessions.Verifier{1}.Hash(),
	}
	fields, err := creationFields(&r)
	if err != nil {
		f.Fatal(err)
	}
	fields = append(fields, fieldCreated, "1", fieldAbsolute, "2", fieldRotated, "1")
	var seed strings.Builder
	for i := 0; i < len(fields); i += 2 {
		seed.WriteString(fields[i] + "=" + fields[i+1] + "\x1e")
	}
	f.Add(seed.String())
	f.Add("cur=" + strings.Repeat("x", 32) + "\x1eretired=" + strings.Repeat("y", 16*33) + "\x1egen=-1")
	f.Add("groups={\x1egen=99999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		given := make(map[string]string)
		for line := range strings.SplitSeq(text, "\x1e") {
			name, value, _ := strings.Cut(line, "=")
			given[name] = value
		}
		record, err := decodeRecord(sessions.Selector{1}, given)
		if err != nil {
			for _, value := range given {
				if len(value) > 20 && strings.Contains(err.Error(), value) {
					t.Fatal("an error gives a value away")
				}
			}
			return
		}
		if record.Current == (sessions.Hash{}) || len(record.Retired) > sessions.MaxRetired || record.Generation < 0 {
			t.Fatalf("accepted %+v", record)
		}
	})
}

func TestRecord_roundTrip(t *testing.T) {
	e, _ := sessions.Entry{}.Create(5, sessions.Creation{
		Record: sessions.Record{
			Session: sessions.Session{Identity: sessionstest.Person(), Selector: sessions.Selector{1}},
			Current: sessions.Verifier{1}.Hash(),
		},
		Lifetime: 1000,
	})
	fields, err := creationFields(e.Record)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{fieldCreated: "5", fieldAbsolute: "5", fieldRotated: "5", "a_later_version": "?"}
	for i := 0; i < len(fields); i += 2 {
		given[fields[i]] = fields[i+1]
	}
	got, err := decodeRecord(sessions.Selector{1}, given)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, e.Record) {
		t.Errorf("got\n%+v\nwant\n%+v", got, e.Record)
	}
	if bytes.Contains([]byte(strings.Join(fields, " ")), []byte("rebuilt")) {
		t.Error("a field that says nothing is written")
	}
}
