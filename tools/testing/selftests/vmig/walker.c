// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine of the random walk: runs steps, holds the results against the
 * oracle and the values that devices should have, and shortens what diverges.
 *
 * A step that has become senseless because others were left out (there is no
 * such stream, fd or mapping) does nothing. So any part of a list can be run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shorten.h"
#include "walker.h"

/* Runs of an episode while it is made shorter. */
#define MAX_RUNS	3000
/* Steps that are shown of an episode that does not diverge again. */
#define MAX_SHOWN	40

static bool differs(struct walk *w, const char *why)
{
	snprintf(w->why, sizeof(w->why), "%s", why);
	return false;
}

static __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* --- Values of a device ----------------------------------------------- */

static void values_power_on(struct walk_values *v)
{
	memset(v, 0, sizeof(*v));
}

static void values_unknown(struct walk_values *v)
{
	memset(v->unknown, 1, sizeof(v->unknown));
	v->noise = true;
}

/* --- Streams ---------------------------------------------------------- */

static bool stream_add(struct walk_stream *s, const void *buf, size_t n)
{
	if (s->len + n > WALK_STREAM)
		return false;
	memcpy(s->buf + s->len, buf, n);
	s->len += n;
	return true;
}

static void stream_store(struct walk_stream *to, const struct walk_stream *from)
{
	__u8 *buf = to->buf;

	*to = *from;
	to->buf = buf;
	memcpy(buf, from->buf, from->len);
}

static void stream_begin(struct walk_stream *s)
{
	s->len = 0;
	s->honest = true;
	s->complete = false;
}

/*
 * A segment is acknowledged: the client has what it read of it. One that was
 * in doubt need not have been collected.
 */
static void collect(struct walk *w, struct walk_dev *d)
{
	bool seen = oracle_segment_seen(&d->o);

	w->result->acks++;
	if (!seen && d->o.in_doubt)
		return;
	if (!seen)
		d->cur.honest = false;
	if (!stream_add(&d->cur, d->o.bytes, d->o.seen))
		d->cur.honest = false;
	if (d->cur.len > w->result->largest)
		w->result->largest = d->cur.len;
}

/* The session was collected to its end. */
static bool drained(struct walk *w, struct walk_dev *d)
{
	struct walk_stream *cur = &d->cur;
	unsigned int slot = WALK_SLOTS - 1;
	int ret;

	oracle_stream_reset(&w->check);
	ret = oracle_stream_feed(&w->check, cur->buf, cur->len);
	cur->complete = ret >= 0 && oracle_stream_complete(&w->check);
	if (cur->honest && ret < 0)
		return differs(w, "the collected stream is not valid");
	if (cur->honest && !cur->complete)
		return differs(w, "the collected stream is not complete");
	memcpy(cur->id, w->check.id, sizeof(cur->id));
	if (cur->honest) {
		slot = w->next;
		w->next = (slot + 1) % (WALK_SLOTS - 1);
		w->result->drained++;
	}
	stream_store(&w->pool[slot], cur);
	cur->len = 0;
	if (cur->honest)
		walk_plan_drained(w, d - w->dev, slot);
	return true;
}

/* A device took a stream: what does it hold now? */
static void restored(struct walk *w, struct walk_dev *d)
{
	const struct walk_stream *s;
	unsigned int i;

	w->result->restored++;
	d->check_due = true;
	for (i = 0; i < WALK_SLOTS; i++) {
		s = &w->pool[i];
		if (s->len && s->complete &&
		    !memcmp(s->id, d->o.in.id, sizeof(s->id))) {
			d->v = s->at_stop;
			return;
		}
	}
	values_unknown(&d->v);
}

/* --- After an access -------------------------------------------------- */

static bool is_saving(__u32 state)
{
	return state == ORACLE_SAVING || state == ORACLE_PRECOPY;
}

/* The state was @before. */
static void moved(struct walk *w, struct walk_dev *d, __u32 before)
{
	__u32 now = d->o.state;

	if (now == before)
		return;
	if (before == ORACLE_RESUMING && now <= ORACLE_PRECOPY)
		restored(w, d);
	if (is_saving(before) && !is_saving(now) && d->cur.len) {
		stream_store(&w->pool[WALK_SLOTS - 1], &d->cur);
		d->cur.len = 0;
	}
	if (!is_saving(before) && is_saving(now))
		stream_begin(&d->cur);
	if (now == ORACLE_SAVING)
		d->cur.at_stop = d->v;
	if (now == ORACLE_RESUMING)
		values_power_on(&d->v);
	if (now == ORACLE_ERROR)
		values_unknown(&d->v);
	oracle_set_busy(&d->o, d->v.noise);
}

