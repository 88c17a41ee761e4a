// Package glib has the programs of GLib that maintainer scripts call:
// glib-compile-schemas, which makes the database of settings, and gio-querymodules;
// and the pieces of GLib that the files of other desktop programs follow: the order
// of its hash tables, key files and the text form of GVariant.
//
// They promise the bytes that GLib 2.84, that of Debian 13, writes. The order in
// those files is that of a hash table, so [HashTable] is GLib's to the slot. What is
// not promised is the wording of each message about a broken schema.
package glib
