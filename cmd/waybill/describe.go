package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/ledger"
)

func (sh *shell) describeCommand() *cli.Command {
	return &cli.Command{
		Name: "describe", ArgsUsage: "product|location|party IDENTIFIER NAME=VALUE…", Usage: "put on record what a product, place or company of yours is",
		Description: "  waybill describe product '(01)09521001100014' \"https://gs1.org/voc/productName=Romaine hearts\" --wallet farm\n" +
			"  waybill describe location urn:epc:id:sgln:9521001.00001.0 \"area=5 HAR\" \"polygon=…\" --wallet farm\n\n" +
			"  What is stated replaces everything that was recorded about the identifier before.\n" +
			"  A location with an area is a plot of land: above 4 ha its goods are marked without a polygon, or polygonDocument (see anchor).",
		Flags: signFlags(), Action: sh.describe,
	}
}

func (sh *shell) describe(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) < 3 {
		return usage("waybill describe needs product, location or party, then an identifier, then NAME=VALUE at least once")
	}
	if err := checkIDs(args[1]); err != nil {
		return err
	}
	p := &ledger.PutMasterData{Type: args[0], ID: canonical(args[1])}
	for _, text := range args[2:] {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return usage("%q is no NAME=VALUE", show(text))
		}
		p.Attributes = append(p.Attributes, ledger.Attribute{Name: name, Value: value})
	}
	slices.SortFunc(p.Attributes, func(a, b ledger.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return sh.act(c, p, "The description is on record.")
}
