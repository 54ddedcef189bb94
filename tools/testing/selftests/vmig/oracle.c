// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle's model of the v1 region.
 *
 * Each access is handled in three steps: what do the rules permit in this
 * state (struct oracle_expect), is the result among that, and what does it
 * reveal. The section is kept byte by byte: a byte without a flag is what the
 * state says of it (zero, or not known), see is_zero().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* --- Expectations ----------------------------------------------------- */

static void may(struct oracle_expect *e, long ret)
{
	e->ret[e->nret++] = ret;
}

static void only(struct oracle_expect *e, long ret)
{
	e->nret = 0;
	may(e, ret);
}

static void may_range(struct oracle_expect *e, long from, long to, long other)
{
	e->nret = 0;
	e->ret[0] = from;
	e->ret[1] = to;
	e->ret[2] = other;
}

static void value(struct oracle_expect *e, __u64 min, __u64 max)
{
	e->valued = true;
	e->min = min;
	e->max = max;
}

static bool refuse(struct oracle_expect *e, const char *why)
{
	snprintf(e->why, sizeof(e->why), "%s", why);
	return false;
}

static bool permitted(struct oracle_expect *e, long ret)
{
	unsigned int i;

	if (!e->nret) {
		if (ret >= e->ret[0] && ret <= e->ret[1])
			return true;
		return (e->ret[2] && ret == e->ret[2]) ||
		       refuse(e, "the result");
	}
	for (i = 0; i < e->nret; i++)
		if (e->ret[i] == ret)
			return true;
	return refuse(e, "the result");
}

void oracle_ret_text(long ret, char *buf, size_t size)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
		{ EINVAL, "-EINVAL" }, { EIO, "-EIO" }, { EFAULT, "-EFAULT" },
		{ ENOMEM, "-ENOMEM" }, { EBUSY, "-EBUSY" },
		{ EXDEV, "-EXDEV" }, { EOPNOTSUPP, "-EOPNOTSUPP" },
		{ ENODEV, "-ENODEV" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (-ret == names[i].err) {
			snprintf(buf, size, "%s", names[i].name);
			return;
		}
	}
	snprintf(buf, size, "%ld", ret);
}

void oracle_expect_text(const struct oracle_expect *e, char *buf, size_t size)
{
	char part[3][24];
	size_t n;

	for (n = 0; n < ORACLE_RETS; n++)
		oracle_ret_text(e->ret[n], part[n], sizeof(part[n]));
	if (e->nret == 1)
		snprintf(buf, size, "%s", part[0]);
	else if (e->nret == 2)
		snprintf(buf, size, "%s or %s", part[0], part[1]);
	else if (e->nret)
		snprintf(buf, size, "%s, %s or %s", part[0], part[1], part[2]);
	else
		snprintf(buf, size, "%s..%s%s%s", part[0], part[1],
			 e->ret[2] ? " or " : "", e->ret[2] ? part[2] : "");
	n = strlen(buf);
	if (e->valued && e->min == e->max)
		snprintf(buf + n, size - n, ": %#llx", e->min);
	else if (e->valued)
		snprintf(buf + n, size - n, ": %#llx..%#llx", e->min, e->max);
}

/* --- The section ------------------------------------------------------ */

__u64 oracle_section(const struct oracle *o)
{
	return o->g.region - o->g.data;
}

static bool saving(const struct oracle *o)
{
	return o->state == ORACLE_SAVING || o->state == ORACLE_PRECOPY;
}

static void forget_section(struct oracle *o)
{
	memset(o->flags, 0, o->high);
	o->high = 0;
	o->seen = 0;
	o->left = false;
}

static void flag(struct oracle *o, __u64 at, __u64 len, __u8 flags)
{
	memset(o->flags + at, flags, len);
	if (at + len > o->high)
		o->high = at + len;
}

/* Is byte @at, which has no flag, zero? Otherwise it may be anything. */
static bool is_zero(const struct oracle *o, __u64 at)
{
	if (o->state == ORACLE_ERROR)
		return false;
	if (saving(o))
		return o->staged == ORACLE_STAGED && at >= o->len_max;
	return !o->left || at >= o->left_max;
}

/* May what is seen now be expected to be there later as well? */
static bool is_constant(const struct oracle *o)
{
	return saving(o) ? o->staged == ORACLE_STAGED : o->left;
}

