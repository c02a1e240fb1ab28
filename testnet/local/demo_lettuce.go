package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"waybill/api"
	"waybill/epcis"
	"waybill/ledger"
	"waybill/wallet"
)

// step is one document of the lettuce's way.
type step struct {
	number  int
	company string
	file    string
	says    string
}

// steps in their order.
func steps() []step {
	return []step{
		{1, "farma", "01-farm-harvests", "harvests lot A1, 600 kg of romaine"},
		{2, "farmb", "02-second-farm-harvests", "harvests lot B1, 400 kg of iceberg"},
		{3, "farma", "03-farm-ships", "ships lot A1 to the cooler"},
		{4, "farmb", "04-second-farm-ships", "ships lot B1 to the cooler"},
		{5, "cooler", "05-cooler-receives-and-cools", "receives both lots and cools them"},
		{6, "cooler", "06-cooler-ships", "ships 500 kg of A1 and all of B1, keeps 100 kg"},
		{7, "packer", "07-packer-packs", "makes 14 cases on two pallets"},
		{8, "packer", "08-packer-ships", "ships both pallets"},
		{9, "carrier", "09-carrier-loads", "loads them into a reefer with a logger"},
		{10, "carrier", "10-carrier-drives", "drives; the logger reports temperatures"},
		{11, "carrier", "11-carrier-delivers", "delivers to the distribution centre"},
		{12, "dc", "12-centre-receives-and-repacks", "receives, unpacks, builds a new pallet"},
		{13, "dc", "13-centre-ships", "ships pallets to the salad maker, cases to a store"},
		{14, "store1", "14-store-receives-cases", "receives two cases"},
		{15, "maker", "15-maker-receives", "receives and unpacks both pallets"},
		{16, "maker", "16-maker-makes-salad", "turns ten cases into twelve salad bags"},
		{17, "maker", "17-maker-ships", "ships the bags to two stores"},
		{18, "store1", "18-store-sells", "receives six bags, sells one"},
		{19, "store2", "19-second-store-sells", "receives six bags, sells one"},
		{20, "reg", "20-regulator-samples", "samples a bag in the store"},
	}
}

// fraud is a document that the network must refuse, and how.
type fraud struct {
	after   int // the step after which it is tried
	company string
	file    string
	says    string
	rule    string
	code    string
}

func frauds() []fraud {
	return []fraud{
		{12, "store1", "fraud-2-goods-not-held", "Corner Market ships a pallet that it does not hold", "R6", "not-custodian"},
		{13, "dc", "fraud-3-shipped-twice", "Midwest Distribution ships the same pallet twice", "R7", "in-transit"},
		{19, "store2", "fraud-1-foreign-prefix", "City Grocer invents a salad bag under SaladWorks' company prefix", "R2", "foreign-prefix"},
	}
}

// foiled is a fraud and what a rule said to it.
type foiled struct {
	fraud
	fault  api.Fault
	height uint64
}

