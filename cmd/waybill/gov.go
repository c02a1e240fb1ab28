package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/ledger"
)

func (sh *shell) govCommand() *cli.Command {
	title := &cli.StringFlag{Name: "title", Usage: "`TEXT` in a line"}
	text := &cli.StringFlag{Name: "text", Usage: "`TEXT`: why"}
	return &cli.Command{
		Name: "gov", Usage: "what the validators decide: parameters, offices, admission, upgrades",
		Subcommands: []*cli.Command{
			{
				Name: "propose", ArgsUsage: "ACTION", Usage: "ask the validators to decide; you must operate one",
				Description: "  waybill gov propose params feePerKiB=20 rules.R13=reject --title \"dearer, stricter\" --wallet node1\n" +
					"  waybill gov propose office regulator \"Food Safety Authority\" --title … --wallet node1       or: --revoke\n" +
					"  waybill gov propose admission \"New Farm\" --title … --wallet node1\n" +
					"  waybill gov propose upgrade 2 120000 --title \"protocol 2 from block 120000\" --wallet node1",
				Flags:  signFlags(title, text, &cli.BoolFlag{Name: "revoke", Usage: "take the office or the admission away"}),
				Action: sh.govPropose,
			},
			{
				Name: "vote", ArgsUsage: "PROPOSAL yes|no", Usage: "vote with the power of your validators; a later vote replaces an earlier one",
				Description: "  waybill gov vote 5d07… yes --wallet node1",
				Flags:       signFlags(), Action: sh.govVote,
			},
			{
				Name: "list", Usage: "the proposals, newest first",
				Description: "  waybill gov list --state open",
				Flags:       listFlags(&cli.StringFlag{Name: "state", Usage: "`STATE`: open, passed, rejected or failed"}), Action: sh.govList,
			},
			{
				Name: "show", ArgsUsage: "PROPOSAL", Usage: "one proposal and its votes",
				Description: "  waybill gov show 5d07…",
				Flags:       stateFlags(&cli.BoolFlag{Name: "prove", Usage: "with the proof against a finalized header (json)"}), Action: sh.govShow,
			},
			{
				Name: "params", Usage: "the parameters in force, the protocol, and who holds an office",
				Description: "  waybill gov params\n  waybill gov params --height 5000 --output json",
				Flags:       stateFlags(&cli.BoolFlag{Name: "prove", Usage: "with the proof against a finalized header (json)"}), Action: sh.govParams,
			},
		},
	}
}

func (sh *shell) govPropose(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) < 2 {
		return usage("waybill gov propose needs an action: params, office, admission or upgrade. See: waybill gov propose --help")
	}
	if c.String("title") == "" {
		return usage("say what it is about with --title TEXT")
	}
	p := &ledger.Propose{Title: c.String("title"), Text: c.String("text")}
	if err := sh.action(c, &p.Action, args[0], args[1:]); err != nil {
		return err
	}
	return sh.act(c, p, "The proposal is open; its id is that of the transaction."+nextMark+"waybill gov vote "+idMark+" yes")
}

// action reads what a proposal wants.
func (sh *shell) action(c *cli.Context, a *ledger.Action, kind string, args []string) error {
	switch kind {
	case "params":
		a.Kind = ledger.ActParams
		for _, text := range args {
			name, value, ok := strings.Cut(text, "=")
			if !ok || name == "" {
				return usage("%q is no NAME=VALUE like feePerKiB=20; the names are those of waybill gov params --output json", show(text))
			}
			if err := checkParam(name, value); err != nil {
				return err
			}
			a.Params = append(a.Params, ledger.ParamChange{Name: name, Value: value})
		}
		return nil
	case "office", "admission":
		a.Kind = ledger.ActAdmission
		if kind == "office" {
			a.Kind = ledger.ActOffice
			if err := a.Office.UnmarshalText([]byte(args[0])); err != nil {
				return usage("an office is registrar or regulator, not %q", show(args[0]))
			}
			args = args[1:]
		}
		if len(args) != 1 {
			return usage("name one account. See: waybill gov propose --help")
		}
		client, err := newClient(c)
		if err != nil {
			return err
		}
		a.Grant = !c.Bool("revoke")
		a.Account, err = partyArgument(c, client, args[0])
		return err
	case "upgrade":
		a.Kind = ledger.ActUpgrade
		version, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil || len(args) != 2 {
			return usage("an upgrade is VERSION HEIGHT, for example: waybill gov propose upgrade 2 120000")
		}
		height, err := strconv.ParseUint(args[1], 10, 64)
		a.Version, a.Height = version, quorum.Height(height)
		if err != nil {
			return usage("%q is no height", show(args[1]))
		}
		return nil
	}
	return usage("%q is nothing to propose%s; propose params, office, admission or upgrade", show(kind), didYouMean(kind, []string{"params", "office", "admission", "upgrade"}))
}

// checkParam refuses a parameter that there is not, and a value that it never has; whether it is within bounds depends on the
// others, and is the ledger's to say.
func checkParam(name, value string) error {
	if names := ledger.ParamNames(); !slices.Contains(names, name) {
		return usage("there is no parameter %s%s. The names are those of waybill gov params", show(name), didYouMean(name, names))
	}
	err := new(ledger.Params).Set(name, value)
	var number *strconv.NumError
	var form *ledger.FormError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &number):
		return usage("%s is a whole number, not %q", name, show(value))
	}
	reason := err
	for errors.As(err, &form) {
		reason, err = errors.New(form.Detail), form.Err
	}
	return usage("%s cannot be %q: %v", name, show(value), reason)
}

