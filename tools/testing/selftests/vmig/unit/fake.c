// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devices that are not there. A session has a queue in the order of the
 * format: SESSION, in stop-and-copy BEGIN, chunks that are dirty, and then the
 * one blob and END. A segment is as many whole records as fit.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/crc.h>

#include "fake.h"

#define BLOB_OBJECT	3
#define MEMORY_OBJECT	16
#define FED_MAX		(8u << 20)

/* What of the queue a segment carries. */
struct carried {
	bool session;
	__u64 first;
	__u32 chunks;
};

/**
 * struct fake - one device
 * @bug: that is planted
 * @state: device_state
 * @mem: value of each chunk
 * @scratch: the register
 * @section: data section
 * @seq: number of the next record
 * @gen: how often each chunk was sent
 * @crc: of its last record
 * @dirty: chunks that are to be sent
 * @session_due: SESSION is to be sent
 * @begin_due: BEGIN is
 * @tail_due: the blob and END are
 * @doubt: first record in doubt, ~0: none
 * @stop_scratch: the register when the device stopped
 * @staged: bytes of the segment; 0: none
 * @sized: its size was read
 * @carried: what it carries
 * @stuck: pending was zero, and the bug that keeps it so is planted
 * @in: the stream that comes in
 * @fed: its bytes
 * @nfed: how many
 * @refused: it was refused
 * @sessions: for ids
 */
struct fake {
	enum fake_bug bug;
	__u32 state;
	__u64 mem[FAKE_CHUNKS];
	__u32 scratch;
	__u8 section[FAKE_SECTION];
	__u64 seq;
	__u32 gen[FAKE_CHUNKS];
	__u32 crc[FAKE_CHUNKS];
	__u32 dirty;
	bool session_due;
	bool begin_due;
	bool tail_due;
	__u64 doubt;
	__u32 stop_scratch;
	size_t staged;
	bool sized;
	struct carried carried;
	bool stuck;
	struct oracle_stream in;
	__u8 *fed;
	size_t nfed;
	bool refused;
	__u64 sessions;
};

struct fake_pair {
	struct oracle_geom geom;
	struct fake dev[WALK_DEVS];
};

__u32 fake_crc32c(const void *buf, size_t len)
{
	return ~crc32_iscsi((unsigned char *)buf, len, ~0u);
}

void fake_geom(struct oracle_geom *g)
{
	g->region = FAKE_DATA + FAKE_SECTION;
	g->data = FAKE_DATA;
	g->chunks = FAKE_CHUNKS;
	g->crc32c = fake_crc32c;
}

static bool fake_saving(const struct fake *f)
{
	return f->state == ORACLE_SAVING || f->state == ORACLE_PRECOPY;
}

/* --- Records ---------------------------------------------------------- */

#define SESSION_LEN	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_session))
#define BEGIN_LEN	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_begin))
#define BLOB_LEN	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_blob) + 8)
#define END_LEN		(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_end))
#define TAIL_LEN	(BLOB_LEN + END_LEN)

static size_t chunk_len(const struct fake *f, unsigned int i)
{
	return sizeof(struct vmig_rec) + sizeof(struct vmig_rec_chunk) +
	       (f->mem[i] ? VMIG_CHUNK_SIZE : 0);
}

/* Bytes that can be staged, without those that are. */
static size_t queued(const struct fake *f)
{
	size_t n = f->session_due ? SESSION_LEN : 0;
	unsigned int i;

	for (i = 0; i < FAKE_CHUNKS; i++)
		if (f->dirty & 1u << i)
			n += chunk_len(f, i);
	return n + (f->begin_due ? BEGIN_LEN : 0) +
	       (f->tail_due ? TAIL_LEN : 0);
}

/* Append a record to the segment. */
static __u32 emit(struct fake *f, __u16 type, const void *payload, size_t len)
{
	struct vmig_rec head = {
		.type = htole16(type),
		.length = htole32(len),
		.seq = htole64(f->seq++),
	};
	__u8 *at = f->section + f->staged;

	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), payload, len);
	head.crc = htole32(fake_crc32c(at, sizeof(head) + len));
	memcpy(at, &head, sizeof(head));
	f->staged += sizeof(head) + len;
	return le32toh(head.crc);
}

