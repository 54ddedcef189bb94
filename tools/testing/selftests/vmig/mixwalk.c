// SPDX-License-Identifier: GPL-2.0-only
/*
 * A random walk over two devices by both protocols, mixed at will, each call of
 * which is held against an oracle (mix_oracle.h): who owns a session, what the
 * other one is told, which bytes come, in which order and how many, and that a
 * device is then what it was.
 *
 * It is a list of steps, as that of walk.c: an episode begins with freshly opened
 * devices; one that diverges is made shorter by leaving steps out, and printed.
 * A step that has become senseless does nothing.
 *
 *	WALK_SEED=...		repeats a run
 *	WALK_EPISODE=...	only this part of it
 *	MIX_CALLS=...		calls of both devices together
 */
#include "v2_test.h"

#include "mix_oracle.h"
#include "shorten.h"
#include "walker.h"

#define CALLS		1000000
#define TIMEOUT		900
#define EPISODE		2000	/* steps */
#define MAX_RUNS	1500	/* of an episode, while it is made shorter */
#define DEVS		2
#define UNITS		12
#define VALUES		(UNITS + 1)	/* and a register */
#define NOISE_UNITS	4
#define NOISE_RATE	2000	/* a second */
#define STREAM_MAX	(4u << 20)
#define SLOTS		3
#define DEAD		4	/* files of sessions that ended */
#define BUF		(512u << 10)

enum kind {
	SET2_, SET1_, VIEW, READ2, READ1, WRITE2, WRITE1, INFO, SIZE, POLL, CLOSE,
	DEAD_, OTHER, TOUCH, NOISE, RESET, REOPEN, FAIL, CHECK,
	KINDS
};

static const char * const names[KINDS] = {
	"v2 SET", "v1 device_state", "look at both states", "read", "v1 segment",
	"write", "v1 write", "GET_PRECOPY_INFO", "MIG_DATA_SIZE", "poll",
	"close the data file", "use a dead file", "use the other protocol",
	"touch", "noise", "RESET", "reopen", "internal error", "compare",
};

/* One call: @a and @b are what the kind says; @slot: the tape to load next. */
struct step {
	__u8 kind;
	__u8 dev;
	__u8 slot;
	__u32 a;
	__u32 b;
};

/* What a device should hold; bit i of @known: @val[i] is certain. */
struct values {
	__u32 known;
	__u32 val[VALUES];
	bool noise;
};

/* A stream that was collected. */
struct tape {
	__u8 *buf;
	size_t len;
	bool whole;
	struct values at_stop;
};

struct side {
	struct vfc_dev d;
	struct mix m;
	int fd;			/* live data file, -1 */
	int dead[DEAD];
	unsigned int ndead;
	struct values v;
	struct tape cur;
	size_t pos;		/* of what is provided, in tape @slot */
	unsigned int slot;
	bool honest;		/* all of the tape up to @pos, unchanged */
};

struct mixwalk {
	struct side side[DEVS];
	struct tape tape[SLOTS];
	unsigned int next;
	const struct vfc_model *m;
	struct oracle_geom g;
	__u8 *buf;
	__u64 x;
	__u64 calls, saved, restored, refused, busy;
	bool trace;		/* print each step */
	char why[160];
	char got[64];
};

static bool differs(struct mixwalk *w, const char *why)
{
	if (!why)
		return true;
	snprintf(w->why, sizeof(w->why), "%s", why);
	return false;
}

static bool equal(struct mixwalk *w, const char *what, long is, long want)
{
	snprintf(w->got, sizeof(w->got), "%ld", is);
	if (is == want)
		return true;
	snprintf(w->why, sizeof(w->why), "%s: %ld, not %ld", what, is, want);
	return false;
}

/* A call had the result @ret, which has to be @want. */
static bool same(struct mixwalk *w, const char *what, long ret, long want)
{
	w->calls++;
	return equal(w, what, ret, want);
}

