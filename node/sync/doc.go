// Package sync fetches finalized blocks that a node misses, from peers it does not trust.
//
// What it does. A Fetcher keeps, for every peer, the height it claims to have finalized, and asks one
// peer at a time for the range above our tip. An answer is a run of consecutive blocks and ONE
// finalization certificate, for the last of them: the certificate vouches for the last header, each
// header names its parent's hash, and each header binds its payload, so the whole run is verified by one
// certificate and nothing is kept of a run that does not verify. A peer that is slow, silent or wrong is
// set aside for a while and the next one is asked; what peers claim only decides whom to ask, never what
// is believed or when syncing is over.
//
// What it deliberately does not do. It has no goroutine, no clock and no socket: time and answers come in
// as arguments, requests go out as values. It does not execute blocks and does not check transactions'
// signatures; its caller does both before the blocks change anything.
//
// Who calls it. node.Replica, on the goroutine that owns the replica. Nothing here may run concurrently.
package sync
