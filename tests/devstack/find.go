package devstack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// redisServerEnv names the environment variable that picks one Redis or Valkey of several.
const redisServerEnv = "GATEHOUSE_REDIS_SERVER"

// serverDirs are looked at after PATH: Homebrew's keg-only formulas and a sudo without sbin are not in it.
var serverDirs = []string{
	"/usr/bin", "/usr/sbin", "/usr/local/bin",
	"/opt/homebrew/bin", "/opt/homebrew/opt/redis/bin", "/opt/homebrew/opt/valkey/bin",
	"/usr/local/opt/redis/bin", "/usr/local/opt/valkey/bin",
}

// MissingError says that a program is not on this machine, and what to type.
type MissingError struct {
	Program string
	// Install is the one line to type; it may be empty where we know no package manager.
	Install string
}

func (e *MissingError) Error() string {
	if e.Install == "" {
		return fmt.Sprintf("%s is not installed: install it and try again", e.Program)
	}
	return fmt.Sprintf("%s is not installed: type `%s` and try again", e.Program, e.Install)
}

// RedisServer finds redis-server or valkey-server. None is a *MissingError.
func RedisServer() (string, error) {
	if path := os.Getenv(redisServerEnv); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("%s: %w", redisServerEnv, err)
		}
		return path, nil
	}
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		for _, dir := range serverDirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
	}
	return "", &MissingError{Program: "redis-server or valkey-server", Install: installLine(needRedis)}
}
