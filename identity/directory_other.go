//go:build !unix

package identity

import (
	"io/fs"
	"os"
)

func openKeyFile(path string) (*os.File, error) { return os.Open(path) }

// Where permissions are not the Unix ones, access lists protect the keys and nothing is validated here.

func validateFile(string, fs.FileInfo) error { return nil }

func validateDirectory(string, fs.FileInfo) error { return nil }
