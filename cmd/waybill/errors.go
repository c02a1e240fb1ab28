package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"waybill/api"
	"waybill/consensus"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/ledger"
	"waybill/ledger/store"
	"waybill/node"
	"waybill/node/journal"
	"waybill/node/signer"
	"waybill/p2p"
	"waybill/testnet/local"
	"waybill/wallet"
)

// Exit statuses. Scripts depend on them: never change one.
const (
	exitOK          = 0
	exitOther       = 1
	exitUsage       = 2
	exitConfig      = 3 // configuration or genesis
	exitNotFound    = 4
	exitRefused     = 5 // by a rule of the ledger
	exitUnconfirmed = 6 // not final in time
	exitNotInSync   = 7
	exitDataFolder  = 8  // in use, of another network, or damaged
	exitSafety      = 9  // for example: might sign twice
	exitProgram     = 10 // the network needs a newer program
)

// failure is an error that knows its exit status.
type failure struct {
	status int
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(status int, format string, args ...any) error {
	return &failure{status, fmt.Errorf(format, args...)}
}

// usage is wrong use of the command line.
func usage(format string, args ...any) error { return fail(exitUsage, format, args...) }

// explain turns an error into an exit status and what a person is told.
func explain(err error) (int, string) {
	return statusOf(err), abridged(sentence(err))
}

func statusOf(err error) int {
	var own *failure
	if errors.As(err, &own) {
		return own.status
	}
	for _, known := range []struct {
		err    error
		status int
	}{
		{api.ErrNotFound, exitNotFound}, {api.ErrPruned, exitNotFound}, {wallet.ErrNotFound, exitNotFound}, {wallet.ErrName, exitUsage},
		{api.ErrBadRequest, exitUsage}, {api.ErrIdentifier, exitUsage}, {api.ErrQuery, exitUsage}, {api.ErrTooLong, exitUsage}, // what was typed, passed on to a node
		{api.ErrRefused, exitRefused},
		{api.ErrNotReady, exitNotInSync}, {api.ErrNotProven, exitNotInSync},
		{store.ErrLocked, exitDataFolder}, {store.ErrForeign, exitDataFolder}, {store.ErrSchema, exitDataFolder}, {store.ErrCorrupt, exitDataFolder},
		{store.ErrGenesis, exitConfig}, {ledger.ErrGenesis, exitConfig}, {node.ErrSettings, exitConfig}, {p2p.ErrConfig, exitConfig},
		{consensus.ErrForeignVote, exitSafety}, {journal.ErrWouldDoubleSign, exitSafety}, {journal.ErrDamaged, exitDataFolder}, {journal.ErrForeign, exitSafety}, {node.ErrCheckpoint, exitSafety}, {ledger.ErrProtocol, exitProgram},
		{signer.ErrMissing, exitSafety}, {signer.ErrDamaged, exitSafety}, {signer.ErrOldSigner, exitSafety}, {signer.ErrOldJournal, exitSafety},
		{signer.ErrConflict, exitSafety}, {signer.ErrLower, exitSafety}, {signer.ErrUnreconciled, exitSafety}, {signer.ErrExists, exitSafety},
		{signer.ErrLocked, exitDataFolder}, {signer.ErrForeign, exitDataFolder}, {signer.ErrOptions, exitConfig}, {signer.ErrEncoding, exitConfig},
		{local.ErrInUse, exitDataFolder}, {local.ErrNoNetwork, exitNotFound},
		{context.DeadlineExceeded, exitUnconfirmed},
	} {
		if errors.Is(err, known.err) {
			return known.status
		}
	}
	var rule *ledger.RuleError
	if errors.As(err, &rule) {
		return exitRefused
	}
	var id *gs1.ParseError
	if errors.As(err, &id) {
		return exitUsage
	}
	return exitOther
}

// sentence says what happened and what to do, safe for a terminal, one fault a line.
func sentence(err error) string {
	var problem *api.Problem
	var faults epcis.Faults
	var id *gs1.ParseError
	switch {
	case errors.As(err, &problem):
		return problemText(err, problem)
	case errors.As(err, &faults):
		return faultsText(err, faults)
	case errors.As(err, &id):
		return identifierText(err, id)
	}
	text := lines(err.Error())
	if hint := hintOf(err); hint != "" {
		text += "\n  " + hint
	}
	return text
}

// hintOf is a remedy for errors of the system, which have none of their own.
func hintOf(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, consensus.ErrForeignVote):
		return "Find and stop whatever else uses this validator.key. Afterwards start with --recover-signer: this folder does not know what was signed elsewhere."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens there. Is the node running (waybill node start, waybill testnet up)? Name another with --node URL."
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, p2p.ErrAddressInUse):
		return "Another program uses this port. Stop it, or choose another port in config.toml ([api] listen, [peers] listen)."
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "The disk is full. Free some space and run this again; nothing half-written remains."
	case errors.Is(err, fs.ErrPermission):
		return "Check who owns the file or folder and that you may read and write it."
	case errors.As(err, &op) && op.Op == "listen":
		return "Check that the address is one of this machine's, or that the folder of the socket is there."
	case errors.As(err, &op):
		return "Check the address given by --node and the network in between."
	}
	return ""
}

