// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A ring and a reader that obeys, lags, or lies; no hook is attached yet.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "selftest.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../ring.h"
#include "../write.h"

#define SIZE   FALCO_RING_MIN_BYTES
#define PREFIX sizeof(struct falco_record_prefix)
#define GAP    (PREFIX + sizeof(struct falco_gap))
#define TYPE   FALCO_EV_CLOSE_X /* any */

#define EXPECT(cond)                                                     \
	do {                                                             \
		if (!(cond)) {                                           \
			pr_err("ring self-test: line %d: %s\n", __LINE__, #cond); \
			return false;                                    \
		}                                                        \
	} while (0)

/* The reader: what pkg/ring does, and it knows what must come. */
struct reader {
	struct falco_ring *r;
	u64 pos;
	u64 seq;
	u64 ns;
	u64 events;
	u64 lost;
};

static u32 step_random(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* An event of @len bytes whose contents can be recognised. */
static void make(struct falco_frame *f, u32 len)
{
	struct falco_event_header *h = (struct falco_event_header *)f->buf;

	memset(f->buf, (u8)len, len);
	h->len = len;
	h->type = TYPE;
	f->len = len;
	f->type = TYPE;
	f->flags = 0;
	f->broken = false;
}

static bool commit(struct falco_ring *r, struct falco_frame *f, u32 len, u64 ns)
{
	bool ok;

	make(f, len);
	falco_ring_produced(r, TYPE);
	preempt_disable();
	ok = falco_ring_commit(r, f, ns);
	preempt_enable();
	return ok;
}

/* Take one record; false if it is not what must come next, or if there is none. */
static bool take(struct reader *reader)
{
	struct falco_ring *r = reader->r;
	u64 head = smp_load_acquire(&r->control->producer_pos); /* as pkg/ring does */
	struct falco_record_prefix *prefix = (void *)(r->data + (reader->pos & (SIZE - 1)));
	struct falco_event_header *h = (void *)(prefix + 1);
	struct falco_gap *gap = (void *)(prefix + 1);
	u32 i;

	EXPECT(head - reader->pos >= PREFIX && head - reader->pos <= SIZE);
	EXPECT(prefix->length % 8 == 0 && prefix->length <= head - reader->pos);
	EXPECT(prefix->seq == reader->seq);
	if (prefix->flags & FALCO_REC_GAP) {
		EXPECT(prefix->length == GAP);
		EXPECT(gap->from_seq == reader->seq && gap->to_seq >= gap->from_seq);
		EXPECT(gap->first_ns <= gap->last_ns && gap->first_ns >= reader->ns);
		for (i = 0; i < FALCO_LOST_CAUSES; i++)
			reader->lost += gap->lost[i];
		reader->seq = gap->to_seq + 1;
		EXPECT(reader->lost + reader->events == reader->seq);
	} else {
		EXPECT(prefix->length == ALIGN(PREFIX + h->len, 8));
		EXPECT(h->ts >= reader->ns);
		for (i = sizeof(*h); i < h->len; i++)
			EXPECT(((u8 *)h)[i] == (u8)h->len);
		reader->ns = h->ts;
		reader->events++;
		reader->seq++;
	}
	reader->pos += prefix->length;
	return true;
}

static void release(struct reader *reader)
{
	smp_store_release(&reader->r->control->consumer_pos, reader->pos); /* as pkg/ring does */
}

static bool drain(struct reader *reader)
{
	while (reader->pos != reader->r->control->producer_pos)
		EXPECT(take(reader));
	release(reader);
	return true;
}

static bool balanced(const struct reader *reader)
{
	const struct falco_ring *r = reader->r;
	u64 lost = 0;
	u32 i;

	for (i = 0; i < FALCO_LOST_CAUSES; i++)
		lost += r->counts[TYPE].lost[i];
	EXPECT(r->counts[TYPE].produced == r->published + lost);
	EXPECT(r->published == reader->events);
	EXPECT(r->control->lost == lost);
	return true;
}

/* ---- the cases ---- */

static bool test_one(struct falco_ring *r, struct falco_frame *f)
{
	struct reader reader = { r };

	EXPECT(commit(r, f, 101, 1000));
	EXPECT(r->control->producer_pos == ALIGN(PREFIX + 101, 8));
	EXPECT(r->control->last_ns == 1000);
	EXPECT(commit(r, f, 40, 900)); /* a clock that steps back does not */
	EXPECT(drain(&reader));
	EXPECT(reader.events == 2 && reader.ns == 1000);
	return balanced(&reader);
}

static bool test_full(struct falco_ring *r, struct falco_frame *f)
{
	struct reader reader = { r };
	u32 fit = SIZE / 1024, i;

	for (i = 0; i < fit; i++)
		EXPECT(commit(r, f, 1024 - PREFIX, i));
	for (i = 0; i < 7; i++)
		EXPECT(!commit(r, f, 26, 100 + i)); /* even a small one */
	EXPECT(r->counts[TYPE].lost[FALCO_LOST_FULL] == 7);
	EXPECT(take(&reader));
	release(&reader);
	EXPECT(!commit(r, f, 1024 - PREFIX, 200)); /* it would fit, but for the gap before it */
	EXPECT(commit(r, f, 1024 - PREFIX - GAP, 300));
	EXPECT(drain(&reader));
	EXPECT(reader.lost == 8 && reader.events == fit + 1);
	return balanced(&reader);
}

static bool test_too_big(struct falco_ring *r, struct falco_frame *f)
{
	struct reader reader = { r };

	EXPECT(!commit(r, f, FALCO_EVENT_MAX, 1)); /* and the ring is empty */
	EXPECT(r->counts[TYPE].lost[FALCO_LOST_TOO_BIG] == 1);
	EXPECT(commit(r, f, SIZE - PREFIX - GAP, 2));
	EXPECT(drain(&reader));
	EXPECT(reader.lost == 1 && reader.events == 1);
	return balanced(&reader);
}

/* Whatever the reader writes to its page, at worst it loses its own events. */
static bool test_liar(struct falco_ring *r, struct falco_frame *f)
{
	static const u64 lies[] = { 8, SIZE, 1ULL << 63, U64_MAX - SIZE };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		r->control->consumer_pos = lies[i];
		EXPECT(!commit(r, f, 26, i));
		EXPECT(r->reserve == 0);
	}
	EXPECT(r->counts[TYPE].lost[FALCO_LOST_FULL] == ARRAY_SIZE(lies));
	r->control->consumer_pos = 0;
	r->control->producer_pos = 12345; /* not ours: we go by our own */
	EXPECT(commit(r, f, 26, 9));
	EXPECT(r->control->producer_pos == GAP + ALIGN(PREFIX + 26, 8));
	return true;
}

/* As if interrupts had come in the middle of a commit. */
static bool test_nested(struct falco_ring *r, struct falco_frame *f)
{
	struct reader reader = { r };

	r->depth = 1;
	EXPECT(commit(r, f, 64, 1));
	EXPECT(commit(r, f, 80, 2));
	/* The outer record may be half written. */
	EXPECT(r->control->producer_pos == 0 && r->depth == 1);
	r->depth = 0;
	EXPECT(commit(r, f, 96, 3));
	EXPECT(r->control->producer_pos == r->reserve && r->depth == 0);
	EXPECT(drain(&reader));
	EXPECT(reader.events == 3);
	return balanced(&reader);
}

static bool test_ready(struct falco_ring *r, struct falco_frame *f)
{
	struct reader reader = { r };

	r->watermark = 256;
	EXPECT(!falco_ring_ready(r));
	EXPECT(commit(r, f, 128 - PREFIX, 1));
	EXPECT(!falco_ring_ready(r));
	r->control->need_wakeup = 1;
	EXPECT(commit(r, f, 120 - PREFIX, 1));
	EXPECT(r->control->need_wakeup == 1); /* 248 bytes: not yet */
	EXPECT(commit(r, f, 26, 1));
	EXPECT(r->control->need_wakeup == 0 && falco_ring_ready(r));
	EXPECT(drain(&reader));
	EXPECT(!falco_ring_ready(r));
	return true;
}

/* Many laps with a reader that lags by chance; wraps at every kind of offset. */
static bool test_laps(struct falco_ring *r, struct falco_frame *f)
{
	struct reader reader = { r };
	u32 random = 42, i;

	for (i = 0; i < 50000; i++) {
		u32 len = 26 + step_random(&random) % (i % 64 ? 300 : 20000);

		commit(r, f, len, i);
		while (step_random(&random) % 16 > 7 && reader.pos != r->control->producer_pos)
			EXPECT(take(&reader));
		if (step_random(&random) % 32 == 0)
			release(&reader);
		if (step_random(&random) % 1024 == 0)
			EXPECT(drain(&reader));
	}
	EXPECT(drain(&reader));
	EXPECT(commit(r, f, 26, i)); /* brings the last gap along */
	EXPECT(drain(&reader));
	EXPECT(reader.pos > 20 * SIZE && reader.lost > 0);
	return balanced(&reader);
}

static bool (*const tests[])(struct falco_ring *r, struct falco_frame *f) = {
	test_one, test_full, test_too_big, test_liar, test_nested, test_ready, test_laps,
};

static bool run(unsigned int i, struct falco_frame *f)
{
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(wait);
	struct falco_ring *r = falco_ring_alloc(0, &wait);
	bool pass;

	if (!r || falco_ring_map(r, 0, SIZE, SIZE, 1)) {
		pr_err("ring self-test: no memory\n");
		falco_ring_free(r);
		return false;
	}
	pass = tests[i](r, f);
	falco_ring_free(r); /* waits for its irq_work */
	return pass;
}

bool falco_selftest_ring(void)
{
	struct falco_frame f = { .size = SIZE };
	unsigned int i;
	bool pass = true;

	f.buf = kvmalloc(SIZE, GFP_KERNEL);
	if (!f.buf)
		return false;
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (!run(i, &f)) {
			pr_err("ring self-test %u: FAIL\n", i);
			pass = false;
		}
	}
	kvfree(f.buf);
	if (pass)
		pr_info("ring self-test: pass\n");
	return pass;
}
