/*
 * Progress of propose / notarize / nullify / finalize, written from the protocol text: no run in which all that honest
 * validators send to each other arrives ends without finality. Four validators of equal stake; 0, 1 and 2 honest.
 *
 * Two bad views, then a good one. In views 1 and 2 anything goes: the leader is faulty or honest, timers fire at any
 * time, messages overtake each other. View 3 has an honest leader, and messages that beat its timers.
 *
 * Unlike in the safety model, it matters here who holds what: each honest validator has its own certificates and
 * blocks. The faulty validator may give its vote, its certificates and its blocks to one honest validator and not to
 * the others, and may fall silent for ever at any moment. What honest validators owe each other, by the protocol, is
 * always delivered at last, in any order: own votes, certificates (repair), certified blocks (fetch).
 *
 * Every step adds something, so every run ends. Then, and for every run, all honest validators must hold the
 * finalization of view 3. This replaces fairness: a run that could go on is not at its end.
 *
 * Seeded faults (-D...), each of which must make the checker find a run that ends without finality: NO_REPAIR,
 * ONLY_LIFTING_REPAIR, NO_FETCH, NULLIFIED_STAY, QUORUM_4, ALWAYS_TAKE_SKIP, CRASH_LOSES_CERTIFICATES (why certificates are
 * written before the votes that rest on them: two honest validators that lost the same one, and nobody is left who has it).
 *
 * -DONE_BAD_VIEW leaves out view 1; that is searched completely. The whole has more states than fit two minutes.
 */
#ifdef ONE_BAD_VIEW
#define FIRST 2 /* view 1 was given up by all */
#else
#define FIRST 1
#endif

#ifdef QUORUM_4
#define Q 4
#else
#define Q 3
#endif

/* Blocks: 0 is the anchor; 2v-1 and 2v are the two blocks of view v. An honest leader proposes 2v-1 alone. */
#define VIEW(b)  (((b) + 1) / 2)
#define ODD(v)   (2*(v) - 1)
#define EVEN(v)  (2*(v))
#define NONE     15
#define LEADER   0

#define BIT(x)    (1 << (x))
#define HAS(m, x) (((m) & BIT(x)) != 0)

bit  faultyLeads[4];   /* views 1 and 2 */
bit  silent;           /* the faulty validator */
byte parent[6];        /* of each proposed block; NONE until then */

/* Of each honest validator: */
byte view[3];
byte voted[3];     /* notarize, by block */
byte finalize[3];  /* finalize, by block */
byte nullify[3];   /* nullify, by view */
byte notarized[3]; /* notarizations it holds, by block */
byte skipped[3];   /* nullifications it holds, by view */
byte final[3];     /* finalizations it holds, by block */
byte held[3];      /* blocks it holds and found valid */

#define VOTES(m, x)   (HAS(m[0], x) + HAS(m[1], x) + HAS(m[2], x))
#define ANYONE(m, x)  (VOTES(m, x) > 0)
/* A quorum that i can have: of honest votes alone; or with the faulty one's vote, as long as it gives any. */
#define QUORUM(m, x)  (VOTES(m, x) >= Q || (!silent && VOTES(m, x) + 1 >= Q))

#define OF_VIEW(m, v)   (HAS(m, ODD(v)) || HAS(m, EVEN(v)))
#define EXITED(i, v)    (OF_VIEW(finalize[i], v) || HAS(nullify[i], v))
#define SIGNED(i, v)    (OF_VIEW(voted[i], v) || EXITED(i, v))
#define NOTHING_LATER(i, v) (((v) >= 2 || !SIGNED(i, 2)) && ((v) >= 3 || !SIGNED(i, 3)))

/* enter: the view after the highest certificate. */
#ifdef NULLIFIED_STAY
#define LIFTS(i, v) (!HAS(nullify[i], v))
#else
#define LIFTS(i, v) true
#endif
#define ENTER(i, v) if :: view[i] <= v -> view[i] = v + 1 :: else fi

/* finalize at once, in the step that makes it possible. */
#define TRY_FINALIZE(i, b) if :: HAS(notarized[i], b) && HAS(held[i], b) && HAS(voted[i], b) && !EXITED(i, VIEW(b)) && \
	NOTHING_LATER(i, VIEW(b)) -> finalize[i] = finalize[i] | BIT(b) :: else fi

#define TAKE_N(i, b) notarized[i] = notarized[i] | BIT(b); TRY_FINALIZE(i, b); \
	if :: LIFTS(i, VIEW(b)) -> ENTER(i, VIEW(b)) :: else fi
