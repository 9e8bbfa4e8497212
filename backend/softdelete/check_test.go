package softdelete_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

func TestCheck_takesWhatColumnsTake(t *testing.T) {
	for _, test := range []struct {
		entity     *softdelete.Entity
		give       string
		want       softdelete.Values
		onlyUpdate bool
	}{
		{store.Deals, `{"name":"x"}`, softdelete.Values{"name": "x"}, false},
		{store.Deals, `{}`, softdelete.Values{}, true},
		{store.Deals, `{"name":"x","notes":null,"clientCompanyId":null}`, softdelete.Values{"name": "x", "notes": nil, "clientCompanyId": nil}, false},
		{store.Deals, `{"name":"` + strings.Repeat("é", 255) + `"}`, softdelete.Values{"name": strings.Repeat("é", 255)}, false},
		{store.Deals, `{"value":"9999999999.99"}`, softdelete.Values{"value": softdelete.Decimal("9999999999.99")}, true},
		{store.Deals, `{"value":"-0001.100"}`, softdelete.Values{"value": softdelete.Decimal("-0001.100")}, true},
		{store.Deals, `{"probability":-2147483648}`, softdelete.Values{"probability": int32(-2147483648)}, true},
		{store.Deals, `{"stage":"won"}`, softdelete.Values{"stage": "won"}, true},
		{
			store.Deals, `{"closedAt":"2026-03-01T01:30:00.1234567+02:00"}`,
			softdelete.Values{"closedAt": time.Date(2026, 2, 28, 23, 30, 0, 123456000, time.UTC)}, true,
		},
		{store.Contacts, `{"isPrimary":true}`, softdelete.Values{"isPrimary": true}, true},
		{
			store.Proposals, `{"content":{"a":[1,2.50,"<b>",null,{"c":true}]}}`,
			softdelete.Values{"content": json.RawMessage(`{"a":[1,2.50,"<b>",null,{"c":true}]}`)}, true,
		},
		{store.Proposals, `{"content":null}`, softdelete.Values{"content": nil}, true},
	} {
		got, err := test.entity.Check(object(t, test.give), !test.onlyUpdate)
		require.NoError(t, err, test.give)
		require.Equal(t, test.want, got, test.give)
	}
}

