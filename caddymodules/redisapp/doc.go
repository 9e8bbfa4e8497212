// Package redisapp is the Caddy app `redis`, set by the global option of the same name: it says where Redis is,
// and gives other modules their links to it (see redislink), which survive reloads. Start with [App]; modules
// that want a link start with redislink.Provider.
package redisapp
