// Package trace answers "where has this item been, and what was made of it?" from EPCIS events.
//
// [Back] walks from an item to what it was made of, [Forward] to what was made of it and where that is. Both follow
// transformations (split events joined by their transformationID), packing, association and the membership of
// instances in lots. Packing counts only between packing and unpacking: goods that used one pallet one after the
// other have nothing to do with each other. The answer is a [Graph], the same for the same events whatever order they
// were recorded in, and it says loudly when a limit cut it short. [Balance] adds up what came in, went out and was lost of
// some goods.
//
// The package deliberately does not check events, does not know the ledger, and does not decide whether a claim is
// true: it reads what parties recorded. Status and quantities are derived from events and labelled so; the state of
// the ledger is the authority on custody. It renders no text.
//
// Callers are api (through node) and tests. All functions are pure over their [Source] and may run concurrently if
// the Source may be read concurrently. Events are read through the Source one item at a time and kept for the
// duration of one call.
package trace