static bool byte_is_wrong(struct oracle_expect *e, __u64 at, __u8 is, int want)
{
	snprintf(e->why, sizeof(e->why), "byte %#llx of the section: %#x, not %#x",
		 at, is, want);
	return false;
}

/*
 * One byte was seen. @inside: surely in the segment, so that it is the
 * device's even if the client stored there before.
 */
static bool see_byte(struct oracle *o, __u64 at, __u8 is, bool inside,
		     struct oracle_expect *e)
{
	__u8 *flags = &o->flags[at];

	if (inside)
		*flags &= ~ORACLE_F_BEFORE;
	if (*flags & (ORACLE_F_OWN | ORACLE_F_BEFORE))
		return true;
	if (*flags & ORACLE_F_KNOWN)
		return is == o->bytes[at] ||
		       byte_is_wrong(e, at, is, o->bytes[at]);
	if (is_zero(o, at))
		return !is || byte_is_wrong(e, at, is, 0);
	if (!is_constant(o))
		return true;
	o->bytes[at] = is;
	flag(o, at, 1, ORACLE_F_KNOWN);
	return true;
}

/* Is the range known throughout? The usual case is worth a fast answer. */
static bool as_known(const struct oracle *o, __u64 at, const __u8 *is,
		     __u64 len)
{
	__u64 i;

	for (i = 0; i < len; i++)
		if (o->flags[at + i] != ORACLE_F_KNOWN)
			return false;
	return !memcmp(o->bytes + at, is, len);
}

static bool all_new(const struct oracle *o, __u64 at, __u64 len)
{
	__u64 i;

	if (!saving(o) || !is_constant(o) || at + len > o->len_min)
		return false;
	for (i = 0; i < len && at + i < o->high; i++)
		if (o->flags[at + i])
			return false;
	return true;
}

static bool see(struct oracle *o, __u64 at, const void *buf, __u64 len,
		struct oracle_expect *e)
{
	const __u8 *is = buf;
	__u64 i;

	if (as_known(o, at, is, len))
		return true;
	if (all_new(o, at, len)) {
		memcpy(o->bytes + at, is, len);
		flag(o, at, len, ORACLE_F_KNOWN);
		return true;
	}
	for (i = 0; i < len; i++)
		if (!see_byte(o, at + i, is[i],
			      saving(o) && at + i < o->len_min, e))
			return false;
	return true;
}

/* --- The segment ------------------------------------------------------ */

bool oracle_will_ack(const struct oracle *o)
{
	return saving(o) && o->staged == ORACLE_STAGED && o->sized;
}

bool oracle_segment_seen(struct oracle *o)
{
	while (o->seen < o->len_min && (o->flags[o->seen] & ORACLE_F_KNOWN))
		o->seen++;
	return o->len_min == o->len_max && o->seen == o->len_min;
}

static __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* The client's own bytes were there before, or it is not known when. */
static void keep_own(struct oracle *o, __u8 as)
{
	const __u8 own = ORACLE_F_OWN | ORACLE_F_BEFORE;
	__u64 i;

	for (i = 0; i < o->high; i++)
		o->flags[i] = o->flags[i] & own ? as : 0;
	o->seen = 0;
}

/* There is a segment, for sure; of its size only what cannot be otherwise. */
static void stage(struct oracle *o)
{
	if (o->staged == ORACLE_STAGED)
		return;
	keep_own(o, o->staged == ORACLE_NONE ? ORACLE_F_BEFORE : ORACLE_F_OWN);
	o->staged = ORACLE_STAGED;
	o->sized = false;
	o->in_doubt = false;
	o->rest_min = 0;
	o->len_min = 1;
	o->len_max = oracle_section(o);
	if (o->pending_known)
		o->len_max = least(o->len_max, o->pending);
}

/* Its size is between these two; what was seen behind it has to be zero. */
static bool narrow(struct oracle *o, __u64 min, __u64 max,
		   struct oracle_expect *e)
{
	__u64 at;

