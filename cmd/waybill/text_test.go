package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"waybill/consensus"
	"waybill/epcis/trace"
)

func TestShow(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Salinas Farm – 600 kg", "Salinas Farm – 600 kg"},
		{"\x1b[2J", `\u{1b}[2J`},
		{"a\u202eb", `a\u{202e}b`}, // right-to-left override
		{"a\u0085b\x7f", `a\u{85}b\u{7f}`},
		{"two\nlines", `two\u{a}lines`},
		{"\xff", "\ufffd"}, // no byte that is not UTF-8
	} {
		if got := show(c.in); got != c.want {
			t.Errorf("show(%q) = %q, not %q", c.in, got, c.want)
		}
	}
}

func TestJSONIsSafeAndStaysTheSame(t *testing.T) {
	value := map[string]string{"name": "x\u009b2Jy\u202e\U000e0001 é"}
	var out strings.Builder
	if err := writeJSON(&out, value); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.String() {
		if r != '\n' && !printable(r) {
			t.Errorf("%q is in the output", r)
		}
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back["name"] != value["name"] {
		t.Errorf("read back as %q, %v", back["name"], err)
	}
}

func FuzzShow(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;title\a")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range show(s) {
			if !printable(r) {
				t.Fatalf("show(%q) lets %q through", s, r)
			}
		}
	})
}

// A flag name must mean the same everywhere, or arrange could not tell values from arguments.
func TestFlagsMeanTheSameEverywhere(t *testing.T) {
	seen := map[string]bool{}
	var walk func(list []*cli.Command)
	walk = func(list []*cli.Command) {
		for _, c := range list {
			if len(c.Subcommands) == 0 && (c.Description == "" || !strings.Contains(c.Description, "waybill ")) {
				t.Errorf("%s has no example in its help", c.Name)
			}
			for _, f := range c.Flags {
				for _, name := range f.Names() {
					if value, known := seen[name]; known && value != takesValue(f) {
						t.Errorf("--%s takes a value in one command and none in another", name)
					}
					seen[name] = takesValue(f)
				}
			}
			walk(c.Subcommands)
		}
	}
	walk((&shell{}).app().Commands)
}

func TestArrange(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"send A 5 --tip 3", "waybill send --tip 3 -- A 5"},
		{"send A --tip=3 5 --wait none", "waybill send --tip=3 --wait none -- A 5"},
		{"--output json wallet list", "waybill wallet list --output json"},
		{"capture - --dry-run", "waybill capture --dry-run -- -"},
		{"item -- --wait", "waybill item -- --wait"},
		{"help send", "waybill send --help"},
	} {
		got, err := arrange((&shell{}).app(), append([]string{"waybill"}, strings.Fields(c.in)...))
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q is arranged as %q, %v; not %q", c.in, got, err, c.want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"wallet", "send", "trace", "testnet"}
	for word, want := range map[string]string{"walet": "wallet", "snd": "send", "tarce": "trace", "testnt": "testnet", "xyzzy": ""} {
		got := didYouMean(word, names)
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			t.Errorf("didYouMean(%q) = %q, not %q", word, got, want)
		}
	}
}

func TestConfigIsStrict(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "[node]\nname = \"x\"\n\n[peers]\nlisen = []\n", "line 5: there is no setting peers.lisen (did you mean peers.listen?)"},
		{"unknown section", "[nod]\nname = \"x\"\n", "line 1: there is no section [nod] (did you mean node?)"},
		{"key outside", "name = \"x\"\n", "line 1: there is no section [name]"},
		{"wrong type", "[api]\nlisten = 8545\n", "line 2: api.listen is not a text"},
		{"wrong element", "[peers]\nlisten = [1]\n", "line 2: peers.listen is not a list of texts"},
		{"negative", "[storage]\nhistory = -1\n", "line 2: storage.history is not a whole number"},
		{"syntax", "[node]\nname = \n", "line 2"},
	} {
		cfg := defaultConfig()
		err := decodeConfig(&cfg, "config.toml", c.text, map[string]string{})
		if err == nil || !strings.Contains(err.Error(), c.want) || statusOf(err) != exitConfig {
			t.Errorf("%s: %v, not %q with status 3", c.name, err, c.want)
		}
	}
}