static void emit_session(struct fake *f)
{
	struct vmig_rec_session s = {
		.magic = htole64(VMIG_STREAM_MAGIC),
		.major = htole16(VMIG_STREAM_MAJOR),
		.version = "fake",
	};

	memcpy(s.id, &f->sessions, sizeof(f->sessions));
	f->seq = 0;
	emit(f, VMIG_REC_SESSION, &s, sizeof(s));
	f->session_due = false;
	f->carried.session = true;
}

static void emit_chunk(struct fake *f, unsigned int i)
{
	struct {
		struct vmig_rec_chunk head;
		__u64 data[VMIG_CHUNK_SIZE / 8];
	} p = {
		.head.object = htole16(MEMORY_OBJECT),
		.head.generation = htole32(++f->gen[i]),
		.head.index = htole64(i),
	};
	unsigned int k;

	for (k = 0; k < VMIG_CHUNK_SIZE / 8; k++)
		p.data[k] = htole64(f->mem[i] + k);
	f->crc[i] = emit(f, VMIG_REC_CHUNK, &p, sizeof(p.head) +
			 (f->mem[i] ? VMIG_CHUNK_SIZE : 0));
	f->dirty &= ~(1u << i);
	f->carried.chunks |= 1u << i;
}

static void emit_begin(struct fake *f)
{
	struct vmig_rec_begin begin = {
		.first_in_doubt = htole64(f->doubt == ~0ull ? f->seq : f->doubt),
	};

	emit(f, VMIG_REC_BEGIN, &begin, sizeof(begin));
	f->begin_due = false;
}

static void emit_tail(struct fake *f)
{
	struct {
		struct vmig_rec_blob head;
		__le64 scratch;
	} blob = {
		.head.object = htole16(BLOB_OBJECT),
		.head.length = htole32(8),
		.scratch = htole64(f->stop_scratch),
	};
	struct vmig_manifest_entry table[FAKE_CHUNKS];
	struct vmig_rec_end end = { .blobs = htole32(1) };
	unsigned int i, sent = 0;

	emit(f, VMIG_REC_BLOB, &blob, sizeof(blob));
	for (i = 0; i < FAKE_CHUNKS; i++) {
		table[i].generation = htole32(f->gen[i]);
		table[i].crc = htole32(f->gen[i] ? f->crc[i] : 0);
		sent += !!f->gen[i];
	}
	end.chunks = htole64(sent);
	end.manifest = htole32(fake_crc32c(table, sizeof(table)));
	emit(f, VMIG_REC_END, &end, sizeof(end));
	f->tail_due = false;
}

static void fill(struct fake *f)
{
	unsigned int i;

	if (f->session_due)
		emit_session(f);
	if (f->begin_due)
		emit_begin(f);
	for (i = 0; i < FAKE_CHUNKS; i++) {
		if (!(f->dirty & 1u << i))
			continue;
		if (f->staged + chunk_len(f, i) > FAKE_SECTION)
			return;
		emit_chunk(f, i);
	}
	if (f->tail_due && f->staged + TAIL_LEN <= FAKE_SECTION)
		emit_tail(f);
}

/* --- Saving ----------------------------------------------------------- */

static void stage(struct fake *f)
{
	if (f->staged || !queued(f) || f->stuck)
		return;
	if (f->bug != FAKE_STALE_BEHIND)
		memset(f->section, 0, sizeof(f->section));
	memset(&f->carried, 0, sizeof(f->carried));
	f->carried.first = f->session_due ? 0 : f->seq;
	f->sized = false;
	fill(f);
}

static void drop(struct fake *f)
{
	f->staged = 0;
	f->sized = false;
}

static void fake_begin(struct fake *f)
{
	unsigned int i;

	drop(f);
	memset(f->section, 0, sizeof(f->section));
	memset(f->gen, 0, sizeof(f->gen));
	f->dirty = 0;
	for (i = 0; i < FAKE_CHUNKS; i++)
		f->dirty |= (__u32)!!f->mem[i] << i;
	f->session_due = true;
	f->begin_due = f->state == ORACLE_SAVING;
	f->tail_due = f->begin_due;
	f->doubt = ~0ull;
	f->stop_scratch = f->scratch;
	f->stuck = false;
	f->sessions++;
}