func (sh *shell) govVote(c *cli.Context) error {
	args, err := arguments(c, "the id of a proposal (waybill gov list)", "yes or no")
	if err != nil {
		return err
	}
	id, err := hashArgument(args[0], "a proposal")
	if err != nil {
		return err
	}
	if args[1] != "yes" && args[1] != "no" {
		return usage("vote yes or no, not %q", show(args[1]))
	}
	return sh.act(c, &ledger.Vote{Proposal: id, Yes: args[1] == "yes"}, "Voted "+args[1]+".")
}

func (sh *shell) govList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	out := &api.ProposalList{Proposals: []api.ProposalInfo{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Proposals(c.Context, c.String("state"), page)
		if err != nil {
			return "", err
		}
		out.Proposals, out.Height = append(out.Proposals, list.Proposals...), list.Height
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		rows := make([][]string, 0, len(out.Proposals))
		for _, q := range out.Proposals {
			rows = append(rows, []string{q.State, q.Title, actionText(&q.Action), tallyText(&q), number(q.LastEpoch), q.ID.String()})
		}
		p.rows([]string{"STATE", "TITLE", "WHAT", "YES / NO / POWER", "LAST EPOCH", "ID"}, rows)
	})
	sh.moreToCome(out.Next)
	return err
}

func tallyText(q *api.ProposalInfo) string { return fmt.Sprintf("%d / %d / %d", q.Yes, q.No, q.Total) }

func actionText(a *api.ActionInfo) string {
	switch a.Kind {
	case "params":
		var out []string
		for _, p := range a.Params {
			out = append(out, p.Name+"="+p.Value)
		}
		return strings.Join(out, ", ")
	case "upgrade":
		return fmt.Sprintf("protocol %d from block %d", a.Version, a.Height)
	}
	verb := "give"
	if a.Grant != nil && !*a.Grant {
		verb = "take away"
	}
	return strings.Join(strings.Fields(verb+" "+a.Kind+" "+a.Office+" "+holderName(a.Account)), " ")
}

func (sh *shell) govShow(c *cli.Context) error {
	args, err := arguments(c, "the id of a proposal (waybill gov list)")
	if err != nil {
		return err
	}
	id, err := hashArgument(args[0], "a proposal")
	if err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	q, err := client.Proposal(c.Context, id, c.Bool("prove"))
	if err != nil {
		return err
	}
	return sh.print(c, q, func(p *printer) {
		decided := ""
		if q.Decided != 0 {
			decided = "block " + number(q.Decided)
		}
		p.pairs([2]string{"proposal", q.ID.String()}, [2]string{"state", q.State}, [2]string{"title", q.Title}, [2]string{"what", actionText(&q.Action)}, [2]string{"why", q.Text},
			[2]string{"by", holderName(&q.Author)}, [2]string{"since", "block " + number(q.Since) + ", epoch " + number(q.Epoch)}, [2]string{"open until", "the end of epoch " + number(q.LastEpoch)},
			[2]string{"decided", decided}, [2]string{"yes/no/power", tallyText(&q.ProposalInfo)})
		if len(q.Votes) == 0 {
			return
		}
		p.line("")
		rows := make([][]string, 0, len(q.Votes))
		for _, v := range q.Votes {
			word := "no"
			if v.Yes {
				word = "yes"
			}
			rows = append(rows, []string{holderName(&v.Operator), word, number(v.Power)})
		}
		p.rows([]string{"OPERATOR", "VOTE", "POWER"}, rows)
	})
}

func (sh *shell) govParams(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	rules, err := client.Params(c.Context, c.Bool("prove"))
	if err != nil {
		return err
	}
	return sh.print(c, rules, func(p *printer) {
		p.pairs(paramLines(rules.Params)...)
		upgrade := ""
		if rules.Upgrade != nil {
			upgrade = fmt.Sprintf("protocol %d from block %d", rules.Upgrade.Version, rules.Upgrade.Height)
		}
		p.pairs([2]string{"program's protocol", number(rules.Protocol)}, [2]string{"upgrade", upgrade}, [2]string{"registrars", names(rules.Registrars)},
			[2]string{"regulators", names(rules.Regulators)}, [2]string{"as of block", number(rules.Height)})
	})
}

func names(list []api.Holder) string {
	var out []string
	for i := range list {
		out = append(out, holderName(&list[i]))
	}
	return strings.Join(out, ", ")
}

// paramLines are the parameters by their names in the genesis document, in its order.
func paramLines(p ledger.Params) [][2]string {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var out [][2]string
	var path []string
	for name := ""; ; {
		token, err := d.Token()
		if err != nil {
			return out
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' && name != "" {
				path, name = append(path, name), ""
			} else if v == '}' && len(path) > 0 {
				path = path[:len(path)-1]
			}
		default:
			if name == "" {
				name = fmt.Sprint(v)
				continue
			}
			out = append(out, [2]string{strings.Join(append(path, name), "."), fmt.Sprint(v)})
			name = ""
		}
	}
}
