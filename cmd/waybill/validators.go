package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
)

func (sh *shell) validatorsCommand() *cli.Command {
	return &cli.Command{
		Name: "validators", ArgsUsage: "[EPOCH|latest]", Usage: "who votes in an epoch, and with how much power",
		Description: "  waybill validators\n  waybill validators 12 --output json\n  waybill validators --height 5000\n\n" +
			"  Power follows stake when an epoch begins. Everybody who is registered: waybill stake list",
		Flags:  readFlags(&cli.Uint64Flag{Name: "height", Usage: "of the epoch that this `BLOCK` is in", DefaultText: "now"}),
		Action: sh.validators,
	}
}

func (sh *shell) validators(c *cli.Context) error {
	name := c.Args().First()
	if c.NArg() > 1 || name != "" && c.IsSet("height") {
		return usage("waybill validators takes one epoch, or the word latest, or --height")
	}
	if name == "" {
		name = "latest"
	}
	if _, err := strconv.ParseUint(name, 10, 64); err != nil && name != "latest" {
		return usage("%q is no epoch: it is a number, or the word latest", show(name))
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	if c.IsSet("height") {
		block, err := client.Block(c.Context, number(c.Uint64("height")))
		if err != nil {
			return err
		}
		name = number(block.Epoch)
	}
	epoch, err := client.Epoch(c.Context, name)
	if errors.Is(err, api.ErrNotFound) {
		return fail(exitNotFound, "there is no epoch %s on this node: it has not begun, or is too old to be kept. See: waybill validators latest", name)
	}
	if err != nil {
		return err
	}
	list, err := client.Validators(c.Context)
	if err != nil {
		return err
	}
	return sh.print(c, epoch, func(p *printer) { epochTable(p, epoch, list) })
}

// epochTable tells the set of an epoch. Names are those of today: a key that was rotated away has none.
func epochTable(p *printer, epoch *api.EpochInfo, list *api.ValidatorList) {
	names, total := map[crypto.PublicKey]string{}, uint64(0)
	for _, v := range list.Validators {
		names[v.Key] = v.Name
	}
	for _, v := range epoch.Validators {
		total += v.Power
	}
	p.pairs([2]string{"epoch", number(epoch.Epoch)}, [2]string{"begins after block", number(epoch.AnchorHeight)},
		[2]string{"checkpoint", fmt.Sprintf("%d:%s", epoch.Epoch, epoch.AnchorHash)},
		[2]string{"power", fmt.Sprintf("%d; more than two thirds of it make a block final", total)})
	rows := make([][]string, 0, len(epoch.Validators))
	for i, v := range epoch.Validators {
		rows = append(rows, []string{strconv.Itoa(i), names[v.Key], number(v.Power), fmt.Sprintf("%.1f %%", 100*float64(v.Power)/float64(total)), v.Key.String()})
	}
	p.rows([]string{"INDEX", "NAME", "POWER", "SHARE", "KEY"}, rows)
}
