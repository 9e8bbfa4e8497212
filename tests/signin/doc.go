// Package signin tells the stories of people who sign in, on the built edge: two nodes, a real Redis
// that is killed, hung and brought back, and the development identity provider. Start with start, and
// with person, which is somebody at a browser.
package signin
