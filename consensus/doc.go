// Package consensus is the Byzantine fault tolerant engine: stake-weighted Simplex, as a deterministic machine.
//
// It agrees on one chain of 32-byte values, for one epoch: one set of validators, from the block the epoch starts from to
// the block that closes it. What stands behind a value is the ledger's business. A [Machine] is fed one
// [Input] at a time and answers with an [Output], whose fields are effects in the order in which they must happen.
// Nothing in here starts a goroutine, reads a clock, takes a lock, checks a signature, draws a random number or does
// I/O: time comes in as an argument, and votes, certificates and proposals come in as types that only the verifier of
// package quorum can make. Package node owns the machine, in one goroutine, and performs its outputs; the simulator
// does the same over a virtual queue.
//
// # Words
//
// Views are numbered from 1 for the whole epoch, never per height; view 0 is the anchor, the block the epoch starts
// from. Each view has one leader, by stake. W is the power of all validators, Q = floor(2W/3)+1 a quorum, B = W-Q+1 the
// least power that has an honest member. A certificate is a quorum of votes that say the same:
//
//	N(v,h)  notarization: a quorum holds block h of view v and finds it valid
//	X(v)    nullification: a quorum gave view v up
//	F(v,h)  finalization: a quorum saw N(v,h) and had not given up; h and all below it are final
//
// The last block of an epoch is its closing block c; its header says so, and names the next validators. On c stand only
// tails: headers without payload that name c, have its height, and never enter the ledger. They exist so that c can
// become final when its own votes split: F of c, or F of any tail of it, makes c final, and the machine is over.
//
// A validator leaves a view by one exit: finalize or nullify, never both. D is the bound assumed on one hop; T_lead = 2D,
// T_not = 3D and T_r = D/2 (within 100 ms and 2 s) are made of it. K is [Config].ExecDelay. tip is the last block output.
//
// # Protocol
//
//	signer       upon being asked for a vote (view, step), with notarize as step 1 and finalize or nullify as step 2:
//	             sign only if it is later than every vote before; then make it durable; then send it
//	             hence never two notarize, never finalize and nullify, never notarize h' and finalize h, in one view
//
//	enter        upon N(v-1), X(v-1), or any certificate of a view >= v-1, while in a lower view:
//	             view := its view + 1; no timers yet
//	activate     upon work, a proposal, the leader's nullify, or nullify votes of power B, in the current view:
//	             arm T_lead and T_not, from when MinBlockInterval after the parent is over
//	work         transactions wait here, or at validators of power B by their status;
//	             or fewer than K empty blocks follow the last one with transactions (each state root gets certified);
//	             or such a block is notarized but not final after 3D, or with a view given up since;
//	             or the last block is MaxBlockInterval old;
//	             or the parent is the closing block, or a tail, and so the epoch cannot rest before its end
//	build        upon work, when leading, once per view, and never where a proposal of mine exists:
//	             on the highest notarized block u, if X(w) is held for every w in (u, v) and the block is known valid
//	             (where both N and X exist, the block is taken), with those certificates as justification;
//	             on a closing block, or a tail of it, a tail of it
//	send         upon the own block found valid, still in its view: send it to everyone
//
//	proposal     upon a proposal of the view's leader: take in the certificates inside it; keep the first of a view,
//	             report the second; keep the block of an earlier view only if a certificate names it
//	validate     upon a kept proposal, in its view or certified, whose parent is known valid or is the tip: ask for a
//	             verdict; one block per view, and another only if a certificate names that instead. Invalid without
//	             asking: a time not after the parent's; on a closing block or a tail, all but a tail that names the
//	             same closing block; elsewhere, a tail
//	notarize     upon "valid" in view v = current, received in time, nothing signed in v: sign notarize
//	late         upon "valid" and N(v,h) in any view above the tip: the same, whatever its time, if the signer permits
//	finalize     upon N(v,h), "valid", own notarize(v,h), and no exit from v: sign finalize, before entering v+1
//	give up      upon T_lead without an acceptable proposal, T_not without N(v), "invalid", a failed build, or the
//	             leader's own nullify; in the current view, if I have not exited it: sign nullify
//	             (after 8 views without finality only the timers count: views must not fly by)
//	follow       N(v) moves on those who nullified v, too, and they vote for the children of that block
//
//	certify      upon votes of power Q that say the same: make the certificate; keep the first of its kind per view
//	name         upon N(v,h) or F(v,h) for a block other than the leader's first: h replaces it, and is fetched
//	finish       upon F(v,h): walk from h down to the tip; fetch what is missing (up to 16 blocks above the tip, else
//	             ask for sync); output each block, lowest first, as soon as it is found valid; prune; D is small again
//	end          upon F(v,t) for a tail t: the same from the closing block on, whose height tails have; it goes out with
//	             the certificate of t and t's header, which together show it to anybody. Where t is known by that
//	             header alone, its sender is over and may be gone: ask for sync, too
//	over         upon output of the closing block, or sync to it: sign, build, judge and ask for nothing any more; tell
//	             the status every StatusEvery; send who is below the closing block its finalization, once per T_r
//	halt         upon certificates that cannot both exist (N and N', N and F', X and F in a view; two final blocks at
//	             a height, unless one is the closing block and the other its tail; a final block above the end of the
//	             epoch; a final block that does not descend from the tip, or over parents that it must not have), a
//	             final block found invalid here, or a vote by my key that I did not make: report who signed both, and
//	             stop for good
//
//	repeat       every T_r, or StatusEvery when nobody can need anything: send the status, the own votes of the current
//	             view, and of views whose certificate somebody lacks, every own finalize above the tip, and, if I
//	             exited the view, the certificate that admitted me; ask again for blocks and sync (from the ninth time
//	             in one view on, T_r doubles, up to 2 s)
//	repair       upon a status that is behind: send the one certificate that lifts that peer most, at most one per T_r
//	ask          upon a status that is ahead: send mine, at most once per T_r
//	evidence     upon two votes of a validator that no honest signer gives: report them, once
//
// # Timing
//
// D starts at Timing.Base and follows three quarters of the 99th percentile of the time from the start of a view to its
// notarization, over the last 64 views that this node did not give up, within Timing.Min and Timing.Max/4. With each
// view without finality beyond two it grows by half, to at most Timing.Max; a finality ends that, and shortens timers
// already running. A leader not heard of for max(8, n/2) views gets about one hop instead of 2D. All of it is local:
// clocks and timers decide who gives up when, never what is valid.
//
// # Why it is safe, why it goes on
//
// Two quorums share an honest signer, who gives one notarize per view: N(v) is unique. He has one exit: F(v,h) excludes
// X(v). So a proposal, which must show X of every view it skips, cannot leave out a final block. There is no other lock.
// If two final blocks ever conflict, their certificates and justifications name more than a third of the power, each
// by two signatures of its own.
//
// No two nodes start the next epoch from different blocks. They start from a final closing block, or from one under a
// final tail. An honest validator notarizes a tail only on a parent it knows to be valid, and that is the closing block
// which the tail names, or a tail that names the same; so by induction the named block is an ancestor of any notarized
// tail, with nothing but its tails between. What is final in an epoch is one chain. Were two closing blocks final in
// it, or under final tails, one would be below the other; but what stands on the lower one are its tails, and a closing
// block is no tail. For the same reason no block of the ledger follows a closing block within the epoch.
//
// What is signed in the epoch after its end makes no difference: it can certify, at most, further tails of the same
// block, which never enter the ledger. Votes of different epochs never count together, as the digest covers the epoch
// and its validators. A certificate by a quorum of the old set for anything else, however late, is a fork of the old
// epoch, and names more than a third of that set.
//
// A view ends for everyone: if any honest node holds N(v) or X(v), its status repair spreads it; if none does, nobody
// signed finalize, and T_not makes all of them nullify. Then an honest leader's view follows, in which all are within
// one hop of each other.
//
// An epoch ends for everyone: a closing block that is notarized and not final is work, so that views go on, each with a
// tail on the highest notarized one; the first honest leader's view finalizes it. Who misses that is sent the one
// certificate by those who are over, or, once they have gone on to the next epoch, learns from their status that the
// epoch has ended, and gets the closing block from their ledgers: the node's block sync does that.
//
// # Recovery
//
// [New] takes what survived. The watermark is the highest own vote, the view the highest of own votes, own proposals and
// (certificates + 1); stored blocks are validated again; own votes of the view and unfinished finalize votes are sent
// again at once, and the timers run anew. An own proposal is sent again, never replaced. With a vote that is found, the
// certificates that it was given upon are found: they are written before it, into one log. Later ones may be lost; the
// votes that made them are repeated, or the view is given up. Tails are recovered like blocks. If the tip of the ledger
// is a closing block, the machine is over from its start.
//
// # Deviations
//
// From the paper (Chan and Pass, TCC 2023): stake instead of heads; payload verdicts are asynchronous and three-valued;
// justifications travel in the proposal; idle chains stay in a view; an explicit finalize excludes nullify instead of
// being implied; a late notarize is allowed. From this project's design:
//
//   - A proposal that came at the wrong time is not nullified at once: it counts as no proposal at T_lead. If the others
//     notarize it before that, this node can still vote, and finalize.
//   - A justification carries up to [quorum.MaxSkip] nullifications instead of 32, so that every proposal is complete in
//     itself. Beyond that (days without a notarization) the newest are carried; validators hold the others or are sent
//     them, as their status says what they miss, and verify with [Machine.Nullification].
//   - Any block without which a state root stays uncertified is work after 3D, not only one with transactions.
//   - Own votes of the current view are repeated before they are an exit, too: a lost vote costs T_r, not a view.
//   - Evidence is no work by itself: it travels in transactions.
//   - D is measured only in views that were not given up, and capped at 3 s instead of 10, so that the longest view ends
//     within 10 s.
//   - The timers need no jitter by chance: T_r differs by node and view.
//   - A tail says nothing about the ledger: parameters and executed results in its header are zero.
//   - The end of an epoch changes the state, so that its closing block counts as one with transactions: K empty blocks
//     of the next epoch follow it.
//
// # Limits
//
// Votes are kept for views from current-64 to current+1 and for the last 16 views of the ledger; two per kind, validator
// and view. One status per peer. One proposal per view, its payload only until the verdict. At most 2^14 views above the
// tip have a record; the machine halts when the view to enter finds no room. After the end of the epoch it enters no view
// and keeps no further proposal.
//
// # Concurrency
//
// A Machine has one owner. Values in outputs are not changed afterwards and may be shared.
package consensus
