// Package pam is pam-auth-update(8) over the tree of an image: it makes
// /etc/pam.d/common-* of the profiles that packages bring in
// /usr/share/pam-configs, and remembers in /var/lib/pam what it made.
//
// It promises the files of libpam-runtime 1.7. Its questions are never asked;
// files that somebody changed by hand keep the changes that it understands, and
// are left alone otherwise.
package pam
