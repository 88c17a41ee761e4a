package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Variables of the environment; the first that is set counts.
var (
	moduleVariables = []string{"HARDPAN_PKCS11_MODULE", "PKCS11_MODULE_PATH"}
	pinVariables    = []string{"HARDPAN_PKCS11_PIN", "PKCS11_PIN"}
)

// A reference names a key by the attributes of RFC 7512, after pkcs11://. What is empty
// was not given and fits all.
type reference struct {
	token, manufacturer, serial, model string
	slot                               *uint

	object, id string // the key's label, and its identifier, which is bytes

	module, pinSource string
}

// parseReference reads ATTRIBUTE=VALUE;...?ATTRIBUTE=VALUE&..., values percent-encoded
// (RFC 7512, section 2.3). An attribute that it does not know is refused, since the key may
// be another without it. No error has a value, which may be a PIN.
func parseReference(text string) (*reference, error) {
	r := &reference{}
	var kind, slot string
	path, query, _ := strings.Cut(text, "?")
	if err := attributes(path, ";", map[string]*string{
		"token": &r.token, "manufacturer": &r.manufacturer, "serial": &r.serial, "model": &r.model, "slot-id": &slot,
		"object": &r.object, "id": &r.id, "type": &kind,
	}); err != nil {
		return nil, err
	}
	if err := attributes(query, "&", map[string]*string{"module-path": &r.module, "pin-source": &r.pinSource}); err != nil {
		return nil, err
	}
	if kind != "" && kind != "private" {
		return nil, errors.New("expected type=private or none: the public key is found by the private one's name")
	}
	if r.object == "" && r.id == "" {
		return nil, &hinted{errors.New("no key is named, expected object=LABEL or id=%01"), "p11tool --list-all and pkcs11-tool --list-objects print them"}
	}
	if slot != "" {
		n, err := strconv.ParseUint(slot, 10, strconv.IntSize)
		if err != nil {
			return nil, errors.New("slot-id is no decimal number")
		}
		id := uint(n)
		r.slot = &id
	}
	return r, nil
}

// attributes reads a list of attributes into known.
func attributes(list, separator string, known map[string]*string) error {
	if list == "" {
		return nil
	}
	for part := range strings.SplitSeq(list, separator) {
		name, value, ok := strings.Cut(part, "=")
		to := known[name]
		switch {
		case name == "pin-value":
			return &hinted{errors.New("pin-value would put the PIN into arguments, which all users of the machine can read"), "set " + pinVariables[0] + ", or add ?pin-source=file:/path"}
		case !ok || value == "" || name == "":
			return fmt.Errorf("attribute %.40q: expected NAME=VALUE", name)
		case to == nil:
			return fmt.Errorf("attribute %.40q is not known here", name)
		case *to != "":
			return fmt.Errorf("attribute %s is given twice", name)
		}
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return fmt.Errorf("attribute %s: %% is not followed by two hexadecimal digits", name)
		}
		*to = decoded
	}
	return nil
}

// keyName returns the name of a key as attributes of a reference.
func keyName(object, id string) string {
	var list []string
	if object != "" {
		list = append(list, "object="+url.PathEscape(object))
	}
	if id != "" {
		var b strings.Builder
		for _, c := range []byte(id) {
			fmt.Fprintf(&b, "%%%02x", c)
		}
		list = append(list, "id="+b.String())
	}
	return strings.Join(list, ";")
}

// firstOf returns the first variable that is set.
func firstOf(names []string, getenv func(string) string) string {
	for _, name := range names {
		if v := getenv(name); v != "" {
			return v
		}
	}
	return ""
}

const maxPIN = 1024 // bytes of its file

// pin returns the PIN: the first line of the file that the reference names, else that of the
// environment, or nothing where neither is.
func (r *reference) pin(getenv func(string) string) (string, error) {
	if r.pinSource == "" {
		return firstOf(pinVariables, getenv), nil
	}
	name, ok := strings.CutPrefix(r.pinSource, "file:")
	if !ok {
		return "", errors.New("pin-source: expected file:/path")
	}
	name = strings.TrimPrefix(name, "//") // RFC 8089: file:///path
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("cannot read the PIN: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPIN))
	if err != nil {
		return "", fmt.Errorf("cannot read the PIN: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("cannot read the PIN: the first line of %s is empty", name)
	}
	return line, nil
}
