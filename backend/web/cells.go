package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// cell is a value as a page shows it. Kind says how: "text", "long", "link", "mail", "web", "badge",
// "money", "number", "time", "day", "code", "table", "note" for words of ours; empty for no value.
type cell struct {
	Label string
	Kind  string
	Text  string
	Href  string
	Tone  string // of a badge
	Stamp string // of a time, for programs
	// Lead marks the cell that names its row.
	Lead bool
	// Right aligns numbers in lists.
	Right bool
	Table *table
}

// table is a document that is a list of alike objects, such as an invoice's lines.
type table struct {
	Head []string
	Rows [][]string
}

// cell shows a field of a record. What it refers to must be known; see [visit.know].
func (v *visit) cell(f *softdelete.Field, record softdelete.Record) cell {
	return v.display(f, f.Value(record))
}

// display shows a value of a field, as a record holds it.
func (v *visit) display(f *softdelete.Field, value any) cell {
	c := cell{Label: titleOf(f), Right: f.Type == softdelete.Number || f.Type == softdelete.Integer}
	switch value := value.(type) {
	case nil:
	case string:
		v.text(&c, f, value)
	case bool:
		c.Kind, c.Text = "text", "No"
		if value {
			c.Text = "Yes"
		}
	case int32:
		c.Kind, c.Text = "number", strconv.Itoa(int(value))
		switch f.Name {
		case "probability", "progress":
			c.Text += "\u202f%"
		case "size":
			c.Text = bytesOf(int64(value))
		}
	case softdelete.Decimal:
		c.Kind, c.Text = "money", v.format.money(value)
	case time.Time:
		c.Stamp = value.UTC().Format(time.RFC3339)
		if isDay(f) {
			c.Kind, c.Text, c.Stamp = "day", v.format.day(value), value.UTC().Format(time.DateOnly)
		} else {
			c.Kind, c.Text = "time", v.format.moment(value)
		}
	case json.RawMessage:
		document(&c, value)
	default:
		c.Kind, c.Text = "text", fmt.Sprint(value)
	}
	return c
}

func (v *visit) text(c *cell, f *softdelete.Field, value string) {
	switch {
	case strings.TrimSpace(value) == "":
	case f.Target != "":
		if label := v.names.rows[f.Target][value]; label != "" {
			c.Kind, c.Text, c.Href = "link", label, v.href(f.Target, value)
		} // else it is trashed or gone, and shown as absent
	case f.User:
		c.Kind, c.Text = "text", v.names.people[value]
		if c.Text == "" {
			c.Text = "Former user"
		}
	case f.Enum != nil || f.Name == "status":
		c.Kind, c.Text, c.Tone = "badge", word(value), tones[value]
	case f.Name == "email" && strings.Contains(value, "@") && !strings.ContainsAny(value, "?&%, "):
		c.Kind, c.Text, c.Href = "mail", value, "mailto:"+value
	case f.Name == "website" && website(value) != "":
		c.Kind, c.Text, c.Href = "web", value, website(value)
	case f.Long:
		c.Kind, c.Text = "long", value
	default:
		c.Kind, c.Text = "text", value
	}
}

// website is where a client's site is, or empty when what was typed is no address of the web: a script,
// say.
func website(typed string) string {
	address := strings.TrimSpace(typed)
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || !strings.Contains(u.Hostname(), ".") {
		return ""
	}
	return u.String()
}

// document shows JSON: a list of alike objects as a table, all else as it is.
func document(c *cell, raw json.RawMessage) {
	if t := tableOf(raw); t != nil {
		c.Kind, c.Table = "table", t
		return
	}
	if content := strings.TrimSpace(indented(raw)); content != "null" && content != "{}" && content != "[]" {
		c.Kind, c.Text = "code", content
	}
}

// maxCells bounds a table: objects that have little in common make many more cells than they have members.
const maxCells = 10_000

func tableOf(raw json.RawMessage) *table {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var rows []map[string]any
	if decoder.Decode(&rows) != nil || len(rows) == 0 {
		return nil
	}
	keys := orderOf(raw)
	if len(keys)*len(rows) > maxCells {
		return nil
	}
	t := &table{}
	for _, key := range keys {
		t.Head = append(t.Head, word(spaced(key)))
	}
	for _, row := range rows {
		var cells []string
		for _, key := range keys {
			switch value := row[key].(type) {
			case nil:
				cells = append(cells, "")
			case map[string]any, []any:
				return nil
			default:
				cells = append(cells, fmt.Sprint(value))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// orderOf are the members of a list's objects, in the order in which they first stand there, with what says
// what a line is about before all others: jsonb keeps no order.
func orderOf(raw json.RawMessage) []string {
	var objects []json.RawMessage
	if json.Unmarshal(raw, &objects) != nil {
		return nil
	}
	var keys []string
	seen := map[string]bool{}
	for _, object := range objects {
		decoder := json.NewDecoder(bytes.NewReader(object))
		if _, err := decoder.Token(); err != nil {
			continue
		}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				break
			}
			if key, ok := name.(string); ok && !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
			var value json.RawMessage
			if decoder.Decode(&value) != nil {
				break
			}
		}
	}
	about := func(key string) int {
		if slices.Contains([]string{"name", "title", "item", "description"}, strings.ToLower(key)) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(keys, func(a, b string) int { return about(a) - about(b) })
	return keys
}

// spaced makes "unit price" of unitPrice.
func spaced(camel string) string {
	var b strings.Builder
	for i, r := range camel {
		if i > 0 && 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// bytesOf is a size for people.
func bytesOf(n int64) string {
	switch {
	case n >= 1e9:
		return strconv.FormatFloat(float64(n)/1e9, 'f', 1, 64) + " GB"
	case n >= 1e6:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
	case n >= 1e3:
		return strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64) + " kB"
	default:
		return strconv.FormatInt(n, 10) + " bytes"
	}
}
