package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// setUpPKCS11 builds the plugin for keys in tokens, under both its names, and names a
// SoftHSM without tokens, where a script is about them.
func setUpPKCS11(env *testscript.Env) error {
	if !strings.Contains(filepath.Base(env.WorkDir), "pkcs11") {
		return nil
	}
	t := env.T()
	if testing.Short() {
		t.Skip("SKIPPED in short mode: builds the plugin, whose module comes from the network")
	}
	module, _ := filepath.Glob("/usr/lib*/softhsm/libsofthsm2.so")
	_, errTool := exec.LookPath("softhsm2-util")
	_, errCC := exec.LookPath("gcc")
	if len(module) == 0 || errTool != nil || errCC != nil {
		t.Skip("SKIPPED: needs a C compiler and SoftHSM, which the network has: apt-get install gcc libc6-dev softhsm2")
	}
	bin, tokens := filepath.Join(env.WorkDir, "plugins"), filepath.Join(env.WorkDir, "tokens")
	build := exec.Command("go", "build", "-C", "../sigstore-kms-pkcs11", "-o", bin+"/")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the plugin: %w: %s", err, out)
	}
	if err := os.Symlink("sigstore-kms-pkcs11", filepath.Join(bin, "sigstore-kms-p11")); err != nil {
		return err
	}
	if err := os.Mkdir(tokens, 0o700); err != nil {
		return err
	}
	startRegistry(env)
	config := filepath.Join(env.WorkDir, "softhsm2.conf")
	env.Setenv("SOFTHSM2_CONF", config)
	env.Setenv("PKCS11_MODULE_PATH", module[0])
	env.Setenv("PATH", bin+":"+env.Getenv("PATH"))
	return os.WriteFile(config, []byte("directories.tokendir = "+tokens+"\nlog.level = ERROR\n"), 0o600)
}
