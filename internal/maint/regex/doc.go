// Package regex has the regular expressions of POSIX.1-2024 (XBD chapter 9) with
// GNU's extensions, as grep, sed, awk, expr and find use them: basic and extended
// ones, leftmost-longest, with back-references, \< \> \b \w \s \` and \'.
//
// An expression is translated to one of package regexp wherever that finds the same
// match, in time linear in the text. What it cannot express (back-references, the
// start of a word before anything) is matched here, within a number of steps and not
// a time, so that the same text always has the same result.
//
// It does not know collating elements of more than one character, and of locales
// only C and C.UTF-8. Which parts of a match the groups are, glibc decides, not POSIX.
package regex
