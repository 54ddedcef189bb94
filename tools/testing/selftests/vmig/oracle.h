/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An oracle of the v1 migration region: what each access must give, by the
 * rules alone (Documentation/migration-rules.rst and stream-format.rst).
 *
 * It never touches a device. It is told each access together with its result,
 * says whether the rules permit that, and notes what the result reveals: where
 * a device is free (the size of a new segment, what is pending while it runs)
 * the oracle keeps bounds, and holds the device to what it said before.
 *
 * Invariants
 * - Includes the C library and uapi headers only, so that it knows nothing of
 *   the driver and runs anywhere.
 * - After a result that is not permitted nothing has changed, except that a
 *   stream may have been judged; the model is of no further use then.
 * - Memory: two bytes per byte of the section, 8 per chunk; nothing else grows.
 */
#ifndef VMIG_ORACLE_H
#define VMIG_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include <linux/vmig_stream.h>

/* Values of device_state. */
#define ORACLE_STOP	0
#define ORACLE_RUNNING	1
#define ORACLE_SAVING	2
#define ORACLE_PRECOPY	3
#define ORACLE_RESUMING	4
#define ORACLE_ERROR	6

/* Fields of the header. */
#define ORACLE_STATE	0
#define ORACLE_RESERVED	4
#define ORACLE_PENDING	8
#define ORACLE_OFFSET	16
#define ORACLE_SIZE	24

/**
 * struct oracle_geom - what the device is like
 * @region: size of the region
 * @data: offset of the data section
 * @chunks: chunks of device memory; 0: not known, and then no manifest is
 *	judged
 * @crc32c: checksum as stream-format.rst defines it
 */
struct oracle_geom {
	__u64 region;
	__u64 data;
	__u64 chunks;
	__u32 (*crc32c)(const void *buf, size_t len);
};

/* --- Streams ---------------------------------------------------------- */

#define ORACLE_RECORD_MAX	(sizeof(struct vmig_rec) + 8 + VMIG_BLOB_MAX)
#define ORACLE_BLOBS		16
/* What oracle_stream_feed() returns if a reader may refuse or take it. */
#define ORACLE_EITHER		1

/* What a reader may expect next. */
enum oracle_phase {
	ORACLE_NOTHING,		/* nothing came yet */
	ORACLE_CHUNKS,		/* before BEGIN */
	ORACLE_STOPPED,		/* after BEGIN */
	ORACLE_ENDED,		/* after END */
};

/**
 * struct oracle_stream - a reader of the stream
 * @g: the device
 * @phase: where it is
 * @seq: number of the next record
 * @id: of the last session
 * @sessions: that began
 * @sent: chunks that came at least once
 * @blobs: that came
 * @blob: their objects
 * @memory: object of the chunks, 0 before the first
 * @table: generation and checksum of each chunk
 * @rec: the record that is not complete
 * @head: its header
 * @have: bytes of it
 */
struct oracle_stream {
	const struct oracle_geom *g;
	enum oracle_phase phase;
	__u64 seq;
	__u8 id[16];
	unsigned int sessions;
	__u64 sent;
	unsigned int blobs;
	__u16 blob[ORACLE_BLOBS];
	__u16 memory;
	struct vmig_manifest_entry *table;
	union {
		__u8 rec[ORACLE_RECORD_MAX];
		struct vmig_rec head;
	};
	size_t have;
};

int oracle_stream_init(struct oracle_stream *s, const struct oracle_geom *g);
void oracle_stream_free(struct oracle_stream *s);
/* Forget everything. */
void oracle_stream_reset(struct oracle_stream *s);
/*
 * Judge @n more bytes: 0, the errno with which they are refused, or
 * ORACLE_EITHER. After a refusal only a reset helps.
 */
int oracle_stream_feed(struct oracle_stream *s, const void *buf, size_t n);
/* Was the last byte the last one of an END? */
bool oracle_stream_complete(const struct oracle_stream *s);

/* --- The region ------------------------------------------------------- */

enum oracle_staged {
	ORACLE_NONE,	/* nothing is staged */
	ORACLE_MAYBE,	/* what was seen permits both */
	ORACLE_STAGED,
};

