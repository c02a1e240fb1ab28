// Package api is the HTTP surface of a node and, beside it so that the two cannot drift apart, its Go client.
//
// What it does. [Server] speaks EPCIS 2.0 under /epcis/v2 (capture with jobs, queries, single events) and the ledger's
// own questions under /v1 (blocks, transactions, items, traces, accounts, proofs; described in openapi.json). It turns
// HTTP into calls of small interfaces that it declares itself (needs.go), turns their answers into JSON and every error
// into an RFC 9457 problem that says what happened, where, and what to do. [Client] has one typed method for each of
// these questions.
//
// What it deliberately does not do. It holds no ledger, knows neither the node nor the store nor the network between
// nodes, keeps no key, decides no rule and writes no log. It does not answer other origins (no CORS), does not unpack
// compressed requests, and does not translate identifiers in answers.
//
// Who calls it. node and cmd give it the implementations and serve it; wallets, the command line, the demo and tests use
// the client.
//
// # Limits
//
// Everything has one, see [Limits]: size of head and body, time for head, body, answer and idle connections, requests
// at once (of all kinds, and of the expensive kinds), requests per second and address, page sizes, waiting. At a limit
// the answer is 4xx or 503 with Retry-After, never a slower server. A body that trickles is cut off.
//
// # When is a capture findable
//
// A capture job ends with success (success is true and running is not) only when all its transactions are final and the
// index of this node has reached the last of their blocks. While it runs, success means no error so far, as in EPCIS. On another node pass the job's height as Waybill-Min-Height (or minHeight): that node then answers
// when its own index is there, or 503 when it is not in time. Job ids are derived from transaction ids: posting the same
// signed transactions again, to any node, is the same job.
//
// Concurrency. Server and Client are safe for concurrent use; so must be what implements the interfaces. The only
// goroutine this package starts is the one that Serve joins before it returns.
package api