static long err(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* --- Sessions --------------------------------------------------------- */

/* The file is of a session that is no more. */
static void bury(struct side *s)
{
	if (s->fd < 0)
		return;
	if (s->ndead == DEAD)
		close(s->dead[--s->ndead]);
	s->dead[s->ndead++] = s->fd;
	s->fd = -1;
}

static void power_on(struct side *s)
{
	bury(s);
	mix_power_on(&s->m);
	memset(&s->v, 0, sizeof(s->v));
	s->v.known = (1u << VALUES) - 1;
}

/* The stream in the tape at @slot was taken: the device is what it was. */
static void restored(struct mixwalk *w, struct side *s)
{
	const struct tape *t = &w->tape[s->slot];

	w->restored++;
	if (s->honest && t->whole && s->pos == t->len) {
		s->v = t->at_stop;
	} else {
		s->v.known = 0;
		s->v.noise = true;
	}
}

/* The device left a session's states, or began one, or stopped in one. */
static bool moved(struct mixwalk *w, struct side *s, const struct mix_move *move,
		  __u32 from, int fd)
{
	if (!equal(w, "a data file", fd >= 0, move->file && s->m.owner == MIX_V2))
		return false;
	if (from == s->m.state)
		return true;
	if (move->leaves_resume)
		restored(w, s);
	if (move->file || s->m.owner == MIX_NOBODY)
		bury(s);
	if (fd >= 0)
		s->fd = fd;
	if (move->file && mix_saves(&s->m)) {
		s->cur.len = 0;
		s->cur.whole = false;
	}
	if (s->m.state == MIX_STOP_COPY)
		s->cur.at_stop = s->v;
	if (s->m.state == MIX_RESUMING) {
		s->pos = 0;
		s->honest = true;
		memset(&s->v, 0, sizeof(s->v));
		s->v.known = (1u << VALUES) - 1;
	}
	return true;
}

static bool run_set2(struct mixwalk *w, struct side *s, __u32 target)
{
	__u32 from = s->m.state;
	struct mix_move move = mix_set2(&s->m, target);
	int fd = -1, ret = vfc2_set(&s->d, target, &fd);

	w->refused += ret < 0;
	w->busy += ret == -EBUSY;
	return same(w, "SET", ret, move.ret) && moved(w, s, &move, from, fd);
}

static bool run_set1(struct mixwalk *w, struct side *s, __u32 value)
{
	__u32 from = s->m.state;
	struct mix_move move = mix_set1(&s->m, value);
	int ret = vfc_set(&s->d, value);

	w->refused += ret < 0;
	w->busy += ret == -EBUSY;
	return same(w, "device_state", ret, move.ret ? move.ret : 4) &&
	       moved(w, s, &move, from, -1);
}

static bool run_view(struct mixwalk *w, struct side *s)
{
	return same(w, "device_state", vfc_get(&s->d), mix_v1_state(&s->m)) &&
	       same(w, "GET", vfc2_get(&s->d), s->m.state);
}

/* --- Saving ----------------------------------------------------------- */

/* The session was collected to its end: keep the stream. */
static void keep(struct mixwalk *w, struct side *s)
{
	struct tape *t = &w->tape[w->next];

	if (s->cur.whole || s->cur.len > STREAM_MAX)
		return;
	s->cur.whole = true;
	w->next = (w->next + 1) % SLOTS;
	w->saved++;
	memcpy(t->buf, s->cur.buf, s->cur.len);
	t->len = s->cur.len;
	t->whole = true;
	t->at_stop = s->cur.at_stop;
	/* Who was loading from there is not any more. */
	for (int i = 0; i < DEVS; i++)
		if (&w->tape[w->side[i].slot] == t)
			w->side[i].honest = false;
}

static bool delivered(struct mixwalk *w, struct side *s, const void *buf, size_t n)
{
	if (s->cur.len + n <= STREAM_MAX)
		memcpy(s->cur.buf + s->cur.len, buf, n);
	s->cur.len += n;
	w->calls++;
	return differs(w, mix_out(&s->m, buf, n));
}

static bool nothing(struct mixwalk *w, struct side *s)
{
	if (!differs(w, mix_out_none(&s->m)))
		return false;
	if (s->m.state == MIX_STOP_COPY)
		keep(w, s);
	else
		s->m.idle = !s->v.noise;
	return true;
}

static bool saves_by(const struct side *s, enum mix_owner owner)
{
	return mix_saves(&s->m) && s->m.owner == owner;
}

static bool run_read2(struct mixwalk *w, struct side *s, size_t n)
{
	long ret;

	if (!saves_by(s, MIX_V2) || s->fd < 0)
		return true;
	ret = err(read(s->fd, w->buf, n));
	if (ret > 0 && (size_t)ret <= n)
		return delivered(w, s, w->buf, ret);
	return same(w, "read", ret,
		    s->m.state == MIX_STOP_COPY ? 0 : -ENOMSG) && nothing(w, s);
}

/* A whole segment, which is acknowledged at once: so nothing is ever in doubt. */
static bool run_read1(struct mixwalk *w, struct side *s)
{
	struct vfc_stream seg = {};
	__u64 pending;
	long ret;
	bool ok;

	if (!saves_by(s, MIX_V1))
		return true;
	if (!same(w, "pending_bytes", vfc_r8(&s->d, VFC_PENDING, &pending), 8))
		return false;
	if (!pending)
		return nothing(w, s);
	ret = vfc_save_segment(&s->d, &vt_bulk, &seg);
	ok = ret > 0 ? delivered(w, s, seg.buf, seg.len) :
		       same(w, "a segment", ret, 1);
	vfc_stream_free(&seg);
	return ok && same(w, "pending_bytes",
			  vfc_r8(&s->d, VFC_PENDING, &pending), 8);
}

/* What is announced, and what a read then gives, if the device does nothing. */
static bool run_info(struct mixwalk *w, struct side *s)
{
	struct vfc2_precopy info = {};
	__u64 sum;
	long ret;

	if (s->m.owner != MIX_V2 || s->fd < 0)
		return true;
	ret = vfc2_precopy_info(s->fd, &info);
	if (s->m.state == MIX_RESUMING)
		return ret == -EINVAL || same(w, "GET_PRECOPY_INFO", ret, -ENOTTY);
	if (!same(w, "GET_PRECOPY_INFO", ret, mix_precopies(&s->m) ? 0 : -EINVAL))
		return false;
	if (ret || s->v.noise)
		return true;
	sum = info.initial_bytes + info.dirty_bytes;
	ret = err(read(s->fd, w->buf, BUF));
	if (ret > 0)
		return equal(w, "bytes to read, and announced", ret,
			    sum < BUF ? (long)sum : (long)BUF) &&
		       delivered(w, s, w->buf, ret);
	return equal(w, "announced before ENOMSG", sum, 0) &&
	       same(w, "read", ret, -ENOMSG) && nothing(w, s);
}

static bool run_size(struct mixwalk *w, struct side *s)
{
	__u64 size = 0;

	return same(w, "MIG_DATA_SIZE", vfc2_data_size(&s->d, &size), 0) &&
	       differs(w, mix_promised(&s->m, size));
}

static bool run_poll(struct mixwalk *w, struct side *s)
{
	int is;

	if (s->fd < 0 || s->m.owner != MIX_V2)
		return true;
	is = v2_revents(s->fd);
	if (s->m.state == MIX_RESUMING)
		return same(w, "poll", is, POLLOUT);
	if (s->m.state == MIX_STOP_COPY)
		return same(w, "poll", is, POLLIN);
	return is == POLLIN ? differs(w, s->m.idle ? "poll finds bytes" : NULL) :
			      same(w, "poll", is, 0);
}

/* --- Resuming --------------------------------------------------------- */

static bool takes_by(const struct side *s, enum mix_owner owner)
{
	return s->m.state == MIX_RESUMING && s->m.owner == owner;
}

/* The next @n bytes of the stream, one of them changed if @flip. */
static size_t piece(struct mixwalk *w, struct side *s, size_t n, __u32 flip)
{
	const struct tape *t = &w->tape[s->slot];
	size_t left = t->len > s->pos ? t->len - s->pos : 0;

	n = n < left ? n : left;
	memcpy(w->buf, t->buf + s->pos, n);
	s->pos += n;
	if (n && flip) {
		w->buf[flip % n] ^= 1u << flip % 8;
		s->honest = false;
	}
	return n;
}

static bool provided(struct mixwalk *w, struct side *s, size_t n, long ret)
{
	snprintf(w->got, sizeof(w->got), "%ld", ret);
	w->calls++;
	w->refused += ret < 0;
	if (ret < 0)
		s->honest = false;
	return differs(w, mix_in(&s->m, w->buf, n, ret < 0 ? ret : 0));
}

static bool run_write2(struct mixwalk *w, struct side *s, size_t n, __u32 flip)
{
	long ret;

	if (!takes_by(s, MIX_V2) || s->fd < 0)
		return true;
	n = piece(w, s, n, flip);
	if (!n)
		return true;
	ret = err(write(s->fd, w->buf, n));
	if (ret >= 0 && !same(w, "write", ret, n))
		return false;
	return provided(w, s, n, ret);
}

static bool run_write1(struct mixwalk *w, struct side *s, size_t n, __u32 flip)
{
	long ret;

	if (!takes_by(s, MIX_V1))
		return true;
	n = piece(w, s, n, flip);
	if (!n)
		return true;
	ret = vfc_feed(&s->d, &vt_bulk, w->buf, n);
	if (ret >= 0 && !same(w, "data_size", ret, 8))
		return false;
	return provided(w, s, n, ret);
}

/* --- What must not matter --------------------------------------------- */

static bool run_dead(struct mixwalk *w, struct side *s, __u32 which)
{
	struct vfc2_precopy info = {};
	int fd, mode, is;

	if (!s->ndead)
		return true;
	fd = s->dead[which % s->ndead];
	mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	is = v2_revents(fd);
	if ((is & (POLLERR | POLLHUP)) != (POLLERR | POLLHUP))
		return same(w, "poll of a dead file", is, POLLERR | POLLHUP);
	if (mode == O_WRONLY)
		return same(w, "write to a dead file",
			    err(write(fd, w->buf, 8)), -ENODEV);
	return same(w, "read of a dead file", err(read(fd, w->buf, 8)), -ENODEV) &&
	       same(w, "GET_PRECOPY_INFO of a dead file",
		    vfc2_precopy_info(fd, &info), -ENODEV);
}

/* The region while a session is v2's, or there is none. */
static bool run_other(struct mixwalk *w, struct side *s)
{
	__u64 v = 1;

	if (s->m.owner == MIX_V1)
		return true;
	if (!same(w, "pending_bytes", vfc_r8(&s->d, VFC_PENDING, &v), 8) ||
	    !equal(w, "pending_bytes of the other", v, 0))
		return false;
	if (!same(w, "data_size", vfc_r8(&s->d, VFC_SIZE, &v), 8) ||
	    !equal(w, "data_size of the other", v, 0))
		return false;
	return same(w, "data of the other", vfc_rd(&s->d, 0, &v, 8),
		    s->m.state == MIX_ERROR ? -EIO : -EINVAL) &&
	       same(w, "commit to the other", vfc_w8(&s->d, VFC_SIZE, 8), -EINVAL);
}

/* --- The device's own state ------------------------------------------- */

static bool run_touch(struct mixwalk *w, struct side *s, __u32 i, __u32 value)
{
	int ret;

	/* What a stopped device does with a store is the other walk's. */
	if (!mix_runs(&s->m))
		return true;
	if (i == UNITS)
		ret = w->m->reg_set(&s->d, value);
	else
		ret = w->m->touch(&s->d, NOISE_UNITS + i, value);
	if (!same(w, "touch", ret, 0))
		return false;
	if (i != UNITS)
		s->m.idle = false;
	s->v.val[i] = value;
	s->v.known |= 1u << i;
	return true;
}

static bool run_noise(struct mixwalk *w, struct side *s, bool on)
{
	__u64 seq;
	int ret;

	if (!w->m->start_noise || !mix_runs(&s->m))
		return true;
	ret = on ? w->m->start_noise(&s->d, NOISE_UNITS, NOISE_RATE) :
		   w->m->stop_noise(&s->d, &seq);
	s->v.noise = on;
	s->m.idle = false;
	return same(w, "noise", ret, 0);
}

static bool run_check(struct mixwalk *w, struct side *s)
{
	__u64 is;
	__u32 i, reg;
	int ret;

	if (s->m.state == MIX_ERROR)
		return true;
	for (i = 0; i < VALUES; i++) {
		if (!(s->v.known & (1u << i)))
			continue;
		if (i == UNITS) {
			ret = w->m->reg_get(&s->d, &reg);
			is = reg;
		} else {
			ret = w->m->read_back(&s->d, NOISE_UNITS + i, &is);
		}
		if (!same(w, "peek", ret, 0) ||
		    !equal(w, "what the device holds", is, s->v.val[i]))
			return false;
	}
	return true;
}

/* --- Steps ------------------------------------------------------------ */

static bool open_side(struct mixwalk *w, struct side *s)
{
	const char *uuid = getenv(s == w->side ? "VFIO_DEV" : "VFIO_DEV2");
	bool ok = same(w, "open", vfc_open(&s->d, uuid), 0);

	power_on(s);
	return ok;
}

static void close_side(struct side *s)
{
	bury(s);
	while (s->ndead)
		close(s->dead[--s->ndead]);
	vfc_close(&s->d);
}

/* A file that is dead outlives the device's being closed, too. */
static bool reopen(struct mixwalk *w, struct side *s)
{
	vfc_close(&s->d);
	power_on(s);
	return open_side(w, s);
}

static bool run_fail(struct mixwalk *w, struct side *s)
{
	if (!vt_has_error_knob(&s->d))
		return true;
	bury(s);
	mix_fail(&s->m);
	s->v.known = 0;
	return same(w, "internal error",
		    vt_knob_set(&s->d, "internal_error", "1"), 1);
}

static bool run_reset(struct mixwalk *w, struct side *s)
{
	power_on(s);
	return same(w, "RESET", vfc_reset(&s->d), 0);
}

static void run_close(struct side *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static bool run_step(struct mixwalk *w, const struct step *p)
{
	struct side *s = &w->side[p->dev];

	w->got[0] = '\0';
	if (s->m.state != MIX_RESUMING)
		s->slot = p->slot;
	switch ((enum kind)p->kind) {
	case SET2_:
		return run_set2(w, s, p->a);
	case SET1_:
		return run_set1(w, s, p->a);
	case VIEW:
		return run_view(w, s);
	case READ2:
		return run_read2(w, s, p->a);
	case READ1:
		return run_read1(w, s);
	case WRITE2:
		return run_write2(w, s, p->a, p->b);
	case WRITE1:
		return run_write1(w, s, p->a, p->b);
	case INFO:
		return run_info(w, s);
	case SIZE:
		return run_size(w, s);
	case POLL:
		return run_poll(w, s);
	case DEAD_:
		return run_dead(w, s, p->a);
	case OTHER:
		return run_other(w, s);
	case TOUCH:
		return run_touch(w, s, p->a, p->b);
	case NOISE:
		return run_noise(w, s, p->a);
	case RESET:
		return run_reset(w, s);
	case REOPEN:
		return reopen(w, s);
	case FAIL:
		return run_fail(w, s);
	case CHECK:
		return run_check(w, s);
	case CLOSE:
		run_close(s);
		return true;
	case KINDS:
		break;
	}
	return true;
}

/* --- What to do next -------------------------------------------------- */

static __u32 below(struct mixwalk *w, __u32 n)
{
	return walk_random(&w->x) % n;
}

static bool chance(struct mixwalk *w, unsigned int percent)
{
	return below(w, 100) < percent;
}

static void is(struct step *p, enum kind what, __u32 a, __u32 b)
{
	p->kind = what;
	p->a = a;
	p->b = b;
}

/* How many bytes to move at once. */
static __u32 amount(struct mixwalk *w)
{
	switch (below(w, 5)) {
	case 0:
		return 1 + below(w, 64);
	case 1:
		return 4096;
	case 2:
		return 1 + below(w, 20000);
	default:
		return BUF;
	}
}

static void plan_state(struct mixwalk *w, struct step *p)
{
	if (chance(w, 50))
		is(p, SET2_, chance(w, 95) ? below(w, MIX_STATES + 1) :
		   (__u32)walk_random(&w->x), 0);
	else
		is(p, SET1_, chance(w, 95) ? below(w, 8) :
		   (__u32)walk_random(&w->x), 0);
}

static void plan_touch(struct mixwalk *w, struct step *p)
{
	is(p, TOUCH, below(w, VALUES), chance(w, 80) ? 1 + below(w, 1u << 30) : 0);
}

static void plan_saving(struct mixwalk *w, struct side *s, struct step *p)
{
	bool v2 = s->m.owner == MIX_V2;
	bool done = s->m.state == MIX_STOP_COPY ? s->cur.whole : s->m.idle;

	if (mix_precopies(&s->m) && (done || chance(w, 6))) {
		if (v2)
			is(p, SET2_, chance(w, 70) ? MIX_STOP_COPY :
			   MIX_PRE_COPY + below(w, 2), 0);
		else
			is(p, SET1_, ORACLE_SAVING, 0);
	} else if (done && chance(w, 80)) {
		is(p, chance(w, 50) ? SET2_ : SET1_, chance(w, 60), 0);
	} else if (mix_precopies(&s->m) && chance(w, 15)) {
		plan_touch(w, p);
	} else {
		is(p, v2 ? READ2 : READ1, amount(w), 0);
	}
}

/* An honest client is done with the stream; others are done when they like. */
static void plan_resuming(struct mixwalk *w, struct side *s, struct step *p)
{
	const struct tape *t = &w->tape[s->slot];
	bool v2 = s->m.owner == MIX_V2;
	__u32 flip = chance(w, 4) ? 1 + below(w, 1u << 20) : 0;

	if (s->m.refused || (v2 && s->fd < 0) || !t->len) {
		is(p, RESET, 0, 0);
	} else if (s->pos >= t->len || chance(w, 2)) {
		if (chance(w, 50))
			is(p, SET2_, 1 + below(w, 7), 0);
		else
			is(p, SET1_, below(w, 4), 0);
	} else if (v2) {
		is(p, WRITE2, amount(w), flip);
	} else {
		is(p, WRITE1, amount(w), flip);
	}
}

static void plan_client(struct mixwalk *w, struct side *s, struct step *p)
{
	if (s->m.state == MIX_ERROR)
		is(p, RESET, 0, 0);
	else if (s->m.state == MIX_RESUMING)
		plan_resuming(w, s, p);
	else if (mix_saves(&s->m))
		plan_saving(w, s, p);
	else if (s->m.state != MIX_STOP && chance(w, 55))
		plan_touch(w, p);
	else if (chance(w, 50))
		is(p, SET2_, MIX_STOP_COPY + below(w, 5), 0);
	else
		is(p, SET1_, ORACLE_SAVING + below(w, 3), 0);
}

static void plan_anything(struct mixwalk *w, struct step *p)
{
	unsigned int dice = below(w, 100);

	if (dice < 10)
		plan_state(w, p);
	else if (dice < 35)
		is(p, VIEW, 0, 0);
	else if (dice < 45)
		is(p, INFO, 0, 0);
	else if (dice < 55)
		is(p, SIZE, 0, 0);
	else if (dice < 65)
		is(p, POLL, 0, 0);
	else if (dice < 75)
		is(p, DEAD_, below(w, DEAD), 0);
	else if (dice < 85)
		is(p, OTHER, 0, 0);
	else if (dice < 95)
		is(p, CHECK, 0, 0);
	else if (dice < 97)
		is(p, NOISE, chance(w, 40), 0);
	else if (dice < 98)
		is(p, RESET, 0, 0);
	else if (dice < 99)
		is(p, CLOSE, 0, 0);
	else
		is(p, chance(w, 20) ? REOPEN : FAIL, 0, 0);
}

static void plan(struct mixwalk *w, struct step *p)
{
	struct side *s;

	p->dev = below(w, DEVS);
	s = &w->side[p->dev];
	p->slot = below(w, SLOTS);
	/* Most of it, since it costs little and must not disturb the client. */
	if (chance(w, 75))
		plan_anything(w, p);
	else
		plan_client(w, s, p);
}

/* --- Episodes --------------------------------------------------------- */

static bool begin(struct mixwalk *w)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		w->tape[i].len = 0;
		w->tape[i].whole = false;
	}
	w->next = 0;
	for (i = 0; i < DEVS; i++) {
		w->side[i].slot = 0;
		w->side[i].cur.len = 0;
		w->side[i].cur.whole = false;
		if (!reopen(w, &w->side[i]))
			return false;
	}
	return true;
}

