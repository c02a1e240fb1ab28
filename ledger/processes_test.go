package ledger

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
)

// P12: the same blocks give the same roots in another process, whatever Go does there with processors, garbage, maps and
// the width of an int. The whole of it is
//
//	go test ./ledger -run TestSameRootsInEveryProcess -process-blocks 10000 -timeout 30m
var processBlocks = flag.Int("process-blocks", 4_000, "blocks that TestSameRootsInEveryProcess executes in each process")

// blocksOfProcess is set in a process that executes blocks and prints what came of it.
const blocksOfProcess = "WAYBILL_TEST_PROCESS_BLOCKS"

func TestSameRootsInEveryProcess(t *testing.T) {
	if n, err := strconv.Atoi(os.Getenv(blocksOfProcess)); err == nil {
		fmt.Println(strings.Join(executeHistory(t, n), "\n"))
		return
	}
	blocks := *processBlocks
	if testing.Short() {
		blocks = min(blocks, 200)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	first := ""
	for _, p := range []struct{ binary, processors, garbage string }{
		{self, "1", "off"}, {self, strconv.Itoa(4 * runtime.NumCPU()), "5"}, {narrowBinary(t), "2", "50"},
	} {
		if p.binary == "" {
			continue
		}
		got := runHistory(t, p.binary, blocks, "GOMAXPROCS="+p.processors, "GOGC="+p.garbage)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("GOMAXPROCS=%s GOGC=%s %s:\n%s\nfirst:\n%s", p.processors, p.garbage, filepath.Base(p.binary), got, first)
		}
	}
	t.Log(first[strings.LastIndex(first, "root end"):])
	if n := strings.Count(first, "root "); n != blocks/reportEvery+1 {
		t.Errorf("%d blocks made %d reports:\n%s", blocks, n, first)
	}
	// The roots are of these blocks: one block less is another history.
	if other := runHistory(t, self, blocks-1, "GOMAXPROCS=2"); other == first {
		t.Error("another history has the same roots")
	}
}

// runHistory returns what a process prints that executes blocks.
func runHistory(t *testing.T, binary string, blocks int, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^"+t.Name()+"$", "-test.count", "1")
	cmd.Env = append(append(os.Environ(), env...), fmt.Sprintf("%s=%d", blocksOfProcess, blocks))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", env, err, out)
	}
	var roots []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "root ") {
			roots = append(roots, line)
		}
	}
	return strings.Join(roots, "")
}

// narrowBinary builds this test where an int has 32 bits, if this machine can run that; "" otherwise.
func narrowBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return ""
	}
	binary := filepath.Join(t.TempDir(), "narrow.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("NOT CHECKED with 32 bits, it does not build here: %v\n%s", err, out)
		return ""
	}
	if err := exec.CommandContext(t.Context(), binary, "-test.run", "^$").Run(); err != nil {
		t.Logf("NOT CHECKED with 32 bits, this machine does not run it: %v", err)
		return ""
	}
	return binary
}

// reportEvery is how many blocks are executed between two lines of a report.
const reportEvery = 100

// executeHistory executes blocks of a seeded history and reports, now and then and at the end, a hash over all state roots
// and receipts so far.
func executeHistory(t *testing.T, blocks int) []string {
	h := newHistory(t)
	var report []string
	for i := 1; i <= blocks; i++ {
		h.block()
		if i%reportEvery == 0 {
			report = append(report, fmt.Sprintf("root %d %s", i, h.all))
		}
	}
	return append(report, fmt.Sprintf("root end %s, %d accepted, %d refused", h.all, h.accepted, h.refused))
}

// randomHistory is a network of three organisations that do this and that, some of it illegal.
type randomHistory struct {
	net   *testNet
	m     *modelRun
	rng   *rand.Rand
	tree  *crypto.Tree
	pages versionedMap
	root  crypto.Hash
	all   crypto.Hash // over everything so far

	accepted, refused int
}

// versionedMap keeps the pages of the tree in memory.
type versionedMap map[crypto.PagePath][]byte

// ReadVersion implements crypto.VersionReader.
func (v versionedMap) ReadVersion(p crypto.PagePath) ([]byte, uint64, error) { return v[p], 0, nil }

func newHistory(t *testing.T) *randomHistory {
	params := AdoptParams()
	params.ExpiryWindow, params.CorrectionWindow = 20, 50
	g := testGenesis(params)
	for i := range orgs {
		g.Accounts = append(g.Accounts, GenesisAccount{Address: orgAddress(i), Balance: 1 << 50})
		g.Organisations = append(g.Organisations, GenesisOrganisation{
			Address: orgAddress(i), Name: fmt.Sprint("org", i), Prefixes: []string{fmt.Sprint("952132", i)}, Parties: []string{partyOf(i)},
		})
	}
	net := newNet(t, g)
	h := &randomHistory{
		net: net, m: &modelRun{net: net}, rng: rand.New(rand.NewPCG(12, 0)),
		tree: crypto.NewTree(1 << 20), pages: versionedMap{},
	}
	h.commit(g.State())
	return h
}

