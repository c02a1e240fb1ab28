package main

import (
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/ledger"
)

func (sh *shell) attestCommand() *cli.Command {
	return &cli.Command{
		Name: "attest", Usage: "certificates of claims: that goods of an organisation may be called organic, fair, recycled",
		Subcommands: []*cli.Command{
			{
				Name: "give", ArgsUsage: "URI PARTY", Usage: "certify another organisation",
				Description: "  waybill attest give https://cert.example/7 \"Salinas Farm\" --claim organic --model segregated --from 2026-01-01T00:00:00Z --until 2027-01-01T00:00:00Z --wallet certifier",
				Flags: signFlags(
					&cli.StringFlag{Name: "claim", Usage: "`WORD`, for example organic"},
					&cli.StringFlag{Name: "model", Value: "segregated", Usage: "`MODEL` of ISO 22095: identity_preserved, segregated, controlled_blending, mass_balance or book_and_claim"},
					&cli.StringFlag{Name: "scope", Usage: "only for a `CLASS` or location"},
					&cli.StringFlag{Name: "standard", Usage: "`TEXT`, for example EU 2018/848"},
					&cli.StringFlag{Name: "from", Usage: "in force from this `TIME` on, RFC 3339", DefaultText: "now"},
					&cli.StringFlag{Name: "until", Usage: "and before this `TIME`, RFC 3339"},
					documentFlag("of the certificate")),
				Action: sh.attestGive,
			},
			{
				Name: "revoke", ArgsUsage: "URI", Usage: "end a certificate that you gave",
				Description: "  waybill attest revoke https://cert.example/7 --reason \"inspection failed\" --wallet certifier",
				Flags:       signFlags(&cli.StringFlag{Name: "reason", Usage: "`TEXT`: why"}), Action: sh.attestRevoke,
			},
			{
				Name: "list", Usage: "the certificates, newest first",
				Description: "  waybill attest list --about \"Salinas Farm\"",
				Flags: listFlags(&cli.StringFlag{Name: "issuer", Usage: "only those of a `PARTY` (address or name)"},
					&cli.StringFlag{Name: "about", Usage: "only those for a `PARTY` (address or name)"}),
				Action: sh.attestList,
			},
			{
				Name: "show", ArgsUsage: "URI", Usage: "one certificate",
				Description: "  waybill attest show https://cert.example/7",
				Flags:       stateFlags(&cli.BoolFlag{Name: "prove", Usage: "with the proof against a finalized header (json)"}), Action: sh.attestShow,
			},
		},
	}
}

// chainModel reads the name of a chain of custody model.
func chainModel(text string) (ledger.ChainModel, error) {
	names := []string{"identity_preserved", "segregated", "controlled_blending", "mass_balance", "book_and_claim"}
	i := slices.Index(names, text)
	if i < 0 {
		return 0, usage("--model is %s, not %q%s", enumerate(names), show(text), didYouMean(text, names))
	}
	return ledger.IdentityPreserved + ledger.ChainModel(i), nil
}

// timeFlag reads a time in RFC 3339 in ms since the Unix epoch; otherwise where the flag is absent.
func timeFlag(c *cli.Context, name string, otherwise int64) (int64, error) {
	text := c.String(name)
	if text == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, usage("--%s is a time like 2026-05-01T00:00:00Z, not %q", name, show(text))
	}
	return t.UnixMilli(), nil
}

func (sh *shell) attestGive(c *cli.Context) error {
	args, err := arguments(c, "the URI of the certificate", "an organisation")
	if err != nil {
		return err
	}
	p := &ledger.Attest{ID: args[0], Claim: c.String("claim"), Standard: c.String("standard")}
	if p.Claim == "" || c.String("until") == "" {
		return usage("say what for with --claim WORD, and until when with --until TIME")
	}
	if err := checkIDs(c.String("scope")); err != nil {
		return err
	}
	if scope := c.String("scope"); scope != "" {
		p.Scope = canonical(scope)
	}
	if p.Model, err = chainModel(c.String("model")); err != nil {
		return err
	}
	if p.FromMs, err = timeFlag(c, "from", time.Now().UnixMilli()); err != nil {
		return err
	}
	if p.UntilMs, err = timeFlag(c, "until", 0); err != nil {
		return err
	}
	if p.Document, err = sh.documentHash(c); err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	if p.Subject, err = partyArgument(c, client, args[1]); err != nil {
		return err
	}
	return sh.act(c, p, "The certificate is on record. Events name it in their certificationInfo.")
}

func (sh *shell) attestRevoke(c *cli.Context) error {
	args, err := arguments(c, "the URI of a certificate (waybill attest list)")
	if err != nil {
		return err
	}
	return sh.act(c, &ledger.RevokeAttestation{ID: args[0], Reason: c.String("reason")}, "The certificate is revoked.")
}

func (sh *shell) attestList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	out := &api.AttestationList{Attestations: []api.AttestationInfo{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Attestations(c.Context, c.String("issuer"), c.String("about"), page)
		if err != nil {
			return "", err
		}
		out.Attestations, out.Height = append(out.Attestations, list.Attestations...), list.Height
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		rows := make([][]string, 0, len(out.Attestations))
		for _, a := range out.Attestations {
			rows = append(rows, []string{a.Claim, a.State, holderName(&a.Subject), holderName(&a.Issuer), a.Model, clock(a.UntilMs), a.ID})
		}
		p.rows([]string{"CLAIM", "STATE", "FOR", "ISSUER", "MODEL", "UNTIL", "URI"}, rows)
	})
	sh.moreToCome(out.Next)
	return err
}

func (sh *shell) attestShow(c *cli.Context) error {
	args, err := arguments(c, "the URI of a certificate (waybill attest list)")
	if err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	a, err := client.Attestation(c.Context, args[0], c.Bool("prove"))
	if err != nil {
		return err
	}
	return sh.print(c, a, func(p *printer) {
		p.pairs([2]string{"certificate", a.ID}, [2]string{"state", a.State}, [2]string{"claim", a.Claim}, [2]string{"for", holderName(&a.Subject)}, [2]string{"scope", a.Scope},
			[2]string{"issuer", holderName(&a.Issuer)}, [2]string{"model", a.Model}, [2]string{"standard", a.Standard}, [2]string{"from", clock(a.FromMs)},
			[2]string{"until", clock(a.UntilMs)}, [2]string{"revoked", clock(a.RevokedMs)}, [2]string{"since block", number(a.Since)})
	})
}
