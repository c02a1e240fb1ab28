package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"waybill/ledger"
	"waybill/testnet/local"
)

// Where test networks are unless told otherwise, relative to the working directory.
const (
	defaultTestnet = ".testnet/default"
	demoTestnet    = ".testnet/demo"
)

// readyTime is how long a network or a node may take to be ready, stopAll how long to stop.
const (
	readyTime = 60 * time.Second
	stopAll   = 45 * time.Second
)

func (sh *shell) testnetCommand() *cli.Command {
	dir := func() cli.Flag {
		return &cli.StringFlag{Name: "dir", Value: defaultTestnet, Usage: "`FOLDER` of the network"}
	}
	force := &cli.BoolFlag{Name: "even-validator", Usage: "wipe a validator too; afterwards it starts with --recover-signer only"}
	recovers := &cli.BoolFlag{Name: "recover-signer", Usage: "a validator that was wiped: watch until nothing of the past can be signed again, then vote"}
	one := func(name, usage, example string, action cli.ActionFunc, more ...cli.Flag) *cli.Command {
		return &cli.Command{
			Name: name, ArgsUsage: "NUMBER", Usage: usage, Description: "  " + example,
			Flags: append(more, dir(), outputFlag()), Action: action,
		}
	}
	return &cli.Command{
		Name: "testnet", Usage: "networks of real nodes on this machine",
		Subcommands: []*cli.Command{
			{
				Name: "demo", Usage: "a whole supply chain on four nodes, with three frauds and a crash, explained",
				Description: "  waybill testnet demo\n  EXIT=1 waybill testnet demo\n\n" +
					"  It stays up until Ctrl-C. With --exit, EXIT=1, or without a terminal it takes the network down at the end,\n" +
					"  and its exit status is 0 only if everything was as it must be.",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "exit", EnvVars: []string{"EXIT"}, Usage: "take the network down at the end"},
					firstPort(), &cli.StringFlag{Name: "dir", Value: demoTestnet, Usage: "`FOLDER` of the network; wiped first"},
				},
				Action: sh.testnetDemo,
			},
			{
				Name: "up", Usage: "start a network; it is made if there is none",
				Description: "  waybill testnet up\n  waybill testnet up --validators 7 --full 1 --adopt --detach\n  waybill testnet up --fresh",
				Flags: []cli.Flag{
					&cli.IntFlag{Name: "validators", Value: 4, Usage: "`NUMBER` of nodes that vote"},
					&cli.IntFlag{Name: "full", Usage: "`NUMBER` of nodes that only follow"},
					&cli.BoolFlag{Name: "adopt", Usage: "a network that takes over goods and documents older than itself"},
					&cli.Uint64Flag{Name: "epoch-length", Usage: "`BLOCKS` after which the validator set may change (at least 3); it also changes after a minute then, and jail lasts 10 s"},
					&cli.BoolFlag{Name: "fresh", Usage: "delete the network that is there and make a new one"},
					&cli.BoolFlag{Name: "detach", Usage: "leave it running in the background"},
					firstPort(), dir(), outputFlag(),
				},
				Action: sh.testnetUp,
			},
			{Name: "down", Usage: "stop a network, whoever started it", Description: "  waybill testnet down", Flags: []cli.Flag{dir()}, Action: sh.testnetDown},
			{Name: "status", Usage: "how its nodes are", Description: "  waybill testnet status --output json", Flags: []cli.Flag{dir(), outputFlag()}, Action: sh.testnetStatus},
			one("start", "start one node", "waybill testnet start 2", sh.testnetStart, recovers),
			one("stop", "stop one node in order", "waybill testnet stop 2", sh.testnetOne("stopped", (*local.Network).StopNode)),
			one("kill", "end one node as a crash would (SIGKILL)", "waybill testnet kill 2", sh.testnetOne("killed", (*local.Network).KillNode)),
			one("restart", "stop and start one node", "waybill testnet restart 2", sh.testnetRestart),
			one("wipe", "delete the ledger of a stopped node; it fetches it again", "waybill testnet wipe 5", sh.testnetWipe, force),
			{Name: "add-node", Usage: "add a full node to a running network", Description: "  waybill testnet add-node", Flags: []cli.Flag{dir(), outputFlag()}, Action: sh.testnetAdd},
		},
	}
}

const firstPortFlag = "first-port"

func firstPort() cli.Flag {
	return &cli.IntFlag{Name: firstPortFlag, EnvVars: []string{"WAYBILL_TESTNET_FIRST_PORT"}, DefaultText: "anywhere from 20000 to 31999",
		Usage: "`PORT` from which on a new network takes those that are free; give networks of one machine their own"}
}

