package httpapi

import "net/http"

// code is a kind of problem. All that there are stand in [codes]; answers name them, people read about
// them at /problems/<name>, and the OpenAPI document lists them.
type code struct {
	name   string
	status int
	title  string // what went wrong, in one line
	help   string // what a developer or a person can do about it
}

var codes = []code{
	// The request as such.
	{"malformed_query", http.StatusBadRequest, "The query string cannot be read",
		"A part of the query string is not percent-encoded UTF-8, or has a semicolon in it. Encode names and values, and separate them by &."},
	{"malformed_header", http.StatusBadRequest, "A header cannot be read",
		"The header that the answer names is there twice, is not of its form, or does not apply here. If-Match takes one entity tag or *; Idempotency-Key takes 1 to 200 visible ASCII characters without spaces."},
	{"malformed_body", http.StatusBadRequest, "The body is not one JSON object",
		"The body must be one JSON object in UTF-8: no text behind it, no member twice (nor twice in an object within), no NUL character, no half of a surrogate pair, not more than 64 levels deep, numbers of at most 64 characters and an exponent of at most 300. A request that takes no body must have none."},
	{"unauthenticated", http.StatusUnauthorized, "This request carries no valid identity",
		"Sign in. Requests reach the backend through the edge, which adds the identity of the person who is signed in."},
	{"forbidden", http.StatusForbidden, "Your role does not allow this",
		"Viewers read. Members create, and change, delete and restore what is their own; a deletion must not take along what is somebody else's, or a financial record. Owners and admins may do everything, but only an owner changes an owner's membership. Ask an owner or an admin."},
	{"cross_site", http.StatusForbidden, "Another site sent this request",
		"The browser says that a page of another origin sent this request. Changes are taken only from pages of this origin, and from programs that are no browser."},
	{"no_account", http.StatusForbidden, "You have no account here",
		"Your sign-in worked, but nobody here has your verified e-mail address. Ask an owner or an admin of your organization to invite you, or have the identity provider verify the address."},
	{"ambiguous_account", http.StatusForbidden, "Several accounts have your e-mail address",
		"More than one account has your e-mail address, so that it cannot be told which is yours. An operator has to merge or correct them."},
	{"no_organization", http.StatusForbidden, "You belong to no organization",
		"You have an account, and no membership. Ask an owner or an admin of your organization to add you."},
	{"organization_closed", http.StatusForbidden, "The organization is closed",
		"The organization has been deleted. Its owner can still restore it from the Trash; nobody else reaches it."},
	{"not_found", http.StatusNotFound, "There is no such thing here",
		"There is nothing under this path, or nothing that you may see: what belongs to another organization, and what is in the Trash, is answered in the same way as what never was."},
	{"method_not_allowed", http.StatusMethodNotAllowed, "This path does not know the method",
		"The header Allow lists the methods of the path."},
	{"body_too_large", http.StatusRequestEntityTooLarge, "The body is too large",
		"Bodies may have up to 1 MiB."},
	{"unsupported_media_type", http.StatusUnsupportedMediaType, "The body must be JSON",
		"Send Content-Type: application/json (for PATCH and PUT also application/merge-patch+json), in UTF-8 and without a Content-Encoding."},

	// Its parts.
	{"invalid_parameter", http.StatusUnprocessableEntity, "A query parameter is not valid",
		"A query parameter is unknown, is given twice, or has a value that cannot be. Names are exact, also in case. limit is 1 to 200; page and cursor exclude each other; a cursor must come from the list that it continues, with the same search and filters."},
	{"use_cursor", http.StatusUnprocessableEntity, "The page is beyond the first 10,000 rows",
		"Pages reach the first 10,000 rows. Go on by the cursor of the last page, nextCursor, or narrow the list by a search or a filter."},
	{"invalid_body", http.StatusUnprocessableEntity, "A member of the body is not valid",
		"The answer's errors name the members and why: required, type, too_long, enum, null (cannot be null), out_of_range, read_only (set by the backend alone), unknown (no member of this name; names are exact, also in case)."},
	{"reference_not_found", http.StatusUnprocessableEntity, "The body refers to a row that is not there",
		"A reference must be the id of a live row of the same organization."},
	{"duplicate", http.StatusConflict, "A live row has this key already",
		"Among the live rows of an organization the members that the answer names are unique together. Change the other row, or use it."},
	{"idempotency_key_reused", http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request",
		"Within 24 hours a key stands for one request. Send the same request again, or take a new key."},

	// What is there.
	{"choose_organization", http.StatusConflict, "Choose an organization",
		"You belong to several organizations. Send the id or the slug of one of those in the answer in the header Gatehouse-Organization."},
	{"version_mismatch", http.StatusPreconditionFailed, "The row has changed since you read it",
		"The version in If-Match is not the row's. Read the row again, look at what has changed, and send your change with the new ETag."},
	{"last_owner", http.StatusConflict, "The last owner cannot go",
		"An organization has at least one owner. Make somebody else an owner first."},
	{"too_large", http.StatusUnprocessableEntity, "Too many rows for one deletion",
		"The deletion would take along more than 20,000 rows; the answer holds the preview. Delete parts of it first."},
	{"not_deleted", http.StatusConflict, "This is not in the Trash any more",
		"It is live: somebody has restored it already, or it never was deleted."},
	{"restore_conflict", http.StatusConflict, "It cannot be restored as it is",
		"Nothing was restored. The answer's errors are all the reasons: live_twin (a live row has taken the unique key), parent_deleted (the parent is in the Trash: restore it first), purged (rows are gone for good: repeat with acceptGaps to restore the rest)."},

	// The backend.
	{"internal", http.StatusInternalServerError, "Something went wrong here",
		"This is a fault of the backend. Its log has the request id of the answer; give it to an operator."},
	{"unavailable", http.StatusServiceUnavailable, "The database does not answer",
		"The backend cannot reach its database at the moment. Try again after the seconds in Retry-After; with an Idempotency-Key that is safe for every request."},
	{"identity_unavailable", http.StatusServiceUnavailable, "Who is asking cannot be verified at the moment",
		"The backend cannot read the edge's public keys at the moment. Try again after the seconds in Retry-After."},
	{"not_ready", http.StatusServiceUnavailable, "Not ready",
		"The backend is starting, stopping, or without its database. A load balancer sends requests elsewhere."},
}

// codeNamed returns the code of a name. Names are our own, so that an unknown one is a mistake here.
func codeNamed(name string) code {
	for _, c := range codes {
		if c.name == name {
			return c
		}
	}
	panic("httpapi: there is no problem " + name)
}
