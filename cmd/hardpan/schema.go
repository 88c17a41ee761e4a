package main

import (
	"github.com/spf13/cobra"

	"github.com/hardpan/hardpan/specs"
)

func newSchema(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of specs, for editors",
		Args:  exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			schema, err := specs.Schema()
			if err != nil {
				return err
			}
			_, err = a.out.Write(schema)
			return err
		},
	}
}