#define TAKE_X(i, v) skipped[i] = skipped[i] | BIT(v); ENTER(i, v)

/* certify: from votes. A node that can make a certificate of its own votes has it at last. */
#define CERTIFY_N(i, b) :: d_step { !HAS(notarized[i], b) && QUORUM(voted, b)    -> TAKE_N(i, b) }
#define CERTIFY_X(i, v) :: d_step { !HAS(skipped[i], v)   && QUORUM(nullify, v)  -> TAKE_X(i, v) }
#define CERTIFY_F(i, b) :: d_step { !HAS(final[i], b)     && QUORUM(finalize, b) -> final[i] = final[i] | BIT(b); ENTER(i, VIEW(b)) }

/* repair: what any honest validator holds reaches the others. */
#if defined(NO_REPAIR)
#define REPAIRS(i, v) false
#elif defined(ONLY_LIFTING_REPAIR)
#define REPAIRS(i, v) (view[i] <= (v))
#else
#define REPAIRS(i, v) true
#endif
#define REPAIR_N(i, b) :: d_step { REPAIRS(i, VIEW(b)) && !HAS(notarized[i], b) && ANYONE(notarized, b) -> TAKE_N(i, b) }
#define REPAIR_X(i, v) :: d_step { REPAIRS(i, v) && !HAS(skipped[i], v) && ANYONE(skipped, v) -> TAKE_X(i, v) }
#define REPAIR_F(i, b) :: d_step { REPAIRS(i, VIEW(b)) && !HAS(final[i], b) && ANYONE(final, b) -> \
	final[i] = final[i] | BIT(b); ENTER(i, VIEW(b)) }

/* A block can be judged once its parent is held. */
#define PARENT_HELD(i, b) (parent[b] == 0 || (parent[b] != NONE && HAS(held[i], parent[b])))

/* fetch: a certified block, from whoever notarized it. It replaces another one of the view. */
#ifdef NO_FETCH
#define FETCH(i, b)
#else
#define FETCH(i, b) :: d_step { HAS(notarized[i], b) && !HAS(held[i], b) && PARENT_HELD(i, b) && ANYONE(held, b) -> \
	held[i] = held[i] | BIT(b) }
#endif

/* notarize: in the view; or late. */
#define NOTARIZE(i, b) :: d_step { HAS(held[i], b) && (view[i] == VIEW(b) || HAS(notarized[i], b)) && !SIGNED(i, VIEW(b)) && \
	NOTHING_LATER(i, VIEW(b)) -> voted[i] = voted[i] | BIT(b); TRY_FINALIZE(i, b) }

/* nullify: the timers of bad views only. */
#define NULLIFY(i, v) :: d_step { view[i] == v && !EXITED(i, v) -> nullify[i] = nullify[i] | BIT(v) }

/* The justification of a block of view v on p, as far as i holds it. */
#define HOLDS_X(i, w, p, v) ((w) <= VIEW(p) || (w) >= (v) || HAS(skipped[i], w))
#define JUSTIFIES(i, p, v) (((p) == 0 || (HAS(notarized[i], p) && HAS(held[i], p))) && HOLDS_X(i, 1, p, v) && HOLDS_X(i, 2, p, v))
/* The highest notarized block: no later view has a notarization that this validator holds. */
#ifdef ALWAYS_TAKE_SKIP
#define HIGHEST(i, p, v) (VIEW(p) == 0)
#else
#define HIGHEST(i, p, v) ((VIEW(p) >= 1 || (v) <= 1 || !OF_VIEW(notarized[i], 1)) && (VIEW(p) >= 2 || (v) <= 2 || !OF_VIEW(notarized[i], 2)))
#endif

/* propose: an honest leader, once. */
#define PROPOSE(v, p) :: d_step { !faultyLeads[v] && view[LEADER] == v && parent[ODD(v)] == NONE && !SIGNED(LEADER, v) && \
	JUSTIFIES(LEADER, p, v) && HIGHEST(LEADER, p, v) -> parent[ODD(v)] = p; held[LEADER] = held[LEADER] | BIT(ODD(v)) }

