// Package crosscheck holds the development provider and the relying party to implementations that the
// OpenID Foundation has certified, so that the two are not wrong in the same way: our relying party
// goes through its stories at panva's oidc-provider as well as at devidp, and panva's openid-client
// goes through all that devidp offers. It is tests alone; `npm ci --prefix dev/idp/crosscheck`
// brings what they need.
package crosscheck