func (sh *shell) testnetUp(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	dir := c.String("dir")
	release, err := local.Hold(dir)
	if err != nil {
		return err
	}
	defer release()
	if yes, err := local.Running(dir); err != nil || yes {
		return errors.Join(err, fmt.Errorf("%w: the network in %s. See waybill testnet status --dir %s, or stop it: waybill testnet down --dir %s", local.ErrInUse, dir, dir, dir))
	}
	network, err := sh.openOrCreate(c, dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil || !c.Bool("detach") {
			err = errors.Join(err, sh.stopNetwork(network))
		}
	}()
	sh.say("Starting %d nodes…", len(network.Nodes()))
	ctx, cancel := context.WithTimeout(c.Context, readyTime)
	defer cancel()
	if err := network.Start(ctx); err != nil {
		return err
	}
	if err := sh.showNetwork(c, network); err != nil {
		return err
	}
	if c.Bool("detach") {
		sh.say("It runs in the background. To stop it: waybill testnet down --dir %s", dir)
		return nil
	}
	sh.say("Ctrl-C stops it.")
	sh.watch(c.Context, network)
	sh.say("\nStopping…")
	return nil
}

func (sh *shell) stopNetwork(network *local.Network) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopAll) // after Ctrl-C the command's own context is over
	defer cancel()
	return network.Stop(ctx)
}

// openOrCreate opens the network in the folder, or makes it.
func (sh *shell) openOrCreate(c *cli.Context, dir string) (*local.Network, error) {
	opts := local.Options{Detached: c.Bool("detach")}
	if !c.Bool("fresh") {
		network, err := local.Open(dir, opts)
		if err == nil {
			return network, sameShape(c, network)
		}
		if !errors.Is(err, local.ErrNoNetwork) {
			return nil, err
		}
	}
	sh.say("Making a network of %d validators and %d full nodes in %s…", c.Int("validators"), c.Int("full"), dir)
	plan := local.Plan{Dir: dir, Validators: c.Int("validators"), Full: c.Int("full"), Adopt: c.Bool("adopt"), FirstPort: c.Int(firstPortFlag)}
	if length := c.Uint64("epoch-length"); c.IsSet("epoch-length") {
		plan.Params = func(p *ledger.Params) { p.EpochLength, p.EpochMs, p.JailMs = length, testEpochMs, testJailMs }
	}
	network, err := local.Create(c.Context, plan, opts)
	if errors.Is(err, local.ErrPlan) || errors.Is(err, ledger.ErrGenesis) {
		return nil, usage("%v", err)
	}
	return network, err
}

// In a test network with --epoch-length an epoch of this age ends if the set is to change, and jail is this short.
const (
	testEpochMs = 60_000
	testJailMs  = 10_000
)

// sameShape refuses to start an existing network under flags that it was not made with.
func sameShape(c *cli.Context, network *local.Network) error {
	m := network.Manifest()
	validators := 0
	for _, n := range m.Nodes {
		if n.Validator {
			validators++
		}
	}
	if c.IsSet("validators") && c.Int("validators") != validators || c.IsSet("adopt") && c.Bool("adopt") != (m.Mode == "adopt") {
		return usage("the network in %s has %d validators in %s mode. Start it without these flags, make a new one with --fresh, or name another --dir",
			c.String("dir"), validators, m.Mode)
	}
	return nil
}

// networkView is a network as --output json shows it.
type networkView struct {
	Dir          string        `json:"dir"`
	Chain        string        `json:"chain"`
	Genesis      string        `json:"genesis"`
	Mode         string        `json:"mode"`
	Wallets      string        `json:"wallets"`
	PasswordFile string        `json:"passwordFile"`
	Nodes        []networkNode `json:"nodes"`
}

type networkNode struct {
	local.State
	URL string `json:"url"`
	Log string `json:"log"`
}

func (sh *shell) showNetwork(c *cli.Context, network *local.Network) error {
	states, err := network.Status(c.Context)
	if err != nil {
		return err
	}
	m := network.Manifest()
	view := networkView{Dir: network.Dir(), Chain: m.Chain, Genesis: m.Genesis.String(), Mode: m.Mode,
		Wallets: network.WalletsDir(), PasswordFile: network.PasswordFile(), Nodes: []networkNode{}}
	for i, s := range states {
		view.Nodes = append(view.Nodes, networkNode{s, s.URL(), network.Log(i)})
	}
	err = sh.print(c, view, func(p *printer) {
		p.pairs([2]string{"network", view.Chain + " (" + view.Mode + ")"}, [2]string{"folder", view.Dir}, [2]string{"genesis", view.Genesis})
		rows := make([][]string, 0, len(view.Nodes))
		for i, n := range view.Nodes {
			state := "stopped"
			switch {
			case n.Ready:
				state = "ready"
			case n.Running:
				state = "not ready"
			}
			stake := "not in the genesis" // it may have registered since
			if n.Validator {
				stake = "stake " + number(n.Stake)
			}
			rows = append(rows, []string{strconv.Itoa(i + 1), state, stake, n.URL, n.Log})
		}
		p.rows([]string{"NODE", "STATE", "PART", "HTTP", "LOG"}, rows)
	})
	if err == nil && c.String("output") != "json" {
		sh.say("\nTo act on it with its funded wallet:")
		sh.say("  . %s", filepath.Join(c.String("dir"), "env"))
		sh.say("  waybill node status")
		sh.say("  waybill org register 'My Company' && waybill prefix claim 9521234 && waybill prefix approve 9521234 'My Company'")
		sh.say("  waybill capture FILE…")
	}
	return err
}