/* What is staged is in doubt. */
static void fake_stop(struct fake *f)
{
	f->state = ORACLE_SAVING;
	f->begin_due = true;
	f->tail_due = true;
	f->stop_scratch = f->scratch;
	f->stuck = false;
	if (!f->staged || f->bug == FAKE_DOUBT_LOST)
		return;
	f->dirty |= f->carried.chunks;
	if (f->carried.session) {
		f->session_due = true;
		memset(f->gen, 0, sizeof(f->gen));
	} else {
		f->doubt = f->carried.first;
	}
}

static __u64 pending(struct fake *f, bool fault)
{
	__u64 n;

	if (!fake_saving(f))
		return 0;
	if (f->staged && (f->sized || f->bug == FAKE_ACK_UNSIZED) &&
	    (!fault || f->bug == FAKE_FAULT_ACKS))
		drop(f);
	n = f->staged + (f->stuck ? 0 : queued(f));
	if (!n && f->state == ORACLE_PRECOPY && f->bug == FAKE_STICKY_ZERO)
		f->stuck = true;
	return n;
}

static __u64 size(struct fake *f, bool fault)
{
	if (!fake_saving(f))
		return 0;
	stage(f);
	if (f->staged && f->bug == FAKE_LIVE_SIZE &&
	    f->state == ORACLE_PRECOPY)
		fill(f);
	f->sized = f->sized || (f->staged && !fault);
	return f->staged;
}

static __u64 offset(struct fake *f)
{
	if (fake_saving(f) && f->bug == FAKE_ACK_ON_OFFSET && f->sized)
		drop(f);
	if (fake_saving(f))
		stage(f);
	return FAKE_DATA;
}

/* --- Resuming --------------------------------------------------------- */

static void fake_power_on(struct fake *f)
{
	memset(f->mem, 0, sizeof(f->mem));
	f->scratch = 0;
	f->dirty = 0;
}

/* Take what was received: the last session of it. */
static void apply(struct fake *f)
{
	const struct vmig_rec_chunk *chunk;
	struct vmig_rec head;
	size_t at = 0;
	__u8 *p;

	while (f->nfed - at >= sizeof(head)) {
		memcpy(&head, f->fed + at, sizeof(head));
		p = f->fed + at + sizeof(head);
		chunk = (void *)p;
		at += sizeof(head) + le32toh(head.length);
		if (at > f->nfed)
			break;
		if (le16toh(head.type) == VMIG_REC_SESSION)
			memset(f->mem, 0, sizeof(f->mem));
		if (le16toh(head.type) == VMIG_REC_BLOB)
			memcpy(&f->scratch, p + sizeof(struct vmig_rec_blob),
			       sizeof(f->scratch));
		if (le16toh(head.type) != VMIG_REC_CHUNK)
			continue;
		f->mem[le64toh(chunk->index)] = 0;
		if (le32toh(head.length) > sizeof(*chunk))
			memcpy(&f->mem[le64toh(chunk->index)], chunk + 1, 8);
	}
}

static int fake_feed(struct fake *f, __u64 n)
{
	int ret;

	if (!n)
		return 0;
	if (n > FAKE_SECTION) {
		f->refused = true;
		return -EINVAL;
	}
	ret = f->refused ? -EINVAL :
	      oracle_stream_feed(&f->in, f->section, n) < 0 ? -EINVAL : 0;
	if (!ret && f->nfed + n <= FED_MAX) {
		memcpy(f->fed + f->nfed, f->section, n);
		f->nfed += n;
	}
	if (ret && f->bug != FAKE_NOT_LATCHED)
		f->refused = true;
	if (ret && f->bug == FAKE_NOT_LATCHED) {
		oracle_stream_reset(&f->in);
		f->nfed = 0;
	}
	if (f->bug != FAKE_STALE_BUFFER)
		memset(f->section, 0, sizeof(f->section));
	return ret;
}

/* --- States ----------------------------------------------------------- */

static bool fake_complete(const struct fake *f)
{
	if (f->bug == FAKE_HALF_COMMIT && f->nfed)
		return !f->refused;
	return !f->refused && oracle_stream_complete(&f->in);
}

