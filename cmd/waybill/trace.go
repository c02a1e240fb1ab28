package main

import (
	"github.com/urfave/cli/v2"

	"waybill/epcis/trace"
)

func (sh *shell) traceCommand() *cli.Command {
	flags := func() []cli.Flag {
		return readFlags(
			&cli.IntFlag{Name: "depth", Usage: "most `STEPS` from the item; 0 is the node's limit"},
			&cli.IntFlag{Name: "nodes", Usage: "most `ITEMS` in the answer; 0 is the node's limit"},
			&cli.BoolFlag{Name: "brief", Usage: "the tree without the history of every item"},
		)
	}
	return &cli.Command{
		Name: "trace", Usage: "follow a product through the supply chain",
		Subcommands: []*cli.Command{
			{
				Name: "back", ArgsUsage: "ITEM", Usage: "where it has been, and what it is made of",
				Description: "  waybill trace back urn:epc:id:sgtin:9521007.070001.S1\n  waybill trace back '(01)09521007700010(21)S1' --output json",
				Flags:       flags(), Action: sh.trace(trace.DirectionBack),
			},
			{
				Name: "forward", ArgsUsage: "ITEM", Usage: "what became of it, and where that is now",
				Description: "  waybill trace forward urn:epc:class:lgtin:9521001.010001.A1",
				Flags:       flags(), Action: sh.trace(trace.DirectionForward),
			},
		},
	}
}

func (sh *shell) trace(direction trace.Direction) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := itemArgument(c)
		if err != nil {
			return err
		}
		client, err := newClient(c)
		if err != nil {
			return err
		}
		ask := client.TraceBack
		if direction == trace.DirectionForward {
			ask = client.TraceForward
		}
		graph, err := ask(c.Context, args[0], trace.Limits{Depth: c.Int("depth"), Nodes: c.Int("nodes")})
		if err != nil {
			return err
		}
		err = sh.print(c, graph, func(p *printer) { drawTrace(p, graph, newDirectory(c.Context, client), c.Bool("brief")) })
		if err == nil && graph.Truncated {
			sh.say("This is not the whole trace. Ask for more with --depth or --nodes.")
		}
		return err
	}
}