/* The device was reset, or opened anew. */
static void powered_on(struct walk *w, struct walk_dev *d, __u32 before)
{
	if (before != ORACLE_RESUMING)
		moved(w, d, before);
	values_power_on(&d->v);
	oracle_set_busy(&d->o, false);
	d->job.active = false;
	d->check_due = false;
}

/* --- Accesses --------------------------------------------------------- */

static void note_result(struct walk *w, const struct oracle_access *a, long ret)
{
	char text[32];
	__u64 v = 0;

	oracle_ret_text(ret, text, sizeof(text));
	if (a->op == ORACLE_READ && ret > 0 && ret <= 8 && a->buf) {
		memcpy(&v, a->buf, ret);
		snprintf(w->got, sizeof(w->got), "%s: %#llx", text, v);
	} else {
		snprintf(w->got, sizeof(w->got), "%s", text);
	}
}

static bool judge(struct walk *w, struct walk_dev *d,
		  const struct oracle_access *a, long ret)
{
	__u32 before = d->o.state;

	if (w->trace)
		note_result(w, a, ret);
	if (a->op != ORACLE_FAIL)
		w->result->accesses++;
	if (!oracle_step(&d->o, a, ret, &w->e))
		return differs(w, w->e.why);
	if (a->op == ORACLE_RESET || a->op == ORACLE_REOPEN)
		powered_on(w, d, before);
	else
		moved(w, d, before);
	return true;
}

static __u64 read_limit(const struct walk *w)
{
	return w->geom.region + WALK_SLACK;
}

static bool run_read(struct walk *w, const struct walk_step *s, int fd,
		     bool fault)
{
	struct walk_dev *d = &w->dev[s->dev];
	struct oracle_access a = {
		.op = ORACLE_READ,
		.off = s->off,
		.len = least(s->len, read_limit(w)),
		.buf = fault ? NULL : w->buf,
	};
	long ret = w->ops->read(w->ctx, s->dev, fd, (void *)a.buf, a.len,
				a.off);
	bool ack = a.off == ORACLE_PENDING && ret == 8 &&
		   oracle_will_ack(&d->o);

	if (ack)
		collect(w, d);
	if (!judge(w, d, &a, ret))
		return false;
	if (ack && d->o.state == ORACLE_SAVING && !d->o.pending)
		return drained(w, d);
	return true;
}

/* Bytes that are made of @val: itself if there are 8, something if more. */
static void make_bytes(struct walk *w, __u64 val, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		w->buf[i] = (val >> (i & 7) * 8) + (i >> 3);
}

static bool run_write(struct walk *w, const struct walk_step *s, int fd,
		      bool fault)
{
	struct walk_dev *d = &w->dev[s->dev];
	struct oracle_access a = {
		.op = ORACLE_WRITE,
		.off = s->off,
		.len = least(s->len, read_limit(w)),
		.buf = fault ? NULL : w->buf,
	};
	__u32 before = d->o.state;
	long ret;

	make_bytes(w, s->val, a.len);
	ret = w->ops->write(w->ctx, s->dev, fd, a.buf, a.len, a.off);
	if (!judge(w, d, &a, ret))
		return false;
	w->result->refused += before == ORACLE_RESUMING && ret < 0 && !fault &&
		(a.off == ORACLE_SIZE || a.off == ORACLE_STATE);
	return true;
}

static bool run_mapped(struct walk *w, const struct walk_step *s, bool store)
{
	__u8 *map = w->ops->map(w->ctx, s->dev);
	__u64 sec = oracle_section(&w->dev[s->dev].o);
	struct oracle_access a = {
		.op = store ? ORACLE_STORE : ORACLE_LOAD,
		.off = s->off,
		.buf = w->buf,
	};

	if (!map || s->off >= sec)
		return true;
	a.len = least(s->len, sec - s->off);
	if (store) {
		make_bytes(w, s->val, a.len);
		memcpy(map + a.off, w->buf, a.len);
	} else {
		memcpy(w->buf, map + a.off, a.len);
	}
	return judge(w, &w->dev[s->dev], &a, a.len);
}

