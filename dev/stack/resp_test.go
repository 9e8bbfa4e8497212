package stack

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func parseReply(text string) (string, error) {
	return readReply(bufio.NewReader(strings.NewReader(text)), maxReplyDepth)
}

func TestReadReply(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"+OK\r\n":                            "OK",
		":-3\r\n":                            "-3",
		"$-1\r\n":                            "",
		"$0\r\n\r\n":                         "",
		"$4\r\na\r\nb\r\n":                   "a\r\nb",
		"*-1\r\n":                            "",
		"*0\r\n":                             "",
		"*3\r\n:1\r\n-ERR no\r\n$1\r\nx\r\n": "1\nERR no\nx",
		strings.Repeat("*1\r\n", maxReplyDepth) + ":7\r\n": "7",
	} {
		got, err := parseReply(text)
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, got, "%q", text)
	}
	_, err := parseReply("-NOAUTH no\r\n")
	require.Equal(t, redisError("NOAUTH no"), err)
}

func TestReadReply_refusesDamagedReplies(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                "",
		"no end of line":         "+OK",
		"empty line":             "\r\n",
		"unknown kind":           "!3\r\nabc\r\n",
		"no size":                "$\r\n",
		"cut string":             "$4\r\nabc",
		"string longer than it":  "$2\r\nabcd\r\n",
		"cut array":              "*2\r\n:1\r\n",
		"size above the bound":   fmt.Sprintf("$%d\r\n", maxReplySize+1),
		"size that overflows":    "$9223372036854775807\r\n",
		"array of that size":     "*9223372036854775807\r\n",
		"size outside an int":    "$99999999999999999999\r\n",
		"arrays above the bound": strings.Repeat("*1\r\n", maxReplyDepth+1) + "$1\r\nx\r\n",
	} {
		got, err := parseReply(text)
		require.Error(t, err, name)
		require.Empty(t, got, name)
	}
	_, err := parseReply(fmt.Sprintf("$%d\r\n", maxReplySize+1))
	require.ErrorContains(t, err, "too large", "refused before the string is read")
}

func FuzzReadReply(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "-ERR\r\n", ":1\r\n", "$1\r\nx\r\n", "*2\r\n$-1\r\n:1\r\n", "$9223372036854775807\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := parseReply(text); len(got) > len(text) || err != nil && got != "" {
			t.Fatalf("%q, %v", got, err)
		}
		got, err := parseReply(fmt.Sprintf("$%d\r\n%s\r\n", len(text), text))
		if err != nil || got != text {
			t.Fatalf("a string is read as %q, %v", got, err)
		}
	})
}
