package identity

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxKeyFile bounds a key file, in bytes. An Ed25519 key in PEM is 119 of them.
const maxKeyFile = 16 << 10

// Directory is the KeySource of a folder of *.pem files. Other files and hidden ones are passed over;
// links are followed. It refuses files and folders whose owner or permissions let other users of
// the machine read or replace a key.
type Directory string

// Keys implements KeySource.
func (d Directory) Keys(context.Context) ([]KeyFile, error) {
	info, err := os.Stat(string(d))
	if err != nil {
		return nil, fmt.Errorf("%w: make the directory and a key in it with `openssl genpkey -algorithm ed25519`", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory: name the one that holds the *.pem files", d)
	}
	if err := validateDirectory(string(d), info); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var files []KeyFile
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".pem") {
			continue
		}
		file, err := readKeyFile(filepath.Join(string(d), name))
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no *.pem file: make one with `openssl genpkey -algorithm ed25519 -out %s`",
			d, filepath.Join(string(d), "1.pem"))
	}
	return files, nil
}

// readKeyFile validates the file that it opened, so that nothing can be swapped in between.
func readKeyFile(path string) (KeyFile, error) {
	f, err := openKeyFile(path)
	if err != nil {
		return KeyFile{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return KeyFile{}, err
	}
	if !info.Mode().IsRegular() {
		return KeyFile{}, fmt.Errorf("%s is not a regular file", path)
	}
	if err := validateFile(path, info); err != nil {
		return KeyFile{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return KeyFile{}, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxKeyFile {
		return KeyFile{}, fmt.Errorf("%s is larger than %d bytes, so it is no key", path, maxKeyFile)
	}
	return KeyFile{Name: filepath.Base(path), PEM: data, Modified: info.ModTime()}, nil
}

var _ KeySource = Directory("")