/* Put a piece of a kept stream into the section. */
static bool run_pool(struct walk *w, const struct walk_step *s, int fd)
{
	const struct walk_stream *from = &w->pool[s->slot % WALK_SLOTS];
	__u8 *map = s->mapped ? w->ops->map(w->ctx, s->dev) : NULL;
	__u64 sec = w->geom.region - w->geom.data;
	struct oracle_access a = { .op = ORACLE_WRITE, .buf = w->buf };
	long ret;

	if (s->val >= from->len || s->off >= sec)
		return true;
	a.len = least(least(s->len, from->len - s->val), sec - s->off);
	memcpy(w->buf, from->buf + s->val, a.len);
	if (a.len == s->len)
		w->buf[a.len / 2] ^= s->flip;
	if (map) {
		a.op = ORACLE_STORE;
		a.off = s->off;
		memcpy(map + a.off, w->buf, a.len);
		ret = a.len;
	} else {
		a.off = w->geom.data + s->off;
		ret = w->ops->write(w->ctx, s->dev, fd, w->buf, a.len, a.off);
	}
	return judge(w, &w->dev[s->dev], &a, ret);
}

static bool run_reset(struct walk *w, const struct walk_step *s, int fd)
{
	struct oracle_access a = { .op = ORACLE_RESET };

	return judge(w, &w->dev[s->dev], &a,
		     w->ops->reset(w->ctx, s->dev, fd));
}

static bool reopen(struct walk *w, int dev)
{
	struct oracle_access a = { .op = ORACLE_REOPEN };

	w->ops->close(w->ctx, dev);
	w->dev[dev].nfds = 1;
	return judge(w, &w->dev[dev], &a, w->ops->open(w->ctx, dev));
}

static bool run_fail(struct walk *w, const struct walk_step *s)
{
	struct oracle_access a = { .op = ORACLE_FAIL };

	return !w->ops->fail ||
	       judge(w, &w->dev[s->dev], &a, w->ops->fail(w->ctx, s->dev));
}

/* --- File descriptors ------------------------------------------------- */

static bool run_fds(struct walk *w, const struct walk_step *s)
{
	struct walk_dev *d = &w->dev[s->dev];
	int ret = 0;

	if (s->kind == WALK_FD_DEL && d->nfds > 1) {
		w->ops->fd_del(w->ctx, s->dev, s->fd % d->nfds);
		d->nfds--;
	} else if (s->kind == WALK_PIN && w->ops->map(w->ctx, s->dev)) {
		ret = w->ops->pin(w->ctx, s->dev);
		d->nfds = 1;
	} else if (s->kind != WALK_FD_DEL && s->kind != WALK_PIN &&
		   d->nfds < WALK_FDS) {
		ret = w->ops->fd_add(w->ctx, s->dev, s->kind == WALK_FD_DUP);
		d->nfds += !ret;
	}
	oracle_ret_text(ret, w->got, sizeof(w->got));
	return !ret || differs(w, "no fd");
}

/* --- The device's own state ------------------------------------------- */

static bool runs(__u32 state)
{
	return state == ORACLE_RUNNING || state == ORACLE_PRECOPY;
}

/*
 * While it is stopped a register takes a value, memory may refuse it; in
 * RESUMING memory refuses, and reads zero whatever it says.
 */
static void touched_stopped(struct walk_dev *d, const struct walk_step *s,
			    int ret)
{
	bool scratch = s->off == WALK_SCRATCH;

	if (d->o.state == ORACLE_RESUMING && !scratch)
		return;
	if (!ret && scratch && d->o.state <= ORACLE_SAVING)
		d->v.val[s->off] = s->val;
	else if (!ret)
		d->v.unknown[s->off] = true;
}

static bool run_touch(struct walk *w, const struct walk_step *s)
{
	struct walk_dev *d = &w->dev[s->dev];
	bool sure;
	int ret;

	if (!w->ops->touch || s->off >= WALK_VALUES)
		return true;
	ret = w->ops->touch(w->ctx, s->dev, s->off, (__u32)s->val);
	oracle_ret_text(ret, w->got, sizeof(w->got));
	if (!runs(d->o.state)) {
		touched_stopped(d, s, ret);
		return true;
	}
	if (ret)
		return differs(w, "a running device takes a store");
	sure = !d->v.unknown[s->off] && d->v.val[s->off] != s->val;
	if (s->off != WALK_SCRATCH)
		oracle_dirtied(&d->o, sure);
	d->v.val[s->off] = s->val;
	d->v.unknown[s->off] = false;
	return true;
}

