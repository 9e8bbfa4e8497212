// Package edge tells stories of the edge on the built binaries: several gateway processes, a real Redis
// that is killed, hung and restarted, a real upstream that counts what reaches it.
//
// Every test owns the processes that it hurts. Exact counts use a long op_timeout, because one false
// time-out would spoil them; waits are bounded by wide margins, because the machine may be busy.
package edge
