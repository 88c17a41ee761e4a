// Package accounts holds the users and groups of an image: /etc/passwd, group, shadow
// and gshadow, and the programs that change them in maintainer scripts.
//
// The commands ([Commands]) are Debian's adduser, the tools of shadow, systemd-sysusers,
// update-passwd, getent, id and their like, over the files of the tree. They leave
// these byte for byte as the programs of trixie do: order, backups, the ids that are
// handed out.
//
// [File] is for who makes accounts without a script. It promises that what it writes
// is valid for pwck(8) and grpck(8) and that nobody can log in with a password unless
// an entry that was read says so.
package accounts