static void fake_enter(struct fake *f, __u32 v)
{
	/* Somebody may be copying it, and the guest goes on. */
	bool keep = fake_saving(f) && f->staged && v < ORACLE_SAVING &&
		    f->bug != FAKE_TORN;

	if (f->state == ORACLE_PRECOPY && v == ORACLE_SAVING) {
		fake_stop(f);
		return;
	}
	if (f->state == ORACLE_RESUMING)
		apply(f);
	drop(f);
	if (f->state > ORACLE_RUNNING && !keep)
		memset(f->section, 0, sizeof(f->section));
	f->state = v;
	if (fake_saving(f))
		fake_begin(f);
	if (v == ORACLE_RESUMING) {
		memset(f->section, 0, sizeof(f->section));
		fake_power_on(f);
		oracle_stream_reset(&f->in);
		f->nfed = 0;
		f->refused = false;
	}
}

static int fake_set(struct fake *f, __u32 v)
{
	if (f->bug == FAKE_RESERVED_BITS)
		v &= 7;
	if (f->state == ORACLE_ERROR)
		return -EIO;
	if (v > ORACLE_RESUMING)
		return -EINVAL;
	if (f->state == ORACLE_SAVING && v == ORACLE_PRECOPY &&
	    f->bug != FAKE_BACK_TO_PRECOPY)
		return -EINVAL;
	if (f->state == v) {
		if (fake_saving(f) && f->bug == FAKE_RESTART)
			fake_begin(f);
		return 0;
	}
	if (f->state == ORACLE_RESUMING && !fake_complete(f))
		return -EINVAL;
	fake_enter(f, v);
	return 0;
}

static void fake_reset(struct fake *f, bool open)
{
	if (f->bug != FAKE_RESET_KEEPS || open || !fake_saving(f)) {
		drop(f);
		memset(f->section, 0, sizeof(f->section));
		f->state = ORACLE_RUNNING;
	}
	fake_power_on(f);
}

/* --- Accesses --------------------------------------------------------- */

static ssize_t read_field(struct fake *f, void *buf, size_t n, __u64 off)
{
	__u64 v = 0;

	if (off == ORACLE_STATE && n == 4)
		v = f->state;
	else if (off == ORACLE_PENDING && n == 8)
		v = pending(f, !buf);
	else if (off == ORACLE_OFFSET && n == 8)
		v = offset(f);
	else if (off == ORACLE_SIZE && n == 8)
		v = size(f, !buf);
	else if (off != ORACLE_RESERVED || n != 4)
		return -EINVAL;
	if (!buf)
		return -EFAULT;
	memcpy(buf, &v, n);
	return n;
}

static ssize_t write_field(struct fake *f, const void *buf, size_t n, __u64 off)
{
	__u64 v = 0;
	int ret = 0;

	if (!((off == ORACLE_STATE || off == ORACLE_RESERVED) && n == 4) &&
	    !(off == ORACLE_SIZE && n == 8 && f->state == ORACLE_RESUMING))
		return -EINVAL;
	if (!buf)
		return -EFAULT;
	memcpy(&v, buf, n);
	if (off == ORACLE_STATE)
		ret = fake_set(f, v);
	else if (off == ORACLE_SIZE)
		ret = fake_feed(f, v);
	return ret ? ret : (ssize_t)n;
}

static ssize_t data_access(struct fake *f, size_t n, __u64 off, bool write,
			   bool fault)
{
	__u64 end = FAKE_SECTION;

	if (f->state == ORACLE_ERROR)
		return -EIO;
	if (fake_saving(f) && !write)
		end = f->staged;
	else if (f->state != ORACLE_RESUMING)
		return -EINVAL;
	if (off >= end)
		return -EINVAL;
	if (fault)
		return -EFAULT;
	return n > end - off ? end - off : n;
}

static struct fake *fake_of(void *ctx, int dev)
{
	return &((struct fake_pair *)ctx)->dev[dev];
}

static ssize_t fake_read(void *ctx, int dev, int fd, void *buf, size_t n,
			 __u64 off)
{
	struct fake *f = fake_of(ctx, dev);
	ssize_t ret;

	(void)fd;
	if (!n)
		return 0;
	if (off >= FAKE_DATA + FAKE_SECTION)
		return -EINVAL;
	if (off < FAKE_DATA)
		return read_field(f, buf, n, off);
	ret = data_access(f, n, off - FAKE_DATA, false, !buf);
	if (ret > 0)
		memcpy(buf, f->section + off - FAKE_DATA, ret);
	return ret;
}

