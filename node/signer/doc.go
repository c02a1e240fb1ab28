// Package signer holds the key of a validator and refuses to sign two things with it, whatever the node asks.
//
// What it does. A [Signer] signs votes and proposals of one key on one network, forward only. [File] is the one that
// holds the key: it keeps the last things it signed in a file of its own, apart from the database of the node, so that a
// lost, old or copied database cannot make the key contradict itself. [Serve] offers a File to a node on another machine
// or in another process, [Dial] is what that node uses instead of a File. [Export] and [Import] move the watermark, as
// text.
//
// The rule. A vote of (epoch, view, step) is signed only above the mark, or when it is the very vote that was signed
// there and is still remembered; step 1 is notarize, step 2 finalize or nullify. A finalize needs the own notarize of the
// same block in its view. Proposals have a mark of their own: one per view. So no request, in whatever order and however
// often, yields two signatures that are evidence against the key.
//
// What it deliberately does not do. It does not judge blocks, knows no validator set and no clock, and cannot know that
// the key is used elsewhere: an old copy of its file together with an equally old copy of the node's database is not
// detectable here. The first vote of the other copy that the network shows the node is (consensus.ErrForeignVote), and
// stops it.
//
// Who calls it. node/journal signs through it; cmd/waybill makes its files and serves them. It imports quorum and crypto.
//
// Concurrency. A File and a client from Dial may be used by many goroutines; they sign one request at a time. Serve runs
// a goroutine for each connection, joined when it returns; a client has at most one, which dials.
package signer
