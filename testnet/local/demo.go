package local

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// DemoOptions say how the demonstration runs.
type DemoOptions struct {
	Dir     string
	Program string // path of waybill; "" is the running program
	Command string // how a person calls it, for the commands that are suggested
	Out     io.Writer
	// ShowTrace draws a trace for a person; names of parties and products are asked of the node.
	ShowTrace func(ctx context.Context, w io.Writer, client *api.Client, g *trace.Graph) error
	// Exit takes the network down at the end; otherwise it stays up until the context ends.
	Exit bool
	// FirstPort is that of the network's Plan.
	FirstPort int
}

// The documents of the demonstration: one for each step of a lettuce's way, and three frauds.
//
//go:embed lettuce/*.json
var documents embed.FS

// The validators of the demonstration, which are companies' nodes: no two have the same say, and the network goes on
// without any one of them.
var demoStakes = [...]uint64{30, 28, 25, 22}

// crashing is the node (from 0) that is killed after one step and returns after another.
const (
	crashing    = 3
	crashAfter  = 10
	returnAfter = 16
)

// demo is one run of the demonstration.
type demo struct {
	opts      DemoOptions
	out       *narrator
	net       *Network
	clients   []*api.Client // by node
	companies []*company
	start     time.Time
	events    int
	frauds    []foiled
	approvals map[string]approval // by prefix
	released  quorum.Height       // block in which the recall ended
}

// Demo runs the demonstration: a network of four companies' nodes, a lettuce from two farms to two stores, three frauds, a
// crash in the middle, a recall, a certificate. It returns nil only if every step, refusals included, was as it must be. The network is down when it
// returns.
func Demo(ctx context.Context, opts DemoOptions) (err error) {
	release, err := Hold(opts.Dir)
	if err != nil {
		return err
	}
	defer release()
	d := &demo{opts: opts, out: &narrator{w: opts.Out}, start: time.Now(), approvals: map[string]approval{}}
	defer func() {
		for _, client := range d.clients {
			client.Close()
		}
		if d.net == nil {
			return
		}
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*stopTime)
		defer cancel()
		err = errors.Join(err, d.net.Stop(stopping))
		if err == nil && opts.Exit {
			d.out.say("The network is down. Everything was as it must be.")
		}
	}()
	for _, part := range []func(context.Context) error{
		d.startNetwork, d.openClients, d.enrol, d.followTheLettuce, d.tellTraces, d.tellFrauds, d.recall, d.certify, d.compareNodes,
	} {
		if err := part(ctx); err != nil {
			return fmt.Errorf("the demonstration failed: %w", err)
		}
	}
	d.out.say("\nAll of this took %.0f seconds.", time.Since(d.start).Seconds())
	if opts.Exit {
		return nil
	}
	d.tellNext()
	<-ctx.Done()
	d.out.say("\nStopping…")
	return nil
}

func (d *demo) startNetwork(ctx context.Context) (err error) {
	d.out.title("1. Four companies start a network")
	stakes := make([]uint64, len(demoStakes))
	for i, s := range demoStakes {
		stakes[i] = s * stakeUnit
	}
	d.net, err = Create(ctx, Plan{
		Dir: d.opts.Dir, Chain: "lettuce-demo", Validators: len(stakes), Stakes: stakes, Faucet: "treasury", Registrar: "reg", FirstPort: d.opts.FirstPort,
		// The documents tell of the last four days.
		Params: func(p *ledger.Params) { p.LateAfterMs = 7 * 24 * time.Hour.Milliseconds() },
	}, Options{Program: d.opts.Program})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := d.net.Start(ctx); err != nil {
		return err
	}
	for i, node := range d.net.Nodes() {
		d.out.say("   %s  %2d of 105 votes  %s  log %s", node.Name, demoStakes[i], node.URL(), relative(d.net.Log(i)))
	}
	return nil
}

func (d *demo) openClients(context.Context) error {
	for _, node := range d.net.Nodes() {
		client, err := api.NewClient(node.URL())
		if err != nil {
			return err
		}
		d.clients = append(d.clients, client)
	}
	return nil
}

func (d *demo) tellNext() {
	dir, call := relative(d.net.Dir()), d.opts.Command
	d.out.title("The network stays up. Try, in another terminal:")
	d.out.say("   . %s/env", dir)
	for _, command := range []string{
		"node status", "trace back " + demoBag, "recall scope " + demoLot, "recall list", "verify " + dir + "/" + demoCertificate + " --genesis " + dir + "/" + genesisFile, "massbalance " + demoLot, "item urn:epc:id:sscc:9521006.0000000001", "events --step shipping", "org list", "block latest",
		"testnet kill 2 --dir " + dir + "     (and then: testnet start 2 --dir " + dir + ")",
	} {
		d.out.say("   %s %s", call, command)
	}
	d.out.say("   curl %s/v1/status\n\nCtrl-C here, or %s testnet down --dir %s, stops it.", d.net.URL(0), call, dir)
}

// relative is a path as seen from the working directory, where that is shorter.
func relative(path string) string {
	if wd, err := filepath.Abs("."); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
			return rel
		}
	}
	return path
}

// narrator tells people what happens. What cannot be written is not told: a closed pipe must not keep the network from
// being taken down.
type narrator struct{ w io.Writer }

func (n *narrator) say(format string, args ...any) { _, _ = fmt.Fprintf(n.w, format+"\n", args...) }

func (n *narrator) title(format string, args ...any) { n.say("\n"+format, args...) }