func TestCheck_namesAllThatIsWrong(t *testing.T) {
	deep := strings.Repeat("[", 102) + strings.Repeat("]", 102)
	for _, test := range []struct {
		entity *softdelete.Entity
		give   string
		create bool
		want   map[string]string // code by name
	}{
		{store.Contacts, `{}`, true, map[string]string{"firstName": "required", "lastName": "required"}},
		{store.Contacts, `{"firstName":" \t","lastName":null}`, true, map[string]string{"firstName": "required", "lastName": "required"}},
		{store.Contacts, `{"firstName":""}`, false, map[string]string{"firstName": "required"}},
		{store.Deals, `{"name":7,"value":12.5,"probability":"7","closedAt":5,"stage":true}`, true, map[string]string{
			"name": "type", "value": "type", "probability": "type", "closedAt": "type", "stage": "type",
		}},
		{store.Deals, `{"stage":"Won","currency":"EUR"}`, false, map[string]string{"stage": "enum", "": "unknown"}},
		{store.Deals, `{"stage":null,"ownerId":null}`, false, map[string]string{"stage": "null", "ownerId": "null"}},
		{store.Deals, `{"name":"` + strings.Repeat("é", 256) + `"}`, false, map[string]string{"name": "too_long"}},
		{store.Deals, `{"name":"a\u0000b"}`, false, map[string]string{"name": "type"}},
		{store.Deals, `{"value":"10000000000"}`, false, map[string]string{"value": "out_of_range"}},
		{store.Deals, `{"value":"1.005"}`, false, map[string]string{"value": "out_of_range"}},
		{store.Deals, `{"value":"1e3"}`, false, map[string]string{"value": "type"}},
		{store.Deals, `{"value":"NaN"}`, false, map[string]string{"value": "type"}},
		{store.Deals, `{"value":"+1"}`, false, map[string]string{"value": "type"}},
		{store.Deals, `{"value":"1,5"}`, false, map[string]string{"value": "type"}},
		{store.Deals, `{"value":"` + strings.Repeat("0", 100) + `"}`, false, map[string]string{"value": "type"}},
		{store.Deals, `{"probability":2147483648}`, false, map[string]string{"probability": "out_of_range"}},
		{store.Deals, `{"probability":99999999999999999999}`, false, map[string]string{"probability": "out_of_range"}},
		{store.Deals, `{"probability":1.0}`, false, map[string]string{"probability": "type"}},
		{store.Deals, `{"closedAt":"2026-02-30T00:00:00Z"}`, false, map[string]string{"closedAt": "type"}},
		{store.Deals, `{"closedAt":"2026-02-03"}`, false, map[string]string{"closedAt": "type"}},
		{store.Deals, `{"closedAt":"0000-01-01T00:00:00Z"}`, false, map[string]string{"closedAt": "out_of_range"}},
		{store.Deals, `{"closedAt":"9999-12-31T23:59:59-01:00"}`, false, map[string]string{"closedAt": "out_of_range"}},
		{store.Contacts, `{"isPrimary":"true"}`, false, map[string]string{"isPrimary": "type"}},
		{store.Deals, `{"id":"x","organizationId":"o2","version":9,"createdBy":"eve","createdAt":"2026-02-03T00:00:00Z"}`, false, map[string]string{
			"id": "read_only", "organizationId": "read_only", "version": "read_only", "createdBy": "read_only", "createdAt": "read_only",
		}},
		{store.Deals, `{"deletedAt":null,"deletionId":"x","Name":"x"}`, false, map[string]string{"": "unknown"}},
		{store.Proposals, `{"createdById":"eve"}`, false, map[string]string{"createdById": "read_only"}},
		{store.Contracts, `{"signatureData":"x"}`, false, map[string]string{"": "unknown"}},
		{store.PortalAccesses, `{"accessToken":"x"}`, false, map[string]string{"": "unknown"}},
		{store.Proposals, `{"content":{"a":"\u0000"}}`, false, map[string]string{"content": "type"}},
		{store.Proposals, `{"content":{"a\u0000":1}}`, false, map[string]string{"content": "type"}},
		{store.Proposals, `{"content":{"a":1e400000}}`, false, map[string]string{"content": "out_of_range"}},
		{store.Proposals, `{"content":` + deep + `}`, false, map[string]string{"content": "out_of_range"}},
	} {
		values, err := test.entity.Check(object(t, test.give), test.create)
		require.Nil(t, values, test.give)
		var wrong *softdelete.FieldError
		require.ErrorAs(t, err, &wrong, test.give)
		got := map[string]string{}
		for _, p := range wrong.Fields {
			got[p.Name] = p.Code
		}
		require.Equal(t, test.want, got, test.give)
	}
}

func TestCheck_refusesTextThatIsNoUTF8(t *testing.T) {
	_, err := store.Deals.Check(map[string]any{"name": "a\xff"}, true)
	var wrong *softdelete.FieldError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, []softdelete.FieldProblem{{Name: "name", Code: "type"}}, wrong.Fields)
}

// Whatever a request says is judged without a panic, nothing of it is said again, and what passes is storable.
func FuzzCheck(f *testing.F) {
	f.Add(`{"name":"x","value":"1.5","stage":"won","probability":3,"closedAt":"2026-02-03T04:05:06Z"}`, true)
	f.Add(`{"name":null,"canary-5f1e":1,"value":"canary-5f1e"}`, false)
	f.Add(`{"content":{"a":[1,{"b":"\u0000"}]},"totalValue":"99999999999.999"}`, false)
	f.Fuzz(func(t *testing.T, text string, create bool) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var given map[string]any
		if decoder.Decode(&given) != nil {
			return
		}
		for _, e := range []*softdelete.Entity{store.Deals, store.Proposals, store.Contacts} {
			values, err := e.Check(given, create)
			if err != nil {
				require.NotContains(t, err.Error(), "canary-5f1e")
				continue
			}
			for name, value := range values {
				field := e.Field(name)
				require.NotNil(t, field)
				require.False(t, field.ReadOnly || field.Secret)
				if text, ok := value.(string); ok {
					require.True(t, utf8.ValidString(text) && !strings.Contains(text, "\x00"))
					require.True(t, field.Max == 0 || utf8.RuneCountInString(text) <= field.Max)
				}
				if document, ok := value.(json.RawMessage); ok {
					require.True(t, json.Valid(document))
				}
			}
		}
	})
}
