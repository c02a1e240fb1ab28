package api

import "net/http"

// Page sizes of /v1 lists and of capture jobs.
const (
	usualPage = 30
	largePage = 100
)

const epcisRoot = "/epcis/v2"

// table is every route. The test of openapi.json reads it too.
func table() []route {
	const get, post = http.MethodGet, http.MethodPost
	document := []string{mediaJSON, mediaJSONLD}
	page := []string{"perPage", "nextPageToken"}
	list := []route{
		// EPCIS 2.0 (OpenAPI of the standard, version 2.0.0).
		{method: get, pattern: epcisRoot + "/{$}", handle: (*Server).topLevel},
		{method: get, pattern: epcisRoot, handle: (*Server).topLevel},
		{method: post, pattern: epcisRoot + "/capture", body: append(document, mediaTransaction), heavy: true, handle: (*Server).postCapture},
		{method: get, pattern: epcisRoot + "/capture", params: page, heavy: true, handle: (*Server).listJobs},
		{method: get, pattern: epcisRoot + "/capture/{captureID}", params: []string{"wait"}, handle: (*Server).getJob},
		{method: post, pattern: epcisRoot + "/events", body: document, heavy: true, handle: (*Server).postEvent},
		{method: get, pattern: epcisRoot + "/events", query: true, heavy: true, reads: true, handle: (*Server).findEvents},
		{method: get, pattern: epcisRoot + "/events/{eventID}", heavy: true, reads: true, handle: (*Server).getEvent},
		{method: get, pattern: epcisRoot + "/eventTypes", params: page, handle: (*Server).eventTypes},
		{method: get, pattern: epcisRoot + "/eventTypes/{value}", handle: (*Server).subResources},
		{method: get, pattern: epcisRoot + "/eventTypes/{value}/events", query: true, heavy: true, reads: true, handle: by("eventType")},

		// The ledger.
		{method: get, pattern: "/v1/openapi.json", handle: (*Server).openAPI},
		{method: get, pattern: "/v1/status", handle: (*Server).status},
		{method: get, pattern: "/v1/genesis", handle: (*Server).genesis},
		{method: get, pattern: "/v1/peers", handle: (*Server).peers},
		{method: get, pattern: "/v1/blocks", params: []string{"before", "limit"}, heavy: true, handle: (*Server).listBlocks},
		{method: get, pattern: "/v1/blocks/{block}", handle: (*Server).getBlock},
		{method: get, pattern: "/v1/epochs/{epoch}", handle: (*Server).getEpoch},
		{method: post, pattern: "/v1/transactions", params: []string{"wait"}, body: []string{mediaTransaction}, handle: (*Server).postTransaction},
		{method: get, pattern: "/v1/transactions/{id}", params: []string{"prove", "wait"}, handle: (*Server).getTransaction},
		{method: get, pattern: "/v1/items", params: []string{"id", "prove", "limit", "custodian"}, heavy: true, reads: true, asOf: true, handle: (*Server).getItem},
		{method: get, pattern: "/v1/items/{id...}", params: []string{"prove", "limit", "custodian"}, heavy: true, reads: true, asOf: true, handle: (*Server).getItem},
		{method: get, pattern: "/v1/trace/back", params: []string{"item", "depth", "nodes"}, heavy: true, walks: true, reads: true, handle: (*Server).traceBack},
		{method: get, pattern: "/v1/trace/forward", params: []string{"item", "depth", "nodes"}, heavy: true, walks: true, reads: true, handle: (*Server).traceForward},
		{method: get, pattern: "/v1/accounts/{address}", params: []string{"prove"}, reads: true, asOf: true, handle: (*Server).getAccount},
		{method: get, pattern: "/v1/organisations", params: []string{"after", "limit"}, reads: true, asOf: true, handle: (*Server).listOrganisations},
		{method: get, pattern: "/v1/organisations/{id}", params: []string{"prove"}, reads: true, asOf: true, handle: (*Server).getOrganisation},
		{method: get, pattern: "/v1/prefixes/{prefix}", params: []string{"prove"}, reads: true, asOf: true, handle: (*Server).getPrefix},
		{method: get, pattern: "/v1/validators", reads: true, asOf: true, handle: (*Server).listValidators},
		{method: get, pattern: "/v1/certificates", params: []string{"item", "height", "depth", "events", "epoch"}, heavy: true, handle: (*Server).getCertificate},
		{method: get, pattern: "/v1/proofs/state", params: []string{"key"}, heavy: true, asOf: true, handle: (*Server).proveState},

		// Operation.
		{method: get, pattern: "/livez", plain: true, handle: (*Server).live},
		{method: get, pattern: "/healthz", plain: true, handle: (*Server).health},
		{method: get, pattern: "/readyz", params: []string{"verbose"}, plain: true, handle: (*Server).ready},
	}
	list = append(list, rulesTable()...)
	for name, param := range eventResources() {
		base := epcisRoot + "/" + name
		list = append(list,
			route{method: get, pattern: base, params: page, handle: (*Server).notListed},
			route{method: get, pattern: base + "/{value}", handle: (*Server).subResources},
			route{method: get, pattern: base + "/{value}/events", query: true, heavy: true, reads: true, handle: by(param)})
	}
	return list
}

