// Command hardpan-sigstore signs and verifies for hardpan without keys. It reads one
// request as JSON and writes the response; hardpan starts it when it needs it, so that
// no other verb pays for the libraries that this takes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hardpan/hardpan/internal/keyless/sigstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := sigstore.Serve(ctx, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "hardpan-sigstore: %v\n", err)
		os.Exit(1)
	}
}
