package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/epcis/unit"
)

// Goods as a person writes them: ITEM, LOT=12.5KGM or, to ship, LOT=all.

// goodsArgument is an item, or "LOT=12.5KGM": a quantity of a lot or class.
type goodsArgument struct {
	id     string
	amount *epcis.Decimal // nil: the item, or all of the lot
	unit   string
	all    bool // "LOT=all": all that one holds loose of it
}

// allOfLot is the amount of who ships all that he has.
const allOfLot = "all"

// parseGoods reads one. A lot number may hold a = of its own; what follows the last one is a quantity if what stands
// before it is an identifier. Everything that can be wrong without asking anybody is found here. Errors: exitUsage.
func parseGoods(text string) (goodsArgument, error) {
	id, amount, ok := cutLast(text, "=")
	if _, err := gs1.Parse(id); !ok || err != nil {
		_, err := gs1.Parse(text)
		return goodsArgument{id: text}, err
	}
	if amount == allOfLot {
		return goodsArgument{id: id, all: true}, nil
	}
	number := amount
	if i := strings.IndexFunc(amount, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }); i >= 0 {
		number = amount[:i] // codes may hold digits: "2.5H87"
	}
	d, err := epcis.ParseDecimal(number)
	uom := strings.TrimSpace(amount[len(number):])
	if err != nil || d.Sign() <= 0 || !unitShaped(uom) {
		return goodsArgument{}, usage("%q is no quantity; write it like LOT=12.5KGM or, for pieces, LOT=40", show(text))
	}
	if err := checkUnit(uom); err != nil {
		return goodsArgument{}, err
	}
	return goodsArgument{id: id, amount: &d, unit: uom}, nil
}

// maxUnitLength is the longest text that is taken for a unit or for a person's word for one.
const maxUnitLength = 20

// unitShaped reports whether text may be a unit, or a word for one.
func unitShaped(text string) bool {
	if len(text) > maxUnitLength {
		return false
	}
	for _, r := range text {
		if !printable(r) || strings.ContainsRune(",.-+=;:", r) {
			return false
		}
	}
	return true
}

// checkUnit refuses what was meant for a unit and is none. A code that nobody knows passes: the ledger counts it by itself,
// since parties may have agreed on codes for packages.
func checkUnit(uom string) error {
	if _, ok := unit.Lookup(uom); ok {
		return nil
	}
	hint := ""
	if u, ok := unit.Meant(uom); ok {
		hint = ", did you mean " + u.Code + " (" + u.Name + ")?"
	} else if codeShaped(uom) {
		return nil
	}
	return usage("%s is no unit of the ledger%s Units are codes of UN/ECE Recommendation 20 (KGM, GRM, LBR, LTR, MTR …), none for pieces. Nothing was sent",
		show(uom), cmp.Or(hint, "."))
}

// codeShaped reports whether text looks like a code of the Recommendation: two or three capital letters and digits.
func codeShaped(text string) bool {
	return (len(text) == 2 || len(text) == 3) &&
		strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') }) < 0
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func (g goodsArgument) quantity() epcis.Quantity {
	return epcis.Quantity{Class: g.id, Quantity: g.amount, UOM: g.unit}
}

// isLot reports whether it names a lot or class, of which there are quantities, and not one thing.
func (g goodsArgument) isLot() bool {
	if g.amount != nil || g.all {
		return true
	}
	id, err := gs1.Parse(g.id)
	if err != nil {
		return false
	}
	return id.Lot() != "" && id.Serial() == "" || id.Canonical() == id.Class().Canonical()
}

// shippedGoods reads what to ship. An amount that is not stated has to be meant: it takes all that is loose, and nobody
// will ever tell how much that was.
func shippedGoods(c *cli.Context) ([]goodsArgument, error) {
	var out []goodsArgument
	unmeasured := false
	for _, text := range c.Args().Slice() {
		g, err := parseGoods(text)
		if err != nil {
			return nil, err
		}
		if g.isLot() && g.amount == nil && !g.all {
			if unmeasured = true; !c.Bool("unmeasured") {
				return nil, usage("say how much of %s: LOT=12.5KGM, LOT=all for all that you have, or --unmeasured if nobody measured it. Nothing was sent", show(text))
			}
		}
		out = append(out, g)
	}
	if c.Bool("unmeasured") && !unmeasured {
		return nil, usage("--unmeasured is for lots without a quantity, and there is none here")
	}
	return out, nil
}

// maxStock is how many balances of one lot with one custodian are looked at: one for each unit and status.
const maxStock = 100

// stocked compares what is to be shipped with what the account has: "all" becomes what there is, and a unit in which
// there is nothing is told with those in which there is. Whether there is enough is the ledger's to say.
func stocked(c *cli.Context, client *api.Client, me crypto.Address, g goodsArgument) ([]goodsArgument, error) {
	if g.amount == nil && !g.all {
		return []goodsArgument{g}, nil
	}
	list, err := client.Balances(c.Context, api.BalanceFilter{Lot: g.id, Party: me.String()}, api.Page{Limit: maxStock})
	if err != nil && !(errors.Is(err, api.ErrNotFound) && !g.all) {
		return nil, err
	}
	if g.all {
		return allLoose(g, list)
	}
	if err != nil || len(list.Balances) == 0 {
		return []goodsArgument{g}, nil
	}
	var has []string
	for _, b := range list.Balances {
		if b.Unmeasured || unit.SameDimension(b.UOM, g.unit) {
			return []goodsArgument{g}, nil
		}
		has = append(has, strings.TrimSpace(b.Quantity+" "+unitName(b.UOM)))
	}
	return nil, usage("%s has %s of %s and nothing in %s. Write it like %s=%s%s; nothing was sent", show(holderName(&list.Balances[0].Custodian)), strings.Join(has, ", "),
		show(g.id), show(unitName(g.unit)), show(g.id), g.amount, list.Balances[0].UOM)
}

// unitName is the code of a unit; pieces have none.
func unitName(uom string) string { return cmp.Or(uom, "pieces") }

// allLoose is an amount for each unit in which there is something.
func allLoose(g goodsArgument, list *api.BalanceList) ([]goodsArgument, error) {
	var out []goodsArgument
	for _, b := range list.Balances {
		if b.Status != "available" {
			continue
		}
		one := goodsArgument{id: g.id, unit: b.UOM}
		if !b.Unmeasured {
			d, err := epcis.ParseDecimal(b.Quantity)
			if err != nil {
				return nil, fmt.Errorf("reading what there is of %s: %w", show(g.id), err)
			}
			one.amount = &d
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return nil, fail(exitNotFound, "you have nothing of %s that is loose; nothing was sent. See: waybill balance --lot %s", show(g.id), show(g.id))
	}
	return out, nil
}
