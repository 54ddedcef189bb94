/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pair of devices that are not there: a plain version of the v1 region, for
 * the random walk to walk over. Written by the rules as a device is, from a
 * queue of records, and not as the oracle is, so that each checks the other.
 *
 * One of a list of bugs can be planted, to see that the walk finds it.
 */
#ifndef VMIG_FAKE_H
#define VMIG_FAKE_H

#include "walker.h"

#define FAKE_DATA	4096
#define FAKE_SECTION	16384
#define FAKE_CHUNKS	32

enum fake_bug {
	FAKE_NO_BUG,
	FAKE_ACK_ON_OFFSET,	/* data_offset acknowledges */
	FAKE_ACK_UNSIZED,	/* pending does, though the size was not read */
	FAKE_RESTART,		/* to write the same state starts anew */
	FAKE_NOT_LATCHED,	/* a refusal is forgotten */
	FAKE_STALE_BEHIND,	/* old bytes behind a shorter segment */
	FAKE_STALE_BUFFER,	/* a commit does not clear the section */
	FAKE_TORN,		/* the end of a session clears what may be copied */
	FAKE_STICKY_ZERO,	/* pending stays zero in pre-copy */
	FAKE_RESERVED_BITS,	/* reserved bits are ignored */
	FAKE_BACK_TO_PRECOPY,	/* 2 to 3 is accepted */
	FAKE_DOUBT_LOST,	/* a segment in doubt is not sent again */
	FAKE_LIVE_SIZE,		/* a staged segment grows */
	FAKE_FAULT_ACKS,	/* a read that faults acknowledges */
	FAKE_RESET_KEEPS,	/* a reset keeps the session */
	FAKE_LOST_UPDATE,	/* what changes while it is staged is not sent */
	FAKE_HALF_COMMIT,	/* an incomplete stream is committed */
	FAKE_PER_FD,		/* closing any fd resets the device */
	FAKE_BUGS,
};

/* The pair as the walk sees it; @ctx is a struct fake_pair. */
extern const struct walk_ops fake_ops;

struct fake_pair;

struct fake_pair *fake_new(enum fake_bug bug);
void fake_free(struct fake_pair *p);
void fake_geom(struct oracle_geom *g);
__u32 fake_crc32c(const void *buf, size_t len);

#endif /* VMIG_FAKE_H */
