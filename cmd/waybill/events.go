package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/epcis"
)

func (sh *shell) eventsCommand() *cli.Command {
	return &cli.Command{
		Name: "events", ArgsUsage: "[PARAMETER=VALUE…]", Usage: "find events",
		Description: "  waybill events --item urn:epc:id:sscc:9521004.0000000001\n  waybill events --step shipping --limit 5 --output json\n" +
			"  waybill events GE_eventTime=2026-01-01T00:00:00Z EQ_bizStep=receiving\n\n" +
			"  Arguments are parameters of an EPCIS 2.0 query, as the HTTP interface takes them.",
		Flags: readFlags(
			&cli.StringFlag{Name: "item", Usage: "`ITEM` that the events name in any role (MATCH_anyEPC, or MATCH_anyEPCClass for a lot or class)"},
			&cli.StringFlag{Name: "step", Usage: "business `STEP` (EQ_bizStep)"},
			&cli.StringFlag{Name: "after", Usage: "`TIME` from which on they happened (GE_eventTime)"},
			&cli.StringFlag{Name: "before", Usage: "`TIME` before which they happened (LT_eventTime)"},
			&cli.IntFlag{Name: "limit", Value: 30, Usage: "most `EVENTS`"},
			&cli.StringFlag{Name: "page", Usage: "`TOKEN` of the next page, as the page before showed it"},
		),
		Action: sh.events,
	}
}

// eventPage is a page of events as --output json shows it.
type eventPage struct {
	Events []json.RawMessage `json:"events"`
	Next   string            `json:"nextPageToken,omitempty"` // pass as --page; absent on the last page
}

func (sh *shell) events(c *cli.Context) error {
	params, err := eventParameters(c)
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	page, err := client.Events(c.Context, params)
	if err != nil {
		return err
	}
	if c.String("output") == "json" {
		out := eventPage{Events: []json.RawMessage{}, Next: page.Next}
		for _, e := range page.Events {
			data, err := epcis.FormatEvent(e)
			if err != nil {
				return err
			}
			out.Events = append(out.Events, data)
		}
		return writeJSON(sh.stdout, out)
	}
	if err := sh.print(c, nil, func(p *printer) { eventTable(p, page.Events) }); err != nil {
		return err
	}
	if page.Next != "" {
		sh.next(c, "there are more; add --page %s", page.Next)
	}
	return nil
}

func eventParameters(c *cli.Context) (url.Values, error) {
	params := url.Values{"perPage": {fmt.Sprint(c.Int("limit"))}}
	for name, flag := range map[string]string{"EQ_bizStep": "step", "GE_eventTime": "after", "LT_eventTime": "before", "nextPageToken": "page"} {
		if text := c.String(flag); text != "" {
			params.Set(name, text)
		}
	}
	if item := c.String("item"); item != "" {
		id, err := parseID(item)
		if err != nil {
			return nil, err
		}
		if id.IsClass() {
			params.Set("MATCH_anyEPCClass", item)
		} else {
			params.Set("MATCH_anyEPC", item)
		}
	}
	for _, pair := range c.Args().Slice() {
		name, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, usage("%q is no PARAMETER=VALUE. For example: EQ_bizStep=shipping", show(pair))
		}
		params.Add(name, value)
	}
	return params, nil
}

func eventTable(p *printer, events []*epcis.Event) {
	rows := make([][]string, 0, len(events))
	for _, e := range events {
		rows = append(rows, []string{e.EventTime.Text, e.Type.String(), e.BizStep, goodsOf(e), e.Hash().String()})
	}
	p.rows([]string{"TIME", "TYPE", "STEP", "GOODS", "EVENT"}, rows)
}

// goodsOf names the first goods of an event and counts the others.
func goodsOf(e *epcis.Event) string {
	var all []string
	if e.ParentID != "" {
		all = append(all, e.ParentID)
	}
	for _, list := range [][]string{e.EPCs, e.ChildEPCs, e.OutputEPCs, e.InputEPCs} {
		all = append(all, list...)
	}
	for _, list := range [][]epcis.Quantity{e.Quantities, e.ChildQuantities, e.OutputQuantities, e.InputQuantities} {
		for _, q := range list {
			all = append(all, q.Class)
		}
	}
	switch len(all) {
	case 0:
		return ""
	case 1:
		return all[0]
	}
	return fmt.Sprintf("%s and %d more", all[0], len(all)-1)
}