// rulesTable is what the rules keep: recalls, disputes, shipments, balances, claims, votes.
func rulesTable() []route {
	list := func(pattern string, handle func(*Server, *request, *itemReader) (any, error), params ...string) route {
		return route{method: http.MethodGet, pattern: pattern, params: append(params, "after", "limit"), heavy: true, reads: true, asOf: true, handle: asOf(handle)}
	}
	one := func(pattern string, handle func(*Server, *request, *itemReader) (any, error)) route {
		return route{method: http.MethodGet, pattern: pattern, params: []string{"prove"}, heavy: true, reads: true, asOf: true, handle: asOf(handle)}
	}
	return []route{
		list("/v1/notices", listNotices, "state", "issuer", "subject"), one("/v1/notices/{notice}", getNotice),
		{method: http.MethodGet, pattern: "/v1/recalls/{notice}/scope", params: []string{"nodes"}, heavy: true, walks: true, reads: true, asOf: true, handle: (*Server).getRecallScope},
		{method: http.MethodGet, pattern: "/v1/scope", params: []string{"item", "nodes"}, heavy: true, walks: true, reads: true, asOf: true, handle: (*Server).getScope},
		{method: http.MethodGet, pattern: "/v1/massbalance", params: []string{"lot", "class", "party", "site", "from", "until"}, heavy: true, walks: true, reads: true, asOf: true, handle: (*Server).massBalance},
		list("/v1/disputes", listDisputes, "state", "party", "shipment"), one("/v1/disputes/{dispute}", getDispute),
		list("/v1/shipments", listShipments, "state", "from", "to"), one("/v1/shipments/{shipment}", getShipment),
		list("/v1/balances", listBalances, "party", "lot", "class"),
		list("/v1/attestations", listAttestations, "issuer", "subject"), one("/v1/attestations/{id}", getAttestation),
		list("/v1/anchors", listAnchors, "author", "about"), one("/v1/anchors/{document}", getAnchor),
		list("/v1/yields", listYields, "party"),
		list("/v1/attachments", listAttachments, "parent", "device", "from", "until"),
		list("/v1/proposals", listProposals, "state"), one("/v1/proposals/{proposal}", getProposal),
		one("/v1/params", getParams),
	}
}

// eventResources are the top-level resources of EPCIS 2.0 that lead to events, and the query parameter that each is.
func eventResources() map[string]string {
	return map[string]string{
		"epcs": "MATCH_anyEPC", "bizSteps": "EQ_bizStep", "bizLocations": "EQ_bizLocation",
		"readPoints": "EQ_readPoint", "dispositions": "EQ_disposition",
	}
}