// What node init writes is what node start reads.
func TestConfigRoundTrip(t *testing.T) {
	cfg := defaultConfig()
	cfg.Name, cfg.Bootstrap, cfg.MDNS, cfg.History = `a "quoted" name`, []string{"/ip4/1.2.3.4/tcp/1", "b"}, true, 77
	var text strings.Builder
	if err := writeConfig(&text, &cfg); err != nil {
		t.Fatal(err)
	}
	got := defaultConfig()
	origins := map[string]string{}
	if err := decodeConfig(&got, "config.toml", text.String(), origins); err != nil {
		t.Fatal(err)
	}
	for _, s := range settings() {
		if s.shown(&got) != s.shown(&cfg) || origins[s.name] == "" {
			t.Errorf("%s is read as %s, not %s", s.name, s.shown(&got), s.shown(&cfg))
		}
	}
}

// fixedNames names nothing but one party.
type fixedNames struct{}

func (fixedNames) Party(id string) string {
	if id == "P" {
		return "The Packer"
	}
	return ""
}
func (fixedNames) Product(string, string) string { return "" }

// Two cases of one lot with the same history are drawn as one group; what became of them is told once.
func TestTraceTree(t *testing.T) {
	lot := "https://id.gs1.org/01/09521001100014/10/A1"
	one, two := "https://id.gs1.org/01/19521004500016/21/1", "https://id.gs1.org/01/19521004500016/21/2"
	class := "https://id.gs1.org/01/19521004500016"
	hand := []trace.Holding{{Status: trace.StatusOnHand, Party: "P"}}
	g := &trace.Graph{
		Direction: trace.DirectionForward, Root: lot,
		Nodes: []trace.Node{
			{ID: lot, Kind: trace.KindLot, Role: trace.RoleRoot, Status: trace.StatusConsumed, Events: []trace.Visit{{Event: 0}, {Event: 1}}, Expanded: true,
				Holdings: []trace.Holding{{Status: trace.StatusConsumed, Quantity: "5", UOM: "KGM"}}},
			{ID: two, Kind: trace.KindInstance, Role: trace.RoleLineage, Class: class, Status: trace.StatusOnHand, Party: "P", Holdings: hand, Events: []trace.Visit{{Event: 1}}, Expanded: true},
			{ID: one, Kind: trace.KindInstance, Role: trace.RoleLineage, Class: class, Status: trace.StatusOnHand, Party: "P", Holdings: hand, Events: []trace.Visit{{Event: 1}}, Expanded: true},
		},
		Edges: []trace.Edge{
			{From: lot, To: two, Kind: trace.EdgeTransformed, Events: []int{1}}, {From: lot, To: one, Kind: trace.EdgeTransformed, Events: []int{1}},
		},
		Events: []trace.Event{
			{Type: "ObjectEvent", Action: "ADD", BizStep: "commissioning", Org: "The \x1b[31mFarm"},
			{Type: "TransformationEvent", BizStep: "commissioning", Org: "The Packer"},
		},
	}
	p := &printer{}
	drawTrace(p, g, fixedNames{}, false)
	got := p.String()
	for _, want := range []string{
		"product 09521001100014, lot A1  used up\n", "└─ 2 × product 19521004500016: 1, 2  on hand · The Packer\n", "used up\n", "made\n",
		`The \u{1b}[31mFarm`, "The Packer  on hand  product 19521004500016  2 (1, 2)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "\x1b") {
		t.Error("an escape code came through")
	}
	g.Truncated, g.Reasons = true, []string{"the limit of 3 items was met"}
	p = &printer{}
	drawTrace(p, g, fixedNames{}, true)
	if !strings.Contains(p.String(), "This is not the whole trace: the limit of 3 items was met") {
		t.Errorf("a cut trace does not say so:\n%s", p)
	}
}

func TestListed(t *testing.T) {
	if got := listed([]string{"S10", "S9", "S1"}); got != "S1, S9, S10" {
		t.Errorf("listed: %s", got)
	}
	if got := listed(slices.Repeat([]string{"X"}, 20)); !strings.HasSuffix(got, "X, …") {
		t.Errorf("a long list ends with %q", got)
	}
}

// TestForeignVoteIsASafetyStop: scripts that restart a node must see that this one must not be restarted.
func TestForeignVoteIsASafetyStop(t *testing.T) {
	status, text := explain(fmt.Errorf("engine: %w", fmt.Errorf("halted: %w", consensus.ErrForeignVote)))
	if status != exitSafety || !strings.Contains(text, "validator.key") {
		t.Errorf("exit %d: %s", status, text)
	}
}