// followTheLettuce captures every document in its order, tries the frauds, and lets a node crash and return.
func (d *demo) followTheLettuce(ctx context.Context) error {
	d.out.title("3. A lettuce goes from two farms to two stores; each company records what it does")
	for _, s := range steps() {
		if err := d.take(ctx, s); err != nil {
			return fmt.Errorf("step %d (%s): %w", s.number, s.file, err)
		}
		for _, f := range frauds() {
			if f.after != s.number {
				continue
			}
			if err := d.try(ctx, f); err != nil {
				return fmt.Errorf("%s: %w", f.file, err)
			}
		}
		switch s.number {
		case crashAfter:
			if err := d.net.KillNode(ctx, crashing); err != nil {
				return err
			}
			d.out.say("   !! node%d is killed (SIGKILL). The other three have %d of 105 votes and go on.", crashing+1, 105-demoStakes[crashing])
		case returnAfter:
			if err := d.comeBack(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *demo) take(ctx context.Context, s step) error {
	began := time.Now()
	job, count, err := d.post(ctx, d.company(s.company), s.file)
	if err != nil {
		return err
	}
	if !job.Success {
		return fmt.Errorf("refused: %s", jobSentence(job))
	}
	for _, tx := range job.Transactions {
		for _, f := range tx.Flags {
			return fmt.Errorf("flagged by %s: %s", f.Rule, f.Detail)
		}
	}
	d.events += count
	c := d.company(s.company)
	d.out.say("   %2d  %-20s %-52s node%d  %d event(s)  block %-3d %.1f s", s.number, c.name, s.says, c.node+1, count, job.Height, time.Since(began).Seconds())
	return nil
}

// post signs a document with a company's wallet, posts it to the company's node and waits for the end of the job.
func (d *demo) post(ctx context.Context, c *company, file string) (*api.CaptureJob, int, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	text, err := document(file, d.start)
	if err != nil {
		return nil, 0, err
	}
	doc, err := epcis.ParseDocument(text)
	if err != nil {
		return nil, 0, err
	}
	client := d.clients[c.node]
	at, err := client.ChainPoint(ctx)
	if err != nil {
		return nil, 0, err
	}
	raws, err := wallet.NewSigner(c.wallet).SignCapture(ctx, doc.Events, ledger.Rollback, at)
	if err != nil {
		return nil, 0, err
	}
	id, err := client.CaptureTransactions(ctx, raws)
	if err != nil {
		return nil, 0, err
	}
	job, err := client.WaitJob(ctx, id)
	return job, len(doc.Events), err
}

// document fills in the times of a document, which are told from the start of the demonstration.
func document(file string, start time.Time) ([]byte, error) {
	text, err := documents.ReadFile("lettuce/" + file + ".json")
	if err != nil {
		return nil, err
	}
	t, err := template.New(file).Funcs(template.FuncMap{
		"hoursAgo": func(hours float64) string {
			return start.Add(-time.Duration(hours * float64(time.Hour))).UTC().Format("2006-01-02T15:04:05.000Z")
		},
		"dateIn": func(days int) string { return start.AddDate(0, 0, days).UTC().Format(time.DateOnly) },
	}).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, nil)
	return out.Bytes(), err
}

func jobSentence(job *api.CaptureJob) string {
	var parts []string
	for _, p := range job.Errors {
		parts = append(parts, p.Error())
	}
	return strings.Join(parts, "; ")
}

// errNotRefused is a fraud that went through.
var errNotRefused = errors.New("the network did not refuse this fraud as it must")

// try posts a fraud, which must be refused by its rule.
func (d *demo) try(ctx context.Context, f fraud) error {
	job, _, err := d.post(ctx, d.company(f.company), f.file)
	if err != nil {
		return err
	}
	if job.Success || len(job.Errors) == 0 || len(job.Errors[0].Errors) == 0 {
		return errNotRefused
	}
	fault := job.Errors[0].Errors[0]
	if fault.Rule != f.rule || fault.Code != f.code {
		return fmt.Errorf("%w: by %s %s instead of %s %s: %s", errNotRefused, fault.Rule, fault.Code, f.rule, f.code, fault.Detail)
	}
	d.frauds = append(d.frauds, foiled{f, fault, uint64(job.Height)})
	d.out.say("   !! fraud: %s. Refused by rule %s.", f.says, fault.Rule)
	return nil
}

// comeBack starts the killed node again and waits until it has what the others have.
func (d *demo) comeBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	began := time.Now()
	others, err := d.clients[0].Status(ctx)
	if err != nil {
		return err
	}
	if err := d.net.StartNode(ctx, crashing); err != nil {
		return err
	}
	for {
		own, err := d.clients[crashing].Status(ctx)
		if err == nil && own.Height >= others.Height && own.Indexed >= others.Height {
			d.out.say("   !! node%d is back and has caught up to block %d in %.1f s.", crashing+1, own.Height, time.Since(began).Seconds())
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("node%d did not catch up to block %d: %w", crashing+1, others.Height, errors.Join(context.Cause(ctx), err))
		case <-time.After(pollEvery):
		}
	}
}