static bool run_noise(struct walk *w, const struct walk_step *s)
{
	struct walk_dev *d = &w->dev[s->dev];
	int ret;

	if (!w->ops->noise || !runs(d->o.state))
		return true;
	ret = w->ops->noise(w->ctx, s->dev, s->val);
	oracle_ret_text(ret, w->got, sizeof(w->got));
	if (ret)
		return differs(w, "a running device can be busy");
	d->v.noise = s->val;
	oracle_set_busy(&d->o, d->v.noise);
	return true;
}

static bool check_unit(struct walk *w, const struct walk_step *s,
		       unsigned int unit)
{
	const struct walk_values *v = &w->dev[s->dev].v;
	__u64 is = 0;
	int ret = w->ops->peek(w->ctx, s->dev, unit, &is);

	if (!ret && is == v->val[unit])
		return true;
	snprintf(w->why, sizeof(w->why), "unit %u: %d: %#llx, not %#llx", unit,
		 ret, is, v->val[unit]);
	return false;
}

static bool run_check(struct walk *w, const struct walk_step *s)
{
	struct walk_dev *d = &w->dev[s->dev];
	unsigned int unit;

	d->check_due = false;
	if (!w->ops->peek || d->o.state == ORACLE_ERROR)
		return true;
	w->result->verified++;
	for (unit = 0; unit < WALK_VALUES; unit++)
		if (!d->v.unknown[unit] && !check_unit(w, s, unit))
			return false;
	if (d->v.noise && w->ops->noise_check && !runs(d->o.state) &&
	    d->o.state != ORACLE_RESUMING &&
	    w->ops->noise_check(w->ctx, s->dev))
		return differs(w, "what the device itself wrote is not whole");
	return true;
}

/* --- Steps ------------------------------------------------------------ */

static bool run_step(struct walk *w, const struct walk_step *s)
{
	struct walk_dev *d = &w->dev[s->dev];
	int fd = s->fd % d->nfds;

	memset(&w->e, 0, sizeof(w->e));
	w->got[0] = '\0';
	switch ((enum walk_kind)s->kind) {
	case WALK_READ:
	case WALK_READ_FAULT:
		return run_read(w, s, fd, s->kind == WALK_READ_FAULT);
	case WALK_WRITE:
	case WALK_WRITE_FAULT:
		return run_write(w, s, fd, s->kind == WALK_WRITE_FAULT);
	case WALK_LOAD:
	case WALK_STORE:
		return run_mapped(w, s, s->kind == WALK_STORE);
	case WALK_POOL:
		return run_pool(w, s, fd);
	case WALK_RESET:
		return run_reset(w, s, fd);
	case WALK_REOPEN:
		return reopen(w, s->dev);
	case WALK_FD_ADD:
	case WALK_FD_DUP:
	case WALK_FD_DEL:
	case WALK_PIN:
		return run_fds(w, s);
	case WALK_TOUCH:
		return run_touch(w, s);
	case WALK_NOISE:
		return run_noise(w, s);
	case WALK_CHECK:
		return run_check(w, s);
	case WALK_FAIL:
		return run_fail(w, s);
	}
	return true;
}

/* --- In words --------------------------------------------------------- */

static void step_text(const struct walk_step *s, char *buf, size_t size)
{
	static const char * const names[] = {
		[WALK_READ] = "pread", [WALK_WRITE] = "pwrite",
		[WALK_READ_FAULT] = "pread to a bad pointer",
		[WALK_WRITE_FAULT] = "pwrite from a bad pointer",
		[WALK_LOAD] = "load", [WALK_STORE] = "store",
		[WALK_POOL] = "put", [WALK_RESET] = "RESET",
		[WALK_REOPEN] = "close all, open",
		[WALK_FD_ADD] = "one more fd", [WALK_FD_DUP] = "dup",
		[WALK_FD_DEL] = "close the fd",
		[WALK_PIN] = "close all but the mapping, one more fd",
		[WALK_TOUCH] = "touch", [WALK_NOISE] = "noise",
		[WALK_CHECK] = "compare", [WALK_FAIL] = "internal error",
	};
	size_t n;

	n = snprintf(buf, size, "%c.%u %s", 'a' + s->dev, s->fd,
		     names[s->kind]);
	buf += n;
	size -= n;
	switch ((enum walk_kind)s->kind) {
	case WALK_READ:
	case WALK_READ_FAULT:
	case WALK_LOAD:
		snprintf(buf, size, " %u bytes at %#llx", s->len, s->off);
		break;
	case WALK_WRITE:
	case WALK_WRITE_FAULT:
	case WALK_STORE:
		snprintf(buf, size, " %u bytes at %#llx: %#llx", s->len, s->off,
			 s->val);
		break;
	case WALK_POOL:
		snprintf(buf, size,
			 " %u bytes at section %#llx%s: stream %u at %#llx%s",
			 s->len, s->off, s->mapped ? " by store" : "", s->slot,
			 s->val, s->flip ? ", one changed" : "");
		break;
	case WALK_TOUCH:
		snprintf(buf, size, " unit %llu: %#llx", s->off, s->val);
		break;
	case WALK_NOISE:
		snprintf(buf, size, " %s", s->val ? "on" : "off");
		break;
	default:
		break;
	}
}

