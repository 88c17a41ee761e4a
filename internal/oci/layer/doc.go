// Package layer writes the layers of an image: tar archives, compressed, with
// the digests that manifest and config need (OCI image spec, layer.md).
//
// The same entries give the same bytes, on every machine. A layer is written as
// two compressed members, the entries and the end-of-archive mark, so that
// several layers can be joined into one by copying their compressed bytes (see
// [Join]); a gzip or zstd stream of several members is one stream to every
// reader (RFC 1952 2.2, RFC 8878 3.1).
package layer
