// Package consensus is the Byzantine fault tolerant engine: stake-weighted Simplex, as a deterministic machine.
//
// It agrees on one chain of 32-byte values. What stands behind a value is the ledger's business. A [Machine] is fed one
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
//	             or such a block is notarized but not final after 3D; or the last block is MaxBlockInterval old
//	build        upon work, when leading, once per view, and never where a proposal of mine exists:
//	             on the highest notarized block u, if X(w) is held for every w in (u, v) and the block is known valid
//	             (where both N and X exist, the block is taken), with those certificates as justification
//	send         upon the own block found valid, still in its view: send it to everyone
//
//	proposal     upon a proposal of the view's leader: take in the certificates inside it; keep the first of a view,
//	             report the second; keep the block of an earlier view only if a certificate names it
//	validate     upon a kept proposal, in its view or certified, whose parent is known valid or is the tip: ask for a
//	             verdict; one block per view, and another only if a certificate names that instead
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
//	halt         upon certificates that cannot both exist (N and N', N and F', X and F in a view; two final blocks at
//	             a height; a final block that does not descend from the tip), a final block found invalid here, or a
//	             vote by my key that I did not make: report who signed both, and stop for good
//
//	repeat       every T_r, or StatusEvery when nobody can need anything: send the status, the own votes of the current
//	             view, every own finalize above the tip, and, if I exited the view, the certificate that admitted me;
//	             ask again for blocks and sync (from the ninth time in one view on, T_r doubles, up to 2 s)
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
// A view ends for everyone: if any honest node holds N(v) or X(v), its status repair spreads it; if none does, nobody
// signed finalize, and T_not makes all of them nullify. Then an honest leader's view follows, in which all are within
// one hop of each other.
//
// # Recovery
//
// [New] takes what survived. The watermark is the highest own vote, the view the highest of own votes, own proposals and
// (certificates + 1); stored blocks are validated again; own votes of the view and unfinished finalize votes are sent
// again at once, and the timers run anew. An own proposal is sent again, never replaced. Certificates may all be lost:
// the votes that made them are in journals, and are repeated.
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
//   - D is measured only in views that were not given up.
//   - The timers need no jitter by chance: T_r differs by node and view.
//
// # Limits
//
// Votes are kept for views from current-64 to current+1 and for the last 16 views of the ledger; two per kind, validator
// and view. One status per peer. One proposal per view, its payload only until the verdict. At most 2^14 views above the
// tip have a record; the machine halts when the view to enter finds no room.
//
// # Concurrency
//
// A Machine has one owner. Values in outputs are not changed afterwards and may be shared.
package consensus
