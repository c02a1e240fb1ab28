package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// acting is the account that a command acts for, known before a passphrase is asked for.
func acting(c *cli.Context) (crypto.Address, error) {
	if text := c.String("account"); text != "" {
		return addressOf(c, text)
	}
	folder, err := openWallets(c)
	if err != nil {
		return crypto.Address{}, err
	}
	name, err := signerName(c, folder)
	if err != nil {
		return crypto.Address{}, err
	}
	info, err := folder.Info(name)
	if err != nil {
		return crypto.Address{}, err
	}
	return info.Address, nil
}

// checkReceiver refuses to receive what is shipped to somebody else. The ledger refuses strangers itself, but takes the
// shipper's word, who has such goods anyway, and marks it only. Where the shipment names no account the ledger decides.
func checkReceiver(s *api.ShipmentDetail, me crypto.Address) error {
	if s.To == nil || s.To.Address == me {
		return nil
	}
	as := "you act"
	if s.From != nil && s.From.Address == me {
		as = "you shipped it, and act"
	}
	return fail(exitRefused, "shipment %s is to %s, and only they receive it; %s as %s. Nothing was sent. Name the receiver's wallet with --wallet",
		s.Event, show(holderName(s.To)), as, me)
}

// disputedOf checks that what is disputed is under way in the shipment, because what is not would be found out only
// after everything else was received. A lot without a quantity is all of it that is under way.
func disputedOf(s *api.ShipmentDetail, lines []ledger.DisputeLine) ([]ledger.DisputeLine, error) {
	var out []ledger.DisputeLine
	for _, l := range lines {
		if l.Kind == ledger.Overage || slices.Contains(s.Items, l.ID) {
			out = append(out, l)
			continue
		}
		open := underWayOf(s, l.ID)
		switch {
		case len(open) == 0:
			return nil, usage("%s is not under way in shipment %s, or packed in what is; nothing was sent. What is packed is disputed before the rest is received: "+
				"waybill dispute open %s", show(l.ID), s.Event, s.Event)
		case l.Amount.IsZero():
			all, err := wholeLot(l, open)
			if err != nil {
				return nil, err
			}
			out = append(out, all...)
		default:
			out = append(out, l)
		}
	}
	return out, nil
}

// underWayOf lists the amounts of a lot that are open in a shipment.
func underWayOf(s *api.ShipmentDetail, lot string) []api.PackedAmount {
	var open []api.PackedAmount
	for _, q := range s.Quantities {
		if q.Lot == lot {
			open = append(open, q)
		}
	}
	return open
}

// wholeLot is a line for every amount of a lot that is under way.
func wholeLot(l ledger.DisputeLine, open []api.PackedAmount) ([]ledger.DisputeLine, error) {
	var out []ledger.DisputeLine
	for _, q := range open {
		line := l
		if !q.Unmeasured {
			d, err := epcis.ParseDecimal(q.Quantity)
			if err != nil {
				return nil, err
			}
			line.Amount, line.Unit = ledger.AmountOf(d), q.UOM
		}
		out = append(out, line)
	}
	return out, nil
}

// undisputed tells that goods were received and what was to be disputed is not. The receiving is final: nothing takes it back.
func undisputed(done *handedOver, err error) error {
	if done.capture == nil {
		return err
	}
	status, text := explain(err)
	known := "NO dispute is open"
	if status != exitRefused && status != exitUsage {
		known = "it is not known whether the dispute is open (waybill dispute list)"
	}
	return fail(status, "the rest was received (event %s), and %s: %s", done.Event, known, text)
}

// heldAlready reports whether the ledger had nothing to receive.
func heldAlready(flags []api.Fault) bool {
	return slices.ContainsFunc(flags, func(f api.Fault) bool { return f.Code == ledger.CodeAlreadyHeld.String() })
}

// receivedSentence is what a receiving achieved.
func receivedSentence(done *handedOver) string {
	switch {
	case done.Dispute != nil && done.capture == nil:
		return "Nothing was received, and all of it is disputed."
	case done.Dispute != nil:
		return "Received, and the rest is disputed."
	case heldAlready(done.Flags):
		return "Recorded, but some of it was yours already: see the flags. Nothing more is yours for it."
	}
	return "Received."
}
