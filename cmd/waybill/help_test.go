package main

import (
	"io"
	"regexp"
	"testing"

	"github.com/urfave/cli/v2"

	"waybill/epcis/gs1"
)

// TestExamplesOfHelp reads every identifier in the examples of help: what people copy from there must be valid.
func TestExamplesOfHelp(t *testing.T) {
	identifier := regexp.MustCompile(`(\(01\)|https://id\.gs1\.org/|urn:epc:)[^\s'"=,]+`)
	seen := 0
	var walk func(commands []*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			for _, id := range identifier.FindAllString(c.Description, -1) {
				seen++
				if _, err := gs1.Parse(id); err != nil {
					t.Errorf("help of %s: %v", c.Name, err)
				}
			}
			walk(c.Subcommands)
		}
	}
	walk((&shell{stdout: io.Discard, stderr: io.Discard}).app().Commands)
	if seen < 20 {
		t.Errorf("%d identifiers found", seen)
	}
}
