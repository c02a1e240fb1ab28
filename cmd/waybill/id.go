package main

import (
	"github.com/urfave/cli/v2"

	"waybill/epcis/gs1"
)

// idView is an identifier as --output json shows it. What does not apply to it is absent.
type idView struct {
	Asked         string `json:"asked"`
	Kind          string `json:"kind"`      // for example "SGTIN"
	Canonical     string `json:"canonical"` // its one key on the ledger
	DigitalLink   string `json:"digitalLink,omitempty"`
	URN           string `json:"urn,omitempty"`
	ElementString string `json:"elementString,omitempty"`
	GTIN          string `json:"gtin,omitempty"`
	Value         string `json:"value,omitempty"` // the primary key with its check digit
	Serial        string `json:"serial,omitempty"`
	Lot           string `json:"lot,omitempty"`
	Class         string `json:"class,omitempty"`
	CompanyPrefix string `json:"companyPrefix,omitempty"`
	Names         string `json:"names,omitempty"` // "one thing" or "many things of a kind"
}

func (sh *shell) idCommand() *cli.Command {
	return &cli.Command{
		Name: "id", ArgsUsage: "IDENTIFIER…", Usage: "check a GS1 identifier and show it in all its forms",
		Description: "  waybill id urn:epc:id:sgtin:9521001.010001.17\n" +
			"  waybill id '(01)09521001100014(21)17'\n" +
			"  waybill id https://id.gs1.org/01/09521001100014/10/A1 --prefix-length 7",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "prefix-length", Usage: "`DIGITS` of the company prefix, which only a URN shows; needed to print a URN of other forms"},
			outputFlag(),
		},
		Action: sh.id,
	}
}

func (sh *shell) id(c *cli.Context) error {
	if c.NArg() == 0 {
		return usage("waybill id needs an identifier. For example: waybill id urn:epc:id:sgtin:9521001.010001.17")
	}
	views := make([]idView, 0, c.NArg())
	for _, text := range c.Args().Slice() {
		id, err := gs1.Parse(text)
		if err != nil {
			return &failure{exitOther, err} // it was asked whether it is one
		}
		views = append(views, viewID(text, id, c.Int("prefix-length")))
	}
	return sh.print(c, views, func(p *printer) {
		for i, v := range views {
			if i > 0 {
				p.line("")
			}
			p.pairs([2]string{"kind", v.Kind}, [2]string{"canonical", v.Canonical}, [2]string{"Digital Link", v.DigitalLink},
				[2]string{"URN", v.URN}, [2]string{"element string", v.ElementString}, [2]string{"value", v.Value},
				[2]string{"serial", v.Serial}, [2]string{"lot", v.Lot}, [2]string{"class", v.Class},
				[2]string{"company prefix", v.CompanyPrefix}, [2]string{"names", v.Names})
		}
	})
}

func viewID(asked string, id gs1.ID, prefixLength int) idView {
	v := idView{Asked: asked, Kind: id.Key().String(), Canonical: id.Canonical(), DigitalLink: id.DigitalLink(), Value: id.Value(), Serial: id.Serial(), Lot: id.Lot()}
	v.GTIN, _ = id.GTIN()
	v.CompanyPrefix, _ = id.CompanyPrefix()
	// Some identifiers have no such form; then it is absent, which is the answer.
	if urn, err := id.URN(prefixLength); err == nil {
		v.URN = urn
	}
	if elements, err := id.ElementString(); err == nil {
		v.ElementString = elements
	}
	if class := id.Class(); !class.IsZero() && !class.Equal(id) {
		v.Class = class.Canonical()
	}
	switch {
	case id.IsClass():
		v.Names = "a kind or batch, of which there may be many"
	case id.IsInstance():
		v.Names = "exactly one thing"
	}
	return v
}

// parseID reads an identifier that a command was given. URIs that look like GS1 identifiers and break their rules pass: networks
// record what others have published, and rule R3 is theirs to judge by. Errors: *gs1.ParseError.
func parseID(text string) (gs1.ID, error) {
	id, err := gs1.ParseLenient(text)
	if id.IsZero() {
		return id, err
	}
	return id, nil
}

// itemArgument is the one argument of commands about an item or lot.
func itemArgument(c *cli.Context) ([]string, error) {
	args, err := arguments(c, "the identifier of an item or lot")
	if err != nil {
		return nil, err
	}
	_, err = parseID(args[0])
	return args, err
}

// checkIDs refuses what is no identifier by any network's rules, before anybody is asked about it; "" is none.
func checkIDs(texts ...string) error {
	for _, text := range texts {
		if text == "" {
			continue
		}
		if _, err := parseID(text); err != nil {
			return err
		}
	}
	return nil
}
