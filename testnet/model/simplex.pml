/*
 * Safety of propose / notarize / nullify / finalize, written from the protocol text (package consensus, "Protocol"), not
 * from its code. Four validators of equal stake: 0, 1 and 2 honest, the fourth faulty. Three views above the anchor.
 *
 * The network. Votes are only ever sent, never taken back, and no rule asks whether something has NOT arrived. So
 * "validator i acts when a quorum of votes has been sent" is the same as "the last vote of it reaches i now", and "it
 * does not act" the same as "they are still under way, or lost". Every order, delay, loss and duplication is covered
 * without an inbox. Timers may fire at any time.
 *
 * The faulty validator signs everything, for whoever can use it: one vote of each quorum is always at hand.
 *
 * Leaders. A faulty leader can do all that an honest one can, so every view is led by the faulty validator: up to two
 * blocks a view (a third could not be notarized as well: each needs two of the three honest votes), on any earlier
 * block. Its choice of the parent shows when the first honest validator votes for the block. What an honest validator
 * demands of a block is its justification: a notarized parent and a nullification of every view in between.
 *
 * Views need no variable. A validator can be in view v once a certificate of view v-1 exists and while it has signed
 * nothing later; having entered without voting leaves no trace but "will not act in earlier views", which is the same as
 * the certificate being still under way. So a validator enters a view with its first vote there.
 *
 * Seeded faults (-D...), each of which must make the checker find a fork: QUORUM_2, FINALIZE_AFTER_NULLIFY,
 * NULLIFY_AFTER_FINALIZE, NO_JUSTIFICATION, NO_PARENT_CERTIFICATE, DOUBLE_NOTARIZE, FINALIZE_UNVOTED, AMNESIA. With
 * -DONLY_AGREEMENT the oracle asks for a fork alone, so that a fault is found by what it leads to, not by being there.
 */
#define NONE 15

#ifdef QUORUM_2
#define Q 2
#else
#define Q 3
#endif

/* Blocks: 0 is the anchor; 2v-1 and 2v are the two blocks of view v. */
#define BLOCKS   7
#define VIEW(b)  (((b) + 1) / 2)

byte parent[BLOCKS]; /* NONE while no honest validator has seen the block */
short sent[3];     /* what each honest validator has sent, a bit each: */
#define NOTARIZE_BIT(b) (1 << ((b) - 1))
#define FINALIZE_BIT(b) (1 << ((b) + 5))
#define NULLIFY_BIT(v)  (1 << ((v) + 11))

#define BY(i, bit)   ((sent[i] & (bit)) != 0)
#define QUORUM(bit)  (1 + BY(0, bit) + BY(1, bit) + BY(2, bit) >= Q)
#define N(b)         QUORUM(NOTARIZE_BIT(b))
#define F(b)         QUORUM(FINALIZE_BIT(b))
#define X(v)         QUORUM(NULLIFY_BIT(v))
#define ANY_N(v)     (N(2*(v) - 1) || N(2*(v)))
#define ANY_F(v)     (F(2*(v) - 1) || F(2*(v)))

/* enter: a certificate of the view before, or the beginning. */
#define ENTERED(v) ((v) == 1 || ANY_N((v) - 1) || X((v) - 1))

/* What validator i has signed in a view. */
#define NOTARIZED_IN(i, v) BY(i, NOTARIZE_BIT(2*(v) - 1) | NOTARIZE_BIT(2*(v)))
#define FINALIZED_IN(i, v) BY(i, FINALIZE_BIT(2*(v) - 1) | FINALIZE_BIT(2*(v)))
#define NULLIFIED(i, v)    BY(i, NULLIFY_BIT(v))
#define SIGNED_IN(i, v)    (NOTARIZED_IN(i, v) || FINALIZED_IN(i, v) || NULLIFIED(i, v))

/* The signer: only forward in (view, step). */
#define NOTHING_LATER(i, v) ((v) >= 3 || (!SIGNED_IN(i, 3) && ((v) >= 2 || !SIGNED_IN(i, 2))))

