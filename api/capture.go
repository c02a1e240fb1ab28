package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// maxJobTransactions bounds one capture call.
const maxJobTransactions = 256

// CaptureJob is a capture job as EPCIS 2.0 shows it, with what the ledger adds. As in EPCIS, Success alone means no error so
// far: the events are recorded and findable on this node when Success holds and Running does not.
type CaptureJob struct {
	CaptureID             string    `json:"captureID"`
	CreatedAt             string    `json:"createdAt"` // RFC 3339
	FinishedAt            string    `json:"finishedAt,omitempty"`
	Running               bool      `json:"running"`
	Success               bool      `json:"success"`
	CaptureErrorBehaviour string    `json:"captureErrorBehaviour"`
	Errors                []Problem `json:"errors"`

	// Height is the last block that holds a part of the job; pass it as Waybill-Min-Height to read it on another node.
	Height       quorum.Height    `json:"height,omitempty"`
	Transactions []JobTransaction `json:"transactions"`
}

// JobTransaction is one transaction of a job.
type JobTransaction struct {
	ID     crypto.Hash   `json:"id"`
	Status TxStatus      `json:"status"`
	Height quorum.Height `json:"height,omitempty"`
	Flags  []Fault       `json:"flags,omitempty"` // recorded, but marked by a rule
}

// postCapture takes an EPCIS document or signed transactions and answers with a job.
func (s *Server) postCapture(r *request) (*reply, error) {
	mode, err := captureMode(r.Header)
	if err != nil {
		return nil, err
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		job, err := s.capture(r, mode)
		if err != nil {
			return nil, err
		}
		return accepted(job.ID), nil
	}
	if len(key) > maxShown {
		return nil, problem(ErrBadRequest, "an Idempotency-Key has at most %d bytes", maxShown)
	}
	known, err := s.keys.begin(key, bodyHash(mode, r))
	if err != nil {
		return nil, err
	}
	if known != "" {
		return accepted(known), nil
	}
	id := ""
	defer func() { s.keys.end(key, id) }()
	job, err := s.capture(r, mode)
	if err != nil {
		return nil, err
	}
	id = job.ID
	return accepted(id), nil
}

func bodyHash(mode ledger.CaptureMode, r *request) crypto.Hash {
	return crypto.MerkleRoot([][]byte{{byte(mode)}, []byte(r.media), r.body})
}

func accepted(job string) *reply {
	at := epcisRoot + "/capture/" + job
	out := &reply{status: http.StatusAccepted, json: struct {
		CaptureID string `json:"captureID"`
		Location  string `json:"location"`
	}{job, at}}
	return out.set("Location", at)
}

// capture makes transactions of the body, or takes those in it, and submits them in order.
func (s *Server) capture(r *request, mode ledger.CaptureMode) (*Job, error) {
	var raws [][]byte
	var err error
	if r.media == mediaTransaction {
		raws, mode, err = captureTransactions(r.body)
	} else {
		raws, err = s.signDocument(r, mode)
	}
	if err != nil {
		return nil, err
	}
	return s.submitAll(r.Context(), raws, mode)
}

// signDocument has the node's capture account sign the events of a document.
func (s *Server) signDocument(r *request, mode ledger.CaptureMode) ([][]byte, error) {
	doc, err := s.parseDocument(r.body)
	if err != nil {
		return nil, err
	}
	if len(doc.Events) == 0 {
		return nil, problem(ErrValidation, "the document holds no events").want("at least one event", "none")
	}
	if len(doc.Events) > maxCaptureEvents {
		return nil, problem(ErrTooLarge, "the document holds %d events; at most %d in one call", len(doc.Events), maxCaptureEvents).
			help("Split the document and post the parts one after the other.")
	}
	if s.cfg.Signer == nil {
		return nil, problem(ErrForbidden, "this node has no capture account, so it cannot sign events for you").
			want(mediaTransaction, r.media).
			help("Sign the document with your own wallet (waybill capture FILE does that and posts %s here), or have the node's operator configure a capture account.", mediaTransaction)
	}
	return s.cfg.Signer.SignCapture(r.Context(), doc.Events, mode, s.chainPoint())
}

// parseDocument refuses wrong identifiers here where the network would refuse them later.
func (s *Server) parseDocument(body []byte) (*epcis.Document, error) {
	doc, err := epcis.ParseDocument(body)
	if err != nil {
		return nil, err
	}
	if len(doc.Warnings) > 0 && s.params().Rules.R3 == ledger.Reject {
		return nil, doc.Warnings
	}
	return doc, nil
}

func (s *Server) chainPoint() ChainPoint {
	return ChainPoint{Genesis: s.cfg.Genesis.Hash(), Height: s.cfg.Node.Status().Height, Params: s.params()}
}

