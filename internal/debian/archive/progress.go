package archive

// Progress is told of each download as it begins. Its methods, and those of its
// tasks, are called from several goroutines.
type Progress interface {
	// Start announces a download by the name to show. size is in bytes, or -1
	// where it is not known.
	Start(name string, size int64) Task
}

// Task is one download under way.
type Task interface {
	// Add reports n more bytes; n is negative where a download begins again.
	Add(n int64)
	// Done ends the task, with nil where it worked. It is called once.
	Done(err error)
}

type noProgress struct{}

func (noProgress) Start(string, int64) Task { return noProgress{} }
func (noProgress) Add(int64)                {}
func (noProgress) Done(error)               {}
