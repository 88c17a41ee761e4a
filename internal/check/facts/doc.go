// Package facts reads an image once and keeps what rules ask about: config, history
// and annotations, each path with its metadata, what programs are, how they were
// linked, the few files that describe a system, and what lower layers still hold
// although nobody sees it.
//
// It streams: each layer is one pass over a tar, verified as it is read, and of a file
// it keeps a line, so that memory grows with the number of paths and never with their
// size. The image may be anybody's: what is out of bounds is an error that wraps
// [oci.ErrTooLarge], what is malformed is left out or an error, and nothing is
// executed. It judges nothing.
package facts