func (s *Server) params() ledger.Params {
	if s.cfg.Params == nil {
		return s.cfg.Genesis.Params
	}
	return s.cfg.Params()
}

// captureTransactions reads one raw transaction, or a CBOR list of byte strings each of which is one.
func captureTransactions(body []byte) ([][]byte, ledger.CaptureMode, error) {
	var raws [][]byte
	if err := crypto.Unmarshal(body, &raws); err != nil {
		raws = [][]byte{body}
	}
	if len(raws) == 0 || len(raws) > maxJobTransactions {
		return nil, 0, problem(ErrTransaction, "a capture call takes 1 to %d transactions, got %d", maxJobTransactions, len(raws))
	}
	mode := ledger.Rollback
	for i, raw := range raws {
		tx, err := ledger.DecodeTransaction(raw)
		if err != nil {
			return nil, 0, fmt.Errorf("transaction %d: %w", i, err)
		}
		c, ok := tx.Payload().(*ledger.Capture)
		if !ok {
			return nil, 0, problem(ErrTransaction, "transaction %d is a %s, not a Capture", i, tx.Body.Kind).
				help("Post transactions of other kinds to /v1/transactions.")
		}
		if c.Mode == ledger.Proceed {
			mode = ledger.Proceed
		}
	}
	return raws, mode, nil
}

// submitAll hands the transactions to the node in order. A refusal of the first is the answer; a refusal of a later one is on
// the job, because those before it are on their way.
func (s *Server) submitAll(ctx context.Context, raws [][]byte, mode ledger.CaptureMode) (*Job, error) {
	job := Job{CreatedMs: s.cfg.Now().UnixMilli(), Mode: modeName(mode)}
	for i, raw := range raws {
		id, err := s.cfg.Submitter.Submit(ctx, raw)
		if err != nil && i == 0 {
			return nil, err
		}
		if err != nil {
			job.Refused = problemOf(err)
			if job.Refused.Code == ErrInternal {
				s.fault(epcisRoot+"/capture", err)
			}
			break
		}
		job.Transactions = append(job.Transactions, id)
	}
	job.ID = jobID(job.Transactions)
	// The transactions are on their way whether or not the client waits for the answer.
	if err := s.cfg.Jobs.SaveJob(context.WithoutCancel(ctx), job); err != nil {
		return nil, fmt.Errorf("remembering capture job %s: %w", job.ID, err)
	}
	return &job, nil
}

// getJob shows a job; with wait=final it waits, within the server's limit, until the job has ended.
func (s *Server) getJob(r *request) (*reply, error) {
	job, err := s.findJob(r.Context(), r.PathValue("captureID"))
	if err != nil {
		return nil, err
	}
	wait, err := r.waitParam()
	if err != nil {
		return nil, err
	}
	ctx := context.WithoutCancel(r.Context()) // after a wait that timed out there is still an answer to give
	if wait {
		s.awaitJob(r.Context(), job)
	} else {
		ctx = r.Context()
	}
	view, err := s.viewJob(ctx, job)
	if err != nil {
		return nil, err
	}
	return &reply{json: view}, nil
}

// waitParam reads wait=final.
func (r *request) waitParam() (bool, error) {
	switch text := r.param("wait"); text {
	case "", "none":
		return false, nil
	case "final":
		return true, nil
	default:
		return false, problem(ErrBadRequest, "wait has an unknown value").want("none or final", text)
	}
}

func (s *Server) awaitJob(ctx context.Context, job Job) {
	var height quorum.Height
	for _, id := range job.Transactions {
		tx, err := s.cfg.Transactions.Wait(ctx, id)
		if err != nil {
			return
		}
		height = max(height, tx.Height)
	}
	// When this fails the job is still running, which is what the caller sees.
	_ = s.cfg.Events.WaitIndexed(ctx, height)
}

// findJob loads a job. The id of a transaction that this node knows is a job too, wherever it was posted.
func (s *Server) findJob(ctx context.Context, id string) (Job, error) {
	job, err := s.cfg.Jobs.LoadJob(ctx, id)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return job, err
	}
	if hash, parseErr := crypto.ParseHash(id); parseErr == nil {
		if tx, txErr := s.cfg.Transactions.Transaction(ctx, hash); txErr == nil {
			return Job{ID: id, CreatedMs: tx.TimeMs, Mode: modeOf(tx), Transactions: []crypto.Hash{hash}}, nil
		}
	}
	return Job{}, problem(ErrNotFound, "there is no capture job %q on this node", show(id)).
		help("Ask the node that took the capture, or ask for its transactions under /v1/transactions.")
}

func modeOf(tx *Transaction) string {
	if decoded, err := ledger.DecodeTransaction(tx.Raw); err == nil {
		if c, ok := decoded.Payload().(*ledger.Capture); ok {
			return modeName(c.Mode)
		}
	}
	return modeName(ledger.Rollback)
}

