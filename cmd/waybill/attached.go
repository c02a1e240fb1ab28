package main

import (
	"github.com/urfave/cli/v2"

	"waybill/api"
)

func (sh *shell) attachedCommand() *cli.Command {
	return &cli.Command{
		Name: "attached", ArgsUsage: "ITEM", Usage: "which devices and parts were attached to a thing or place, and when; or what a device was attached to",
		Description: "  waybill attached urn:epc:id:sscc:9521001.0000000001\n" +
			"  waybill attached urn:epc:id:giai:9521001.LOGGER7 --device --since 2026-05-01T00:00:00Z --before 2026-05-02T00:00:00Z\n\n" +
			"  What a logger measured while it was attached is about the thing, and what was packed in it. The times are those of\n" +
			"  the events; an end is implied where the device was attached to something else.",
		Flags: listFlags(
			&cli.BoolFlag{Name: "device", Usage: "the item is the device or part: what it was attached to"},
			&cli.StringFlag{Name: "since", Usage: "only what was attached at this `TIME` or later, RFC 3339"},
			&cli.StringFlag{Name: "before", Usage: "only what was attached until this `TIME`, RFC 3339"}),
		Action: sh.attached,
	}
}

func (sh *shell) attached(c *cli.Context) error {
	args, err := arguments(c, "a thing, a place or, with --device, a device")
	if err != nil {
		return err
	}
	if err := checkIDs(args[0]); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	filter := api.AttachmentFilter{Parent: args[0], From: c.String("since"), Until: c.String("before")}
	if c.Bool("device") {
		filter.Parent, filter.Device = "", args[0]
	}
	out := &api.AttachmentList{Attachments: []api.AttachmentInfo{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Attachments(c.Context, filter, page)
		if err != nil {
			return "", err
		}
		out.Attachments, out.Older, out.Height = append(out.Attachments, list.Attachments...), out.Older || list.Older, list.Height
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		rows := make([][]string, 0, len(out.Attachments))
		for _, a := range out.Attachments {
			rows = append(rows, []string{a.Device, a.Parent, clock(a.FromMs), until(&a)})
		}
		p.rows([]string{"DEVICE", "ATTACHED TO", "FROM", "UNTIL"}, rows)
	})
	if out.Older {
		sh.say("There were others before, which are not kept.")
	}
	sh.moreToCome(out.Next)
	return err
}

// until says when an attachment ended.
func until(a *api.AttachmentInfo) string {
	switch a.End {
	case "open":
		return "now"
	case "implied":
		return clock(a.UntilMs) + ", when it was attached elsewhere"
	}
	return clock(a.UntilMs)
}
