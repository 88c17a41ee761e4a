// Command sums prints the SHA-256 of each file that it is given, or of its standard
// input, as sha256sum(1) does.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

func main() {
	status := 0
	for _, name := range files() {
		if err := sum(name); err != nil {
			fmt.Fprintln(os.Stderr, "sums:", err)
			status = 1
		}
	}
	os.Exit(status)
}

func files() []string {
	if len(os.Args) == 1 {
		return []string{"-"}
	}
	return os.Args[1:]
}

func sum(name string) error {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return err
	}
	_, err := fmt.Printf("%x  %s\n", h.Sum(nil), name)
	return err
}