	for (at = max; at < o->high && at < o->len_max; at++)
		if ((o->flags[at] & ORACLE_F_KNOWN) && o->bytes[at])
			return byte_is_wrong(e, at, o->bytes[at], 0);
	if (min > o->len_min)
		o->len_min = min;
	if (max < o->len_max)
		o->len_max = max;
	if (o->pending_min < o->len_min + o->rest_min)
		o->pending_min = o->len_min + o->rest_min;
	return true;
}

static void unstage(struct oracle *o)
{
	keep_own(o, ORACLE_F_OWN);
	o->staged = ORACLE_NONE;
	o->sized = false;
	o->in_doubt = false;
}

/* While it is busy, what is pending is only known to be more than nothing. */
static void settle(struct oracle *o)
{
	if (o->state != ORACLE_PRECOPY || !o->busy || !o->pending_known)
		return;
	o->pending_min = o->pending ? 1 : 0;
	if (o->staged == ORACLE_STAGED)
		o->pending_min = o->len_min + o->rest_min;
	o->pending_known = false;
}

void oracle_set_busy(struct oracle *o, bool busy)
{
	o->busy = true;
	settle(o);
	o->busy = busy;
}

void oracle_dirtied(struct oracle *o, bool sure)
{
	if (o->state != ORACLE_PRECOPY)
		return;
	if (o->pending_known)
		o->pending_min = o->pending ? 1 : 0;
	if (sure) {
		o->rest_min = 1;
		if (!o->pending_min)
			o->pending_min = 1;
	}
	if (o->staged == ORACLE_STAGED)
		o->pending_min = o->len_min + o->rest_min;
	o->pending_known = false;
}

/* --- Reading the header ----------------------------------------------- */

static void expect_pending(const struct oracle *o, struct oracle_expect *e)
{
	bool ack = oracle_will_ack(o);
	__u64 min;

	if (!saving(o)) {
		value(e, 0, 0);
	} else if (o->pending_known) {
		min = o->pending - (ack ? o->len_min : 0);
		value(e, min, min);
	} else {
		min = o->pending_min;
		if (ack)
			min = min > o->len_min ? min - o->len_min : 0;
		value(e, ack && min < o->rest_min ? o->rest_min : min, ~0ull);
	}
}

static void learn_pending(struct oracle *o, __u64 v)
{
	if (!saving(o))
		return;
	if (oracle_will_ack(o)) {
		o->acks++;
		if (!oracle_segment_seen(o))
			o->unread += o->len_min - o->seen;
		unstage(o);
		o->rest_min = 0;
	}
	/* Otherwise it says nothing of what may have been staged before. */
	if (!v)
		o->staged = ORACLE_NONE;
	o->pending_known = true;
	o->pending = v;
	o->pending_min = v;
	if (o->staged == ORACLE_STAGED && v - o->rest_min < o->len_max)
		o->len_max = v - o->rest_min;
}

static void expect_size(const struct oracle *o, struct oracle_expect *e)
{
	__u64 max = oracle_section(o);

	if (!saving(o))
		value(e, 0, 0);
	else if (o->staged == ORACLE_STAGED)
		value(e, o->len_min, o->len_max);
	else if (o->pending_known)
		value(e, !!o->pending, least(o->pending, max));
	else
		value(e, !!o->pending_min, max);
}

static bool learn_size(struct oracle *o, __u64 v, struct oracle_expect *e)
{
	__u64 i;

	if (!saving(o))
		return true;
	if (!v) {
		o->staged = ORACLE_NONE;
		o->pending_known = true;
		o->pending = 0;
		o->pending_min = 0;
		return true;
	}
	stage(o);
	if (!o->sized && !narrow(o, v, v, e))
		return false;
	for (i = 0; !o->sized && i < v && i < o->high; i++)
		o->flags[i] &= ~ORACLE_F_BEFORE;
	o->sized = true;
	return true;
}

/*
 * A read of data_offset stages if anything is pending, and does not tell.
 * With @fault nor does any other that would, and it need not have.
 */
static void maybe_stage(struct oracle *o, bool fault)
{
	if (!saving(o) || o->staged == ORACLE_STAGED)
		return;
	if (o->pending_known && !o->pending)
		return;
	if (!fault && (o->pending_known || o->pending_min))
		stage(o);
	else
		o->staged = ORACLE_MAYBE;
}

