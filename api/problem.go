package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/epcis/query"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// Kind classifies a refusal, for [errors.Is]; its text is the "code" of a problem. Example: errors.Is(err, api.ErrNotFound)
// holds for what a node returns to the server and for what the client makes of the server's answer.
type Kind string

// The kinds of problems. A comment gives the HTTP status.
const (
	ErrBadRequest    Kind = "bad-request"           // 400: malformed path, parameter or header
	ErrValidation    Kind = "validation"            // 400: an EPCIS document with faults, listed in Errors
	ErrQuery         Kind = "bad-query"             // 400: an EPCIS query that is not one
	ErrTransaction   Kind = "malformed-transaction" // 400: bytes that are no transaction
	ErrIdentifier    Kind = "bad-identifier"        // 400: not a GS1 identifier or URI
	ErrForbidden     Kind = "forbidden"             // 403: this node does not do that for anybody, or not across origins
	ErrNotFound      Kind = "not-found"             // 404
	ErrMethod        Kind = "method-not-allowed"    // 405
	ErrNotAcceptable Kind = "not-acceptable"        // 406: the answer has no form that the client accepts
	ErrConflict      Kind = "conflict"              // 409: an Idempotency-Key used for something else
	ErrPruned        Kind = "pruned"                // 410: a height whose state this node no longer keeps; oldestHeight says which it does
	ErrTooLarge      Kind = "too-large"             // 413: body, event count, or an answer that would be
	ErrTooLong       Kind = "uri-too-long"          // 414
	ErrMediaType     Kind = "unsupported-media"     // 415
	ErrRefused       Kind = "refused"               // 422: a rule of the ledger; Rule says which
	ErrRateLimited   Kind = "rate-limited"          // 429: Retry-After says when
	ErrInternal      Kind = "internal"              // 500
	ErrUnsupported   Kind = "not-implemented"       // 501
	ErrBusy          Kind = "busy"                  // 503: at a limit of the node
	ErrNotReady      Kind = "not-ready"             // 503: not in sync, or the index is not there yet
	ErrNotProven     Kind = "not-proven"            // 503: final, and no header commits to it yet
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// kindInfo is the fixed part of problems of one kind.
type kindInfo struct {
	status    int
	title     string
	exception string // name of the EPCIS 2.0 exception, for answers under /epcis
}

func (k Kind) info() kindInfo {
	switch k {
	case ErrBadRequest:
		return kindInfo{400, "Bad request", "ValidationException"}
	case ErrValidation:
		return kindInfo{400, "EPCIS validation failed", "ValidationException"}
	case ErrQuery:
		return kindInfo{400, "EPCIS query exception", "QueryParameterException"}
	case ErrTransaction:
		return kindInfo{400, "Malformed transaction", "ValidationException"}
	case ErrIdentifier:
		return kindInfo{400, "Bad identifier", "QueryParameterException"}
	case ErrForbidden:
		return kindInfo{403, "Forbidden", "SecurityException"}
	case ErrNotFound:
		return kindInfo{404, "Resource not found", "NoSuchNameException"}
	case ErrMethod:
		return kindInfo{405, "Method not allowed", "ImplementationException"}
	case ErrNotAcceptable:
		return kindInfo{406, "Not acceptable", "NotAcceptableException"}
	case ErrConflict:
		return kindInfo{409, "Conflict", "ResourceAlreadyExistsException"}
	case ErrPruned:
		return kindInfo{410, "No longer kept", "ImplementationException"}
	case ErrTooLarge:
		return kindInfo{413, "Too large", "CaptureLimitExceededException"}
	case ErrTooLong:
		return kindInfo{414, "Address too long", "URITooLongException"}
	case ErrMediaType:
		return kindInfo{415, "Unsupported media type", "UnsupportedMediaTypeException"}
	case ErrRefused:
		return kindInfo{422, "Refused by a rule of the ledger", "ValidationException"}
	case ErrRateLimited:
		return kindInfo{429, "Too many requests", "SecurityException"}
	case ErrUnsupported:
		return kindInfo{501, "Functionality not supported by server", "ImplementationException"}
	case ErrBusy:
		return kindInfo{503, "Busy", "ImplementationException"}
	case ErrNotProven:
		return kindInfo{503, "Not provable yet", "ImplementationException"}
	case ErrNotReady:
		return kindInfo{503, "Not ready", "ImplementationException"}
	}
	return kindInfo{500, "A server-side error occurred", "ImplementationException"}
}

// Problem is an RFC 9457 problem: the body of every answer that is an error, and the error that [Client] returns.
type Problem struct {
	Type     string  `json:"type"` // "epcisException:…" under /epcis, else "urn:waybill:problem:" and the code
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail,omitempty"`   // what happened, to what
	Instance string  `json:"instance,omitempty"` // path of the request
	Code     Kind    `json:"code"`
	Expected string  `json:"expected,omitempty"`
	Actual   string  `json:"actual,omitempty"`
	Help     string  `json:"help,omitempty"`   // what to do now
	Rule     string  `json:"rule,omitempty"`   // of the ledger, for example "R6"
	Errors   []Fault `json:"errors,omitempty"` // every fault of a document
	// OldestHeight is the oldest height that can be asked about, where an older one was.
	OldestHeight *quorum.Height `json:"oldestHeight,omitempty"`
	// RetryAfter is in seconds; 0 where there is no use in trying again.
	RetryAfter int `json:"retryAfter,omitempty"`
}

// Fault is one thing that is wrong with a document or was refused of it.
type Fault struct {
	Pointer  string `json:"pointer"` // RFC 6901 pointer into the document, or into the event
	Code     string `json:"code"`    // kind of fault, or code of the rule
	Detail   string `json:"detail"`
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
	Help     string `json:"help,omitempty"`
	// Of refusals by the ledger.
	Rule        string `json:"rule,omitempty"`
	EventIndex  *int   `json:"eventIndex,omitempty"` // in its transaction
	EventID     string `json:"eventID,omitempty"`
	Transaction string `json:"transaction,omitempty"` // that was refused, hex
	Conflict    string `json:"conflict,omitempty"`    // event or transaction in the way, hex
	ConflictAt  uint64 `json:"conflictHeight,omitempty"`
}

// Error is the problem as a sentence or two.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for i, f := range p.Errors {
		if i == 5 {
			fmt.Fprintf(&b, "\n  and %d more", len(p.Errors)-i)
			break
		}
		b.WriteString("\n  " + f.Pointer + " " + f.Detail)
	}
	if p.Help != "" {
		b.WriteString("\n" + p.Help)
	}
	return b.String()
}

