package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/miekg/pkcs11"
)

// A token has the key of a reference. It is for one goroutine.
type token struct {
	reference *reference
	getenv    func(string) string

	module  *pkcs11.Ctx
	slot    uint
	info    pkcs11.TokenInfo
	session pkcs11.SessionHandle
	pin     string // of who is logged in
}

// openToken loads the module and finds the one token that the reference fits.
func openToken(r *reference, getenv func(string) string) (*token, error) {
	t := &token{reference: r, getenv: getenv}
	name := r.module
	if name == "" {
		name = firstOf(moduleVariables, getenv)
	}
	if err := t.load(name); err != nil {
		return nil, err
	}
	err := t.find(name)
	if err == nil {
		t.session, err = t.module.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if errors.Is(err, pkcs11.Error(pkcs11.CKR_TOKEN_WRITE_PROTECTED)) {
			t.session, err = t.module.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION)
		}
		if err != nil {
			err = t.failed("open a session", err)
		}
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// close logs out and unloads the module.
func (t *token) close() {
	t.module.Finalize() // which ends sessions and logins (PKCS #11, C_Finalize)
	t.module.Destroy()
}

func (t *token) load(name string) error {
	if name == "" {
		return &hinted{errors.New("no PKCS #11 module is named"), "set " + moduleVariables[1] + ", or add ?module-path=/usr/lib/softhsm/libsofthsm2.so to the key"}
	}
	if _, err := os.Stat(name); err != nil && filepath.Base(name) != name { // a bare name is the loader's to find
		return &hinted{fmt.Errorf("cannot load the PKCS #11 module: %w", err), "module-path or " + moduleVariables[1] + " is the library that the token's maker supplies"}
	}
	if t.module = pkcs11.New(name); t.module == nil {
		return &hinted{fmt.Errorf("cannot load the PKCS #11 module %s: it is none, or a library that it needs is missing", name), "ldd " + name + " names the libraries"}
	}
	if err := t.module.Initialize(); err != nil {
		t.module.Destroy()
		return &hinted{fmt.Errorf("cannot initialize the PKCS #11 module %s: %w", name, err), "see that its configuration can be read, such as that in SOFTHSM2_CONF"}
	}
	return nil
}

// find finds the slot of the token.
func (t *token) find(module string) error {
	slots, err := t.module.GetSlotList(true)
	if err != nil {
		return fmt.Errorf("cannot list the tokens of %s: %w", module, err)
	}
	var all, fit []string
	for _, slot := range slots {
		info, err := t.module.GetTokenInfo(slot)
		if err != nil || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue // not recognized, or not yet one
		}
		info.Label, info.SerialNumber = clean(info.Label), clean(info.SerialNumber)
		all = append(all, fmt.Sprintf("%q", info.Label))
		if t.reference.fits(slot, info) {
			fit = append(fit, fmt.Sprintf("%q with serial=%s;slot-id=%d", info.Label, info.SerialNumber, slot))
			t.slot, t.info = slot, info
		}
	}
	switch {
	case len(fit) == 1:
		return nil
	case len(fit) > 1:
		return &hinted{fmt.Errorf("%d tokens fit the key reference: %s", len(fit), strings.Join(fit, ", ")), "name one by token, which is its label, or by serial"}
	case len(all) == 0:
		return &hinted{fmt.Errorf("%s has no token", module), "see that it is plugged in, and that this user may use it"}
	}
	return &hinted{fmt.Errorf("no token fits the key reference; %s has %s", module, strings.Join(all, ", ")), "see token, serial, model, manufacturer and slot-id in the reference"}
}

// clean takes off what pads the fields of a token's information: blanks by the standard,
// zeros by some modules.
func clean(s string) string { return strings.TrimRight(s, " \x00") }

func (r *reference) fits(slot uint, info pkcs11.TokenInfo) bool {
	for want, have := range map[*string]string{
		&r.token: info.Label, &r.serial: info.SerialNumber, &r.model: clean(info.Model), &r.manufacturer: clean(info.ManufacturerID),
	} {
		if *want != "" && *want != have {
			return false
		}
	}
	return r.slot == nil || *r.slot == slot
}