// commit takes writes into the tree.
func (h *randomHistory) commit(writes []Write) {
	root, pages, err := h.tree.Update(h.pages, h.root, 1, treeWrites(writes))
	if err != nil {
		h.net.t.Fatal(err)
	}
	for _, p := range pages {
		if p.Data == nil {
			delete(h.pages, p.Path)
		} else {
			h.pages[p.Path] = bytes.Clone(p.Data)
		}
	}
	h.root = root
}

// block executes one block of one to three transactions; every hundredth closes its epoch.
func (h *randomHistory) block() {
	blk := h.net.nextBlock()
	for range 1 + h.rng.IntN(3) {
		blk.Transactions = append(blk.Transactions, h.transaction())
	}
	if blk.Header.Height%100 == 0 {
		h.net.closes(blk)
	}
	up, err := Apply(h.net.view, blk)
	if err != nil {
		h.net.t.Fatal(err)
	}
	h.net.view.apply(up.Writes)
	h.net.height, h.net.timeMs = blk.Header.Height, blk.Header.TimeMs
	h.commit(up.Writes)
	var receipts bytes.Buffer
	for i := range up.Receipts {
		receipts.Write(up.Receipts[i].Encode())
		if up.Receipts[i].OK() {
			h.accepted++
		} else {
			h.refused++
		}
	}
	h.all = crypto.Sum(crypto.TagReceiptsChain, h.all[:], h.root[:], up.ReceiptsRoot[:], receipts.Bytes())
}

func (h *randomHistory) transaction() VerifiedTransaction {
	org := h.rng.IntN(orgs)
	var p Payload
	switch h.rng.IntN(12) {
	case 0:
		p = &Transfer{To: orgAddress(h.rng.IntN(orgs)), Amount: h.rng.Uint64N(1 << 20)}
	case 1:
		p = &Delegate{To: orgAddress(h.rng.IntN(orgs)), Scope: fmt.Sprint("952132", org)}
	case 2:
		p = &PutMasterData{Type: "product", ID: h.item(), Attributes: []Attribute{{Name: "n", Value: strconv.Itoa(h.rng.IntN(9))}}}
	default:
		events := make([]*epcis.Event, 1+h.rng.IntN(4))
		for i := range events {
			events[i] = h.event()
		}
		p = capture(h.net.t, CaptureMode(h.rng.IntN(2)), events...)
	}
	key := keyOf(fmt.Sprint("org", org)).Public()
	body, err := NewBody(h.net.hash, key.Address(), h.net.height+10, p)
	if err != nil {
		h.net.t.Fatal(err)
	}
	tx, err := NewTransaction(body, []SignedBy{{Key: key}})
	if err != nil {
		h.net.t.Fatal(err)
	}
	return VerifiedTransaction{tx: tx}
}

// item, box and lot name one of a few hundred things, so that acts meet each other; the numbers grow with the history.
func (h *randomHistory) item() string { return modelItem(h.rng.IntN(orgs), h.number(40)) }
func (h *randomHistory) lot() string  { return modelLot(h.rng.IntN(orgs), h.number(5)) }

func (h *randomHistory) box() string {
	return fmt.Sprintf("urn:epc:id:sscc:952132%d.%010d", h.rng.IntN(orgs), h.number(10))
}

func (h *randomHistory) number(spread int) int { return int(h.net.height)/20 + 1 + h.rng.IntN(spread) }

func (h *randomHistory) items() []string {
	list := make([]string, 1+h.rng.IntN(6))
	for i := range list {
		if list[i] = h.item(); h.rng.IntN(4) == 0 {
			list[i] = h.box()
		}
	}
	return list
}

func (h *randomHistory) event() *epcis.Event {
	kilos := func() []epcis.Quantity { return kilosOf(h.lot(), h.rng.Int64N(12)) }
	switch h.rng.IntN(9) {
	case 0, 1:
		e := h.m.event(epcis.ObjectEvent, "ADD", "commissioning")
		e.EPCs, e.Quantities = h.items(), kilos()
		return e
	case 2, 3:
		e := h.m.event(epcis.AggregationEvent, "ADD", "packing")
		e.ParentID, e.ChildEPCs, e.ChildQuantities = h.box(), h.items(), kilos()
		return e
	case 4:
		e := h.m.event(epcis.AggregationEvent, "DELETE", "unpacking")
		e.ParentID = h.box()
		return e
	case 5:
		e := h.m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
		e.EPCs, e.Quantities = h.items(), kilos()
		e.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(h.rng.IntN(orgs))}}
		return e
	case 6:
		e := h.m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
		e.EPCs, e.Quantities = h.items(), kilos()
		return e
	case 7:
		e := h.m.event(epcis.TransformationEvent, "", "commissioning")
		e.InputEPCs, e.InputQuantities, e.OutputQuantities = []string{h.item()}, kilos(), kilos()
		return e
	default:
		e := h.m.event(epcis.ObjectEvent, "DELETE", "decommissioning")
		e.EPCs = []string{h.item()}
		return e
	}
}
