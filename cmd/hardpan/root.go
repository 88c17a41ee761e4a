package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// app is what the verbs share: where they print, and the settings.
type app struct {
	out, err io.Writer
	settings *viper.Viper
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	a := &app{out: stdout, err: stderr, settings: viper.New()}
	var configFile string
	root := &cobra.Command{
		Use:   "hardpan",
		Short: "build hardened container base images out of Debian packages",
		Long: `hardpan builds hardened container base images out of Debian packages,
without a daemon, without root, and without running anything of the image.

Each flag is also read from the environment (HARDPAN_CACHE_DIR for --cache-dir),
from ./hardpan.yaml and from hardpan/config.yaml in the user's configuration
directory, in this order.

Exit codes: 0 done; 1 the work failed; 2 the call or the spec is wrong;
3 a policy gate said no.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.configure(cmd, configFile)
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&configFile, "config", "", "read settings from this `file` only")
	flags.String("output", "text", "print results as text or json")
	root.AddCommand(newBuild(a), newLock(a), newExplain(a), newSchema(a), newVersion(a))
	return root
}

// configure lets environment and configuration files speak for the flags that
// the call does not have.
func (a *app) configure(cmd *cobra.Command, configFile string) error {
	v := a.settings
	v.SetEnvPrefix("hardpan")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	for _, name := range configFiles(configFile) {
		if err := merge(v, name, name == configFile); err != nil {
			return err
		}
	}
	if err := v.BindPFlags(cmd.Flags()); err != nil {
		return err
	}
	if out := v.GetString("output"); out != "text" && out != "json" {
		return usagef("output is %q, expected text or json", out)
	}
	return nil
}

// configFiles returns the files to read, the weakest first.
func configFiles(only string) []string {
	if only != "" {
		return []string{only}
	}
	var files []string
	if dir, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(dir, "hardpan", "config.yaml"))
	}
	return append(files, "hardpan.yaml")
}

func merge(v *viper.Viper, name string, required bool) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return nil
	}
	if err != nil {
		return usageError{fmt.Errorf("cannot read configuration: %w", err)}
	}
	defer f.Close()
	v.SetConfigType("yaml")
	if err := v.MergeConfig(f); err != nil {
		return usageError{fmt.Errorf("%s: %w", name, err)}
	}
	return nil
}

// json reports whether results are for a program.
func (a *app) json() bool { return a.settings.GetString("output") == "json" }

// printJSON prints v on one indented document.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// exactArgs is cobra.ExactArgs with an error that names what is missing.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usagef("%s takes %s, found %d arguments", cmd.CommandPath(), strings.Join(names, " and "), len(args))
	}
}

// cacheFlag adds the flag of the cache directory.
func cacheFlag(flags *pflag.FlagSet) {
	flags.String("cache-dir", "", "`directory` of the cache (default: hardpan in the user's cache directory)")
}

func (a *app) cacheDir() (string, error) {
	if dir := a.settings.GetString("cache-dir"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", usagef("cannot find a cache directory: %w: set --cache-dir or HARDPAN_CACHE_DIR", err)
	}
	return filepath.Join(dir, "hardpan"), nil
}