static bool legal_field(__u64 off, __u64 len)
{
	if (off == ORACLE_STATE || off == ORACLE_RESERVED)
		return len == 4;
	return len == 8 && (off == ORACLE_PENDING || off == ORACLE_OFFSET ||
			    off == ORACLE_SIZE);
}

static void expect_field(const struct oracle *o, __u64 off,
			 struct oracle_expect *e)
{
	switch (off) {
	case ORACLE_STATE:
		value(e, o->state, o->state);
		break;
	case ORACLE_RESERVED:
		value(e, 0, 0);
		break;
	case ORACLE_PENDING:
		expect_pending(o, e);
		break;
	case ORACLE_OFFSET:
		value(e, o->g.data, o->g.data);
		break;
	case ORACLE_SIZE:
		expect_size(o, e);
		break;
	}
}

static bool learn_field(struct oracle *o, __u64 off, __u64 v,
			struct oracle_expect *e)
{
	switch (off) {
	case ORACLE_PENDING:
		learn_pending(o, v);
		return true;
	case ORACLE_OFFSET:
		maybe_stage(o, false);
		return true;
	case ORACLE_SIZE:
		return learn_size(o, v, e);
	}
	return true;
}

static bool read_header(struct oracle *o, const struct oracle_access *a,
			long ret, struct oracle_expect *e)
{
	__u64 v = 0;

	if (!legal_field(a->off, a->len)) {
		only(e, -EINVAL);
		if (!a->buf)
			may(e, -EFAULT);
		return permitted(e, ret);
	}
	if (!a->buf) {
		only(e, -EFAULT);
		if (!permitted(e, ret))
			return false;
		if (a->off == ORACLE_OFFSET || a->off == ORACLE_SIZE)
			maybe_stage(o, true);
		return true;
	}
	only(e, a->len);
	expect_field(o, a->off, e);
	if (!permitted(e, ret))
		return false;
	memcpy(&v, a->buf, a->len);
	if (v < e->min || v > e->max)
		return refuse(e, "the value");
	return learn_field(o, a->off, v, e);
}

/* --- Reading data ----------------------------------------------------- */

static void expect_segment(const struct oracle *o, __u64 at, __u64 len,
			   struct oracle_expect *e)
{
	__u64 min = o->staged == ORACLE_STAGED ? o->len_min : 0;
	__u64 max = oracle_section(o);

	if (o->staged == ORACLE_STAGED)
		max = o->len_max;
	else if (o->pending_known)
		max = least(max, o->pending);
	if (o->staged == ORACLE_NONE || at >= max)
		only(e, -EINVAL);
	else if (at < min)
		may_range(e, least(len, min - at), least(len, max - at), 0);
	else
		may_range(e, 1, least(len, max - at), -EINVAL);
}

static bool learn_segment(struct oracle *o, __u64 at, __u64 len, long ret,
			  struct oracle_expect *e)
{
	if (ret < 0)
		return o->staged != ORACLE_STAGED ||
		       narrow(o, 0, at > 0 ? at : 1, e);
	stage(o);
	return narrow(o, at + ret, (__u64)ret < len ? at + ret : o->len_max, e);
}

static void may_fault(struct oracle_expect *e)
{
	bool refused = e->nret == 1 && e->ret[0] < 0;

	if (refused || !e->nret)
		may_range(e, -EFAULT, -EFAULT, refused ? e->ret[0] : e->ret[2]);
	else
		only(e, -EFAULT);
}

/* @len bytes at @at are inside the section, and there is at least one. */
static bool read_data(struct oracle *o, const struct oracle_access *a,
		      __u64 at, __u64 len, long ret, struct oracle_expect *e)
{
	if (o->state == ORACLE_ERROR)
		only(e, -EIO);
	else if (o->state == ORACLE_RESUMING)
		only(e, len);
	else if (saving(o))
		expect_segment(o, at, len, e);
	else
		only(e, -EINVAL);
	if (!a->buf) {
		may_fault(e);
		return permitted(e, ret);
	}
	if (!permitted(e, ret))
		return false;
	if (saving(o) && o->staged != ORACLE_NONE &&
	    !learn_segment(o, at, len, ret, e))
		return false;
	return ret < 0 || see(o, at, a->buf, ret, e);
}

/* --- Writing ---------------------------------------------------------- */