// viewJob gathers what became of a job's transactions.
func (s *Server) viewJob(ctx context.Context, job Job) (*CaptureJob, error) {
	// Read before the transactions: a block indexed in between must not make the job look findable too early.
	indexed := s.cfg.Events.IndexedHeight()
	view := &CaptureJob{CaptureID: job.ID, CreatedAt: instant(job.CreatedMs), Success: true, CaptureErrorBehaviour: job.Mode,
		Errors: []Problem{}, Transactions: []JobTransaction{}}
	last := int64(0)
	for _, id := range job.Transactions {
		tx, err := s.cfg.Transactions.Transaction(ctx, id)
		if errors.Is(err, ErrNotFound) {
			tx, err = &Transaction{Status: TxUnknown}, nil
		}
		if err != nil {
			return nil, err
		}
		view.add(id, tx)
		last = max(last, tx.TimeMs)
	}
	if job.Refused != nil {
		view.fail(*job.Refused)
	}
	if indexed < view.Height {
		view.Running = true // final, but not findable here yet
	}
	if !view.Running {
		view.FinishedAt = instant(max(last, job.CreatedMs))
	}
	return view, nil
}

func (v *CaptureJob) add(id crypto.Hash, tx *Transaction) {
	entry := JobTransaction{ID: id, Status: tx.Status, Height: tx.Height}
	v.Height = max(v.Height, tx.Height)
	switch tx.Status {
	case TxPending:
		v.Running = true
	case TxExpired:
		v.fail(*problem(ErrRefused, "transaction %s expired before a block took it; nothing of it was captured", id).
			help("Sign the document again and post it."))
	case TxUnknown:
		v.fail(*problem(ErrNotFound, "this node no longer knows transaction %s", id).
			help("Post the same signed transaction again: it counts once."))
	case TxFinal, TxRefused:
		if tx.Receipt != nil {
			entry.Flags = v.addReceipt(id, tx.Receipt)
		}
	}
	v.Transactions = append(v.Transactions, entry)
}

func (v *CaptureJob) addReceipt(id crypto.Hash, receipt *ledger.Receipt) (flags []Fault) {
	if !receipt.OK() {
		v.refuse(id, receipt.Finding)
	}
	for _, f := range receipt.Refused {
		v.refuse(id, f)
	}
	for _, f := range receipt.Flags {
		flags = append(flags, findingFault(f))
	}
	return flags
}

func (v *CaptureJob) refuse(id crypto.Hash, f ledger.Finding) {
	p := ruleProblem(&ledger.RuleError{Finding: f})
	for i := range p.Errors {
		p.Errors[i].Transaction = id.String()
	}
	v.fail(*p)
}

func (v *CaptureJob) fail(p Problem) {
	v.Success = false
	if p.Type == "" {
		p.Type = "epcisException:" + p.Code.info().exception
	}
	v.Errors = append(v.Errors, p)
}

// listJobs lists the newest jobs.
func (s *Server) listJobs(r *request) (*reply, error) {
	limit, err := perPage(r)
	if err != nil {
		return nil, err
	}
	jobs, err := s.cfg.Jobs.ListJobs(r.Context(), r.param("nextPageToken"), limit+1)
	if errors.Is(err, ErrNotFound) {
		return nil, problem(ErrQuery, "the nextPageToken is not of this list, or its job was forgotten").help("Start again without it.")
	}
	if err != nil {
		return nil, err
	}
	out := &reply{}
	if len(jobs) > limit {
		jobs = jobs[:limit]
		out.set("Link", nextLink(r, url.Values{"perPage": r.params["perPage"]}, jobs[limit-1].ID))
	}
	views := make([]*CaptureJob, 0, len(jobs))
	for _, job := range jobs {
		view, err := s.viewJob(r.Context(), job)
		if err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	out.json = views
	return out, nil
}

func perPage(r *request) (int, error) {
	text := r.param("perPage")
	if text == "" {
		return usualPage, nil
	}
	n, err := parseHeight(text)
	if err != nil || n == 0 {
		return 0, problem(ErrQuery, "perPage is not a page size").want("1 or more", text)
	}
	return int(min(n, largePage)), nil
}

// nextLink is the Link header of the next page, relative to the host so that no header of the request is repeated.
func nextLink(r *request, params url.Values, token string) string {
	next := url.Values{"nextPageToken": {token}}
	for name, values := range params {
		if name != "nextPageToken" && len(values) > 0 {
			next[name] = values
		}
	}
	return "<" + r.URL.EscapedPath() + "?" + next.Encode() + `>; rel="next"`
}

// instant writes ms since the Unix epoch as RFC 3339 in UTC.
func instant(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
