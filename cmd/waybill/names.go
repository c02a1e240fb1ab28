package main

import (
	"context"

	"waybill/api"
	"waybill/epcis/gs1"
)

// directory names parties by the organisations on the ledger, and products by their master data. It asks for each product
// once. A name that cannot be had is no reason to show nothing: then the identifier is shown.
type directory struct {
	ctx      context.Context // of the one command it lives for
	client   *api.Client
	parties  map[string]string // identifiers, canonical, and addresses
	prefixes map[string]string
	products map[string]string
}

func newDirectory(ctx context.Context, client *api.Client) *directory {
	d := &directory{ctx: ctx, client: client, parties: map[string]string{}, prefixes: map[string]string{}, products: map[string]string{}}
	list, err := allOrganisations(ctx, client)
	if err != nil {
		return d
	}
	for _, o := range list {
		d.parties[o.Address.String()] = o.Name
		for _, id := range o.Parties {
			d.parties[canonical(id)] = o.Name
		}
		for _, p := range o.Prefixes {
			d.prefixes[p] = o.Name
		}
	}
	return d
}

func canonical(id string) string {
	if parsed, err := gs1.Parse(id); err == nil {
		return parsed.Canonical()
	}
	return id
}

// Party names an organisation by address, party identifier, or the company prefix of an identifier.
func (d *directory) Party(id string) string {
	if name, ok := d.parties[id]; ok {
		return name
	}
	parsed, err := gs1.Parse(id)
	if err != nil {
		return ""
	}
	if name, ok := d.parties[parsed.Canonical()]; ok {
		return name
	}
	longest, name := 0, ""
	for prefix, holder := range d.prefixes {
		if len(prefix) > longest && parsed.HasPrefix(prefix) {
			longest, name = len(prefix), holder
		}
	}
	return name
}

// productName is the attribute of master data that names a product.
const productName = "https://gs1.org/voc/productName"

// maxProducts bounds how many products are looked up for one trace.
const maxProducts = 100

// Product names the product that an item or lot is of. The node is asked about the item, which exists, and answers with what
// is known of its class too.
func (d *directory) Product(class, item string) string {
	if name, ok := d.products[class]; ok || len(d.products) >= maxProducts {
		return name
	}
	name := ""
	if info, err := d.client.Item(d.ctx, item, api.ItemOptions{History: 1}); err == nil {
		for _, a := range info.MasterData {
			if a.Name == productName {
				name = a.Value
			}
		}
	}
	d.products[class] = name
	return name
}