/* receive an honest leader's proposal, with the certificates inside it. */
#define RECEIVE(i, v) :: d_step { !faultyLeads[v] && view[i] <= v && parent[ODD(v)] != NONE && !HAS(held[i], ODD(v)) && \
	(view[i] < v || PARENT_HELD(i, ODD(v))) -> \
	if :: parent[ODD(v)] != 0 && !HAS(notarized[i], parent[ODD(v)]) -> TAKE_N(i, parent[ODD(v)]) :: else fi; \
	if :: v == 3 && VIEW(parent[5]) < 2 && !HAS(skipped[i], 2) -> TAKE_X(i, 2) :: else fi; \
	if :: v >= 2 && VIEW(parent[ODD(v)]) < 1 && !HAS(skipped[i], 1) -> TAKE_X(i, 1) :: else fi; \
	if :: view[i] == v && PARENT_HELD(i, ODD(v)) -> held[i] = held[i] | BIT(ODD(v)) :: else fi }

/* A crash, at most one of each validator, that keeps what it signed and the blocks, and loses every certificate. */
#ifdef CRASH_LOSES_CERTIFICATES
byte crashed;
#define CRASH(i) :: d_step { !HAS(crashed, i) -> crashed = crashed | BIT(i); notarized[i] = 0; skipped[i] = 0; final[i] = 0 }
#else
#define CRASH(i)
#endif

/* A faulty leader gives a block, on any parent that it can justify, to one validator at a time. */
#define EXISTS_N(p)       ((p) == 0 || QUORUM(voted, p) || ANYONE(notarized, p))
#define EXISTS_X(w, p, v) ((w) <= VIEW(p) || (w) >= (v) || QUORUM(nullify, w) || ANYONE(skipped, w))
#define DECEIVE(i, b, p) :: d_step { !silent && faultyLeads[VIEW(b)] && (parent[b] == p || parent[b] == NONE) && \
	((b) == ODD(VIEW(b)) || parent[(b) - 1] != NONE) && EXISTS_N(p) && EXISTS_X(1, p, VIEW(b)) && \
	view[i] == VIEW(b) && !OF_VIEW(held[i], VIEW(b)) && ((p) == 0 || HAS(held[i], p)) -> \
	parent[b] = p; held[i] = held[i] | BIT(b); \
	if :: (p) != 0 && !HAS(notarized[i], p) -> TAKE_N(i, p) :: else fi }

#define VALIDATOR(i) \
	CERTIFY_N(i, 1) CERTIFY_N(i, 2) CERTIFY_N(i, 3) CERTIFY_N(i, 4) CERTIFY_N(i, 5) CERTIFY_X(i, 1) CERTIFY_X(i, 2) CERTIFY_F(i, 5) \
	REPAIR_N(i, 1) REPAIR_N(i, 2) REPAIR_N(i, 3) REPAIR_N(i, 4) REPAIR_N(i, 5) REPAIR_X(i, 1) REPAIR_X(i, 2) REPAIR_F(i, 5) \
	FETCH(i, 1) FETCH(i, 2) FETCH(i, 3) FETCH(i, 4) FETCH(i, 5) \
	NOTARIZE(i, 1) NOTARIZE(i, 2) NOTARIZE(i, 3) NOTARIZE(i, 4) NOTARIZE(i, 5) \
	NULLIFY(i, 1) NULLIFY(i, 2) \
	CRASH(i) RECEIVE(i, 1) RECEIVE(i, 2) RECEIVE(i, 3) \
	DECEIVE(i, 1, 0) DECEIVE(i, 2, 0) \
	DECEIVE(i, 3, 0) DECEIVE(i, 3, 1) DECEIVE(i, 3, 2) DECEIVE(i, 4, 0) DECEIVE(i, 4, 1) DECEIVE(i, 4, 2)

#define FINISHED (HAS(final[0], 5) && HAS(final[1], 5) && HAS(final[2], 5))
hidden byte every_run_ends_final;

init {
	d_step {
		parent[1] = NONE; parent[2] = NONE; parent[3] = NONE; parent[4] = NONE; parent[5] = NONE;
		view[0] = FIRST; view[1] = FIRST; view[2] = FIRST;
		if :: FIRST == 2 -> skipped[0] = 2; skipped[1] = 2; skipped[2] = 2 :: else fi
	}
#ifndef ONE_BAD_VIEW
	if :: faultyLeads[1] = 1 :: skip fi;
#endif
	if :: faultyLeads[2] = 1 :: skip fi;
	do
	:: d_step { !silent -> silent = 1 }
	PROPOSE(1, 0)
	PROPOSE(2, 0) PROPOSE(2, 1) PROPOSE(2, 2)
	PROPOSE(3, 0) PROPOSE(3, 1) PROPOSE(3, 2) PROPOSE(3, 3) PROPOSE(3, 4)
	VALIDATOR(0)
	VALIDATOR(1)
	VALIDATOR(2)
	:: timeout -> break
	od;
	if :: FINISHED :: else -> assert(every_run_ends_final) fi
}