static void begin(struct oracle *o)
{
	o->staged = ORACLE_NONE;
	o->sized = false;
	o->in_doubt = false;
	o->pending_known = false;
	o->pending_min = o->state == ORACLE_SAVING;
	o->rest_min = 0;
}

/* The device stopped in the middle of a session: more is pending, surely. */
static void stop_saving(struct oracle *o)
{
	o->pending_known = false;
	o->in_doubt = o->staged == ORACLE_STAGED;
	o->rest_min = 1;
	o->pending_min = 1;
	if (o->in_doubt)
		o->pending_min += o->len_min;
}

/* The session ends, and what the client may still be copying stays. */
static void leave_segment(struct oracle *o)
{
	o->left = true;
	o->left_max = o->staged == ORACLE_STAGED ? o->len_max :
						   oracle_section(o);
	o->seen = 0;
}

static void enter(struct oracle *o, __u32 state)
{
	bool leaves = saving(o) && o->staged != ORACLE_NONE &&
		      state < ORACLE_SAVING;
	bool session = saving(o) || o->state == ORACLE_RESUMING;

	if (state == o->state)
		return;
	if (o->state == ORACLE_PRECOPY && state == ORACLE_SAVING) {
		o->state = state;
		stop_saving(o);
		return;
	}
	if (leaves)
		leave_segment(o);
	o->state = state;
	if ((session && !leaves) || state == ORACLE_RESUMING ||
	    (o->left && state > ORACLE_RUNNING))
		forget_section(o);
	begin(o);
	o->poisoned = false;
	if (state == ORACLE_RESUMING)
		oracle_stream_reset(&o->in);
}

static void power_on(struct oracle *o)
{
	o->state = ORACLE_RUNNING;
	o->busy = false;
	o->poisoned = false;
	forget_section(o);
	begin(o);
}

static void expect_state(const struct oracle *o, __u32 v,
			 struct oracle_expect *e)
{
	if (o->state == ORACLE_ERROR)
		only(e, -EIO);
	else if (v > ORACLE_RESUMING ||
		 (o->state == ORACLE_SAVING && v == ORACLE_PRECOPY))
		only(e, -EINVAL);
	else if (o->state == ORACLE_RESUMING && v != o->state &&
		 (o->poisoned || !oracle_stream_complete(&o->in)))
		only(e, -EINVAL);
	else
		only(e, 4);
}

/* What is not written since the last commit is zero to the reader. */
static int feed(struct oracle *o, __u64 n)
{
	__u64 at;

	for (at = 0; at < n; at++)
		if (at >= o->high || !o->flags[at])
			o->bytes[at] = 0;
	return oracle_stream_feed(&o->in, o->bytes, n);
}

static void expect_commit(struct oracle *o, __u64 n, struct oracle_expect *e)
{
	int ret;

	if (!n) {
		only(e, 8);
		/* "Does nothing at all" and "every later one is refused". */
		if (o->poisoned)
			may(e, -EINVAL);
	} else if (n > oracle_section(o) || o->poisoned) {
		only(e, -EINVAL);
	} else {
		ret = feed(o, n);
		only(e, ret < 0 ? ret : 8);
		if (ret == ORACLE_EITHER)
			may(e, -EINVAL);
	}
}

static void learn_commit(struct oracle *o, __u64 n, long ret)
{
	if (!n)
		return;
	if (ret < 0)
		o->poisoned = true;
	/* Whether one that is too large clears the section is not said. */
	if (n > oracle_section(o))
		memset(o->flags, ORACLE_F_OWN, o->high);
	else
		forget_section(o);
}

static bool write_header(struct oracle *o, const struct oracle_access *a,
			 long ret, struct oracle_expect *e)
{
	bool commit = a->off == ORACLE_SIZE && o->state == ORACLE_RESUMING;
	bool legal = legal_field(a->off, a->len) &&
		     (a->len == 4 || commit);
	__u64 v = 0;

	if (!legal) {
		only(e, -EINVAL);
		if (!a->buf)
			may(e, -EFAULT);
		return permitted(e, ret);
	}
	if (!a->buf) {
		only(e, -EFAULT);
		if (o->state == ORACLE_ERROR)
			may(e, -EIO);
		if (a->off == ORACLE_RESERVED)
			may(e, 4);	/* "accepted and ignored" */
		return permitted(e, ret);
	}
	memcpy(&v, a->buf, a->len);
	if (commit)
		expect_commit(o, v, e);
	else if (a->off == ORACLE_STATE)
		expect_state(o, v, e);
	else
		only(e, 4);
	if (!permitted(e, ret))
		return false;
	if (commit)
		learn_commit(o, v, ret);
	else if (a->off == ORACLE_STATE && ret > 0)
		enter(o, v);
	return true;
}