/**
 * struct oracle - one device
 * @g: what it is like
 * @state: device_state
 * @busy: it changes its own memory while it runs
 * @staged: is there a segment?
 * @sized: its size was read
 * @in_doubt: it was staged before the device stopped
 * @len_min: least size it can have
 * @len_max: largest size it can have; its size if both are equal
 * @seen: this many bytes of it, from the first on, were seen
 * @pending_known: @pending is what the next read gives without an acknowledge
 * @pending: see there
 * @pending_min: least value otherwise
 * @rest_min: least value without the staged segment
 * @left: a session ended with a segment that was, or may have been, staged: it is
 *	in the section until the next session or a reset
 * @left_max: the segment's largest size
 * @poisoned: the stream was refused
 * @in: the stream that comes in
 * @bytes: the section, as far as @flags say so
 * @flags: ORACLE_F_* for each byte
 * @high: no flag is set from here on
 * @acks: segments that were acknowledged
 * @unread: bytes of these that were never seen
 */
struct oracle {
	struct oracle_geom g;
	__u32 state;
	bool busy;
	enum oracle_staged staged;
	bool sized;
	bool in_doubt;
	__u64 len_min;
	__u64 len_max;
	__u64 seen;
	bool pending_known;
	__u64 pending;
	__u64 pending_min;
	__u64 rest_min;
	bool left;
	__u64 left_max;
	bool poisoned;
	struct oracle_stream in;
	__u8 *bytes;
	__u8 *flags;
	__u64 high;
	__u64 acks;
	__u64 unread;
};

/* How a byte of the section differs from what the state says of it. */
#define ORACLE_F_KNOWN	1	/* it is as in @bytes */
#define ORACLE_F_OWN	2	/* the client stored it where it should not */
#define ORACLE_F_BEFORE	4	/* likewise, before the segment was staged */

enum oracle_op {
	ORACLE_READ,	/* pread of the region */
	ORACLE_WRITE,	/* pwrite of it */
	ORACLE_LOAD,	/* load from the mapped section */
	ORACLE_STORE,	/* store to it */
	ORACLE_RESET,	/* VFIO_DEVICE_RESET */
	ORACLE_REOPEN,	/* the last close, and open */
	ORACLE_FAIL,	/* an internal error was made */
};

/**
 * struct oracle_access - one access
 * @op: what
 * @off: in the region; in the section for LOAD and STORE
 * @len: bytes
 * @buf: what is written or was read; NULL: a pointer that faults
 */
struct oracle_access {
	enum oracle_op op;
	__u64 off;
	__u64 len;
	const void *buf;
};

#define ORACLE_RETS	3

/**
 * struct oracle_expect - what was permitted
 * @nret: how many results are in @ret; 0: all from @ret[0] to @ret[1], besides
 *	@ret[2] unless that is 0
 * @ret: results
 * @valued: a field is read, and its value is
 * @min: at least this
 * @max: and at most this
 * @why: if something is not permitted: what
 */
struct oracle_expect {
	unsigned int nret;
	long ret[ORACLE_RETS];
	bool valued;
	__u64 min;
	__u64 max;
	char why[96];
};

int oracle_init(struct oracle *o, const struct oracle_geom *g);
void oracle_free(struct oracle *o);
__u64 oracle_section(const struct oracle *o);
/*
 * Access @a had the result @ret (bytes or -errno). Is that permitted? @e says
 * what was, in any case.
 */
bool oracle_step(struct oracle *o, const struct oracle_access *a, long ret,
		 struct oracle_expect *e);
/* The client changed device memory; @sure: to another content. */
void oracle_dirtied(struct oracle *o, bool sure);
/* The device begins or ends to change its memory by itself. */
void oracle_set_busy(struct oracle *o, bool busy);
/* Will a read of pending_bytes acknowledge? */
bool oracle_will_ack(const struct oracle *o);
/* Is every byte of the segment known? */
bool oracle_segment_seen(struct oracle *o);
/* @e in words: "8: 0x10..0x20", "-EINVAL or -EFAULT". */
void oracle_expect_text(const struct oracle_expect *e, char *buf, size_t size);
/* -EINVAL for -22, and so on; numbers otherwise. */
void oracle_ret_text(long ret, char *buf, size_t size);

#endif /* VMIG_ORACLE_H */
