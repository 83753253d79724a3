/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory ordering of a ring, small enough to be searched whole: driver/ring.c
 * is the producer, with an interrupt that commits in the middle of its own
 * commit; pkg/ring is the consumer, which releases, arms itself and sleeps.
 *
 * Memory is weak: each side's stores go to a buffer of its own and reach memory
 * later, in any order, unless the code says otherwise. A store-release leaves
 * after all that its side has stored before it; a full barrier waits until the
 * buffer is empty. Loads look into the own buffer first, then into memory. The
 * producer and its interrupt are one CPU: they share one buffer.
 *
 * What must hold:
 *   - a record that is read is the one that was written, whole, in order
 *   - no record is overwritten before it was read and released
 *   - when everybody sleeps, nothing is unread: no wake-up is lost
 *
 * Loads are in order here. What a missing acquire would allow is a mutant that
 * looks too early, and what a relaxed release of consumer_pos would, one that
 * releases too early.
 *
 * The ring has room for SLOTS records, which are numbered from 1. Positions are
 * numbers of records. Each mutant takes one thing away; model_test.go makes sure
 * that spin finds out:
 *
 *   RELAXED_PUBLISH   producer_pos is stored without release
 *   NO_ACQUIRE        a record is looked at before producer_pos
 *   EARLY_RELEASE     consumer_pos is stored before the record is read
 *   NO_WAKE_BARRIER   no full barrier between producer_pos and need_wakeup
 *   NO_ARM_BARRIER    no full barrier between need_wakeup and producer_pos
 *   NO_DEPTH          a nested commit publishes as well
 *   NO_SECOND_LOOK    reserve is not looked at again after depth = 0
 *   LATE_DEPTH        depth goes up after space was taken
 *   NO_ROOM_CHECK     consumer_pos is not asked
 *   OPEN_SHORT_WAY    the short way leaves interrupts on
 */
#define SLOTS   2
#define OUTER   3 /* commits of the task */
#define NESTED  1 /* commits of interrupts */
#define RECORDS (OUTER + NESTED)

/* ---- weak memory ---- */

/* Places of memory: the two words of each slot (a record can be half written), and the control page. */
#define LO(slot) (2 * (slot))
#define HI(slot) (2 * (slot) + 1)
#define PRODUCER (2 * SLOTS)
#define CONSUMER (2 * SLOTS + 1)
#define WAKEUP   (2 * SLOTS + 2)
#define PLACES   (2 * SLOTS + 3)

#define P 0 /* the producer's CPU */
#define C 1 /* the consumer's */

byte memory[PLACES];
byte held[2 * PLACES];     /* by side: what its buffer has for a place */
bool waits[2 * PLACES];    /* whether it has anything */
byte waiting[2];           /* for how many places */
#define AT(side, place) ((side) * PLACES + (place))

/* A store replaces an older one to the same place that is still in the buffer: nobody has seen that one. */
inline store(side, place, value)
{
	atomic {
		if
		:: !waits[AT(side, place)] -> waits[AT(side, place)] = true; waiting[side]++
		:: else
		fi;
		held[AT(side, place)] = value
	}
}

inline barrier_full(side)
{
	waiting[side] == 0
}

/* What was stored before is in memory before this is in the buffer. */
inline store_release(side, place, value)
{
	barrier_full(side);
	store(side, place, value)
}

#define load(side, place) (waits[AT(side, place)] -> held[AT(side, place)] : memory[place])

/* Stores reach memory one at a time, whichever first. */
proctype Buffer(byte side)
{
	byte place;
end:
	do
	:: atomic {
		waiting[side] > 0 ->
		select (place : 0 .. (PLACES - 1));
		if
		:: waits[AT(side, place)] ->
			memory[place] = held[AT(side, place)];
			held[AT(side, place)] = 0;
			waits[AT(side, place)] = false;
			waiting[side]--
		:: else
		fi;
		place = 0
	}
	od
}

/* ---- the producer: driver/ring.c ---- */

byte reserve;            /* these two are the CPU's own: no other CPU looks */
byte level;              /* depth there, a word that spin keeps for itself */
byte limit;              /* how far reserve may go without asking the consumer */
bool irq_off;
byte lost;
byte interrupts = NESTED;
bool in_interrupt;
bool asked;              /* irq_work was queued */