static bool write_data(struct oracle *o, const struct oracle_access *a,
		       __u64 at, __u64 len, long ret, struct oracle_expect *e)
{
	if (o->state == ORACLE_ERROR)
		only(e, -EIO);
	else if (o->state == ORACLE_RESUMING)
		only(e, len);
	else
		only(e, -EINVAL);
	if (!a->buf)
		may_fault(e);
	if (!permitted(e, ret))
		return false;
	if (ret > 0) {
		memcpy(o->bytes + at, a->buf, ret);
		flag(o, at, ret, ORACLE_F_KNOWN);
	}
	return true;
}

/* --- All accesses ----------------------------------------------------- */

static bool step_region(struct oracle *o, const struct oracle_access *a,
			long ret, struct oracle_expect *e)
{
	bool outside = a->off >= o->g.region, write = a->op == ORACLE_WRITE;
	__u64 at = a->off - o->g.data;

	if (!a->len || outside) {
		only(e, a->len ? -EINVAL : 0);
		if (outside && !a->len)
			may(e, -EINVAL);
		if (outside && !a->buf)
			may(e, -EFAULT);
		return permitted(e, ret);
	}
	if (a->off < o->g.data)
		return write ? write_header(o, a, ret, e) :
			       read_header(o, a, ret, e);
	if (write)
		return write_data(o, a, at, least(a->len, o->g.region - a->off),
				  ret, e);
	return read_data(o, a, at, least(a->len, o->g.region - a->off), ret, e);
}

static void store(struct oracle *o, const struct oracle_access *a)
{
	__u64 i;

	if (o->state == ORACLE_RESUMING) {
		memcpy(o->bytes + a->off, a->buf, a->len);
		flag(o, a->off, a->len, ORACLE_F_KNOWN);
		return;
	}
	/* What the device said before stays what it said. */
	for (i = a->off; i < a->off + a->len; i++)
		flag(o, i, 1, (o->flags[i] & ORACLE_F_KNOWN) | ORACLE_F_OWN);
}

static bool step_map(struct oracle *o, const struct oracle_access *a, long ret,
		     struct oracle_expect *e)
{
	only(e, a->len);
	if (!permitted(e, ret))
		return false;
	if (a->op == ORACLE_LOAD)
		return see(o, a->off, a->buf, a->len, e);
	store(o, a);
	return true;
}

bool oracle_step(struct oracle *o, const struct oracle_access *a, long ret,
		 struct oracle_expect *e)
{
	memset(e, 0, sizeof(*e));
	settle(o);
	switch (a->op) {
	case ORACLE_READ:
	case ORACLE_WRITE:
		return step_region(o, a, ret, e);
	case ORACLE_LOAD:
	case ORACLE_STORE:
		return step_map(o, a, ret, e);
	case ORACLE_RESET:
	case ORACLE_REOPEN:
		only(e, 0);
		if (!permitted(e, ret))
			return false;
		power_on(o);
		return true;
	case ORACLE_FAIL:
		only(e, 0);
		if (!permitted(e, ret))
			return false;
		enter(o, ORACLE_ERROR);
		return true;
	}
	return refuse(e, "no such access");
}

int oracle_init(struct oracle *o, const struct oracle_geom *g)
{
	memset(o, 0, sizeof(*o));
	o->g = *g;
	o->bytes = malloc(oracle_section(o));
	o->flags = calloc(1, oracle_section(o));
	if (!o->bytes || !o->flags || oracle_stream_init(&o->in, &o->g)) {
		oracle_free(o);
		return -ENOMEM;
	}
	power_on(o);
	return 0;
}

void oracle_free(struct oracle *o)
{
	oracle_stream_free(&o->in);
	free(o->bytes);
	free(o->flags);
	o->bytes = NULL;
	o->flags = NULL;
}
