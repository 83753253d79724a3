/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * /dev/falco: the conversation between falco.ko and a reader.
 *
 * The constants and layouts are generated from pkg/schema/abi.tbl, events from
 * pkg/schema/events.tbl; this page says how they are used.
 *
 * One open() is one consumer, with its own filter, rings and books. The
 * descriptor may be shared between threads and handed to other processes; when
 * the last copy of it and the last mapping are gone, so is the consumer. It
 * needs CAP_SYS_ADMIN or CAP_PERFMON in the initial user namespace, and a kernel
 * that is not locked down for confidentiality.
 *
 *   open -> GET_INFO -> CONFIG -> mmap ... -> FILTER_SET -> START -> read ... -> close
 *             |            |                     ^                  |
 *        do we fit?    rings exist               +-- at any time ---+
 *
 * ioctls. Each argument is a struct that begins with its own size as the caller
 * knows it. The kernel takes missing members as zero and refuses members that
 * it does not know (-E2BIG) unless they are zero; what it writes back it cuts,
 * or fills with zeros, to the caller's size. Reserved members must be zero.
 *
 *   GET_INFO     versions, and how this consumer's rings lie. abi_version must
 *                be ours; of api and schema version (major << 44 | minor << 24 |
 *                patch) the major must be equal and the rest not lower.
 *                features: what this kernel can tell beside system calls.
 *   CONFIG       gives every CPU that is up a ring. -EBUSY while started or
 *                mapped; -EINVAL for a size that is no power of two or out of
 *                bounds; -ENOMEM, also if the rings were to take more than half
 *                of the memory that is available. Resizing is STOP, munmap,
 *                CONFIG, mmap, START: positions, sequence numbers and books
 *                begin anew.
 *   FILTER_SET   replaces what is wanted; no event falls between the two. With
 *                several consumers an event carries as much I/O data as the
 *                greatest snaplen of those who get it. FALCO_FILTER_REALPATH
 *                asks for the path of each file that is opened, as an
 *                extension. FALCO_FILTER_SUCCESS leaves out calls that failed.
 *                Of the calls in fd_syscalls only those are told whose first
 *                argument is, when they return, a descriptor of fd_kinds; it is
 *                no descriptor any more after close.
 *   START        -ENXIO before CONFIG, -EALREADY if started, -EBUSY if too many
 *                consumers are. Hooks are attached while somebody is started.
 *   STOP         waits for events under way; nothing is written after it. What
 *                is in the rings can be read still, and poll says EPOLLHUP.
 *                START goes on where it stopped.
 *   STATS        the books of one CPU, see below.
 *
 * mmap. The offset names a CPU (shifted left by FALCO_MMAP_CPU_SHIFT) and one of
 * its two regions; MAP_SHARED, and neither can be split or grown.
 *   FALCO_MMAP_CONTROL  one page, struct ring_control, read-write.
 *   FALCO_MMAP_DATA     the ring twice back to back, read-only: a record that
 *                       runs over the end goes on where the second copy begins.
 *   -ENODEV: this CPU has no ring (yet). When one comes into being, because the
 *   CPU comes up, the generation in every control page and in GET_INFO changes:
 *   map it then. A ring outlives its CPU.
 *
 * Reading a ring of n bytes, whose control page is c:
 *     head = load_acquire(c.producer_pos)
 *     while pos != head: record at data[pos % n]; pos += record.length
 *     store_release(c.consumer_pos, pos)        -- once a batch, not once a record
 *   Everything below producer_pos is complete. Memory behind consumer_pos belongs
 *   to the kernel again. The kernel believes consumer_pos only if it lies within
 *   the last n bytes it has handed out; otherwise the ring counts as full.
 *
 * Records begin with struct record_prefix and are padded to 8 bytes.
 *   FALCO_REC_DISCARD   skip it.
 *   FALCO_REC_GAP       struct gap follows: the events with seq from_seq to
 *                       to_seq are lost. It has no number of its own; the next
 *                       event has to_seq + 1.
 *   otherwise           an event of events.tbl: packed header {u64 ts, u64 tid,
 *                       u32 len, u16 type, u32 nparams}, nparams lengths of two
 *                       bytes, values without padding. len ends with the last
 *                       value; FALCO_REC_EXT says that TLVs stand behind it:
 *                       packed {u16 type, u16 length, value}, up to type
 *                       FALCO_EXT_END or the end of the record. A reader skips
 *                       what it does not know: with several consumers an event
 *                       carries what any of them asked for.
 *   seq begins at 0 and counts every event that passed the filter on this CPU,
 *   lost ones too. ts is CLOCK_BOOTTIME, never less than that of the record
 *   before in the same ring; across rings order by ts.
 *
 * Sleeping:
 *     store(c.need_wakeup, 1) in each control page; full barrier
 *     if any producer_pos has moved: go on reading
 *     poll(fd, timeout)
 *   The kernel clears need_wakeup when it wakes. It looks only when it commits
 *   and at least the watermark is unread, so the timeout bounds how long a few
 *   events can lie there. poll is a pure level: readable while some ring holds
 *   the watermark or more.
 *
 * Books, by CPU and event type:
 *     produced = published + sum of lost[cause]     in the kernel
 *     published = read + still in the ring          at the reader
 *   exactly, once the consumer is stopped; while it runs, produced may be ahead
 *   by the events under way. stats.ncounts comes back as the number of types.
 */
#ifndef _UAPI_FALCO_H
#define _UAPI_FALCO_H

#include "../schema_gen.h"

#endif /* _UAPI_FALCO_H */