#if defined(DOUBLE_NOTARIZE) || defined(AMNESIA)
#define MAY_NOTARIZE(i, v) (NOTHING_LATER(i, v) && !FINALIZED_IN(i, v) && !NULLIFIED(i, v))
#else
#define MAY_NOTARIZE(i, v) (NOTHING_LATER(i, v) && !SIGNED_IN(i, v))
#endif
#if defined(FINALIZE_AFTER_NULLIFY) || defined(AMNESIA)
#define MAY_FINALIZE(i, v) (NOTHING_LATER(i, v) && !FINALIZED_IN(i, v))
#else
#define MAY_FINALIZE(i, v) (NOTHING_LATER(i, v) && !FINALIZED_IN(i, v) && !NULLIFIED(i, v))
#endif
#if defined(NULLIFY_AFTER_FINALIZE) || defined(AMNESIA)
#define MAY_NULLIFY(i, v) (NOTHING_LATER(i, v) && !NULLIFIED(i, v))
#else
#define MAY_NULLIFY(i, v) (NOTHING_LATER(i, v) && !FINALIZED_IN(i, v) && !NULLIFIED(i, v))
#endif

/* The justification of a block of view v on parent p. */
#define SKIPPED(w, p, v) ((w) <= VIEW(p) || (w) >= (v) || X(w))
#if defined(NO_JUSTIFICATION)
#define JUSTIFIED(p, v) ((p) == 0 || N(p))
#elif defined(NO_PARENT_CERTIFICATE)
#define JUSTIFIED(p, v) (SKIPPED(1, p, v) && SKIPPED(2, p, v))
#else
#define JUSTIFIED(p, v) (((p) == 0 || N(p)) && SKIPPED(1, p, v) && SKIPPED(2, p, v))
#endif

/* The two blocks of a view are alike: the first one used is called the odd one. */
#define SEEN(b, p) (parent[b] == (p) || (parent[b] == NONE && (((b) & 1) || parent[(b) - 1] != NONE)))

/* notarize: in the block's own view; or late, when the others have notarized it (so that its view could be entered). */
#define CAN_NOTARIZE(i, b, p) (SEEN(b, p) && JUSTIFIED(p, VIEW(b)) && MAY_NOTARIZE(i, VIEW(b)) && \
	!BY(i, NOTARIZE_BIT(b)) && ENTERED(VIEW(b)))
#define NOTARIZE(i, b, p) :: d_step { CAN_NOTARIZE(i, b, p) -> parent[b] = p; SIGN(i, NOTARIZE_BIT(b)) }

/* finalize: what it notarized itself, when a quorum did. */
#ifdef FINALIZE_UNVOTED
#define CAN_FINALIZE(i, b) (parent[b] != NONE && N(b) && MAY_FINALIZE(i, VIEW(b)))
#else
#define CAN_FINALIZE(i, b) (N(b) && BY(i, NOTARIZE_BIT(b)) && MAY_FINALIZE(i, VIEW(b)))
#endif
#define FINALIZE(i, b) :: d_step { CAN_FINALIZE(i, b) -> SIGN(i, FINALIZE_BIT(b)) }

/* nullify: a timer of the current view fires. */
#define NULLIFY(i, v) :: d_step { ENTERED(v) && MAY_NULLIFY(i, v) -> SIGN(i, NULLIFY_BIT(v)) }

/*
 * The honest validators are alike: nothing but what they signed tells them apart. Keeping the three words in order
 * therefore merges states that differ by a renaming only.
 */
#define SIGN(i, bit) sent[i] = sent[i] | (bit); ORDER(0, 1); ORDER(1, 2); ORDER(0, 1)
#define ORDER(a, b)  if :: sent[a] > sent[b] -> swap = sent[a]; sent[a] = sent[b]; sent[b] = swap; swap = 0 \
	:: else fi
hidden short swap;

