package ucf

import (
	"fmt"
	"slices"
	"strings"
)

// option is one option of a call.
type option struct{ name, value string }

// getopt splits arguments as "getopt -a" does: options and operands in any order,
// long options with one dash too, and abbreviated. In short and long a ":" marks
// an option that takes a value, "::" one that may.
func getopt(args []string, short string, long ...string) (opts []option, operands []string, err error) {
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case a == "--":
			return opts, append(operands, args...), nil
		case len(a) < 2 || a[0] != '-':
			operands = append(operands, a)
			continue
		}
		name, value, joined := strings.Cut(strings.TrimPrefix(a[1:], "-"), "=")
		if spec, ok := match(name, long); ok && (a[1] == '-' || len(name) > 1) {
			o := option{strings.TrimRight(spec, ":"), value}
			if strings.HasSuffix(spec, ":") && !strings.HasSuffix(spec, "::") && !joined {
				if len(args) == 0 {
					return nil, nil, fmt.Errorf("option '%s' requires an argument", a)
				}
				o.value, args = args[0], args[1:]
			}
			opts = append(opts, o)
			continue
		}
		if a[1] == '-' {
			return nil, nil, fmt.Errorf("unrecognized option '%s'", a)
		}
		for i := 1; i < len(a); i++ {
			at := strings.IndexByte(short, a[i])
			if at < 0 || a[i] == ':' {
				return nil, nil, fmt.Errorf("invalid option -- '%c'", a[i])
			}
			o := option{name: a[i : i+1]}
			switch rest := short[at+1:]; {
			case strings.HasPrefix(rest, "::"):
				o.value, i = a[i+1:], len(a)
			case strings.HasPrefix(rest, ":"):
				if o.value = a[i+1:]; o.value == "" {
					if len(args) == 0 {
						return nil, nil, fmt.Errorf("option requires an argument -- '%s'", o.name)
					}
					o.value, args = args[0], args[1:]
				}
				i = len(a)
			}
			opts = append(opts, o)
		}
	}
	return opts, operands, nil
}

// match returns the long option that a name is or abbreviates.
func match(name string, long []string) (spec string, ok bool) {
	var found []string
	for _, spec := range long {
		full := strings.TrimRight(spec, ":")
		if full == name {
			return spec, true
		}
		if strings.HasPrefix(full, name) {
			found = append(found, spec)
		}
	}
	if len(slices.Compact(found)) != 1 {
		return "", false
	}
	return found[0], true
}
