// Package query says what an EPCIS query means: it reads the parameters of a SimpleEventQuery (EPCIS 2.0, section
// 8.2.7.1) from a URL or from a JSON query body into a [Query], and decides whether an event satisfies it.
//
// Identifiers match whatever their spelling: the URN and the Digital Link URI of one thing are one thing. A parameter
// that is unknown, malformed or not supported is an [Error] naming the parameter, the value and what was expected;
// nothing is ever ignored. The number of values is limited, because each costs work for every event looked at.
//
// The package deliberately does not fetch, order or page events: ledger/index does, with Query as its question and
// [Page] as its answer. Callers are api, ledger/index and the subscriptions of a node. A Query does not change once
// parsed and may be used by many goroutines.
package query
