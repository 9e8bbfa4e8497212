package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGenerate_isWhatIsCheckedIn(t *testing.T) {
	want, err := generate("../..")
	require.NoError(t, err)
	got, err := os.ReadFile("../../" + output)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go generate ./backend/store")
}

func TestGenerate_refusesAnEntityWithoutADeclaration(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "entities.go"), []byte("package store\n\nvar Entities = softdelete.Link(Deals, Ghosts)\n\nvar Deals = softdelete.Declare[Deal](softdelete.Spec{Singular: \"Deal\"})\n"), 0o600))
	_, err := generate(dir)
	require.ErrorContains(t, err, "Ghosts")
	_, err = generate(t.TempDir())
	require.ErrorContains(t, err, "no entities")
}

func TestEntity_isCalledAsPeopleSay(t *testing.T) {
	require.Equal(t, "PortalAccess", entity{"PortalAccesses", "Portal access"}.Name())
	require.Equal(t, "an invoice schedule", entity{"", "Invoice schedule"}.Phrase())
	require.Equal(t, "a user role", entity{"", "User role"}.Phrase())
}