/* The first step that diverges, or -1. */
static long run_list(void *ctx, const void *steps, unsigned int n)
{
	const struct step *list = steps;
	struct mixwalk *w = ctx;
	unsigned int i;
	bool ok;

	if (!begin(w))
		return -1;
	for (i = 0; i < n; i++) {
		ok = run_step(w, &list[i]);
		if (w->trace)
			printf("# %3u %c %s %#x %#x = %s%s%s\n", i + 1,
			       'a' + list[i].dev, names[list[i].kind], list[i].a,
			       list[i].b, w->got, ok ? "" : "  DIFFERS: ",
			       ok ? "" : w->why);
		if (!ok)
			return i;
	}
	return -1;
}

static void report(struct mixwalk *w, struct step *list, unsigned int n,
		   __u64 seed, __u64 episode)
{
	static struct step tried[EPISODE];
	struct shorten s = {
		.list = list,
		.n = n,
		.size = sizeof(*list),
		.tried = tried,
		.run = run_list,
		.ctx = w,
		.max_runs = MAX_RUNS,
	};

	printf("# WALK_SEED=%#llx WALK_EPISODE=%llu: step %u (%s) differs: %s\n",
	       seed, episode, n, names[list[n - 1].kind], w->why);
	shorten_leave_out(&s);
	printf("# the shortest that was found, if it repeats:\n");
	w->trace = true;
	run_list(w, list, s.n);
	fflush(stdout);		/* the harness leaves by _exit() */
}

