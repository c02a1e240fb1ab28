package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// version is set by the linker.
var version = "unknown"

func main() { os.Exit(realMain()) }

// realMain is main without os.Exit, which tests run too.
func realMain() int {
	ctx, stop := watchSignals(context.Background())
	defer stop()
	sh := &shell{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(os.Stdout.Fd())),
	}
	return sh.run(ctx, os.Args)
}

// shell is what a command sees of the world.
type shell struct {
	stdin  *os.File
	stdout io.Writer
	stderr io.Writer
	colour bool // standard output is a terminal that wants colours
}

// run executes one command line and returns the exit status.
func (sh *shell) run(ctx context.Context, argv []string) int {
	app := sh.app()
	args, err := arrange(app, argv)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	var stopped *signalled
	switch {
	case err == nil: // a node or network that a signal stopped in order has done what it was asked
		return exitOK
	case errors.As(context.Cause(ctx), &stopped) && (errors.Is(err, context.Canceled) || errors.As(err, &stopped)):
		sh.say("waybill: %s", stopped.Error())
		return stopped.status()
	}
	status, text := explain(err)
	fmt.Fprintln(sh.stderr, "waybill: "+text)
	return status
}

// signalled is the cause of a context that a signal ended.
type signalled struct{ signal syscall.Signal }

func (s *signalled) Error() string { return "stopped by " + s.signal.String() }
func (s *signalled) status() int   { return 128 + int(s.signal) }

// watchSignals ends the context at the first SIGINT or SIGTERM and the process at the second.
func watchSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	var ended atomic.Bool
	go func() {
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				cause := &signalled{s.(syscall.Signal)}
				if ended.Swap(true) {
					os.Exit(cause.status())
				}
				cancel(cause)
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); close(done); cancel(nil) }
}

// app is the tree of commands.
func (sh *shell) app() *cli.App {
	app := &cli.App{
		Name:            "waybill",
		Usage:           "record supply-chain events that nobody can rewrite, and trace products through them",
		HideVersion:     true,
		HideHelpCommand: false,
		Writer:          sh.stdout,
		ErrWriter:       sh.stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // run decides the exit status
		Commands: []*cli.Command{
			sh.walletCommand(), sh.sendCommand(), sh.stakeCommand(), sh.validatorsCommand(),
			sh.captureCommand(), sh.shipCommand(), sh.receiveCommand(), sh.disputeCommand(), sh.recallCommand(), sh.eventsCommand(), sh.traceCommand(), sh.itemCommand(), sh.attachedCommand(), sh.txCommand(), sh.blockCommand(),
			sh.certificateCommand(), sh.verifyCommand(), sh.idCommand(), sh.hashCommand(),
			sh.balanceCommand(), sh.massBalanceCommand(), sh.attestCommand(), sh.anchorCommand(), sh.yieldCommand(), sh.govCommand(),
			sh.orgCommand(), sh.prefixCommand(), sh.delegateCommand(), sh.describeCommand(), sh.keyCommand(),
			sh.nodeCommand(), sh.snapshotCommand(), sh.exportCommand(), sh.signerCommand(), sh.testnetCommand(), sh.versionCommand(),
		},
		EnableBashCompletion: true,
		// Names, lots and identifiers may hold a comma; flags that take several values are repeated.
		DisableSliceFlagSeparator: true,
		CustomAppHelpTemplate: `waybill: {{.Usage}}

  waybill testnet demo                      a whole supply chain on four nodes, explained
  waybill trace back ITEM                   where has this been, and what is it made of?
  waybill capture FILE…                     record EPCIS events in your company's name

Commands:{{range .VisibleCommands}}
  {{printf "%-10s" .Name}} {{.Usage}}{{end}}

"waybill COMMAND --help" shows examples. Data goes to standard output, messages to standard error;
--output json works everywhere. Exit status: 0 done, 1 other, 2 usage, 3 configuration, 4 not found,
5 refused by a rule, 6 not confirmed in time, 7 node not in sync, 8 data folder, 9 safety, 130/143 signal.
`,
	}
	for _, c := range app.Commands {
		sh.finish(c)
	}
	return app
}

// finish gives every command its common parts: help with the examples first, and an answer to a missing verb.
func (sh *shell) finish(c *cli.Command) {
	c.CustomHelpTemplate = commandHelp
	c.HideHelpCommand = true
	c.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return usage("%v", err) }
	if len(c.Subcommands) == 0 {
		return
	}
	names := make([]string, 0, len(c.Subcommands))
	for _, sub := range c.Subcommands {
		names = append(names, sub.Name)
		sh.finish(sub)
	}
	c.CustomHelpTemplate = groupHelp
	if c.Action != nil {
		return // it does something without a verb, too
	}
	c.Action = func(cc *cli.Context) error {
		return usage("%s needs one of its commands: %s. For example: %s --help", cc.Command.HelpName, enumerate(names), cc.Command.HelpName+" "+names[0])
	}
}

const commandHelp = `{{.Usage}}
{{if .Description}}
{{.Description}}
{{end}}
Usage: {{.HelpName}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}} [flags]
{{if .VisibleFlags}}
Flags:
{{range .VisibleFlags}}  {{.}}
{{end}}{{end}}`

const groupHelp = `{{.Usage}}
{{if .Description}}
{{.Description}}
{{end}}
Commands:
{{range .Subcommands}}{{if not .Hidden}}  {{printf "%-10s" .Name}} {{.Usage}}
{{end}}{{end}}{{if gt (len .VisibleFlags) 1}}
Flags of {{.HelpName}} itself:
{{range .VisibleFlags}}  {{.}}
{{end}}{{end}}
"{{.HelpName}} COMMAND --help" shows examples.
`