func problemText(err error, p *api.Problem) string {
	text := lines(err.Error())
	if errors.Is(p, api.ErrNotReady) {
		text += "\n  The node is not in sync yet. See: waybill node status"
	}
	return text
}

// maxShownID bounds how much of a wrong identifier is repeated, in bytes.
const maxShownID = 120

// identifierText says what is wrong with an identifier that was typed. Ids of records look different; who mixes the two up is
// told so.
func identifierText(err error, id *gs1.ParseError) string {
	shown := id.Input
	if len(shown) > maxShownID {
		shown = strings.ToValidUTF8(shown[:maxShownID], "") + "…"
	}
	before, _, _ := strings.Cut(err.Error(), id.Error()) // what was being done
	text := fmt.Sprintf("%s\"%s\" is no identifier: %s: %s", before, show(shown), id.Kind, id.Detail)
	if id.Offset > 0 {
		text = fmt.Sprintf("%s\"%s\" is no identifier, at byte %d: %s: %s", before, show(shown), id.Offset, id.Kind, id.Detail)
	}
	if id.Offset <= 0 && !strings.ContainsAny(id.Input, ":/(") {
		text += "\n  The id of a notice, shipment, dispute, proposal or transaction is something else: it has 64 hexadecimal digits."
	}
	return lines(text)
}

// maxFaults bounds how many faults of one document are told.
const maxFaults = 20

func faultsText(err error, faults epcis.Faults) string {
	var out strings.Builder
	where, _, _ := strings.Cut(err.Error(), faults.Error())
	fmt.Fprintf(&out, "%s%d fault(s) in the document; nothing was sent", show(where), len(faults))
	for i, f := range faults {
		if i == maxFaults {
			fmt.Fprintf(&out, "\n  … and %d more", len(faults)-i)
			break
		}
		fmt.Fprintf(&out, "\n  %s: %s", show(f.Pointer), show(f.Detail))
	}
	return out.String()
}

// maxWord is how much of a word is told, in bytes: more than any identifier, and less than who pastes a file for one wants to
// read again.
const maxWord = 1000

// abridged cuts words that are too long.
func abridged(text string) string {
	if len(text) <= maxWord {
		return text
	}
	var out strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		for j, word := range strings.Split(line, " ") {
			if j > 0 {
				out.WriteByte(' ')
			}
			if len(word) > maxWord {
				word = strings.ToValidUTF8(word[:maxWord], "") + fmt.Sprintf("…(%d bytes in all)", len(word))
			}
			out.WriteString(word)
		}
	}
	return out.String()
}

// lines is show for text of several lines.
func lines(text string) string {
	parts := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range parts {
		parts[i] = show(parts[i])
	}
	return strings.Join(parts, "\n")
}
