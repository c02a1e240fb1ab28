package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/ledger"
)

func (sh *shell) recallCommand() *cli.Command {
	return &cli.Command{
		Name: "recall", Usage: "recall, withdraw or quarantine goods, and see who has them",
		Subcommands: []*cli.Command{
			{
				Name: "issue", ArgsUsage: "LOT…", Usage: "warn about lots, items or whole products; what they are and what was made from them is neither shipped nor sold from then on",
				Description: "  waybill recall issue urn:epc:class:lgtin:9521001.010001.A1 --reason \"glass found\" --wallet farm\n" +
					"  waybill recall issue '(01)09521007700010(21)S1' --type quarantine --reason \"lab result pending\"\n" +
					"  waybill recall issue LOT --reason … --instructions \"send it back\" --accept \"Returns Ltd\" --document notice.pdf\n\n" +
					"  The holder of the company prefix may, and regulators.",
				Flags: signFlags(
					&cli.StringFlag{Name: "type", Value: "recall", Usage: "`TYPE`: recall, withdrawal, quarantine or alert (which stops nothing)"},
					&cli.StringFlag{Name: "reason", Usage: "`TEXT`: why"},
					&cli.StringFlag{Name: "instructions", Usage: "`TEXT`: what to do with the goods"},
					&cli.StringSliceFlag{Name: "accept", Usage: "`PARTY` to whom the goods may still be shipped, besides you; may be repeated"},
					documentFlag("of the notice as published"),
				),
				Action: sh.recallIssue,
			},
			{
				Name: "ack", ArgsUsage: "NOTICE STATUS", Usage: "say what you did about a notice: received, stopped, returned, destroyed or nothing (you hold none)",
				Description: "  waybill recall ack 4be1… stopped --note \"12 bags in the cage\" --wallet shop",
				Flags:       signFlags(&cli.StringFlag{Name: "note", Usage: "`TEXT` for who reads it"}), Action: sh.recallAck,
			},
			{
				Name: "release", ArgsUsage: "NOTICE", Usage: "end a notice; the goods move again",
				Description: "  waybill recall release 4be1… --reason \"second test was clean\" --wallet farm",
				Flags:       signFlags(&cli.StringFlag{Name: "reason", Usage: "`TEXT`: why"}), Action: sh.recallRelease,
			},
			{
				Name: "list", Usage: "the notices, newest first",
				Description: "  waybill recall list --state open\n  waybill recall list --subject urn:epc:id:sgtin:9521007.070001.S1",
				Flags: listFlags(
					&cli.StringFlag{Name: "state", Usage: "`STATE`: open or released"},
					&cli.StringFlag{Name: "issuer", Usage: "only those of a `PARTY` (address or name)"},
					&cli.StringFlag{Name: "subject", Usage: "only those that an `ITEM`, lot or class is under"},
				),
				Action: sh.recallList,
			},
			{
				Name: "show", ArgsUsage: "NOTICE", Usage: "one notice and the answers to it",
				Description: "  waybill recall show 4be1…",
				Flags:       stateFlags(&cli.BoolFlag{Name: "prove", Usage: "with the proof against a finalized header (json)"}), Action: sh.recallShow,
			},
			{
				Name: "scope", ArgsUsage: "NOTICE or ITEM", Usage: "who holds what of it and of everything made from it, where, since when, and what they answered",
				Description: "  waybill recall scope 4be1…\n  waybill recall scope urn:epc:class:lgtin:9521001.010001.A1 --output json",
				Flags:       stateFlags(&cli.IntFlag{Name: "nodes", Usage: "most `ITEMS` to follow; 0 is the node's limit"}), Action: sh.recallScope,
			},
		},
	}
}

// noticeTypes and ackStatuses are the words of the command line.
func noticeType(text string) (t ledger.NoticeType, err error) {
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return t, usage("--type is recall, withdrawal, quarantine or alert, not %q", show(text))
	}
	return t, nil
}

func (sh *shell) recallIssue(c *cli.Context) error {
	if c.NArg() == 0 {
		return usage("waybill recall issue needs a lot, item or class. For example: waybill recall issue LOT --reason \"glass found\"")
	}
	kind, err := noticeType(c.String("type"))
	if err != nil {
		return err
	}
	if c.String("reason") == "" {
		return usage("say why with --reason TEXT")
	}
	p := &ledger.Notice{Type: kind, Reason: c.String("reason"), Instructions: c.String("instructions")}
	for _, text := range c.Args().Slice() {
		g, err := parseGoods(text)
		if err != nil {
			return err
		}
		if g.amount != nil || g.all {
			return usage("a notice is about all of a lot; leave the quantity out of %q", show(text))
		}
		p.Subjects = append(p.Subjects, canonical(g.id))
	}
	slices.Sort(p.Subjects)
	p.Subjects = slices.Compact(p.Subjects)
	if p.Document, err = sh.documentHash(c); err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	for _, subject := range p.Subjects {
		if list, err := client.Notices(c.Context, api.NoticeFilter{State: "open", Subject: subject}, api.Page{Limit: 1}); err == nil && len(list.Notices) > 0 {
			sh.say("Note: %s is under an open %s already, %s.", show(subject), list.Notices[0].Type, list.Notices[0].ID)
		}
	}
	for _, text := range c.StringSlice("accept") {
		a, err := partyArgument(c, client, text)
		if err != nil {
			return err
		}
		p.Accepts = append(p.Accepts, a)
	}
	return sh.act(c, p, fmt.Sprintf("The %s is on record; its id is that of the transaction.%swaybill recall scope %s", kind, nextMark, idMark))
}

