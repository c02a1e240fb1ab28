package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/urfave/cli/v2"

	"waybill/node"
)

// config is what config.toml says, after environment and flags.
type config struct {
	node.Settings
	logLevel, logFormat string
	// A signer in another process: its address, and the validator key that it holds.
	signerAddress, signerKey string
	// Capture account: signs EPCIS documents that are posted to this node without a signature.
	captureWallets, captureWallet, capturePassword string
}

func defaultConfig() config {
	return config{Settings: node.DefaultSettings(), logLevel: "info", logFormat: "text"}
}

// setting is one line of config.toml. The environment variable of "peers.listen" is WAYBILL_PEERS_LISTEN.
type setting struct {
	name string // section.key
	flag string // of node init and node start; "" where there is none
	help string
	at   func(*config) any // where its value is: *string, *[]string, *bool, *int or *uint64
}

// settings is every setting in the order of the file.
func settings() []setting {
	return []setting{
		{"node.name", "name", "shown to people", func(c *config) any { return &c.Name }},
		{"peers.listen", "listen", "multiaddresses that peers connect to", func(c *config) any { return &c.Listen }},
		{"peers.bootstrap", "bootstrap", "full multiaddresses of nodes to begin with", func(c *config) any { return &c.Bootstrap }},
		{"peers.mdns", "", "find peers on the local network", func(c *config) any { return &c.MDNS }},
		{"peers.dht", "", "find peers through peers", func(c *config) any { return &c.DHT }},
		{"api.listen", "api", "host:port of the HTTP interface; empty for none", func(c *config) any { return &c.API }},
		{"storage.cache_mib", "", "memory for the database, in MiB", func(c *config) any { return &c.CacheMiB }},
		{"storage.history", "", "how many heights back a state can be proved", func(c *config) any { return &c.History }},
		{"state.snapshot_every", "", "blocks between snapshots of the state, from which new nodes start; 0 for none", func(c *config) any { return &c.SnapshotEvery }},
		{"state.sync", "state-sync", "true: an empty ledger begins at a snapshot of the peers'", func(c *config) any { return &c.StateSync }},
		{"state.checkpoint", "checkpoint", "EPOCH:HASH, an epoch to believe in and the block that closed the one before (waybill validators)", func(c *config) any { return &c.Checkpoint }},
		{"mempool.transactions", "", "most transactions waiting", func(c *config) any { return &c.MempoolTransactions }},
		{"mempool.mib", "", "most memory of transactions waiting, in MiB", func(c *config) any { return &c.MempoolMiB }},
		{"log.level", "log-level", "debug, info, warn or error", func(c *config) any { return &c.logLevel }},
		{"log.format", "log-format", "text or json", func(c *config) any { return &c.logFormat }},
		{"signer.address", "signer", "unix:/PATH or tcp:KEY@HOST:PORT of a process that signs (waybill signer run); empty: the node signs itself", func(c *config) any { return &c.signerAddress }},
		{"signer.validator_key", "signer-key", "public key that it signs with", func(c *config) any { return &c.signerKey }},
		{"capture.wallets", "", "folder of the wallet that signs EPCIS documents posted here unsigned", func(c *config) any { return &c.captureWallets }},
		{"capture.wallet", "", "its name; empty: unsigned documents are refused", func(c *config) any { return &c.captureWallet }},
		{"capture.password_file", "", "file with its passphrase", func(c *config) any { return &c.capturePassword }},
	}
}

func (s setting) env() string {
	return "WAYBILL_" + strings.ToUpper(strings.ReplaceAll(s.name, ".", "_"))
}

// set gives a setting the value that a text (from a flag or the environment) says.
func (s setting) set(c *config, text string) (err error) {
	switch at := s.at(c).(type) {
	case *string:
		*at = text
	case *[]string:
		*at = splitList(text)
	case *bool:
		*at, err = strconv.ParseBool(text)
	case *int:
		*at, err = strconv.Atoi(text)
	case *uint64:
		*at, err = strconv.ParseUint(text, 10, 64)
	}
	if err != nil {
		return fail(exitConfig, "%s is %q, which is no %s", s.name, show(text), s.kind())
	}
	return nil
}