// Unwrap lets errors.Is(problem, kind) hold.
func (p *Problem) Unwrap() error { return p.Code }

// maxShown bounds what is repeated of a request in an answer.
const maxShown = 120

func show(s string) string {
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// problem makes a problem of a kind; format and args are its detail.
func problem(k Kind, format string, args ...any) *Problem {
	info := k.info()
	return &Problem{Title: info.title, Status: info.status, Code: k, Detail: fmt.Sprintf(format, args...)}
}

func (p *Problem) help(format string, args ...any) *Problem {
	p.Help = fmt.Sprintf(format, args...)
	return p
}

func (p *Problem) want(expected, actual string) *Problem {
	p.Expected, p.Actual = expected, show(actual)
	return p
}

func (p *Problem) retry(seconds int) *Problem {
	p.RetryAfter = seconds
	return p
}

// problemOf turns any error into a problem. Errors nobody foresaw are 500 and say nothing about the inside.
func problemOf(err error) *Problem {
	var (
		p      *Problem
		faults epcis.Faults
		fault  epcis.Fault
		q      *query.Error
		t      *trace.Error
		rule   *ledger.RuleError
		form   *ledger.FormError
		large  *http.MaxBytesError
		pruned *PrunedError
		late   *NotProvenError
		kind   Kind
		id     *gs1.ParseError
		text   *crypto.Error
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &faults):
		return faultsProblem(faults)
	case errors.As(err, &fault):
		return faultsProblem(epcis.Faults{fault})
	case errors.As(err, &q):
		return queryProblem(q)
	case errors.As(err, &t):
		return traceProblem(t)
	case errors.As(err, &rule):
		return ruleProblem(rule)
	case errors.As(err, &form) && form.Kind != ledger.ErrState:
		return problem(ErrTransaction, "%s", form.Error()).help("Make the transaction with the wallet of the same version as the network; its bytes must arrive unchanged.")
	case errors.As(err, &pruned):
		return prunedProblem(pruned)
	case errors.As(err, &late):
		return problem(ErrNotProven, "%s", late.Error()).help("Try again in a few seconds, or ask for height=%d.", late.Provable).retry(2)
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.As(err, &kind):
		return kindProblem(kind, err)
	case errors.As(err, &id):
		return problem(ErrIdentifier, "%s", id.Error()).help("Write the identifier as EPC URN, GS1 Digital Link URI or element string, percent-encoded in a URL.")
	case errors.As(err, &text) && text.Kind == crypto.ErrText:
		return problem(ErrBadRequest, "%s", text.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem(ErrBusy, "the answer took longer than this node allows").help("Ask for less, or try again.").retry(1)
	}
	return problem(ErrInternal, "the node could not answer; its log says why")
}

func kindProblem(kind Kind, err error) *Problem {
	detail := strings.TrimPrefix(strings.TrimPrefix(err.Error(), string(kind)), ": ")
	p := problem(kind, "%s", detail)
	switch kind {
	case ErrInternal:
		p.Detail = "the node could not answer; its log says why"
	case ErrBusy, ErrNotReady:
		p.RetryAfter = 1
		p.Help = "Try again in a moment, or ask another node."
	}
	return p
}

func prunedProblem(e *PrunedError) *Problem {
	p := problem(ErrPruned, "%s", e.Error()).want(fmt.Sprintf("height=%d or more", e.Oldest), fmt.Sprint(e.Height)).
		help("Ask a node that keeps more history, or about a later height.")
	p.OldestHeight = &e.Oldest
	return p
}

func tooLarge(limit int64) *Problem {
	return problem(ErrTooLarge, "the body has more than %d bytes", limit).
		help("Split the document and post the parts one after the other.")
}

func faultsProblem(faults epcis.Faults) *Problem {
	p := problem(ErrValidation, "the document has %d fault(s); nothing of it was captured", len(faults)).
		help("Correct the fields that errors points at and post the document again.")
	for _, f := range faults {
		p.Errors = append(p.Errors, Fault{Pointer: f.Pointer, Code: string(f.Kind), Detail: f.Detail, Expected: f.Expected, Actual: f.Actual})
	}
	if len(faults) > 0 {
		p.Expected, p.Actual = faults[0].Expected, faults[0].Actual
	}
	return p
}

func queryProblem(q *query.Error) *Problem {
	p := problem(ErrQuery, "%s", q.Error())
	p.Expected, p.Actual = q.Expected, q.Value
	switch q.Kind {
	case query.ErrTooLarge, query.ErrComplex:
		p.Status, p.Code, p.Title = http.StatusRequestEntityTooLarge, ErrTooLarge, "Query too large"
	case query.ErrUnsupported:
		p.Status, p.Code, p.Title = http.StatusNotImplemented, ErrUnsupported, ErrUnsupported.info().title
	case query.ErrUnknown:
		p.Help = "Parameter names are those of the EPCIS 2.0 SimpleEventQuery, case included."
	}
	p.Type = "epcisException:" + q.Kind.Exception()
	if q.Parameter != "" {
		p.Errors = []Fault{{Pointer: "/" + q.Parameter, Code: string(q.Kind), Detail: q.Error(), Expected: q.Expected, Actual: q.Value}}
	}
	return p
}

func traceProblem(t *trace.Error) *Problem {
	if t.Kind == trace.ErrNoEvent {
		return problem(ErrNotFound, "%s", t.Error()).want("an item that an event names", t.Item).
			help("Check the identifier; right after a capture pass the job's height as minHeight.")
	}
	return problem(ErrIdentifier, "%s", t.Error()).want("an EPC URN or GS1 Digital Link URI", t.Item)
}

// ruleProblem shows a refusal of the ledger before a transaction was ordered.
func ruleProblem(r *ledger.RuleError) *Problem {
	p := problem(ErrRefused, "%s", r.Error())
	p.Rule, p.Help = r.Rule(), sentence(r.Remedy())
	p.Errors = []Fault{findingFault(r.Finding)}
	return p
}

// findingFault shows a finding of the ledger.
func findingFault(f ledger.Finding) Fault {
	out := Fault{Pointer: f.Field, Code: f.Code.Error(), Rule: f.Rule(), Detail: sentence(f.Detail()), Help: sentence(f.Remedy())}
	if f.EventIndex >= 0 {
		i := int(f.EventIndex)
		out.EventIndex = &i
	}
	switch c := f.Conflict; {
	case !c.Event.IsZero():
		out.Conflict, out.ConflictAt = c.Event.String(), uint64(c.Height)
	case !c.Tx.IsZero():
		out.Conflict, out.ConflictAt = c.Tx.String(), uint64(c.Height)
	}
	return out
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// write sends the problem. The type depends on where it happened.
func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	out := *p
	out.Instance = show(r.URL.EscapedPath())
	if out.Type == "" {
		out.Type = "urn:waybill:problem:" + string(out.Code)
		if isEPCIS(r) {
			out.Type = "epcisException:" + out.Code.info().exception
		}
	}
	body, err := json.Marshal(out)
	if err != nil { // impossible: strings and numbers only
		body = []byte(`{"type":"about:blank","title":"A server-side error occurred","status":500,"code":"internal"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if out.RetryAfter > 0 {
		h.Set("Retry-After", fmt.Sprint(out.RetryAfter))
	}
	w.WriteHeader(out.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n')) // the client is gone if this fails; nobody is left to tell
	}
}

func isEPCIS(r *http.Request) bool {
	return r.URL.Path == epcisRoot || strings.HasPrefix(r.URL.Path, epcisRoot+"/")
}
