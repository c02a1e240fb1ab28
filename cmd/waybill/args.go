package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange moves flags in front of arguments, which is where cli looks for them, so that a person may write them in any
// order and before or after the name of the command. What follows "--" is left alone. Commands and flags that do not exist
// are refused here, because here it is known what they might have meant.
func arrange(app *cli.App, argv []string) ([]string, error) {
	if len(argv) == 0 {
		return argv, nil
	}
	a := arranger{known: allFlags(app.Commands), commands: app.Commands, path: []string{argv[0]}}
	rest := argv[1:]
	if slices.Contains(rest, "--generate-bash-completion") {
		return argv, nil
	}
	for len(rest) > 0 && a.err == nil {
		rest = a.take(rest)
	}
	if a.err != nil {
		return nil, a.err
	}
	if err := a.checkFlags(); err != nil {
		return nil, err
	}
	out := slices.Concat(a.path, a.flagWords())
	if len(a.arguments) > 0 && !a.asksHelp() { // the arguments of who asks for help would be taken for topics
		out = append(append(out, "--"), a.arguments...)
	}
	return out, nil
}

type arranger struct {
	known     map[string]cli.Flag // flags of all commands by name
	commands  []*cli.Command      // what may follow
	current   *cli.Command        // nil: no command named yet
	path      []string            // program and command names
	flags     []givenFlag
	arguments []string
	err       error
}

// asksHelp reports whether --help was given.
func (a *arranger) asksHelp() bool {
	return slices.ContainsFunc(a.flags, func(f givenFlag) bool { return f.name == "help" || f.name == "h" })
}

type givenFlag struct {
	name  string
	words []string
}

// take handles the first word, with its value if it is a flag that has one, and returns what is left.
func (a *arranger) take(rest []string) []string {
	word := rest[0]
	switch {
	case word == "--":
		a.arguments = append(a.arguments, rest[1:]...)
		return nil
	case strings.HasPrefix(word, "-") && word != "-":
		return a.takeFlag(rest)
	case len(a.commands) > 0:
		a.takeCommand(word)
		return rest[1:]
	}
	a.arguments = append(a.arguments, word)
	return rest[1:]
}

func (a *arranger) takeCommand(word string) {
	if word == "help" || word == "h" { // "waybill help wallet" is "waybill wallet --help"
		a.flags = append(a.flags, givenFlag{"help", []string{"--help"}})
		return
	}
	for _, c := range a.commands {
		if c.HasName(word) {
			a.current, a.commands = c, c.Subcommands
			a.path = append(a.path, word)
			return
		}
	}
	if a.current != nil && a.current.Action != nil && a.current.ArgsUsage != "" { // as in "waybill tx ID" beside "waybill tx sign"
		a.commands, a.arguments = nil, append(a.arguments, word)
		return
	}
	names := make([]string, 0, len(a.commands))
	for _, c := range a.commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	a.err = usage("%q is no command of %s%s. The commands are %s", show(word), strings.Join(append([]string{"waybill"}, a.path[1:]...), " "),
		didYouMean(word, names), enumerate(names))
}

func (a *arranger) takeFlag(rest []string) []string {
	name, _, inline := strings.Cut(strings.TrimLeft(rest[0], "-"), "=")
	given := givenFlag{name, rest[:1]}
	flag, ok := a.known[name]
	if ok && !inline && takesValue(flag) {
		if len(rest) < 2 {
			a.err = usage("--%s needs a value", name)
			return nil
		}
		given.words = rest[:2]
	}
	a.flags = append(a.flags, given)
	return rest[len(given.words):]
}

// checkFlags refuses flags that the command does not have.
func (a *arranger) checkFlags() error {
	own := map[string]cli.Flag{}
	command := "waybill"
	if a.current != nil {
		own = allFlags([]*cli.Command{{Flags: a.current.Flags}})
		command = strings.Join(append([]string{"waybill"}, a.path[1:]...), " ")
	}
	for _, f := range a.flags {
		if _, ok := own[f.name]; ok || f.name == "help" || f.name == "h" {
			continue
		}
		names := make([]string, 0, len(own))
		for name := range own {
			names = append(names, name)
		}
		slices.Sort(names)
		return usage("%s has no flag --%s%s. See: %s --help", command, show(f.name), didYouMean(f.name, names), command)
	}
	return nil
}

func (a *arranger) flagWords() []string {
	var out []string
	for _, f := range a.flags {
		out = append(out, f.words...)
	}
	return out
}

// allFlags are the flags of commands and their subcommands by name. A name means the same in every command, so that it is
// known whether a value follows before the command is.
func allFlags(commands []*cli.Command) map[string]cli.Flag {
	out := map[string]cli.Flag{}
	for _, c := range commands {
		for _, f := range c.Flags {
			for _, name := range f.Names() {
				out[name] = f
			}
		}
		for name, f := range allFlags(c.Subcommands) {
			out[name] = f
		}
	}
	return out
}

func takesValue(f cli.Flag) bool {
	_, isBool := f.(*cli.BoolFlag)
	return !isBool
}

// didYouMean is ", did you mean X?" or nothing.
func didYouMean(word string, names []string) string {
	best, distance := "", len(word)/2+1
	for _, name := range names {
		if d := editDistance(word, name); d < distance {
			best, distance = name, d
		}
		if len(word) >= 3 && strings.HasPrefix(name, word) && best == "" {
			best = name
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
func editDistance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		last := make([]int, len(b)+1)
		last[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			last[j] = min(row[j]+1, last[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				last[j] = min(last[j], before[j-2]+1)
			}
		}
		before, row = row, last
	}
	return row[len(b)]
}

// enumerate is "a, b and c".
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
