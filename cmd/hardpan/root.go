package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/hardpan/hardpan/builder"
)

// app is what the verbs share: where they print, and the settings.
type app struct {
	out, err io.Writer
	settings *viper.Viper
	working  bool // the call was understood: what fails from now on is the work
}

func newApp(stdout, stderr io.Writer) *app {
	return &app{out: stdout, err: stderr, settings: viper.New()}
}

func newRoot(a *app) *cobra.Command {
	var configFile, profile string
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
		Args: cobra.ArbitraryArgs, // so that an unknown verb comes to RunE
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownVerb(cmd, args[0])
			}
			return cmd.Help()
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s: %w", cmd.CommandPath(), err)
	})
	flags := root.PersistentFlags()
	flags.StringVar(&configFile, "config", "", "read settings from this `file` only")
	flags.String("output", "text", "print results as text or json")
	flags.StringVar(&profile, "cpuprofile", "", "write a CPU profile to this `file`")
	flags.Lookup("cpuprofile").Hidden = true
	root.AddCommand(newBuild(a), newLock(a), newTest(a), newExplain(a), newKey(a), newSign(a), newVerify(a), newCopy(a), newSBOM(a), newDiff(a), newCheck(a), newAudit(a), newProfile(a), newCache(a), newSchema(a), newCompletion(a), newVersion(a))
	takeOnce(flags)
	for _, verb := range verbs(root) {
		takeOnce(verb.Flags())
		work := verb.RunE
		verb.RunE = func(cmd *cobra.Command, args []string) error {
			stop, err := profileTo(profile)
			if err != nil {
				return err
			}
			defer stop()
			a.working = true
			return work(cmd, args)
		}
	}
	root.SetHelpCommand(newHelp())
	return root
}

// takeOnce refuses a second value of a flag that has one: of two keys the last would sign
// or be believed, and nobody would hear of the first.
func takeOnce(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() == "string" {
			f.Value = &once{Value: f.Value}
		}
	})
}

type once struct {
	pflag.Value
	given bool
}

func (o *once) Set(s string) error {
	if o.given && s != o.String() {
		return fmt.Errorf("it takes one value, and %q was given before", o.String())
	}
	o.given = true
	return o.Value.Set(s)
}

// verbs returns the commands that do something: those of root, and those of a
// group such as key.
func verbs(root *cobra.Command) []*cobra.Command {
	var list []*cobra.Command
	for _, verb := range root.Commands() {
		if verb.HasSubCommands() {
			list = append(list, verbs(verb)...)
		} else {
			list = append(list, verb)
		}
	}
	return list
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "print help about a verb",
		RunE: func(cmd *cobra.Command, args []string) error {
			verb, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownVerb(cmd.Root(), rest[0])
			}
			verb.InitDefaultHelpFlag()
			return verb.Help()
		},
	}
}

func unknownVerb(root *cobra.Command, name string) error {
	err := usageError{err: fmt.Errorf("verb %q is not known", name), hint: "hardpan help lists the verbs"}
	root.SuggestionsMinimumDistance = 2
	if near := root.SuggestionsFor(name); len(near) > 0 {
		err.hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return err
}

// configure lets environment and configuration files speak for the flags that
// the call does not have.
func (a *app) configure(cmd *cobra.Command, configFile string) error {
	v := a.settings
	v.SetEnvPrefix("hardpan")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	for _, name := range configFiles(configFile) {
		if err := merge(v, name, name == configFile, settingNames(cmd.Root())); err != nil {
			return err
		}
	}
	if err := v.BindPFlags(cmd.Flags()); err != nil {
		return err
	}
	if err := a.checkSettings(cmd.Flags()); err != nil {
		return err
	}
	return checkOutput(cmd, v.GetString("output"))
}

// outputsKey is the annotation of a verb with forms of output beyond text and json.
const outputsKey = "outputs"

func checkOutput(cmd *cobra.Command, out string) error {
	forms := []string{"text", "json"}
	if more, ok := cmd.Annotations[outputsKey]; ok {
		forms = strings.Fields(more)
	}
	if !slices.Contains(forms, out) {
		last := len(forms) - 1
		return usagef("output is %q, expected %s or %s", out, strings.Join(forms[:last], ", "), forms[last])
	}
	return nil
}

// checkSettings reads what the environment and the files say like the flag of that
// name would be, so that a wrong value is an error and not the zero value.
func (a *app) checkSettings(flags *pflag.FlagSet) error {
	var errs builder.Errors
	flags.VisitAll(func(f *pflag.Flag) {
		text, ok := a.settings.Get(f.Name).(string)
		if f.Changed || !ok || f.Value.Type() == "string" {
			return
		}
		if err := f.Value.Set(text); err != nil {
			errs = append(errs, usagef("setting %s is %q, expected a value of type %s", f.Name, text, f.Value.Type()))
		} else if list, ok := f.Value.(pflag.SliceValue); ok {
			a.settings.Set(f.Name, list.GetSlice())
		}
	})
	if len(errs) > 0 {
		return errs
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

// settingNames returns the names that a configuration file may set: those of the
// flags of all verbs.
func settingNames(root *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	}
	root.PersistentFlags().VisitAll(add)
	for _, verb := range verbs(root) {
		verb.LocalFlags().VisitAll(add)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "help" || n == "config" })
}

func merge(v *viper.Viper, name string, required bool, known []string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return nil
	}
	if err != nil {
		return usagef("cannot read configuration: %w", err)
	}
	defer f.Close()
	one := viper.New()
	one.SetConfigType("yaml")
	if err := one.ReadConfig(f); err != nil {
		return usagef("%s: %w", name, err)
	}
	for _, key := range one.AllKeys() {
		if !slices.Contains(known, key) {
			return usagef("%s: setting %q is not known, expected one of %s", name, key, strings.Join(known, ", "))
		}
	}
	return v.MergeConfigMap(one.AllSettings())
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
		wanted := strings.Join(names, " and ")
		if wanted == "" {
			wanted = "no arguments"
		}
		return usagef("%s takes %s, found %d", cmd.CommandPath(), wanted, len(args))
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
