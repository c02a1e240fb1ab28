package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// CaptureOptions say how a document is to be captured. The zero value is all events or none.
type CaptureOptions struct {
	Mode ledger.CaptureMode
	// IdempotencyKey makes posting the same document again, after an answer that was lost, the same capture. A capture
	// of signed transactions needs none: it is the same anyway.
	IdempotencyKey string
}

// Capture posts an EPCIS document for the node's own capture account to sign, and returns the id of the capture job.
// Errors to branch on: ErrValidation (with every fault), ErrForbidden (the node signs for nobody), ErrTooLarge.
func (c *Client) Capture(ctx context.Context, document []byte, o CaptureOptions) (string, error) {
	header := http.Header{}
	header.Set(headerErrorBehaviour, modeName(o.Mode))
	if o.IdempotencyKey != "" {
		header.Set("Idempotency-Key", o.IdempotencyKey)
	}
	return c.capture(ctx, call{media: mediaJSONLD, body: document, header: header})
}

// CaptureTransactions posts signed transactions of kind Capture, in order, and returns the id of their job. Posting them
// again, to any node, is the same job.
func (c *Client) CaptureTransactions(ctx context.Context, raws [][]byte) (string, error) {
	body, err := crypto.Marshal(raws)
	if err != nil {
		return "", fmt.Errorf("packing %d transactions: %w", len(raws), err)
	}
	return c.capture(ctx, call{media: mediaTransaction, body: body})
}

func (c *Client) capture(ctx context.Context, q call) (string, error) {
	q.method, q.path = http.MethodPost, epcisRoot+"/capture"
	var out struct {
		CaptureID string `json:"captureID"`
	}
	_, err := c.json(ctx, q, &out)
	return out.CaptureID, err
}

// CaptureEvent posts one bare event for the node's own capture account to sign and waits until it is findable there. The
// job may still be running when the server's patience ends; then WaitJob.
func (c *Client) CaptureEvent(ctx context.Context, event []byte) (*CaptureJob, error) {
	out := &CaptureJob{}
	a, err := c.json(ctx, call{method: http.MethodPost, path: epcisRoot + "/events", media: mediaJSONLD, body: event}, out)
	if err != nil {
		return nil, err
	}
	if a.status == http.StatusAccepted { // which names the job and no more
		return c.CaptureJob(ctx, out.CaptureID)
	}
	return out, nil
}

// CaptureJob says how far a capture is; ErrNotFound when the node does not know it.
func (c *Client) CaptureJob(ctx context.Context, id string) (*CaptureJob, error) {
	return c.job(ctx, id, nil)
}

func (c *Client) job(ctx context.Context, id string, query url.Values) (*CaptureJob, error) {
	return ask[CaptureJob](ctx, c, epcisRoot+"/capture/"+url.PathEscape(id), query)
}

// WaitJob waits until a capture job has ended, or ctx is done. A job that ended without success is no error of WaitJob:
// see [CaptureJob.Err].
func (c *Client) WaitJob(ctx context.Context, id string) (*CaptureJob, error) {
	for {
		job, err := c.job(ctx, id, url.Values{"wait": {"final"}})
		switch {
		case err == nil && !job.Running:
			return job, nil
		case err == nil:
			err = sleep(ctx, pollPause)
		default:
			err = patience(ctx, err)
		}
		if err != nil {
			return nil, c.waiting("capture job "+show(id), err)
		}
	}
}

// Err is nil while a job runs and when it succeeded, else what went wrong, each part a *Problem.
func (j *CaptureJob) Err() error {
	if j.Running || j.Success {
		return nil
	}
	var list []error
	for i := range j.Errors {
		list = append(list, &j.Errors[i])
	}
	if len(list) == 0 {
		return problem(ErrInternal, "capture job %s failed and does not say why", show(j.CaptureID))
	}
	return errors.Join(list...)
}

