// Package accounts holds the users and groups of an image and writes
// /etc/passwd, group, shadow and gshadow (passwd(5), group(5), shadow(5),
// gshadow(5)).
//
// It promises that what it writes is valid for pwck(8) and grpck(8), that
// nobody can log in with a password unless an entry that was read says so, and
// that ids which Debian hands out at installation time are handed out in the
// same order (adduser(8), Debian Policy 9.2). It does not know where accounts
// come from: the base system, packages and the spec are its callers' affair.
package accounts
