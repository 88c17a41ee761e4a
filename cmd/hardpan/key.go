package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hardpan/hardpan/internal/kms"
	"github.com/hardpan/hardpan/internal/sign"
)

func newKey(a *app) *cobra.Command {
	group := &cobra.Command{
		Use:   "key",
		Short: "make keys to sign with, and export their public halves",
		Args:  cobra.ArbitraryArgs, // so that an unknown verb comes to RunE
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%s: verb %q is not known, expected generate or public", cmd.CommandPath(), args[0])
			}
			return cmd.Help()
		},
	}
	generate := &cobra.Command{
		Use:   "generate",
		Short: "make a key pair",
		Long: `generate makes an Ed25519 key pair, with which signatures are the same from run
to run: PREFIX.key, encrypted with a password as cosign does it, and PREFIX.pub.
Files that exist are not overwritten.

The password is that of HARDPAN_PASSWORD or COSIGN_PASSWORD, which may be empty;
where neither is set it is asked for on the terminal.

With --kms the key is made where a plugin of sigstore keeps it, in a KMS or a token,
and only PREFIX.pub is written.`,
		Example: `  hardpan key generate
  hardpan key generate --output-key-prefix release
  hardpan key generate --kms 'pkcs11://token=release;object=signing'`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.generateKey(cmd.Context()) },
	}
	generate.Flags().String("output-key-prefix", "hardpan", "`prefix` of the names of the two files")
	generate.Flags().String("kms", "", "make the key of this `reference` NAME://KEY with the plugin sigstore-kms-NAME")
	generate.Flags().String("algorithm", "", "`name` that the plugin has for the kind of key (default: the plugin's); needs --kms")
	group.AddCommand(generate, newKeyPublic(a))
	return group
}

func newKeyPublic(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "public",
		Short: "export the public half of a key",
		Long: `public prints the public key of a private one, PEM as verify --key reads it, so
that who verifies needs neither the key nor the KMS or the token that it is in.

A file is opened with its password, that of HARDPAN_PASSWORD or COSIGN_PASSWORD or
asked for on the terminal.`,
		Example: `  hardpan key public --key awskms:///alias/release --output-file release.pub
  hardpan key public --key hardpan.key`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.exportKey(cmd.Context()) },
	}
	cmd.Flags().String("key", "", "`file` of the private key, or a reference NAME://KEY for the plugin sigstore-kms-NAME")
	cmd.Flags().StringP("output-file", "o", "", "write a new `file`; one that exists is not overwritten")
	return cmd
}

// exportKey asks a plugin for the public key alone, for which some tokens take no PIN.
func (a *app) exportKey(ctx context.Context) error {
	verifier, err := a.publicHalf(ctx)
	if err != nil {
		return err
	}
	text, err := verifier.PEM()
	if err != nil {
		return err
	}
	file := a.settings.GetString("output-file")
	if file != "" {
		if err := writeNew(file, text, 0o644); errors.Is(err, fs.ErrExist) {
			return usagef("%s exists, and keys are not overwritten", file)
		} else if err != nil {
			return err
		}
	}
	switch {
	case a.json():
		return a.printJSON(map[string]string{"id": verifier.ID(), "pem": string(text)})
	case file != "":
		_, err = fmt.Fprintf(a.out, "wrote %s, key %s\n", file, verifier.ID())
	default:
		_, err = a.out.Write(text)
	}
	return err
}

func (a *app) publicHalf(ctx context.Context) (*sign.Verifier, error) {
	if kms.IsReference(a.settings.GetString("key")) {
		return a.publicKey(ctx)
	}
	text, password, err := a.privateKey()
	if err != nil {
		return nil, err
	}
	signer, err := a.loadSigner(text, password)
	if err != nil {
		return nil, err
	}
	return signer.Verifier(), nil
}

func (a *app) generateKey(ctx context.Context) (err error) {
	prefix := a.settings.GetString("output-key-prefix")
	names := []string{prefix + ".key", prefix + ".pub"}
	if a.settings.GetString("kms") != "" {
		names = names[1:]
	}
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return usageError{err: fmt.Errorf("%s exists, and keys are not overwritten", name), hint: "choose other names with --output-key-prefix"}
		}
	}
	if len(names) == 1 {
		return a.generateElsewhere(ctx, names[0])
	}
	if a.settings.GetString("algorithm") != "" {
		return usagef("--algorithm is given without --kms, and key files are Ed25519")
	}
	password, err := a.password("password of the new key: ", true)
	if err != nil {
		return err
	}
	private, public, err := sign.GenerateKey(password)
	if err != nil {
		return err
	}
	if err := writeNew(names[0], private, 0o600); err != nil {
		return err
	}
	if err := writeNew(names[1], public, 0o644); err != nil {
		return errors.Join(err, os.Remove(names[0]))
	}
	v, err := sign.LoadVerifier(public)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]string{"private": names[0], "public": names[1], "id": v.ID()})
	}
	_, err = fmt.Fprintf(a.out, "wrote %s and %s, key %s\n", names[0], names[1], v.ID())
	return err
}

// generateElsewhere makes a key with a plugin, and the file of its public half.
func (a *app) generateElsewhere(ctx context.Context, name string) error {
	reference := a.settings.GetString("kms")
	verifier, err := kms.Generate(ctx, reference, a.settings.GetString("algorithm"))
	if err != nil {
		return kmsError(err)
	}
	text, err := verifier.PEM()
	if err != nil {
		return err
	}
	if err := writeNew(name, text, 0o644); err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]string{"private": reference, "public": name, "id": verifier.ID()})
	}
	_, err = fmt.Fprintf(a.out, "made %s and wrote %s, key %s\n", reference, name, verifier.ID())
	return err
}

// writeNew makes a file that does not exist, whole or not at all.
func writeNew(name string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// password returns the password of a key, from the environment or the terminal. A
// new one is asked for twice.
func (a *app) password(prompt string, isNew bool) ([]byte, error) {
	for _, name := range []string{"HARDPAN_PASSWORD", "COSIGN_PASSWORD"} {
		if value, ok := os.LookupEnv(name); ok {
			return []byte(value), nil
		}
	}
	terminal := int(os.Stdin.Fd())
	if !term.IsTerminal(terminal) {
		return nil, usageError{err: errors.New("the key's password is not known, and there is no terminal to ask on"), hint: "set HARDPAN_PASSWORD; an empty one is allowed"}
	}
	ask := func(prompt string) ([]byte, error) {
		fmt.Fprint(a.err, prompt)
		defer fmt.Fprintln(a.err)
		return term.ReadPassword(terminal)
	}
	password, err := ask(prompt)
	if err != nil || !isNew {
		return password, err
	}
	again, err := ask("the same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(password, again) {
		return nil, usagef("the two passwords differ")
	}
	return password, nil
}