// CaptureJobList is a page of capture jobs, newest first.
type CaptureJobList struct {
	Jobs []CaptureJob
	Next string // pass as after; "" on the last page
}

// CaptureJobs lists the jobs that the node took, newest first: those after a page (""; from the newest), at most limit (0:
// the server's usual number).
func (c *Client) CaptureJobs(ctx context.Context, after string, limit int) (*CaptureJobList, error) {
	query := pageQuery("perPage", limit)
	if after != "" {
		query.Set("nextPageToken", after)
	}
	out := &CaptureJobList{}
	a, err := c.json(ctx, call{method: http.MethodGet, path: epcisRoot + "/capture", query: query}, &out.Jobs)
	if err != nil {
		return nil, err
	}
	out.Next = nextToken(a.header)
	return out, nil
}

// EventPage is a page of the answer to a query.
type EventPage struct {
	Document []byte // the EPCIS query document as the node wrote it
	Events   []*epcis.Event
	Next     string        // pass as nextPageToken with the same query; "" on the last page
	Height   quorum.Height // block up to which the answer is complete
}

// Events answers an EPCIS query: parameters are those of the SimpleEventQuery, see epcis/query.
func (c *Client) Events(ctx context.Context, query url.Values) (*EventPage, error) {
	return c.events(ctx, epcisRoot+"/events", query)
}

// EventsUnder answers the query that a top-level resource and one of its values stand for, for example "bizSteps" and
// "shipping", with further parameters.
func (c *Client) EventsUnder(ctx context.Context, resource, value string, query url.Values) (*EventPage, error) {
	return c.events(ctx, epcisRoot+"/"+url.PathEscape(resource)+"/"+url.PathEscape(value)+"/events", query)
}

// Event returns the events with an eventID (two authors may have used the same), or the one with a hash in hex;
// ErrNotFound when there is none.
func (c *Client) Event(ctx context.Context, id string) (*EventPage, error) {
	return c.events(ctx, epcisRoot+"/events/"+url.PathEscape(id), nil)
}

func (c *Client) events(ctx context.Context, path string, query url.Values) (*EventPage, error) {
	a, err := c.do(ctx, call{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return nil, err
	}
	doc, err := epcis.ParseDocument(a.body)
	if err != nil {
		return nil, fmt.Errorf("the answer of %s to GET %s is no EPCIS document: %w", c.base, path, err)
	}
	height, _ := strconv.ParseUint(a.header.Get(headerHeight), 10, 64) // 0 where another implementation answers
	return &EventPage{Document: a.body, Events: doc.Events, Next: nextToken(a.header), Height: quorum.Height(height)}, nil
}

// AllEvents answers a query page by page, as far as the caller reads. An error ends it.
func (c *Client) AllEvents(ctx context.Context, query url.Values) iter.Seq2[*epcis.Event, error] {
	return func(yield func(*epcis.Event, error) bool) {
		params := maps.Clone(query)
		if params == nil {
			params = url.Values{}
		}
		for {
			page, err := c.Events(ctx, params)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range page.Events {
				if !yield(e, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			params.Set("nextPageToken", page.Next)
		}
	}
}

// nextToken finds the token of the next page in the Link header; "" when there is none (RFC 8288).
func nextToken(h http.Header) string {
	for _, link := range h.Values("Link") {
		target, params, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if !ok || !strings.Contains(params, `rel="next"`) {
			continue
		}
		if u, err := url.Parse(target); err == nil {
			return u.Query().Get("nextPageToken")
		}
	}
	return ""
}

// Resources lists what is under a resource of the EPCIS interface: "" for the top, "eventTypes", or "epcs/VALUE" with VALUE
// percent-encoded.
func (c *Client) Resources(ctx context.Context, path string) ([]string, error) {
	if path != "" {
		path = "/" + path
	}
	out, err := ask[collection](ctx, c, epcisRoot+path, nil)
	if err != nil {
		return nil, err
	}
	return out.Member, nil
}