static bool run_episode(struct mixwalk *w, struct step *list, __u64 seed,
			__u64 episode, __u64 n)
{
	__u64 i;

	if (!begin(w))
		return false;
	for (i = 0; i < n; i++) {
		memset(&list[i], 0, sizeof(list[i]));
		plan(w, &list[i]);
		if (run_step(w, &list[i]))
			continue;
		report(w, list, i + 1, seed, episode);
		return false;
	}
	return true;
}

/* --- The test --------------------------------------------------------- */

static const char *way(__u32 from, __u32 to)
{
	return v2_way(7, from, to);
}

FIXTURE(mixwalk) {
	struct mixwalk *w;
	struct step *list;
	const char *skip;
};

FIXTURE_SETUP(mixwalk)
{
	struct mixwalk *w;
	__u64 flags;
	__u32 crc;
	int i;

	self->skip = !getenv("VFIO_DEV2") ? VT_NO_SECOND :
		     vmr_crc32c("", 1, &crc) ? "no crc32c in AF_ALG" : NULL;
	if (self->skip)
		SKIP(return, "%s", self->skip);
	w = calloc(1, sizeof(*w));
	self->w = w;
	self->list = calloc(EPISODE, sizeof(*self->list));
	w->buf = malloc(BUF);
	ASSERT_NE(NULL, w->buf);
	ASSERT_NE(NULL, self->list);
	for (i = 0; i < SLOTS; i++)
		ASSERT_NE(NULL, w->tape[i].buf = malloc(STREAM_MAX));
	for (i = 0; i < DEVS; i++) {
		ASSERT_NE(NULL, w->side[i].cur.buf = malloc(STREAM_MAX));
		w->side[i].fd = -1;
		ASSERT_TRUE(open_side(w, &w->side[i]));
		ASSERT_LE(0, w->side[i].d.mig_index);
	}
	ASSERT_EQ(0, vfc2_flags(&w->side[0].d, &flags));
	ASSERT_EQ(7, flags);
	w->m = vfc_model_find(&w->side[0].d);
	ASSERT_NE(NULL, w->m);
	w->g.chunks = w->m->units(&w->side[0].d);
	ASSERT_LE(NOISE_UNITS + UNITS, w->g.chunks);
	w->g.crc32c = vmr_crc32c_value;
	for (i = 0; i < DEVS; i++)
		ASSERT_EQ(0, mix_init(&w->side[i].m, &w->g, way));
}

