package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/epcis/query"
	"waybill/ledger"
)

// headerHeight tells up to which block an answer is complete.
const headerHeight = "Waybill-Height"

// findEvents answers a SimpleEventQuery.
func (s *Server) findEvents(r *request) (*reply, error) { return s.find(r, r.params) }

// find answers with the events that satisfy the parameters, one page of them.
func (s *Server) find(r *request, params url.Values) (*reply, error) {
	q, err := query.Parse(byHash(params))
	if err != nil {
		return nil, err
	}
	page, err := s.cfg.Events.Find(r.Context(), q)
	if err != nil {
		return nil, err
	}
	body, err := s.queryDocument(page.Events)
	if err != nil {
		return nil, err
	}
	out := &reply{raw: body, media: mediaJSON}
	out.set(headerHeight, strconv.FormatUint(page.Height, 10))
	if page.Next != "" {
		// The parameters of the request itself: what a path stands for is in the path of the next page too.
		out.set("Link", nextLink(r, r.params, page.Next))
	}
	return out, nil
}

// queryDocument writes the events as they were captured, with the time of their block as recordTime.
func (s *Server) queryDocument(found []query.Found) ([]byte, error) {
	events := make([]*epcis.Event, len(found))
	for i, f := range found {
		events[i] = recorded(f)
	}
	doc := epcis.NewQueryDocument(epcis.NewTimestamp(s.cfg.Now().UnixMilli()), "SimpleEventQuery", "", events...)
	body, err := epcis.FormatDocument(doc)
	if err != nil {
		return nil, err
	}
	var safe bytes.Buffer
	json.HTMLEscape(&safe, body)
	if most := s.cfg.Limits.AnswerBytes; safe.Len() > most {
		return nil, problem(ErrTooLarge, "these %d events make a document of more than %d bytes", len(events), most).
			help("Ask for smaller pages with perPage.")
	}
	return safe.Bytes(), nil
}

// recorded gives the event its recordTime and, when its author gave none, an eventID by which it is found again.
func recorded(f query.Found) *epcis.Event {
	e := *f.Event
	e.RecordTime = epcis.NewTimestamp(f.Meta.TimeMs)
	if e.EventID == "" {
		e.EventID = eventURN + f.Meta.Hash
	}
	return &e
}

// eventURN with the hash of an event is the eventID of those that were captured without one. The hash identifier of the CBV
// is not, because it cannot be turned back into the hash that the ledger knows.
const eventURN = "urn:waybill:event:"

// byHash asks for events by their hash where they are asked for by an eventID that recorded made up.
func byHash(params url.Values) url.Values {
	ids := params["EQ_eventID"]
	var hashes []string
	for id := range strings.SplitSeq(strings.Join(ids, "|"), "|") {
		hash, ok := strings.CutPrefix(id, eventURN)
		if _, err := crypto.ParseHash(hash); !ok || err != nil {
			return params
		}
		hashes = append(hashes, hash)
	}
	if len(ids) == 0 || params.Has(query.ParamHash) {
		return params
	}
	params = maps.Clone(params)
	delete(params, "EQ_eventID")
	params[query.ParamHash] = hashes
	return params
}

// by answers .../{value}/events: the query with one more parameter.
func by(param string) func(*Server, *request) (*reply, error) {
	return func(s *Server, r *request) (*reply, error) {
		value := r.PathValue("value")
		name := param
		if param == "MATCH_anyEPC" {
			id, err := gs1.Parse(value)
			if err != nil {
				return nil, err
			}
			if id.IsClass() {
				name = "MATCH_anyEPCClass"
			}
		}
		if r.params.Has(name) {
			return nil, problem(ErrQuery, "%s is given by the path and by the query", name).help("Leave it out of the query.")
		}
		params := maps.Clone(r.params)
		if params == nil {
			params = url.Values{}
		}
		params.Set(name, value)
		return s.find(r, params)
	}
}

// getEvent finds one event by its eventID, or by the hex hash under which the ledger knows it.
func (s *Server) getEvent(r *request) (*reply, error) {
	id := r.PathValue("eventID")
	params := url.Values{"EQ_eventID": {id}, "perPage": {"2"}}
	if _, err := crypto.ParseHash(id); err == nil {
		params = url.Values{query.ParamHash: {id}, "perPage": {"2"}}
	}
	q, err := query.Parse(byHash(params))
	if err != nil {
		return nil, err
	}
	page, err := s.cfg.Events.Find(r.Context(), q)
	if err != nil {
		return nil, err
	}
	if len(page.Events) == 0 {
		return nil, problem(ErrNotFound, "no event with the id %q was recorded up to block %d", show(id), page.Height).
			help("Percent-encode the id; right after a capture pass the job's height as minHeight.")
	}
	body, err := s.queryDocument(page.Events)
	if err != nil {
		return nil, err
	}
	return (&reply{raw: body, media: mediaJSON}).set(headerHeight, strconv.FormatUint(page.Height, 10)), nil
}

// postEvent captures one bare event and waits for it: 201 when it is findable, 202 with its job when that takes longer.
func (s *Server) postEvent(r *request) (*reply, error) {
	doc, err := s.parseDocument(r.body)
	if err != nil {
		return nil, err
	}
	if doc.Kind != epcis.BareEvent || len(doc.Events) != 1 {
		return nil, problem(ErrValidation, "this address takes one event").want("an event", doc.Kind.String()).
			help("Post documents to %s/capture.", epcisRoot)
	}
	job, err := s.capture(r, ledger.Rollback)
	if err != nil {
		return nil, err
	}
	r.light()
	s.awaitJob(r.Context(), *job)
	if r.Context().Err() != nil {
		return accepted(job.ID), nil
	}
	view, err := s.viewJob(r.Context(), *job)
	if err != nil {
		return nil, err
	}
	if !view.Running && !view.Success && len(view.Errors) > 0 {
		refused := view.Errors[0]
		refused.Type = "" // by the path
		return nil, &refused
	}
	if view.Running {
		return accepted(job.ID), nil
	}
	id := doc.Events[0].EventID
	if id == "" {
		id = eventURN + doc.Events[0].Hash().String()
	}
	out := &reply{status: http.StatusCreated, json: view}
	return out.set("Location", epcisRoot+"/events/"+url.PathEscape(id)), nil
}

const collectionContext = "https://gs1.github.io/EPCIS/epcis-context.jsonld"

type collection struct {
	Context string   `json:"@context"`
	Type    string   `json:"type"`
	Member  []string `json:"member"`
}

func members(names ...string) *reply {
	return &reply{json: collection{Context: collectionContext, Type: "Collection", Member: names}}
}

func (s *Server) topLevel(*request) (*reply, error) {
	return members("capture", "events", "eventTypes", "epcs", "bizSteps", "bizLocations", "readPoints", "dispositions"), nil
}

func (s *Server) eventTypes(*request) (*reply, error) {
	return members("ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent"), nil
}

func (s *Server) subResources(r *request) (*reply, error) {
	if strings.HasPrefix(r.URL.Path, epcisRoot+"/eventTypes/") {
		if _, ok := epcis.ParseEventType(r.PathValue("value")); !ok {
			return nil, problem(ErrNotFound, "%q is no event type", show(r.PathValue("value")))
		}
	}
	return members("events"), nil
}

// notListed answers for collections that would list everything anybody ever recorded.
func (s *Server) notListed(r *request) (*reply, error) {
	return nil, problem(ErrUnsupported, "this node does not list this collection").
		help("Ask for the events of one member: %s/VALUE/events, VALUE percent-encoded.", r.URL.EscapedPath())
}
