package getopt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hardpan/hardpan/internal/maint/getopt"
	"github.com/hardpan/hardpan/internal/maint/shell"
)

const table = "r|R|recursive v|verbose m|mode= b|backup? no-preserve no-clobber target= reference="

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"-rv a b":                   "recursive verbose | a b",
		"a -R b":                    "recursive | a b",
		"-m0755 a":                  "mode=0755 | a",
		"-rm 0755 a":                "recursive mode=0755 | a",
		"--mode=0755 --mode 1 a":    "mode=0755 mode=1 | a",
		"-b a":                      "backup | a",
		"-bt --backup=x --backup a": "backup=t backup=x backup | a",
		"-- -r -v":                  "| -r -v",
		"- a":                       "| - a",
		"--rec --verb a":            "recursive verbose | a",
		"--no-pre --no-c":           "no-preserve no-clobber |",
		"-m":                        "usage: option requires an argument -- 'm'",
		"--mode":                    "usage: option '--mode' requires an argument",
		"--recursive=x":             "usage: option '--recursive' doesn't allow an argument",
		"-x":                        "cp: option -x is not supported",
		"-rx a":                     "cp: option -x is not supported",
		"--xyz":                     "cp: option --xyz is not supported",
		"--no":                      "cp: option --no is not supported", // of two
		"--r":                       "cp: option --r is not supported",  // of two
		"--v":                       "verbose |",
	} {
		if got := parsed(table, line); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
	if got, want := parsed("+ v|verbose", "-v run -v"), "verbose | run -v"; got != want {
		t.Errorf("ordered: got %s, want %s", got, want)
	}
}

// parsed returns a call as text: options, a bar, operands.
func parsed(table, line string) string {
	c, err := getopt.Parse(&shell.Proc{Args: append([]string{"cp"}, strings.Fields(line)...)}, table)
	if bad, ok := errors.AsType[*getopt.UsageError](err); ok {
		return "usage: " + bad.Text
	}
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, o := range c.Options {
		word := o.Name
		if o.Has {
			word += "=" + o.Value
		}
		words = append(words, word)
	}
	return strings.Join(append(append(words, "|"), c.Operands...), " ")
}

func TestLast(t *testing.T) {
	c, err := getopt.Parse(&shell.Proc{Args: []string{"cp", "-v", "-m", "1", "-r", "-m2"}}, table)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(c.Has("verbose"), c.Has("backup"), c.Value("mode"), c.Last("verbose", "recursive"), c.Last("backup"))
	if want := "true false 2 recursive \n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-rm 0755 --backup=x -- -v")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := getopt.Parse(&shell.Proc{Args: append([]string{"cp"}, strings.Split(line, " ")...)}, table)
		if (c == nil) == (err == nil) {
			t.Errorf("%q: call %v, error %v", line, c, err)
		}
	})
}