static void say_step(struct walk *w, unsigned int at,
		     const struct walk_step *s, bool ok)
{
	char text[128], want[96] = "", line[400];

	step_text(s, text, sizeof(text));
	if (w->e.nret || w->e.ret[0] || w->e.ret[1])
		oracle_expect_text(&w->e, want, sizeof(want));
	snprintf(line, sizeof(line), "%4u %s = %s%s%s%s%s%s", at + 1, text,
		 w->got, *want ? "  [" : "", want, *want ? "]" : "",
		 ok ? "" : "  DIFFERS: ", ok ? "" : w->why);
	w->config->log(line);
}

/* --- Episodes --------------------------------------------------------- */

/* Both devices anew, nothing known. */
static bool begin(struct walk *w)
{
	unsigned int i;
	int dev;

	for (i = 0; i < WALK_SLOTS; i++) {
		w->pool[i].len = 0;
		w->pool[i].complete = false;
	}
	w->next = 0;
	for (dev = 0; dev < WALK_DEVS; dev++) {
		w->dev[dev].cur.len = 0;
		if (!reopen(w, dev))
			return false;
		w->dev[dev].job.active = false;
	}
	return true;
}

/* Run @n steps: the first one that diverges, or -1. */
static long run_list(void *ctx, const void *steps, unsigned int n)
{
	const struct walk_step *list = steps;
	struct walk *w = ctx;
	unsigned int i;
	bool ok;

	if (!begin(w))
		return -1;
	for (i = 0; i < n; i++) {
		ok = run_step(w, &list[i]);
		if (w->trace)
			say_step(w, i, &list[i], ok);
		if (!ok)
			return i;
	}
	return -1;
}

/* Read all of the section, so that one step does what several did. */
static void read_all(struct walk *w, struct shorten *sh)
{
	__u64 start, sec = w->geom.region - w->geom.data;
	struct walk_step *s;
	unsigned int i;

	for (i = 0; i < sh->n && shorten_again(sh); i++) {
		s = shorten_copy(sh);
		s += i;
		start = s->kind == WALK_LOAD ? 0 : w->geom.data;
		if ((s->kind != WALK_READ && s->kind != WALK_LOAD) ||
		    s->off < start)
			continue;
		s->off = start;
		s->len = sec;
		shorten_keep(sh, sh->n);
	}
}

/*
 * Which stream has which number changes when others are left out: have all
 * steps that use @from use @to, from its begin on.
 */
static void use_stream(struct shorten *sh, unsigned int from, unsigned int to)
{
	struct walk_step *tried = shorten_copy(sh);
	unsigned int i, n = 0;

	for (i = 0; i < sh->n; i++) {
		if (tried[i].kind != WALK_POOL || tried[i].slot != from)
			continue;
		tried[i].slot = to;
		if (!n++)
			tried[i].val = 0;
	}
	if (n)
		shorten_keep(sh, sh->n);
}

/* Leave out what can be, and make it so that more can be. */
static void shorten(struct walk *w)
{
	static struct walk_step tried[WALK_EPISODE];
	struct shorten s = {
		.list = w->step,
		.n = w->nsteps,
		.size = sizeof(*tried),
		.tried = tried,
		.run = run_list,
		.ctx = w,
		.max_runs = MAX_RUNS,
	};
	unsigned int before, slot, to;

	do {
		shorten_leave_out(&s);
		before = s.n;
		read_all(w, &s);
		shorten_leave_out(&s);
		for (slot = 0; slot < WALK_SLOTS; slot++) {
			for (to = 0; to < slot; to++) {
				use_stream(&s, slot, to);
				shorten_leave_out(&s);
			}
			use_stream(&s, slot, WALK_SLOTS - 1);
			shorten_leave_out(&s);
		}
	} while (s.n < before && s.runs < MAX_RUNS);
	w->nsteps = s.n;
}

