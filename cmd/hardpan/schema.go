package main

import (
	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/specs"
)

func newSchema(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema [spec|policy]",
		Short: "print the JSON Schema of specs or of policies, for editors",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || args[0] == "spec":
			case args[0] == "policy":
				_, err := a.out.Write(specs.PolicySchema())
				return err
			default:
				return usagef("schema is %q, expected spec or policy", args[0])
			}
			schema, err := specs.Schema()
			if err != nil {
				return err
			}
			_, err = a.out.Write(schema)
			return err
		},
	}
}
