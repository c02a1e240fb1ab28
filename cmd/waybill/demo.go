package main

import (
	"context"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/epcis/trace"
	"waybill/testnet/local"
)

func (sh *shell) testnetDemo(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	return local.Demo(c.Context, local.DemoOptions{
		Dir: c.String("dir"), Command: os.Args[0], Out: sh.stdout, Exit: endsItself(c, sh.stdin), FirstPort: c.Int(firstPortFlag),
		ShowTrace: func(ctx context.Context, w io.Writer, client *api.Client, g *trace.Graph) error {
			p := &printer{colour: sh.colour}
			drawTrace(p, g, newDirectory(ctx, client), false)
			_, err := io.WriteString(w, p.String())
			return err
		},
	})
}