/* falco_ring_take() and falco_ring_make_room(): interrupts are off. */
inline take(pos, got)
{
	atomic {
#ifndef NO_ROOM_CHECK
		if
		:: reserve == limit -> limit = load(P, CONSUMER) + SLOTS
		:: else
		fi;
#else
		limit = reserve + 1;
#endif
		if
		:: reserve < limit -> got = true; pos = reserve; reserve++
		:: else -> got = false; lost++
		fi
	}
}

inline copy(pos)
{
	store(P, LO(pos % SLOTS), pos + 1);
	store(P, HI(pos % SLOTS), pos + 1)
}

inline publish(pos)
{
#ifndef RELAXED_PUBLISH
	store_release(P, PRODUCER, pos)
#else
	store(P, PRODUCER, pos)
#endif
}

/* falco_ring_wake(): need_wakeup is cleared before anybody is woken. */
inline wake()
{
#ifndef NO_WAKE_BARRIER
	barrier_full(P);
#endif
	if
	:: load(P, WAKEUP) ->
		store(P, WAKEUP, 0);
		barrier_full(P); /* irq_work_queue() has one */
		asked = true
	:: else
	fi
}

/* commit_short(), and an event that is put straight into the ring. */
inline commit_short(pos, got)
{
	take(pos, got);
	if
	:: got ->
		copy(pos);
		if
#ifndef NO_DEPTH
		:: level > 0 /* whoever we have interrupted publishes */
		:: else -> publish(reserve); wake()
#else
		:: true -> publish(reserve); wake()
#endif
		fi
	:: else
	fi
}

/* leave(): publish, and look again. Nested commits have come and gone. */
inline leave(upto)
{
	do
	:: upto = reserve;
		publish(upto);
		level = 0;
#ifndef NO_SECOND_LOOK
		if
		:: reserve == upto -> break
		:: else -> level = 1
		fi
#else
		break
#endif
	od;
	wake()
}

/* commit_long(): its copy may be interrupted. */
inline commit_long(pos, upto, got)
{
#ifndef LATE_DEPTH
	level = 1;
	take(pos, got);
#else
	take(pos, got);
	level = 1;
#endif
	if
	:: got -> copy(pos)
	:: else
	fi;
	leave(upto)
}

active proctype Task() provided (!in_interrupt)
{
	byte pos, upto, n;
	bool got;

	do
	:: n < OUTER ->
		if
		:: commit_long(pos, upto, got)
		::
#ifndef OPEN_SHORT_WAY
			irq_off = true;
#endif
			commit_short(pos, got);
			irq_off = false
		fi;
		n++;
		pos = 0;
		upto = 0
	:: else -> break
	od
}

/* An interrupt whose code faults and so hits a hook; it runs to its end before the task goes on. */
active proctype Interrupt()
{
	byte pos;
	bool got;

	do
	:: atomic { interrupts > 0 && !irq_off -> in_interrupt = true; interrupts-- };
		commit_short(pos, got);
		atomic { pos = 0; in_interrupt = false }
	:: break /* none comes any more */
	od
}

/* ---- the consumer: pkg/ring ---- */

bool sleeping;
byte next;               /* the record that is read next */

active proctype Consumer()
{
	byte head, lo, hi;

end:
	do
	::
#ifdef NO_ACQUIRE
		lo = load(C, LO(next % SLOTS));
		hi = load(C, HI(next % SLOTS));
#endif
		head = load(C, PRODUCER);
		do
		:: next < head ->
#ifdef EARLY_RELEASE
			store_release(C, CONSUMER, next + 1);
#endif
#ifndef NO_ACQUIRE
			lo = load(C, LO(next % SLOTS));
			hi = load(C, HI(next % SLOTS));
#endif
			assert(lo == next + 1 && hi == next + 1);
			next++
		:: else -> break
		od;
		lo = 0;
		hi = 0;
		/* Our reads are over before the kernel may write there. */
		store_release(C, CONSUMER, next);
		/* Arm, look once more, sleep. */
		store(C, WAKEUP, 1);
#ifndef NO_ARM_BARRIER
		barrier_full(C);
#endif
		if
		:: load(C, PRODUCER) != next
		:: else ->
			sleeping = true;
end_asleep:		atomic { asked -> asked = false; sleeping = false }
		fi;
		store(C, WAKEUP, 0)
	od
}

init {
	atomic { run Buffer(P); run Buffer(C) }
}

/* Nothing moves any more: all that was published is read. */
active proctype Judge()
{
	timeout -> assert(next == memory[PRODUCER] && next + lost == RECORDS - interrupts)
}
