// Package browser tells the stories of people at a browser: they sign in by the edge, and look, search, edit,
// delete and undo on the backend's pages, with Chromium and real PostgreSQL, with scripts and without. Every page
// is also judged by axe, light and dark, on a desk and on a phone. Start with open, and with tab.
//
// GATEHOUSE_SCREENSHOTS names a folder for what was seen.
package browser
