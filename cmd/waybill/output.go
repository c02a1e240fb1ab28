package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"
)

// print writes the data of a command: value as JSON with --output json, else what table writes.
func (sh *shell) print(c *cli.Context, value any, table func(w *printer)) error {
	switch format := c.String("output"); format {
	case "json":
		return writeJSON(sh.stdout, value)
	case "", "table":
		p := &printer{colour: sh.colour}
		table(p)
		_, err := io.WriteString(sh.stdout, p.String())
		return err
	default:
		return usage("--output is table or json, not %q", show(format))
	}
}

// say writes a message for a person.
func (sh *shell) say(format string, args ...any) {
	fmt.Fprintln(sh.stderr, fmt.Sprintf(format, args...))
}

// next suggests what to do now; a program that reads JSON is not told.
func (sh *shell) next(c *cli.Context, format string, args ...any) {
	if c.String("output") != "json" {
		sh.say("Next: "+format, args...)
	}
}

// writeJSON writes one indented document. What a terminal might obey is escaped inside its strings, where it can only be.
func writeJSON(w io.Writer, value any) error {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeJSON(buffer.String()))
	return err
}

func escapeJSON(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r == '\n' || printable(r) {
			out.WriteRune(r)
		} else if r <= 0xffff {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.String()
}

func printable(r rune) bool { return r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r) }

// show makes text of others safe for a terminal: what is not printable (control and escape codes, marks that change the
// direction of text) is written as \u{…}.
func show(text string) string {
	clean := true
	for _, r := range text {
		if !printable(r) || r == unicode.ReplacementChar {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if printable(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + `}`)
		}
	}
	return out.String()
}

// printer builds the table form of an answer. Every text that goes in is made safe for a terminal.
type printer struct {
	strings.Builder
	colour bool
}

// Line writes one line.
func (p *printer) line(format string, args ...any) {
	p.WriteString(show(fmt.Sprintf(format, args...)))
	p.WriteByte('\n')
}

// style is how a line or a part of it looks on a terminal with colours.
type style string

const (
	bold  style = "1"
	faint style = "2"
	red   style = "31"
	green style = "32"
)

// paint makes text safe and colours it.
func (p *printer) paint(s style, text string) string {
	if !p.colour {
		return show(text)
	}
	return "\x1b[" + string(s) + "m" + show(text) + "\x1b[0m"
}

// title writes a heading.
func (p *printer) title(format string, args ...any) {
	p.WriteString(p.paint(bold, fmt.Sprintf(format, args...)))
	p.WriteByte('\n')
}

// pairs writes names and values in two columns; pairs with an empty value are left out.
func (p *printer) pairs(pairs ...[2]string) {
	w := tabwriter.NewWriter(&p.Builder, 0, 0, 2, ' ', 0)
	for _, pair := range pairs {
		if pair[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", show(pair[0]), show(pair[1]))
		}
	}
	_ = w.Flush() // into memory
}

// rows writes a table with a heading.
func (p *printer) rows(heading []string, rows [][]string) {
	w := tabwriter.NewWriter(&p.Builder, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heading, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = show(row[i])
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // into memory
}

// clock is a time in ms since the Unix epoch for a person, in UTC.
func clock(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC")
}

func number[T ~uint64 | ~int64 | ~uint32 | ~int | ~uint16](n T) string { return fmt.Sprint(n) }
