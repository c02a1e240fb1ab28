package main

import (
	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/ledger"
)

func (sh *shell) anchorCommand() *cli.Command {
	return &cli.Command{
		Name: "anchor", Usage: "put the hash of a document on record, and find it again",
		Subcommands: []*cli.Command{
			{
				Name: "add", ArgsUsage: "FILE", Usage: "put a document's SHA-256 on record; the document stays with you",
				Description: "  waybill anchor add lab-report.pdf --about urn:epc:class:lgtin:9521001.010001.A1 --media application/pdf --wallet farm",
				Flags: signFlags(
					&cli.StringFlag{Name: "about", Usage: "`IDENTIFIER` that it is about"},
					&cli.StringFlag{Name: "media", Usage: "media `TYPE`, for example application/pdf"},
					&cli.StringFlag{Name: "note", Usage: "`TEXT` for who reads it"}),
				Action: sh.anchorAdd,
			},
			{
				Name: "check", ArgsUsage: "FILE or HASH", Usage: "who put a document on record first, and when",
				Description: "  waybill anchor check lab-report.pdf",
				Flags:       stateFlags(&cli.BoolFlag{Name: "prove", Usage: "with the proof against a finalized header (json)"}), Action: sh.anchorCheck,
			},
			{
				Name: "list", Usage: "the documents on record, newest first",
				Description: "  waybill anchor list --about urn:epc:class:lgtin:9521001.010001.A1",
				Flags: listFlags(&cli.StringFlag{Name: "by", Usage: "only those of a `PARTY` (address or name)"},
					&cli.StringFlag{Name: "about", Usage: "only those about an `IDENTIFIER`"}),
				Action: sh.anchorList,
			},
		},
	}
}

func (sh *shell) anchorAdd(c *cli.Context) error {
	args, err := arguments(c, "a file")
	if err != nil {
		return err
	}
	p := &ledger.Anchor{Media: c.String("media"), Note: c.String("note")}
	if err := checkIDs(c.String("about")); err != nil {
		return err
	}
	if about := c.String("about"); about != "" {
		p.About = canonical(about)
	}
	if p.Document, err = sh.hashFile(args[0]); err != nil {
		return err
	}
	return sh.act(c, p, "The document "+p.Document.String()+" is on record. Keep the file as it is: one changed byte is another document.")
}

func (sh *shell) anchorCheck(c *cli.Context) error {
	args, err := arguments(c, "a file, or the SHA-256 of one")
	if err != nil {
		return err
	}
	document, err := hashArgument(args[0], "a document")
	if err != nil {
		if document, err = sh.hashFile(args[0]); err != nil {
			return err
		}
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	a, err := client.Anchor(c.Context, document, c.Bool("prove"))
	if err != nil {
		return err
	}
	return sh.print(c, a, func(p *printer) {
		p.pairs([2]string{"document", a.Document.String()}, [2]string{"by", holderName(&a.Author)}, [2]string{"on record", clock(a.TimeMs) + ", block " + number(a.Since)},
			[2]string{"about", a.About}, [2]string{"media", a.Media}, [2]string{"note", a.Note}, [2]string{"transaction", a.Tx.String()})
	})
}

func (sh *shell) anchorList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	if err := checkIDs(c.String("about")); err != nil {
		return err
	}
	out := &api.AnchorList{Anchors: []api.AnchorInfo{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Anchors(c.Context, c.String("by"), c.String("about"), page)
		if err != nil {
			return "", err
		}
		out.Anchors, out.Height = append(out.Anchors, list.Anchors...), list.Height
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		rows := make([][]string, 0, len(out.Anchors))
		for _, a := range out.Anchors {
			rows = append(rows, []string{clock(a.TimeMs), holderName(&a.Author), a.About, a.Media, a.Note, a.Document.String()})
		}
		p.rows([]string{"SINCE", "BY", "ABOUT", "MEDIA", "NOTE", "DOCUMENT"}, rows)
	})
	sh.moreToCome(out.Next)
	return err
}
