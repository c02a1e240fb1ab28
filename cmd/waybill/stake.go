package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/ledger"
)

func (sh *shell) stakeCommand() *cli.Command {
	return &cli.Command{
		Name: "stake", Usage: "stand behind a validator with money",
		Subcommands: []*cli.Command{
			{
				Name: "bond", ArgsUsage: "VALIDATOR AMOUNT", Usage: "add to your stake in a validator",
				Description: "  waybill stake bond 02ab… 5000 --wallet node1",
				Flags:       signFlags(), Action: sh.stake("Bonded", func(key crypto.PublicKey, n uint64) ledger.Payload { return &ledger.Bond{Validator: key, Amount: n} }),
			},
			{
				Name: "unbond", ArgsUsage: "VALIDATOR AMOUNT", Usage: "take from your stake; the money is yours again after the unbonding time",
				Description: "  waybill stake unbond 02ab… 5000 --wallet node1\n\n" +
					"  All of it, or so much that the smallest stake remains. Until it is free it can still be lost with the rest, and\n" +
					"  waybill wallet balance shows it. Keep the node running until it is out of waybill validators.",
				Flags: signFlags(), Action: sh.stake("Unbonded", func(key crypto.PublicKey, n uint64) ledger.Payload { return &ledger.Unbond{Validator: key, Amount: n} }),
			},
			{
				Name: "register", ArgsUsage: "NAME AMOUNT", Usage: "announce the validator whose keys are in a node's folder, with its first stake",
				Description: "  waybill node keys --data /var/lib/waybill --validator\n" +
					"  waybill stake register plant-1 5000 --data /var/lib/waybill --wallet node1\n\n" +
					"  The wallet that signs is the operator's: it is paid, and punished, for this validator.",
				Flags: signFlags(dataFlag()), Action: sh.stakeRegister,
			},
			{
				Name: "unjail", ArgsUsage: "VALIDATOR", Usage: "let your validator be elected again after it was down",
				Description: "  waybill stake unjail 02ab… --wallet node1\n\n" +
					"  Not before the time that waybill stake list shows, and when its node runs again.",
				Flags: signFlags(), Action: sh.stakeUnjail,
			},
			{
				Name: "rotate", ArgsUsage: "VALIDATOR", Usage: "give your validator the keys in another node's folder; the old node votes until an epoch begins without it",
				Description: "  waybill node keys --data /var/lib/waybill-new --validator\n" +
					"  waybill stake rotate 02ab… --data /var/lib/waybill-new --wallet node1",
				Flags: signFlags(dataFlag()), Action: sh.stakeRotate,
			},
			{
				Name: "list", Usage: "the validators and their stake",
				Description: "  waybill stake list",
				Flags:       stateFlags(), Action: sh.stakeList,
			},
		},
	}
}

func (sh *shell) stake(done string, payload func(crypto.PublicKey, uint64) ledger.Payload) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := arguments(c, "the public key of a validator (waybill stake list)", "an amount")
		if err != nil {
			return err
		}
		key, err := publicKey(args[0])
		if err != nil {
			return err
		}
		amount, err := units(args[1])
		if err != nil {
			return err
		}
		return sh.act(c, payload(key, amount), fmt.Sprintf("%s %d with validator %s.", done, amount, key))
	}
}

func dataFlag() cli.Flag {
	return &cli.StringFlag{Name: "data", Usage: "`FOLDER` of the node with the keys (waybill node keys --validator)"}
}

// nodeKeysOf reads both keys of a node that is to vote; it makes none.
func nodeKeysOf(c *cli.Context) (validator, peer crypto.PrivateKey, err error) {
	dir := c.String("data")
	if dir == "" {
		return validator, peer, usage("name the folder of the node with --data FOLDER")
	}
	for _, f := range []struct {
		name string
		key  *crypto.PrivateKey
	}{{validatorKeyFile, &validator}, {peerKeyFile, &peer}} {
		path := filepath.Join(dir, f.name)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return validator, peer, fail(exitConfig, "there is no %s. Make the keys: waybill node keys --data %s --validator", path, dir)
		}
		if *f.key, err = readKey(path); err != nil {
			return validator, peer, err
		}
	}
	return validator, peer, nil
}

func (sh *shell) stakeRegister(c *cli.Context) error {
	args, err := arguments(c, "a name for the validator", "an amount")
	if err != nil {
		return err
	}
	amount, err := units(args[1])
	if err != nil {
		return err
	}
	validator, peer, err := nodeKeysOf(c)
	if err != nil {
		return err
	}
	p := &ledger.RegisterValidator{Key: validator.Public(), PeerKey: peer.Public(), Name: args[0], Stake: amount}
	return sh.act(c, p, fmt.Sprintf("Registered validator %s with %d; it votes from the epoch that elects it, the next one as a rule (waybill stake list).", p.Key, amount), validator)
}

func (sh *shell) stakeUnjail(c *cli.Context) error {
	args, err := arguments(c, "the public key of a validator (waybill stake list)")
	if err != nil {
		return err
	}
	key, err := publicKey(args[0])
	if err != nil {
		return err
	}
	return sh.act(c, &ledger.Unjail{Validator: key}, fmt.Sprintf("Validator %s can be elected again, when the next epoch begins.", key))
}

func (sh *shell) stakeRotate(c *cli.Context) error {
	args, err := arguments(c, "the present public key of the validator (waybill stake list)")
	if err != nil {
		return err
	}
	key, err := publicKey(args[0])
	if err != nil {
		return err
	}
	validator, peer, err := nodeKeysOf(c)
	if err != nil {
		return err
	}
	p := &ledger.RotateValidatorKey{Old: key, New: validator.Public(), NewPeerKey: peer.Public()}
	return sh.act(c, p, fmt.Sprintf("Validator %s has the key %s now. Keep the old node running until an epoch begins without its key.", key, p.New), validator)
}

func (sh *shell) stakeList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	list, err := client.Validators(c.Context)
	if err != nil {
		return err
	}
	return sh.print(c, list, func(p *printer) {
		rows := make([][]string, 0, len(list.Validators))
		for _, v := range list.Validators {
			rows = append(rows, []string{v.Name, number(v.Stake), number(v.Power), standing(v), v.Operator.String(), v.Key.String()})
		}
		p.rows([]string{"NAME", "STAKE", "POWER", "STATE", "OPERATOR", "KEY"}, rows)
		p.line("")
		p.line("Epoch %d began after block %d; this is block %d. Power follows stake when an epoch begins.", list.Epoch, list.AnchorHeight, list.Height)
	})
}

// standing is what a validator may do, for a person.
func standing(v api.ValidatorInfo) string {
	switch {
	case v.Tombstoned:
		return "punished for signing twice; never elected again"
	case v.Jailed:
		return "jailed; unjail from " + time.UnixMilli(v.JailedUntilMs).UTC().Format(time.RFC3339)
	case v.Power > 0:
		return "votes"
	}
	return "does not vote in this epoch"
}