func (sh *shell) recallAck(c *cli.Context) error {
	args, err := arguments(c, "the id of a notice (waybill recall list)", "a status")
	if err != nil {
		return err
	}
	id, err := hashArgument(args[0], "a notice")
	if err != nil {
		return err
	}
	p := &ledger.AcknowledgeNotice{Notice: id, Note: c.String("note")}
	if err := p.Status.UnmarshalText([]byte(args[1])); err != nil {
		return usage("the status is received, stopped, returned, destroyed or nothing, not %q", show(args[1]))
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	if n, err := client.Notice(c.Context, id, false); err == nil && n.State == "released" { // the ledger says so if there is none
		sh.say("Note: this notice was released in block %d; the answer goes on record all the same.", n.ReleasedAt)
	}
	return sh.act(c, p, "Your answer is on record: "+args[1]+"."+nextMark+"waybill recall show "+args[0])
}

func (sh *shell) recallRelease(c *cli.Context) error {
	args, err := arguments(c, "the id of a notice (waybill recall list)")
	if err != nil {
		return err
	}
	id, err := hashArgument(args[0], "a notice")
	if err != nil {
		return err
	}
	return sh.act(c, &ledger.ReleaseNotice{Notice: id, Reason: c.String("reason")}, "The notice is over; the goods move again.")
}

func (sh *shell) recallList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if err := checkIDs(c.String("subject")); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	filter := api.NoticeFilter{State: c.String("state"), Issuer: c.String("issuer"), Subject: c.String("subject")}
	out := &api.NoticeList{Notices: []api.NoticeInfo{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Notices(c.Context, filter, page)
		if err != nil {
			return "", err
		}
		out.Notices, out.Height, out.Spreading = append(out.Notices, list.Notices...), list.Height, list.Spreading
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		rows := make([][]string, 0, len(out.Notices))
		for _, n := range out.Notices {
			rows = append(rows, []string{clock(n.TimeMs), n.Type, n.State, holderName(&n.Issuer), strings.Join(n.Subjects, ", "), n.Reason, n.ID.String()})
		}
		p.rows([]string{"SINCE", "TYPE", "STATE", "ISSUER", "SUBJECTS", "REASON", "ID"}, rows)
	})
	sh.moreToCome(out.Next)
	if err == nil && len(out.Notices) > 0 {
		sh.next(c, "waybill recall scope %s", out.Notices[0].ID)
	}
	return err
}

func (sh *shell) recallShow(c *cli.Context) error {
	args, err := arguments(c, "the id of a notice (waybill recall list)")
	if err != nil {
		return err
	}
	id, err := hashArgument(args[0], "a notice")
	if err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	n, err := client.Notice(c.Context, id, c.Bool("prove"))
	if err != nil {
		return err
	}
	err = sh.print(c, n, func(p *printer) {
		noticePairs(p, &n.NoticeInfo)
		if len(n.Acks) == 0 {
			return
		}
		p.line("")
		p.title("Answers")
		rows := make([][]string, 0, len(n.Acks))
		for _, a := range n.Acks {
			rows = append(rows, []string{holderName(&a.Organisation), a.Status, clock(a.TimeMs), a.Note})
		}
		p.rows([]string{"WHO", "STATUS", "WHEN", "NOTE"}, rows)
	})
	if err == nil {
		sh.next(c, "waybill recall scope %s", id)
	}
	return err
}

func noticePairs(p *printer, n *api.NoticeInfo) {
	var accepts []string
	for i := range n.Accepts {
		accepts = append(accepts, holderName(&n.Accepts[i]))
	}
	document := ""
	if !n.Document.IsZero() {
		document = n.Document.String()
	}
	p.pairs([2]string{"notice", n.ID.String()}, [2]string{"type", n.Type}, [2]string{"state", n.State}, [2]string{"issuer", holderName(&n.Issuer) + " as " + n.Authority},
		[2]string{"subjects", strings.Join(n.Subjects, ", ")}, [2]string{"reason", n.Reason}, [2]string{"instructions", n.Instructions},
		[2]string{"ship to", strings.Join(accepts, ", ")}, [2]string{"since", clock(n.TimeMs) + ", block " + number(n.Since)}, [2]string{"document", document})
	if n.ReleasedAt != 0 {
		p.pairs([2]string{"released", "block " + number(n.ReleasedAt)})
	}
}

func (sh *shell) recallScope(c *cli.Context) error {
	args, err := arguments(c, "the id of a notice (waybill recall list), or an item, lot or class")
	if err != nil {
		return err
	}
	id, hashErr := hashArgument(args[0], "a notice")
	if hashErr != nil {
		if err := checkIDs(args[0]); err != nil {
			return err
		}
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	var scope *api.ScopeInfo
	if hashErr == nil {
		scope, err = client.RecallScope(c.Context, id, c.Int("nodes"))
	} else {
		scope, err = client.Scope(c.Context, args[0], c.Int("nodes"))
	}
	if err != nil {
		return err
	}
	err = sh.print(c, scope, func(p *printer) { drawScope(p, scope, newDirectory(c.Context, client)) })
	if err == nil && scope.Truncated {
		sh.say("This is NOT the whole scope:\n  %s", strings.Join(shown(scope.Reasons), "\n  "))
	}
	return err
}

func shown(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = show(t)
	}
	return out
}
