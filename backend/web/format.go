package web

import (
	"strings"
	"time"
	_ "time/tzdata" // a container may have no zones of its own

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// format writes values as the organization wants to read them.
type format struct {
	zone     *time.Location
	date     string // a layout of package time
	currency string
	now      time.Time
}

func newFormat(o *store.Organization, now time.Time) format {
	zone, err := time.LoadLocation(o.Timezone)
	if err != nil {
		zone = time.UTC // a name that this machine does not know
	}
	return format{zone: zone, date: layout(o.DateFormat), currency: o.Currency, now: now}
}

// layout makes a layout of package time of a pattern such as DD/MM/YYYY. What it does not know it reads as
// the year first, which nobody takes for anything else.
func layout(pattern string) string {
	made := strings.NewReplacer("YYYY", "2006", "MMMM", "January", "MMM", "Jan", "MM", "01", "DD", "02", "D", "2", "M", "1").Replace(pattern)
	for _, c := range made {
		if !strings.ContainsRune("2006 January Jan 01 02 -/.,", c) {
			return time.DateOnly
		}
	}
	if !strings.Contains(made, "2006") {
		return time.DateOnly
	}
	return made
}

// day is a date that belongs to no zone: a due date is the same day everywhere.
func (f format) day(t time.Time) string { return t.UTC().Format(f.date) }

// moment is when something happened, in the organization's zone.
func (f format) moment(t time.Time) string {
	local, today := t.In(f.zone), f.now.In(f.zone)
	switch clock := local.Format("15:04"); {
	case sameDay(local, today):
		return "today, " + clock
	case sameDay(local, today.AddDate(0, 0, -1)):
		return "yesterday, " + clock
	default:
		return local.Format(f.date) + ", " + clock
	}
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// symbols are the currencies whose sign nobody takes for another one.
var symbols = map[string]string{"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩", "ILS": "₪", "UAH": "₴"}

// money writes an exact amount: $12,500.00.
func (f format) money(d softdelete.Decimal) string {
	sign, number := "", string(d)
	if rest, negative := strings.CutPrefix(number, "-"); negative {
		sign, number = "−", rest
	}
	if symbol, ok := symbols[f.currency]; ok {
		return sign + symbol + thousands(number)
	}
	return sign + f.currency + "\u00a0" + thousands(number)
}

// thousands sets commas into a number, whatever its length.
func thousands(number string) string {
	whole, rest, fraction := strings.Cut(number, ".")
	var b strings.Builder
	for i, digit := range whole {
		if left := len(whole) - i; i > 0 && left%3 == 0 && whole[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if fraction {
		b.WriteByte('.')
		b.WriteString(rest)
	}
	return b.String()
}

// isDay reports whether a time column holds a date without a time of day.
func isDay(f *softdelete.Field) bool {
	return f.Type == softdelete.Timestamp && (strings.HasSuffix(f.Column, "_date") || f.Column == "valid_until")
}

// stamp is a time for programs.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
