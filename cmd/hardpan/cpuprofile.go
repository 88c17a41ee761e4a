package main

import (
	"os"
	"runtime/pprof"
)

// profileTo writes a CPU profile of the work to the named file, "" for none, and
// returns what ends it. default.pgo, by which the compiler decides what to inline,
// is made of such profiles: see `make pgo`.
func profileTo(name string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, usageError{err: err}
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}
