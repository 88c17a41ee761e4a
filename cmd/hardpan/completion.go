package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// shells are those that cobra writes completions for.
var shells = []string{"bash", "fish", "powershell", "zsh"}

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "print what makes a shell complete hardpan's verbs and flags",
		Long:      "completion prints a script for bash, fish, powershell or zsh.",
		Example:   "  hardpan completion bash > /etc/bash_completion.d/hardpan",
		Args:      exactArgs("SHELL"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			case "zsh":
				return root.GenZshCompletion(a.out)
			}
			return usagef("shell %q is not known, expected one of %s", args[0], strings.Join(shells, ", "))
		},
	}
}
