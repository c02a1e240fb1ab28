package local

import (
	"context"
	"fmt"
	"time"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/ledger"
	"waybill/wallet"
)

// company is a party of the supply chain: its wallet signs, and it speaks to the network through the node it trusts.
type company struct {
	key    string // name of its wallet
	name   string
	role   string
	prefix string
	node   int // from 0
	wallet *wallet.Wallet
}

// companies of the demonstration. Those that act while one node is down use another.
func newCompanies() []*company {
	return []*company{
		{key: "farma", name: "Salinas Farm", role: "farm", prefix: "9521001", node: 0},
		{key: "farmb", name: "Green Valley Farm", role: "farm", prefix: "9521002", node: 1},
		{key: "cooler", name: "Coastal Cooler", role: "cooler", prefix: "9521003", node: 2},
		{key: "packer", name: "FreshPack", role: "packer", prefix: "9521004", node: 3},
		{key: "carrier", name: "ColdLine Carriers", role: "carrier", prefix: "9521005", node: 0},
		{key: "dc", name: "Midwest Distribution", role: "distribution centre", prefix: "9521006", node: 1},
		{key: "maker", name: "SaladWorks", role: "salad maker", prefix: "9521007", node: 2},
		{key: "store1", name: "Corner Market", role: "store", prefix: "9521008", node: 0},
		{key: "store2", name: "City Grocer", role: "store", prefix: "9521009", node: 3},
		{key: registrarKey, name: "Food Safety Authority", role: "regulator", prefix: "9521010", node: 1},
	}
}

// registrarKey is the company that approves prefixes.
const registrarKey = "reg"

// companyMoney is what each company gets for its fees, in the smallest unit.
const companyMoney = 10_000_000

// products are described by who makes them, so that traces can name them.
var products = [...]struct{ company, class, name string }{
	{"farma", "urn:epc:class:lgtin:9521001.010001.A1", "Romaine lettuce"},
	{"farmb", "urn:epc:class:lgtin:9521002.010001.B1", "Iceberg lettuce"},
	{"packer", "urn:epc:id:sgtin:9521004.150001.A1", "Lettuce case"},
	{"maker", "urn:epc:id:sgtin:9521007.070001.S1", "Two-leaf salad bag"},
}

// approval is where a registrar gave a company its prefix.
type approval struct {
	tx     crypto.Hash
	height uint64
}

func (d *demo) company(key string) *company {
	for _, c := range d.companies {
		if c.key == key {
			return c
		}
	}
	panic("local: the demonstration has no company " + key)
}

// enrol makes wallets, gives them money, registers the organisations and their prefixes.
func (d *demo) enrol(ctx context.Context) (err error) {
	d.out.title("2. Ten companies join, each with its own wallet and through the node it trusts")
	d.companies = newCompanies()
	treasury, err := d.net.Wallet("treasury")
	if err != nil {
		return err
	}
	var acts []act
	for _, c := range d.companies {
		if c.key == registrarKey {
			c.wallet, err = d.net.Wallet(c.key)
		} else {
			c.wallet, err = d.net.NewWallet(c.key)
		}
		if err != nil {
			return err
		}
		acts = append(acts, act{treasury, 0, &ledger.Transfer{To: c.wallet.Address(), Amount: companyMoney}})
	}
	if _, err := d.perform(ctx, "sending money", acts); err != nil {
		return err
	}
	if err := d.register(ctx); err != nil {
		return err
	}
	for _, c := range d.companies {
		d.out.say("   %-22s %-20s prefix %s  node%d  %s", c.name, c.role, c.prefix, c.node+1, c.wallet.Address())
	}
	return nil
}

func (d *demo) register(ctx context.Context) error {
	var registrations, claims, approvals, descriptions []act
	reg := d.company(registrarKey)
	for _, c := range d.companies {
		party := "urn:epc:id:pgln:" + c.prefix + ".00000"
		registrations = append(registrations, act{c.wallet, c.node, &ledger.RegisterOrganisation{Name: c.name, Roles: []string{c.role}, Parties: []string{party}}})
		claims = append(claims, act{c.wallet, c.node, &ledger.ClaimPrefix{Prefix: c.prefix}})
		approvals = append(approvals, act{reg.wallet, reg.node, &ledger.ApprovePrefix{Prefix: c.prefix, Organisation: c.wallet.Address()}})
	}
	for _, p := range products {
		id, err := gs1.Parse(p.class)
		if err != nil {
			return err
		}
		maker := d.company(p.company)
		descriptions = append(descriptions, act{maker.wallet, maker.node, &ledger.PutMasterData{
			Type: "product", ID: id.Class().Canonical(), Attributes: []ledger.Attribute{{Name: "https://gs1.org/voc/productName", Value: p.name}},
		}})
	}
	if _, err := d.perform(ctx, "registering organisations", registrations); err != nil {
		return err
	}
	if _, err := d.perform(ctx, "claiming prefixes", claims); err != nil {
		return err
	}
	done, err := d.perform(ctx, "approving prefixes", approvals)
	if err != nil {
		return err
	}
	for i, c := range d.companies {
		d.approvals[c.prefix] = approval{done[i].ID, uint64(done[i].Height)}
	}
	_, err = d.perform(ctx, "describing products", descriptions)
	return err
}

// act is something that a wallet does through a node.
type act struct {
	wallet  *wallet.Wallet
	node    int
	payload ledger.Payload
}

// perform signs and sends acts that do not depend on each other, then waits until all are final and took effect.
func (d *demo) perform(ctx context.Context, what string, acts []act) ([]*api.TxInfo, error) {
	ids := make([]crypto.Hash, len(acts))
	for i, a := range acts {
		tx, err := signAct(ctx, d.clients[a.node], a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		if _, err := d.clients[a.node].Submit(ctx, tx.Raw()); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		ids[i] = tx.ID()
	}
	out := make([]*api.TxInfo, len(acts))
	for i, a := range acts {
		info, err := d.clients[a.node].WaitTransaction(ctx, ids[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		if info.Status != api.TxFinal {
			return nil, fmt.Errorf("%s: transaction %s is %s: %s", what, ids[i], info.Status, info.Sentence)
		}
		out[i] = info
	}
	return out, d.settle(ctx, out)
}

// settle waits until every node has executed the last block of these transactions: the next act may go through another
// node, which would not know an account yet that was opened a moment ago.
func (d *demo) settle(ctx context.Context, done []*api.TxInfo) error {
	var last quorum.Height
	for _, info := range done {
		last = max(last, info.Height)
	}
	for _, client := range d.clients {
		for {
			status, err := client.Status(ctx)
			if err != nil {
				return err
			}
			if status.Height >= last {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

func signAct(ctx context.Context, client *api.Client, a act) (*ledger.Transaction, error) {
	at, err := client.ChainPoint(ctx)
	if err != nil {
		return nil, err
	}
	builder := wallet.Builder{Author: a.wallet.Address(), At: at}
	body, err := builder.Build(a.payload)
	if err != nil {
		return nil, err
	}
	return a.wallet.Sign(body)
}