// login logs the user in, once, where the token wants that. A PIN is not tried where a wrong
// one would lock the token.
func (t *token) login() error {
	has := func(flag uint) bool { return t.info.Flags&flag != 0 }
	if t.pin != "" || !has(pkcs11.CKF_LOGIN_REQUIRED) {
		return nil
	}
	pin, err := t.reference.pin(t.getenv)
	if err != nil {
		return err
	}
	switch {
	case has(pkcs11.CKF_USER_PIN_LOCKED):
		return t.locked()
	case pin == "":
		return &hinted{fmt.Errorf("token %q wants a PIN, and none is given", t.info.Label), "set " + pinVariables[0] + ", or add ?pin-source=file:/path to the key"}
	case has(pkcs11.CKF_USER_PIN_FINAL_TRY):
		return &hinted{fmt.Errorf("token %q is locked by one more wrong PIN, and it is not tried here", t.info.Label), "log in by hand, such as with pkcs11-tool --login --test, which takes the limit back"}
	}
	err = t.module.Login(t.session, pkcs11.CKU_USER, pin)
	switch {
	case errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)), errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_INVALID)), errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_LEN_RANGE)):
		return &hinted{fmt.Errorf("token %q: the PIN is wrong; it was tried once", t.info.Label), "correct it before the next try, since a few wrong ones lock a token"}
	case errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_LOCKED)):
		return t.locked()
	case err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)):
		return t.failed("log in", err)
	}
	t.pin = pin
	return nil
}

func (t *token) locked() error {
	return &hinted{fmt.Errorf("token %q: the PIN is locked", t.info.Label), "the token's security officer unlocks it"}
}

// failed is the error about what the module refused.
func (t *token) failed(what string, err error) error {
	return fmt.Errorf("token %q: cannot %s: %w", t.info.Label, what, err)
}

// objects returns the objects with these attributes.
func (t *token) objects(template ...*pkcs11.Attribute) (list []pkcs11.ObjectHandle, err error) {
	if err := t.module.FindObjectsInit(t.session, template); err != nil {
		return nil, t.failed("look for objects", err)
	}
	defer t.module.FindObjectsFinal(t.session)
	for {
		some, _, err := t.module.FindObjects(t.session, 100)
		if err != nil {
			return nil, t.failed("look for objects", err)
		}
		if len(some) == 0 {
			return list, nil
		}
		list = append(list, some...)
	}
}

// value returns an attribute of an object, nothing where it has none.
func (t *token) value(o pkcs11.ObjectHandle, kind uint) []byte {
	list, err := t.module.GetAttributeValue(t.session, o, []*pkcs11.Attribute{pkcs11.NewAttribute(kind, nil)})
	if err != nil || len(list) != 1 {
		return nil
	}
	return list[0].Value
}

// template returns the attributes of the key's objects of a class.
func (r *reference) template(class uint) []*pkcs11.Attribute {
	list := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if r.object != "" {
		list = append(list, pkcs11.NewAttribute(pkcs11.CKA_LABEL, r.object))
	}
	if r.id != "" {
		list = append(list, pkcs11.NewAttribute(pkcs11.CKA_ID, r.id))
	}
	return list
}

// one returns the only object of a list, which are what the reference names.
func (t *token) one(what string, list []pkcs11.ObjectHandle) (pkcs11.ObjectHandle, error) {
	if len(list) == 1 {
		return list[0], nil
	}
	named := keyName(t.reference.object, t.reference.id)
	if len(list) > 1 {
		return 0, &hinted{fmt.Errorf("token %q has %d %ss %s: %s", t.info.Label, len(list), what, named, t.names(list)), "name one by both object and id"}
	}
	all, err := t.objects(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY))
	if err != nil {
		return 0, err
	}
	has := "no private key at all"
	if len(all) > 0 {
		has = t.names(all)
	}
	return 0, &hinted{fmt.Errorf("token %q has no %s %s; it has %s", t.info.Label, what, named, has), "see object and id in the reference"}
}

const maxNames = 10 // that an error has

func (t *token) names(list []pkcs11.ObjectHandle) string {
	var names []string
	for i, o := range list {
		if i == maxNames {
			names = append(names, "...")
			break
		}
		names = append(names, keyName(string(t.value(o, pkcs11.CKA_LABEL)), string(t.value(o, pkcs11.CKA_ID))))
	}
	return strings.Join(names, ", ")
}
