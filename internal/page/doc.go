// Package page writes the report of check as one HTML page: what the image is, how it
// keeps the rules, its packages, files and layers, and how it differs from another.
//
// The page needs nothing but itself. Its Content-Security-Policy forbids the network and
// every script and style but its own, which it names by their digests. All that an image
// says is text to it: html/template escapes what is markup, the script writes data as
// text only, and what does not print is shown as an escape. Summary, rules, packages,
// layers and differences are there without JavaScript; the file tree is not.
//
// The same reports give the same bytes. It judges nothing.
package page