#define VALIDATOR(i) \
	NOTARIZE(i, 1, 0) \
	NOTARIZE(i, 2, 0) \
	NOTARIZE(i, 3, 0) NOTARIZE(i, 3, 1) NOTARIZE(i, 3, 2) \
	NOTARIZE(i, 4, 0) NOTARIZE(i, 4, 1) NOTARIZE(i, 4, 2) \
	NOTARIZE(i, 5, 0) NOTARIZE(i, 5, 1) NOTARIZE(i, 5, 2) NOTARIZE(i, 5, 3) NOTARIZE(i, 5, 4) \
	NOTARIZE(i, 6, 0) NOTARIZE(i, 6, 1) NOTARIZE(i, 6, 2) NOTARIZE(i, 6, 3) NOTARIZE(i, 6, 4) \
	FINALIZE(i, 1) FINALIZE(i, 2) FINALIZE(i, 3) FINALIZE(i, 4) FINALIZE(i, 5) FINALIZE(i, 6) \
	NULLIFY(i, 1) NULLIFY(i, 2) NULLIFY(i, 3)

/* The oracle judges what was sent, and shares no rule with the validators. */
#define PARENT(b)      (parent[b] == NONE -> 0 : parent[b])
#define DESCENDS(b, a) ((b) == (a) || PARENT(b) == (a) || PARENT(PARENT(b)) == (a))
#define FORK(a, b)     (F(a) && F(b) && !DESCENDS(b, a))
#define conflict (FORK(1, 2) || FORK(1, 3) || FORK(1, 4) || FORK(1, 5) || FORK(1, 6) || FORK(2, 3) || FORK(2, 4) || \
	FORK(2, 5) || FORK(2, 6) || FORK(3, 4) || FORK(3, 5) || FORK(3, 6) || FORK(4, 5) || FORK(4, 6) || FORK(5, 6))
#define bothExits     ((ANY_F(1) && X(1)) || (ANY_F(2) && X(2)) || (ANY_F(3) && X(3)))
#define twoNotarized  ((N(1) && N(2)) || (N(3) && N(4)) || (N(5) && N(6)))
#define BOTH(i, one, other) (BY(i, one) && BY(i, other))
#define PAIR(i, one, other) (BOTH(i, NOTARIZE_BIT(one), NOTARIZE_BIT(other)) || BOTH(i, FINALIZE_BIT(one), FINALIZE_BIT(other)) || \
	BOTH(i, NOTARIZE_BIT(one), FINALIZE_BIT(other)) || BOTH(i, FINALIZE_BIT(one), NOTARIZE_BIT(other)))
#define OFFENCE(i, v)  (PAIR(i, 2*(v) - 1, 2*(v)) || BOTH(i, FINALIZE_BIT(2*(v) - 1) | FINALIZE_BIT(2*(v)), NULLIFY_BIT(v)))
#define OFFENDER(i)    (OFFENCE(i, 1) || OFFENCE(i, 2) || OFFENCE(i, 3))
#define doubleVote     (OFFENDER(0) || OFFENDER(1) || OFFENDER(2))
/* No promises: they show that the model can do the good things at all. With -DREACH_... the checker must get there. */
#define allFinal      (F(1) && F(3) && F(5) && parent[3] == 1 && parent[5] == 3)
#define skippedFinal  (N(1) && X(1) && X(2) && F(5) && parent[5] == 0)

/* Never true: their names are what the checker prints. */
hidden byte honest_votes_once, finalized_excludes_nullified, one_notarized_block, agreement, unreachable;

init {
	d_step {
		parent[1] = NONE; parent[2] = NONE; parent[3] = NONE;
		parent[4] = NONE; parent[5] = NONE; parent[6] = NONE
	}
end:	do
#ifndef ONLY_AGREEMENT
	:: d_step { doubleVote   -> assert(honest_votes_once) }
	:: d_step { bothExits    -> assert(finalized_excludes_nullified) }
	:: d_step { twoNotarized -> assert(one_notarized_block) }
#endif
	:: d_step { conflict     -> assert(agreement) }
#ifdef REACH_CHAIN
	:: d_step { allFinal     -> assert(unreachable) }
#endif
#ifdef REACH_SKIP
	:: d_step { skippedFinal -> assert(unreachable) }
#endif
	VALIDATOR(0)
	VALIDATOR(1)
	VALIDATOR(2)
	od
}
