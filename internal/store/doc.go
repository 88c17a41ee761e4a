// Package store is the content-addressed cache on disk that every station of a
// build reads and writes: downloaded packages and indexes, finished layers, and
// small keyed entries that say which blob a piece of work led to.
//
// It promises that a blob appears whole or not at all (temporary file, fsync,
// rename), that an entry does so too but for a power failure, after which a torn
// one is noticed and made again, that what is read is verified against its digest, that a
// corrupt file is removed and reported as absent so that it is made again, and
// that any number of processes may use one directory at once. A process that is
// killed leaves at most temporary files, which a later [Open] clears away once
// they are a day old, and partial downloads, which the next run goes on with and
// which are cleared away after a week.
//
// It does not evict: the files are the caller's to delete at any time.
package store
