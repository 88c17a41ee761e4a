// Package dictionaries has the programs of dictionaries-common, which tell Emacs, Jed
// and others what dictionaries for checking spelling are installed, and choose the
// default word list (update-default-wordlist(8), update-dictcommon-hunspell(8) and
// those beside them), and what the config scripts of word lists ask through it.
//
// The programs are perl code in the package itself (version 1.30.10); these write the
// same bytes. Word lists and dictionaries of hunspell are registered. Those of ispell
// and of aspell are refused: their hashes are made by the programs in the image.
package dictionaries
