// Package keylesstest runs what signing without a key needs, on loopback: a certificate
// authority with the interface of Fulcio, a transparency log with that of Rekor, a
// timestamp authority (RFC 3161) and a certificate log, with keys made for the test.
// Tokens are believed without a look at who signed them.
package keylesstest
