// Command vbrctl is the operator's command line: it talks to vbrd over its unix socket, or over TCP with mutual TLS.
//
// Exit status: 0 done, 1 failed, 2 wrong usage (nothing was sent), 3 vbrd cannot be reached, 4 there are changes (only
// plan --detailed-exitcode).
package main
