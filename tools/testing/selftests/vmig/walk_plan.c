// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a random walk does next: mostly what a client would, so that it gets
 * somewhere, and now and then anything else.
 *
 * Only this file throws dice. A step that it makes has all values in it.
 */
#include <string.h>

#include "walker.h"

/* splitmix64 */
__u64 walk_random(__u64 *x)
{
	__u64 z = *x += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* 0 to @n - 1; 0 if @n is 0 */
static __u64 below(struct walk *w, __u64 n)
{
	return n ? walk_random(&w->x) % n : 0;
}

static bool chance(struct walk *w, unsigned int percent)
{
	return below(w, 100) < percent;
}

static __u64 least(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static struct walk_dev *dev_of(struct walk *w, const struct walk_step *s)
{
	return &w->dev[s->dev];
}

static void set_read(struct walk_step *s, __u64 off, __u32 len)
{
	s->kind = WALK_READ;
	s->off = off;
	s->len = len;
}

static void set_write(struct walk_step *s, __u64 off, __u32 len, __u64 val)
{
	s->kind = WALK_WRITE;
	s->off = off;
	s->len = len;
	s->val = val;
}

static void set_state(struct walk_step *s, __u32 state)
{
	set_write(s, ORACLE_STATE, 4, state);
}

static bool can_map(struct walk *w, const struct walk_step *s)
{
	return !!w->ops->map(w->ctx, s->dev);
}

/* --- Touching --------------------------------------------------------- */

static void plan_touch(struct walk *w, struct walk_step *s)
{
	s->kind = WALK_TOUCH;
	s->off = below(w, WALK_VALUES - !w->bulk);
	if (s->off == WALK_BULK && !chance(w, 5))
		s->off = 0;
	s->val = chance(w, 80) ? 1 + below(w, 1u << 30) : 0;
}

/* --- Saving ----------------------------------------------------------- */

/* Fetch bytes of the segment that were not seen yet. */
static void plan_fetch(struct walk *w, struct walk_step *s)
{
	struct walk_dev *d = dev_of(w, s);
	__u64 left = d->o.len_max - d->o.seen;

	if (chance(w, 15))
		left = least(left, 1 + below(w, 16));
	else if (chance(w, 25))
		left = 1 + below(w, left);
	set_read(s, d->o.g.data + d->o.seen, left);
	if (chance(w, w->mapped)) {
		s->kind = WALK_LOAD;
		s->off = d->o.seen;
	}
}

static void plan_collect(struct walk *w, struct walk_step *s)
{
	struct walk_dev *d = dev_of(w, s);

	if (d->o.staged != ORACLE_STAGED && !d->o.pending_known &&
	    chance(w, 60))
		set_read(s, ORACLE_PENDING, 8);
	else if (d->o.staged != ORACLE_STAGED && chance(w, 70))
		set_read(s, ORACLE_OFFSET, 8);
	else if (!d->o.sized)
		set_read(s, ORACLE_SIZE, 8);
	else if (d->o.in_doubt && chance(w, 30))
		set_read(s, ORACLE_PENDING, 8);	/* it comes again */
	else if (!oracle_segment_seen(&d->o) &&
		 !(d->o.flags[d->o.seen] & ORACLE_F_OWN))
		plan_fetch(w, s);
	else
		set_read(s, ORACLE_PENDING, 8);
}

static bool drained(const struct oracle *o)
{
	return o->staged != ORACLE_STAGED && o->pending_known && !o->pending;
}

static void plan_precopy(struct walk *w, struct walk_step *s)
{
	struct walk_dev *d = dev_of(w, s);

	if (w->ops->touch && chance(w, 8))
		plan_touch(w, s);
	else if (d->o.staged == ORACLE_STAGED && chance(w, 8))
		set_state(s, ORACLE_SAVING);
	else if (drained(&d->o) || (d->v.noise && chance(w, 5)))
		set_state(s, ORACLE_SAVING);
	else
		plan_collect(w, s);
}

static void plan_saving(struct walk *w, struct walk_step *s)
{
	struct walk_dev *d = dev_of(w, s);

	if (drained(&d->o))
		set_state(s, chance(w, 60) ? ORACLE_RUNNING :
			     chance(w, 70) ? ORACLE_STOP : ORACLE_RESUMING);
	else
		plan_collect(w, s);
}

/* --- Resuming --------------------------------------------------------- */

static void start_job(struct walk *w, struct walk_job *job)
{
	unsigned int slot = below(w, WALK_SLOTS);

	memset(job, 0, sizeof(*job));
	job->active = true;
	job->flip = -1;
	job->part = 1;
	job->slot[0] = slot;
	job->mode = below(w, 4);
	if (!w->pool[slot].len)
		job->part = 0;
	if (chance(w, 20)) {	/* a part of one session, then another one */
		job->slot[1] = WALK_SLOTS - 1;
		job->part = 2;
	}
	if (chance(w, 15))
		job->cut = 1 + below(w, w->pool[slot].len);
	if (chance(w, 15))
		job->flip = below(w, w->pool[slot].len);
}

void walk_plan_drained(struct walk *w, int dev, unsigned int slot)
{
	struct walk_job *job;

	if (!chance(w, 60))
		return;
	dev = chance(w, 80) ? !dev : dev;
	job = &w->dev[dev].job;
	memset(job, 0, sizeof(*job));
	job->active = true;
	job->verify = true;
	job->flip = -1;
	job->part = 1;
	job->slot[0] = slot;
	job->mode = below(w, 4);
}

static size_t segment_size(struct walk *w, const struct walk_job *job,
			   size_t left, size_t section)
{
	if (job->mode == 1)
		left = 1 + below(w, left);
	else if (job->mode == 2 && job->pos < 512)
		left = least(left, 1 + below(w, 64));
	else if (job->mode == 3)
		left = least(left, 4096);
	return least(left, section);
}

/* How much of the part is left? */
static size_t left_of(const struct walk *w, const struct walk_job *job)
{
	size_t len = w->pool[job->slot[job->part - 1]].len;

	if (job->part == 1)
		len -= least(len, job->cut);
	return len > job->pos ? len - job->pos : 0;
}

static void plan_piece(struct walk *w, struct walk_step *s)
{
	struct walk_job *job = &dev_of(w, s)->job;
	size_t n = job->size - job->done;

	if (chance(w, 20))
		n = 1 + below(w, n);
	s->kind = WALK_POOL;
	s->slot = job->slot[job->part - 1];
	s->off = job->done;
	s->len = n;
	s->val = job->pos + job->done;
	s->mapped = chance(w, w->mapped);
	if (job->part == 1 && job->flip >= 0 &&
	    s->val <= (size_t)job->flip && (size_t)job->flip < s->val + n) {
		/* The byte in the middle has to be that one. */
		s->len = (job->flip - s->val) * 2 + 1 <= n ?
			 (job->flip - s->val) * 2 + 1 : n;
		s->flip = 1u << below(w, 8);
	}
	job->done += s->len;
}

static void plan_resuming(struct walk *w, struct walk_step *s)
{
	struct walk_dev *d = dev_of(w, s);
	struct walk_job *job = &d->job;
	size_t left;

	if (!job->active) {
		if (chance(w, 50)) {
			s->kind = WALK_RESET;
			return;
		}
		start_job(w, job);
	}
	while (job->part && !job->size) {
		left = left_of(w, job);
		if (left) {
			job->size = segment_size(w, job, left,
						 oracle_section(&d->o));
			job->done = 0;
			if (chance(w, 30)) {
				set_read(s, ORACLE_OFFSET, 8);
				return;
			}
			break;
		}
		job->part--;
		job->pos = 0;
	}
	if (!job->part) {
		job->active = false;
		set_state(s, chance(w, 60) ? ORACLE_RUNNING : below(w, 4));
	} else if (job->done < job->size) {
		plan_piece(w, s);
	} else {
		set_write(s, ORACLE_SIZE, 8, job->size);
		job->pos += job->size;
		job->size = 0;
	}
}

/* --- A client --------------------------------------------------------- */

static void plan_session(struct walk *w, struct walk_step *s)
{
	unsigned int dice = below(w, 100);

	if (dice < 50)
		set_state(s, ORACLE_PRECOPY);
	else if (dice < 70)
		set_state(s, ORACLE_SAVING);
	else if (dice < 80)
		set_state(s, dev_of(w, s)->o.state == ORACLE_STOP);
	else
		set_state(s, ORACLE_RESUMING);
}

static void plan_client(struct walk *w, struct walk_step *s)
{
	struct walk_dev *d = dev_of(w, s);
	__u32 state = d->o.state;

	if (d->check_due && state != ORACLE_RESUMING && chance(w, 80))
		s->kind = WALK_CHECK;
	else if (state == ORACLE_ERROR)
		s->kind = WALK_RESET;
	else if (state == ORACLE_RESUMING)
		plan_resuming(w, s);
	else if (d->job.active)
		set_state(s, ORACLE_RESUMING);
	else if (state == ORACLE_PRECOPY)
		plan_precopy(w, s);
	else if (state == ORACLE_SAVING)
		plan_saving(w, s);
	else if (w->ops->touch && state == ORACLE_RUNNING && chance(w, 60))
		plan_touch(w, s);
	else
		plan_session(w, s);
}

/* --- Anything --------------------------------------------------------- */

static void plan_field(struct walk *w, struct walk_step *s)
{
	static const __u8 off[] = { ORACLE_STATE, ORACLE_RESERVED,
		ORACLE_PENDING, ORACLE_OFFSET, ORACLE_SIZE, ORACLE_OFFSET };
	unsigned int i = below(w, sizeof(off));

	set_read(s, off[i], i < 2 ? 4 : 8);
}

static void plan_header(struct walk *w, struct walk_step *s)
{
	__u64 off = below(w, 40), len = below(w, 41);

	if (chance(w, 10))
		off = dev_of(w, s)->o.g.data - 1 - below(w, 16);
	if (chance(w, 50))
		set_read(s, off, len);
	else
		set_write(s, off, len, below(w, 5));
	/* A legal commit here would be the end of most resumes. */
	if (s->kind == WALK_WRITE && off == ORACLE_SIZE && len == 8)
		s->len = 7;
}

static void plan_readonly(struct walk *w, struct walk_step *s)
{
	__u64 sec = oracle_section(&dev_of(w, s)->o);
	const __u64 values[] = { 0, 1, 24, sec, sec + 1, ~0ull, 1ull << 63 };
	bool commit = chance(w, 30);

	set_write(s, commit ? ORACLE_SIZE : chance(w, 50) ? ORACLE_PENDING :
		  ORACLE_OFFSET, 8, values[below(w, 7)]);
}

/* Where in the section, with a liking for its ends and the segment's. */
static __u64 place(struct walk *w, const struct walk_dev *d)
{
	__u64 sec = oracle_section(&d->o), len = d->o.len_max;

	switch (below(w, 6)) {
	case 0:
		return 0;
	case 1:
		return sec - 1 - below(w, 16);
	case 2:
	case 3:
		if (d->o.staged == ORACLE_STAGED)
			return least(len - least(len, 8) + below(w, 16),
				     sec - 1);
		return below(w, 4096);
	case 4:
		return below(w, len ? len : 4096);
	default:
		return below(w, sec);
	}
}

static __u32 width(struct walk *w)
{
	switch (below(w, 8)) {
	case 0:
		return 1;
	case 1:
		return 3;
	case 2:
		return 4;
	case 3:
		return below(w, 64);
	case 4:
		return below(w, 8192);
	default:
		return 8;
	}
}

static void plan_data(struct walk *w, struct walk_step *s, bool write)
{
	struct walk_dev *d = dev_of(w, s);
	__u64 at = place(w, d) + d->o.g.data;

	if (chance(w, 3))
		at = d->o.g.region + below(w, 4096);
	if (write)
		set_write(s, at, width(w), walk_random(&w->x));
	else
		set_read(s, at, width(w));
}

static void plan_map(struct walk *w, struct walk_step *s)
{
	struct walk_dev *d = dev_of(w, s);

	if (!can_map(w, s)) {
		plan_data(w, s, false);
		return;
	}
	s->kind = chance(w, 90) ? WALK_LOAD : WALK_STORE;
	s->off = place(w, d);
	s->len = least(width(w), oracle_section(&d->o) - s->off);
	s->val = walk_random(&w->x);
}

static void plan_state(struct walk *w, struct walk_step *s)
{
	if (chance(w, 60))
		set_state(s, below(w, 5));
	else if (chance(w, 50))
		set_state(s, dev_of(w, s)->o.state);
	else if (chance(w, 50))
		set_state(s, 5 + below(w, 3));
	else
		set_state(s, below(w, 8) | 1u << (3 + below(w, 29)));
}

static void plan_fault(struct walk *w, struct walk_step *s)
{
	plan_field(w, s);
	s->kind = WALK_READ_FAULT;
	if (chance(w, 40)) {
		s->kind = WALK_WRITE_FAULT;
		s->off = chance(w, 50) ? ORACLE_STATE : ORACLE_SIZE;
		s->len = s->off ? 8 : 4;
	} else if (chance(w, 30)) {
		plan_data(w, s, false);
		s->kind = WALK_READ_FAULT;
	}
}

static void plan_fds(struct walk *w, struct walk_step *s)
{
	static const __u8 kinds[] = { WALK_FD_ADD, WALK_FD_DUP, WALK_FD_DEL,
		WALK_FD_DEL, WALK_FD_ADD, WALK_PIN };

	if (!w->config->many_fds) {
		plan_field(w, s);
		return;
	}
	s->kind = kinds[below(w, sizeof(kinds))];
}

static void plan_rare(struct walk *w, struct walk_step *s)
{
	unsigned int dice = below(w, 100);

	s->val = chance(w, 40);		/* noise: on or off */
	if (dice < 25)
		s->kind = WALK_RESET;
	else if (dice < 30)
		s->kind = WALK_REOPEN;
	else if (dice < 40 && w->ops->fail)
		s->kind = WALK_FAIL;
	else if (dice < 65 && w->ops->noise)
		s->kind = WALK_NOISE;
	else if (dice < 75)
		s->kind = WALK_CHECK;
	else if (dice < 90 && w->ops->touch)
		plan_touch(w, s);
	else
		plan_readonly(w, s);
}

static void plan_anything(struct walk *w, struct walk_step *s)
{
	unsigned int dice = below(w, 100);

	if (dice < 30)
		plan_field(w, s);
	else if (dice < 55)
		plan_header(w, s);
	else if (dice < 67)
		plan_data(w, s, false);
	else if (dice < 75)
		plan_map(w, s);
	else if (dice < 80)
		plan_data(w, s, dev_of(w, s)->o.state != ORACLE_RESUMING ||
			  chance(w, 10));
	else if (dice < 86)
		plan_state(w, s);
	else if (dice < 92)
		plan_fault(w, s);
	else if (dice < 96)
		plan_fds(w, s);
	else
		plan_rare(w, s);
}

/*
 * What must not disturb a client: most of a walk, since it costs a device
 * little, and changes nothing if the device is right.
 */
static void plan_probe(struct walk *w, struct walk_step *s)
{
	struct walk_dev *d = dev_of(w, s);
	bool resuming = d->o.state == ORACLE_RESUMING;
	unsigned int dice = below(w, 100);

	if (dice < 35)
		plan_field(w, s);
	else if (dice < 60)
		plan_header(w, s);
	else if (dice < 75)
		plan_data(w, s, false);
	else if (dice < 82)
		plan_data(w, s, !resuming);
	else if (dice < 88)
		plan_fault(w, s);
	else if (dice < 92)
		set_state(s, 5 + walk_random(&w->x) % (1u << 31));
	else if (dice < 95)
		set_state(s, d->o.state);
	else if (dice < 98)
		set_write(s, ORACLE_RESERVED, 4, walk_random(&w->x));
	else if (!resuming)
		plan_readonly(w, s);
	else
		set_write(s, ORACLE_PENDING, 8, below(w, 4096));
	/* These would be more than that. */
	if (s->len == 4 && s->kind == WALK_WRITE && s->off == ORACLE_STATE &&
	    s->val <= ORACLE_RESUMING)
		s->val = d->o.state;
	if (s->kind == WALK_READ && s->off == ORACLE_PENDING && s->len == 8 &&
	    oracle_will_ack(&d->o))
		s->off = ORACLE_SIZE;
}

void walk_plan_begin(struct walk *w)
{
	w->probes = 70 + below(w, 25);
	w->wild = chance(w, 70) ? 45 + below(w, 30) : 75 + below(w, 25);
	w->mapped = w->ops->map(w->ctx, 0) ? below(w, 101) : 0;
	w->bulk = chance(w, 10);
}

void walk_plan(struct walk *w, struct walk_step *s)
{
	bool resuming = w->dev[1].job.active ||
			w->dev[1].o.state == ORACLE_RESUMING;

	memset(s, 0, sizeof(*s));
	s->dev = chance(w, resuming ? 50 : 30);
	if (w->config->many_fds)
		s->fd = below(w, WALK_FDS);
	if (chance(w, w->probes))
		plan_probe(w, s);
	else if (chance(w, w->wild))
		plan_anything(w, s);
	else
		plan_client(w, s);
}
