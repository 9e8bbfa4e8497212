package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// redisServerEnv names the environment variable that picks one Redis or Valkey of several.
const redisServerEnv = "GATEHOUSE_REDIS_SERVER"

// RedisServer finds the server's program. None is a *MissingError.
func RedisServer() (string, error) {
	if path := os.Getenv(redisServerEnv); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("%s: %w", redisServerEnv, err)
		}
		return path, nil
	}
	if path := findRedisServer(); path != "" {
		return path, nil
	}
	return "", missing([]Need{NeedRedis})
}

// serverDirs are looked at after PATH: Homebrew's formulas and what a sudo without sbin misses may not be in it.
var serverDirs = []string{
	"/usr/bin", "/usr/sbin", "/usr/local/bin",
	"/opt/homebrew/bin", "/opt/homebrew/opt/redis/bin", "/opt/homebrew/opt/valkey/bin",
	"/usr/local/opt/redis/bin", "/usr/local/opt/valkey/bin",
}

// findRedisServer returns the path as it was found, links unresolved; empty when there is none.
func findRedisServer() string {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, dir := range serverDirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path
			}
		}
	}
	return ""
}