FIXTURE_TEARDOWN(mixwalk)
{
	int i;

	if (!self->w)
		return;
	for (i = 0; i < DEVS; i++) {
		close_side(&self->w->side[i]);
		mix_free(&self->w->side[i].m);
	}
}

TEST_F_TIMEOUT(mixwalk, MIX_01_MIX_02_MIX_03_V2_FSM_01_to_56_V2_FD_03_V2_FD_05,
	       TIMEOUT)
{
	__u64 seed = vfc_number("WALK_SEED", vfc_now_us() & 0xffffffff);
	__u64 calls = vfc_number("MIX_CALLS", CALLS), s;
	__u64 only = vfc_number("WALK_EPISODE", -1);
	__u64 episode = only + 1 ? only : 0, start = vfc_now_us();
	struct mixwalk *w = self->w;
	bool ok = true;

	if (self->skip)
		return;
	for (; ok && w->calls < calls; episode++) {
		s = seed + episode;
		w->x = walk_random(&s);
		ok = run_episode(w, self->list, seed, episode, EPISODE);
		if (only + 1)
			break;
	}
	TH_LOG("WALK_SEED=%#llx: %llu calls in %llu ms", seed, w->calls,
	       (vfc_now_us() - start) / 1000);
	TH_LOG("%llu saved, %llu restored, %llu refused, %llu of them busy",
	       w->saved, w->restored, w->refused, w->busy);
	ASSERT_TRUE(ok)
		TH_LOG("%s; again: WALK_SEED=%#llx ../lib/on-mdevs vmig/mixwalk",
		       w->why, seed);
	ASSERT_LT(0, w->saved);
	ASSERT_LT(0, w->restored);
	ASSERT_LT(0, w->busy);
}

TEST_HARNESS_MAIN
