// Package index answers EPCIS queries and traces from a copy of the recorded events, arranged by item, lot, party,
// location, business step, time and more, in a keyspace of its own in the store's database.
//
// It follows the ledger by pulling updates and keeps a cursor: events and cursor move in one batch per block, so a
// crash loses nothing and repeats nothing. Everything in it can be dropped and is then built again from the blocks; the
// ledger never reads it. Answers are of one height: pages of one query do not change while the ledger grows.
//
// Only accepted events are indexed; what was refused is in the receipts. The package deliberately does not interpret
// queries (epcis/query does) or follow chains (epcis/trace does; [Index] is a trace.Source).
//
// Callers are node (Run) and, through it, api. Run and CatchUp belong to one goroutine; everything else may be called
// by any number of goroutines at any time. Many events at once are decoded by a few goroutines that end with the call
// (Events).
package index
