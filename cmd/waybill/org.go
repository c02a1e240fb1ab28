package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/ledger"
)

func (sh *shell) orgCommand() *cli.Command {
	return &cli.Command{
		Name: "org", Usage: "organisations: who acts on the ledger",
		Subcommands: []*cli.Command{
			{
				Name: "register", ArgsUsage: "NAME", Usage: "make the wallet's account an organisation, or add to it",
				Description: "  waybill org register \"Salinas Farm\" --wallet farm --role farm --party urn:epc:id:pgln:9521001.00000",
				Flags: signFlags(
					&cli.StringSliceFlag{Name: "role", Usage: "`WORD` for what it does, for example farm, carrier, regulator; may be repeated"},
					&cli.StringSliceFlag{Name: "party", Usage: "`IDENTIFIER` under which documents name it (PGLN, GLN, URI); may be repeated"},
					&cli.StringSliceFlag{Name: "key", Usage: "further public `KEY` that signs for it; may be repeated"},
				),
				Action: sh.orgRegister,
			},
			{
				Name: "admit", ArgsUsage: "ORGANISATION", Usage: "let an organisation act, as a registrar; in networks that admit by registrar",
				Description: "  waybill org admit \"Salinas Farm\" --wallet faucet       or: --revoke",
				Flags:       signFlags(&cli.BoolFlag{Name: "revoke", Usage: "take the admission away"}),
				Action:      sh.orgAdmit,
			},
			{
				Name: "show", ArgsUsage: "NAME or ADDRESS", Usage: "one organisation",
				Description: "  waybill org show \"Salinas Farm\"",
				Flags:       stateFlags(), Action: sh.orgShow,
			},
			{
				Name: "list", Usage: "every organisation on the ledger",
				Description: "  waybill org list --output json",
				Flags:       stateFlags(), Action: sh.orgList,
			},
		},
	}
}

func (sh *shell) orgRegister(c *cli.Context) error {
	args, err := arguments(c, "the name of the organisation")
	if err != nil {
		return err
	}
	p := &ledger.RegisterOrganisation{Name: args[0], Roles: c.StringSlice("role"), Parties: c.StringSlice("party")}
	if err := checkIDs(p.Parties...); err != nil {
		return err
	}
	for _, text := range c.StringSlice("key") {
		key, err := publicKey(text)
		if err != nil {
			return err
		}
		p.Keys = append(p.Keys, key)
	}
	return sh.act(c, p, fmt.Sprintf("%s is registered.%swaybill prefix claim PREFIX", args[0], nextMark))
}

func (sh *shell) orgAdmit(c *cli.Context) error {
	args, err := arguments(c, "the name or address of the organisation")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	org, err := client.Organisation(c.Context, args[0])
	if err != nil {
		return err
	}
	if c.Bool("revoke") {
		return sh.act(c, &ledger.AdmitOrganisation{Organisation: org.Address}, fmt.Sprintf("%s no longer acts on the ledger.", org.Name))
	}
	return sh.act(c, &ledger.AdmitOrganisation{Organisation: org.Address, Admitted: true}, fmt.Sprintf("%s may act on the ledger.", org.Name))
}

func (sh *shell) orgShow(c *cli.Context) error {
	args, err := arguments(c, "the name or address of an organisation")
	if err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	org, err := client.Organisation(c.Context, args[0])
	if err != nil {
		return err
	}
	return sh.print(c, org, func(p *printer) {
		admitted := "yes"
		if !org.Admitted {
			admitted = "not yet; a registrar decides"
		}
		p.pairs([2]string{"name", org.Name}, [2]string{"address", org.Address.String()}, [2]string{"roles", strings.Join(org.Roles, ", ")},
			[2]string{"prefixes", strings.Join(org.Prefixes, ", ")}, [2]string{"parties", strings.Join(org.Parties, ", ")},
			[2]string{"admitted", admitted}, [2]string{"since block", number(org.Since)})
	})
}

func (sh *shell) orgList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	list, err := allOrganisations(c.Context, client)
	if err != nil {
		return err
	}
	return sh.print(c, list, func(p *printer) {
		rows := make([][]string, 0, len(list))
		for _, o := range list {
			rows = append(rows, []string{o.Name, strings.Join(o.Roles, ", "), strings.Join(o.Prefixes, ", "), o.Address.String()})
		}
		p.rows([]string{"NAME", "ROLES", "PREFIXES", "ADDRESS"}, rows)
	})
}

// allOrganisations reads every page.
func allOrganisations(ctx context.Context, client *api.Client) ([]api.OrganisationInfo, error) {
	out := []api.OrganisationInfo{}
	var after crypto.Address
	for {
		page, err := client.Organisations(ctx, after, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Organisations...)
		if page.Next == nil {
			return out, nil
		}
		after = *page.Next
	}
}
