package kms

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// A program that gives no answer is not waited for without end.
func TestSlow(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "hang")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0) // so that the program need not wait for a reader
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	k, err := find("test://" + name)
	if err != nil {
		t.Fatal(err)
	}
	k.patience = 100 * time.Millisecond
	_, err = k.call(t.Context(), nil, &common.MethodArgs{MethodName: common.PublicKeyMethodName})
	if h, ok := errors.AsType[*hinted](err); !ok || err.Error() != "sigstore-kms-test: no answer within 100ms" || !strings.Contains(h.Hint(), "touch") {
		t.Errorf("error %v", err)
	}
}