static void show_tail(struct walk *w)
{
	unsigned int i = 0;
	char text[128];

	w->config->log("it does not do so again; the last steps were:");
	if (w->nsteps > MAX_SHOWN)
		i = w->nsteps - MAX_SHOWN;
	for (; i < w->nsteps; i++) {
		step_text(&w->step[i], text, sizeof(text));
		w->config->log(text);
	}
}

static void say_where(struct walk *w, __u64 episode)
{
	char line[200];

	snprintf(line, sizeof(line),
		 "WALK_SEED=%#llx WALK_EPISODE=%llu: step %u differs: %s",
		 w->config->seed, episode, w->nsteps, w->why);
	w->config->log(line);
}

static void report(struct walk *w, __u64 episode)
{
	struct walk_result kept = *w->result;
	long last;

	say_where(w, episode);
	last = run_list(w, w->step, w->nsteps);
	kept.repeats = last >= 0;
	if (last < 0) {
		show_tail(w);
	} else {
		w->nsteps = last + 1;
		shorten(w);
		w->config->log("a, b: device and fd = result  [what the rules permit]");
		w->trace = true;
		run_list(w, w->step, w->nsteps);
		w->trace = false;
	}
	kept.minimal = w->nsteps;
	*w->result = kept;
}

static bool run_episode(struct walk *w, __u64 steps)
{
	struct walk_step *s;
	__u64 i;

	if (!begin(w)) {
		w->result->error = -EIO;
		return false;
	}
	walk_plan_begin(w);
	for (i = 0; i < steps; i++) {
		s = &w->step[i];
		w->nsteps = i + 1;
		walk_plan(w, s);
		w->result->steps++;
		if (!run_step(w, s)) {
			w->result->diverged = true;
			return false;
		}
	}
	return true;
}

/* --- The walk --------------------------------------------------------- */

static int stream_alloc(struct walk_stream *s)
{
	s->buf = malloc(WALK_STREAM);
	return s->buf ? 0 : -ENOMEM;
}

static int alloc(struct walk *w)
{
	int i, ret = 0;

	w->buf = malloc(read_limit(w));
	w->step = calloc(WALK_EPISODE, sizeof(*w->step));
	if (!w->buf || !w->step)
		return -ENOMEM;
	for (i = 0; i < WALK_DEVS && !ret; i++) {
		w->dev[i].nfds = 1;
		ret = oracle_init(&w->dev[i].o, &w->geom);
		if (!ret)
			ret = stream_alloc(&w->dev[i].cur);
	}
	for (i = 0; i < WALK_SLOTS && !ret; i++)
		ret = stream_alloc(&w->pool[i]);
	return ret ? ret : oracle_stream_init(&w->check, &w->geom);
}

static void release(struct walk *w)
{
	int i;

	for (i = 0; i < WALK_DEVS; i++) {
		w->ops->close(w->ctx, i);
		oracle_free(&w->dev[i].o);
		free(w->dev[i].cur.buf);
	}
	for (i = 0; i < WALK_SLOTS; i++)
		free(w->pool[i].buf);
	oracle_stream_free(&w->check);
	free(w->buf);
	free(w->step);
}

static void run_all(struct walk *w)
{
	const struct walk_config *c = w->config;
	__u64 episode = c->episode < 0 ? 0 : c->episode, seed;

	for (; w->result->steps < c->steps; episode++) {
		seed = c->seed + (c->salt << 32) + episode;
		w->x = walk_random(&seed);
		w->result->episodes++;
		if (!run_episode(w, least(WALK_EPISODE,
					  c->steps - w->result->steps))) {
			if (w->result->diverged)
				report(w, episode);
			return;
		}
		if (c->episode >= 0)
			return;
	}
}

void walk_run(const struct walk_ops *ops, void *ctx,
	      const struct oracle_geom *geom, const struct walk_config *config,
	      struct walk_result *result)
{
	struct walk *w = calloc(1, sizeof(*w));

	memset(result, 0, sizeof(*result));
	if (!w) {
		result->error = -ENOMEM;
		return;
	}
	w->ops = ops;
	w->ctx = ctx;
	w->geom = *geom;
	w->config = config;
	w->result = result;
	result->error = alloc(w);
	if (!result->error)
		run_all(w);
	release(w);
	free(w);
}