func splitList(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// kind names the type of a setting for a person.
func (s setting) kind() string {
	switch s.at(new(config)).(type) {
	case *[]string:
		return "list of texts"
	case *bool:
		return "true or false"
	case *int, *uint64:
		return "whole number"
	}
	return "text"
}

// assign takes a value as TOML decoded it.
func (s setting) assign(c *config, value any) bool {
	switch at := s.at(c).(type) {
	case *string:
		text, ok := value.(string)
		*at = text
		return ok
	case *bool:
		b, ok := value.(bool)
		*at = b
		return ok
	case *int:
		n, ok := value.(int64)
		*at = int(n)
		return ok
	case *uint64:
		n, ok := value.(int64)
		*at = uint64(n)
		return ok && n >= 0
	case *[]string:
		list, ok := value.([]any)
		*at = make([]string, 0, len(list))
		for _, v := range list {
			text, isText := v.(string)
			*at = append(*at, text)
			ok = ok && isText
		}
		return ok
	}
	return false
}

// shown is the value of a setting as TOML.
func (s setting) shown(c *config) string {
	switch at := s.at(c).(type) {
	case *string:
		return strconv.Quote(*at)
	case *[]string:
		quoted := make([]string, len(*at))
		for i, text := range *at {
			quoted[i] = strconv.Quote(text)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case *bool:
		return strconv.FormatBool(*at)
	case *int:
		return strconv.Itoa(*at)
	case *uint64:
		return strconv.FormatUint(*at, 10)
	}
	return ""
}

// loadConfig reads config.toml, then the environment, then flags; the later one wins. origins says where each value is from.
func loadConfig(path string, c *cli.Context) (cfg config, origins map[string]string, err error) {
	cfg, origins = defaultConfig(), map[string]string{}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return cfg, nil, fail(exitConfig, "there is no %s. Make a node first: waybill node init --genesis FILE --data DIR", path)
	}
	if err != nil {
		return cfg, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if err := decodeConfig(&cfg, path, string(data), origins); err != nil {
		return cfg, nil, err
	}
	if err := override(&cfg, c, origins); err != nil {
		return cfg, nil, err
	}
	return cfg, origins, nil
}

// override applies environment and flags.
func override(cfg *config, c *cli.Context, origins map[string]string) error {
	for _, s := range settings() {
		if text, ok := os.LookupEnv(s.env()); ok {
			if err := s.set(cfg, text); err != nil {
				return fmt.Errorf("environment variable %s: %w", s.env(), err)
			}
			origins[s.name] = "environment " + s.env()
		}
		if s.flag != "" && c.IsSet(s.flag) {
			if err := s.set(cfg, c.String(s.flag)); err != nil {
				return err
			}
			origins[s.name] = "flag --" + s.flag
		}
	}
	return nil
}

// decodeConfig is strict: a key that does not exist is an error with its line and a suggestion, because a misspelt setting
// that is silently ignored is found out on the day it was needed.
func decodeConfig(cfg *config, path, text string, origins map[string]string) error {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return fail(exitConfig, "%s, line %d: %s", path, syntax.Position.Line, syntax.Message)
		}
		return fail(exitConfig, "%s: %v", path, err)
	}
	known := map[string]setting{}
	var names, sections []string
	for _, s := range settings() {
		known[s.name] = s
		names = append(names, s.name)
		if section, _, _ := strings.Cut(s.name, "."); !slices.Contains(sections, section) {
			sections = append(sections, section)
		}
	}
	for section, value := range tree {
		keys, isTable := value.(map[string]any)
		if !isTable || !slices.Contains(sections, section) {
			return fail(exitConfig, "%s, line %d: there is no section [%s]%s", path, lineOf(text, section, ""), show(section), didYouMean(section, sections))
		}
		for key, value := range keys {
			name := section + "." + key
			s, ok := known[name]
			if !ok {
				return fail(exitConfig, "%s, line %d: there is no setting %s%s", path, lineOf(text, section, key), show(name), didYouMean(name, names))
			}
			if !s.assign(cfg, value) {
				return fail(exitConfig, "%s, line %d: %s is not a %s", path, lineOf(text, section, key), name, s.kind())
			}
			origins[name] = "file " + path
		}
	}
	return nil
}

// lineOf finds the line, from 1, of a key in a section, or of the section itself; 1 if it is written in an unusual way.
func lineOf(text, section, key string) int {
	inside := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = strings.Trim(strings.TrimSpace(strings.SplitN(line, "#", 2)[0]), "[] \"")
			if inside == section && key == "" {
				return i + 1
			}
			continue
		}
		name, _, found := strings.Cut(line, "=")
		name = strings.Trim(strings.TrimSpace(name), `"'`)
		if found && (inside == section && name == key || inside == "" && (name == section || key != "" && name == section+"."+key)) {
			return i + 1
		}
	}
	return 1
}

// writeConfig writes config.toml with every setting and what it means.
func writeConfig(w io.Writer, cfg *config) error {
	var out strings.Builder
	out.WriteString("# Settings of one node. Nothing here changes what is valid on the network.\n# A flag wins over the environment (WAYBILL_SECTION_KEY), which wins over this file.\n")
	last := ""
	for _, s := range settings() {
		section, key, _ := strings.Cut(s.name, ".")
		if section != last {
			fmt.Fprintf(&out, "\n[%s]\n", section)
			last = section
		}
		fmt.Fprintf(&out, "%s = %s # %s\n", key, s.shown(cfg), s.help)
	}
	_, err := io.WriteString(w, out.String())
	return err
}