// watch waits for the end of the context and tells of nodes that end by themselves meanwhile.
func (sh *shell) watch(ctx context.Context, network *local.Network) {
	was := map[string]bool{}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		states, err := network.Status(ctx)
		if err != nil {
			continue // asked again in a second; what matters is the end of the context
		}
		for i, s := range states {
			if was[s.Name] && !s.Running {
				sh.say("%s has ended; its log is %s. To start it again: waybill testnet start %d --dir %s", s.Name, network.Log(i), i+1, network.Dir())
			}
			was[s.Name] = s.Running
		}
	}
}

func (sh *shell) testnetDown(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, stopAll)
	defer cancel()
	if err := local.Down(ctx, c.String("dir")); err != nil {
		return err
	}
	sh.say("The network in %s is down.", c.String("dir"))
	return nil
}

func (sh *shell) testnetStatus(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	network, err := local.Open(c.String("dir"), local.Options{})
	if err != nil {
		return err
	}
	return sh.showNetwork(c, network)
}

// testnetNode opens the network and reads the number of a node, from 1.
func (sh *shell) testnetNode(c *cli.Context) (*local.Network, int, error) {
	args, err := arguments(c, "the number of a node, from 1")
	if err != nil {
		return nil, 0, err
	}
	network, err := local.Open(c.String("dir"), local.Options{Detached: true})
	if err != nil {
		return nil, 0, err
	}
	number, err := strconv.Atoi(strings.TrimPrefix(args[0], "node"))
	if err != nil || number < 1 || number > len(network.Nodes()) {
		return nil, 0, usage("%q is no node of %s; it has 1 to %d", show(args[0]), c.String("dir"), len(network.Nodes()))
	}
	return network, number - 1, nil
}

func (sh *shell) testnetOne(done string, act func(*local.Network, context.Context, int) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		network, i, err := sh.testnetNode(c)
		if err != nil {
			return err
		}
		if err := act(network, c.Context, i); err != nil {
			return err
		}
		sh.say("node%d is %s.", i+1, done)
		return nil
	}
}

func (sh *shell) testnetStart(c *cli.Context) error {
	network, i, err := sh.testnetNode(c)
	if err != nil {
		return err
	}
	if c.Bool("recover-signer") {
		if err := sh.startOne(c, network, i, "--recover-signer"); err != nil {
			return err
		}
		sh.say("It watches first and votes again later, when others made blocks; its log says when: %s", network.Log(i))
		return nil
	}
	return sh.startOne(c, network, i)
}

func (sh *shell) startOne(c *cli.Context, network *local.Network, i int, flags ...string) error {
	ctx, cancel := context.WithTimeout(c.Context, readyTime)
	defer cancel()
	err := network.StartNode(ctx, i, flags...)
	if errors.Is(err, local.ErrAlone) {
		sh.say("node%d runs at %s; it is ready when validators with two thirds of the stake run.", i+1, network.URL(i))
		return nil
	}
	if err != nil {
		return err
	}
	sh.say("node%d is ready at %s.", i+1, network.URL(i))
	return nil
}

func (sh *shell) testnetRestart(c *cli.Context) error {
	network, i, err := sh.testnetNode(c)
	if err != nil {
		return err
	}
	if err := network.StopNode(c.Context, i); err != nil {
		return err
	}
	return sh.startOne(c, network, i)
}

func (sh *shell) testnetWipe(c *cli.Context) error {
	network, i, err := sh.testnetNode(c)
	if err != nil {
		return err
	}
	err = network.WipeNode(i, c.Bool("even-validator"))
	if errors.Is(err, local.ErrUnsafe) {
		return fail(exitSafety, "%w. To wipe it all the same add --even-validator, and --recover-signer when you start it again", err)
	}
	if err != nil {
		return err
	}
	sh.say("The ledger of node%d is deleted. Next: waybill testnet start %d --dir %s", i+1, i+1, c.String("dir"))
	return nil
}

func (sh *shell) testnetAdd(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	network, err := local.Open(c.String("dir"), local.Options{Detached: true})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, readyTime)
	defer cancel()
	i, err := network.AddNode(ctx)
	if err != nil {
		return err
	}
	sh.say("node%d follows the network.", i+1)
	return sh.showNetwork(c, network)
}

// endsItself reports whether the demonstration takes its network down at the end: when told so, and when nobody is there
// to press Ctrl-C.
func endsItself(c *cli.Context, stdin *os.File) bool {
	return c.Bool("exit") || !term.IsTerminal(int(stdin.Fd()))
}