static ssize_t fake_write(void *ctx, int dev, int fd, const void *buf, size_t n,
			  __u64 off)
{
	struct fake *f = fake_of(ctx, dev);
	ssize_t ret;

	(void)fd;
	if (!n)
		return 0;
	if (off >= FAKE_DATA + FAKE_SECTION)
		return -EINVAL;
	if (off < FAKE_DATA)
		return write_field(f, buf, n, off);
	ret = data_access(f, n, off - FAKE_DATA, true, !buf);
	if (ret > 0)
		memcpy(f->section + off - FAKE_DATA, buf, ret);
	return ret;
}

static int op_open(void *ctx, int dev)
{
	fake_reset(fake_of(ctx, dev), true);
	return 0;
}

static void op_close(void *ctx, int dev)
{
	(void)ctx;
	(void)dev;
}

static int op_reset(void *ctx, int dev, int fd)
{
	(void)fd;
	fake_reset(fake_of(ctx, dev), false);
	return 0;
}

static int op_fd_add(void *ctx, int dev, bool dup)
{
	(void)ctx;
	(void)dev;
	(void)dup;
	return 0;
}

static void op_fd_del(void *ctx, int dev, int fd)
{
	(void)fd;
	if (fake_of(ctx, dev)->bug == FAKE_PER_FD)
		fake_reset(fake_of(ctx, dev), true);
}

static int op_pin(void *ctx, int dev)
{
	(void)ctx;
	(void)dev;
	return 0;
}

static __u8 *op_map(void *ctx, int dev)
{
	return fake_of(ctx, dev)->section;
}

static int op_touch(void *ctx, int dev, unsigned int unit, __u64 value)
{
	struct fake *f = fake_of(ctx, dev);

	if (unit == WALK_SCRATCH) {
		f->scratch = value;
		return 0;
	}
	if (f->state != ORACLE_RUNNING && f->state != ORACLE_PRECOPY)
		return -EIO;
	unit = unit == WALK_BULK ? FAKE_CHUNKS - 1 : unit;
	f->mem[unit] = value;
	if (f->state == ORACLE_PRECOPY &&
	    !(f->bug == FAKE_LOST_UPDATE && f->staged &&
	      f->carried.chunks & 1u << unit))
		f->dirty |= 1u << unit;
	return 0;
}

static int op_peek(void *ctx, int dev, unsigned int unit, __u64 *value)
{
	struct fake *f = fake_of(ctx, dev);

	if (unit == WALK_SCRATCH)
		*value = f->scratch;
	else
		*value = f->mem[unit == WALK_BULK ? FAKE_CHUNKS - 1 : unit];
	return 0;
}

static int op_fail(void *ctx, int dev)
{
	struct fake *f = fake_of(ctx, dev);

	drop(f);
	memset(f->section, 0, sizeof(f->section));
	f->state = ORACLE_ERROR;
	return 0;
}

const struct walk_ops fake_ops = {
	.open = op_open,
	.close = op_close,
	.read = fake_read,
	.write = fake_write,
	.reset = op_reset,
	.fd_add = op_fd_add,
	.fd_del = op_fd_del,
	.pin = op_pin,
	.map = op_map,
	.touch = op_touch,
	.peek = op_peek,
	.fail = op_fail,
};

struct fake_pair *fake_new(enum fake_bug bug)
{
	struct fake_pair *p = calloc(1, sizeof(*p));
	int i, ret = 0;

	if (!p)
		return NULL;
	fake_geom(&p->geom);
	for (i = 0; i < WALK_DEVS && !ret; i++) {
		p->dev[i].bug = bug;
		p->dev[i].sessions = i << 16;
		p->dev[i].state = ORACLE_RUNNING;
		p->dev[i].fed = malloc(FED_MAX);
		ret = oracle_stream_init(&p->dev[i].in, &p->geom);
		if (!p->dev[i].fed)
			ret = -ENOMEM;
	}
	if (!ret)
		return p;
	fake_free(p);
	return NULL;
}

void fake_free(struct fake_pair *p)
{
	int i;

	for (i = 0; i < WALK_DEVS; i++) {
		free(p->dev[i].fed);
		oracle_stream_free(&p->dev[i].in);
	}
	free(p);
}
