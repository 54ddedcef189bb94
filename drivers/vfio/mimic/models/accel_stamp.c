// SPDX-License-Identifier: GPL-2.0-only
/*
 * accel: the stamp job.
 *
 * A stamp is written to both targets in one critical section of accel.lock
 * (see accel.c) or not at all. What a stamp holds follows from its number, so
 * that one that was given up is made again.
 */
#include <linux/crc32c.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "accel.h"

#define ACCEL_MAX_RATE		1000000
/* Stamps are written in batches, this far apart. */
#define ACCEL_STAMP_BATCH_MS	5
#define ACCEL_STAMP_FACTOR	0x9e3779b97f4a7c15ULL

static bool accel_stamp_params_ok(const struct accel *a, u64 dev, u32 dev_pages,
				  u64 guest, u32 guest_pages, u32 rate)
{
	u64 dev_len = (u64)dev_pages * MIMIC_ACCEL_PAGE_SIZE;
	u64 guest_len = (u64)guest_pages * MIMIC_ACCEL_PAGE_SIZE;
	u64 size = accel_mem_size(a);
	u64 last;

	return rate && rate <= ACCEL_MAX_RATE &&
	       IS_ALIGNED(dev, MIMIC_ACCEL_PAGE_SIZE) &&
	       IS_ALIGNED(guest, MIMIC_ACCEL_PAGE_SIZE) &&
	       dev_len <= size && dev <= size - dev_len &&
	       (!guest_len || !check_add_overflow(guest, guest_len - 1, &last));
}

/*
 * The most that can be due: a tenth of a second's stamps, or one. A host that
 * is slower than RATE falls behind instead of owing more and more.
 */
static u64 accel_stamp_max_credit(u32 rate)
{
	return max_t(u64, (u64)rate * (NSEC_PER_SEC / 10), NSEC_PER_SEC);
}

static bool accel_stamp_can_run(const struct accel *a)
{
	return a->run == VMIG_RUN_ALL && a->stamp.running;
}

static void accel_stamp_account(struct accel_stamp *st)
{
	u64 now = ktime_get_ns();
	u64 ns = min_t(u64, now - st->last_ns, 2 * NSEC_PER_SEC);

	st->last_ns = now;
	st->credit = min(st->credit + ns * st->rate,
			 accel_stamp_max_credit(st->rate));
}

/* What the device may do changes: the time up to now counts as it was. */
void accel_stamp_settle(struct accel *a)
{
	if (accel_stamp_can_run(a))
		accel_stamp_account(&a->stamp);
}

/* To the next stamp, but not less than a batch. */
static unsigned long accel_stamp_delay(const struct accel_stamp *st)
{
	u64 ns = 0;

	if (st->credit < NSEC_PER_SEC)
		ns = div_u64(NSEC_PER_SEC - st->credit, st->rate);
	return max(nsecs_to_jiffies(ns) + 1,
		   msecs_to_jiffies(ACCEL_STAMP_BATCH_MS));
}

void accel_stamp_kick(struct accel *a)
{
	lockdep_assert_held(&a->lock);
	a->stamp.last_ns = ktime_get_ns();
	mod_delayed_work(a->wq, &a->stamp.work, 0);
}

static void accel_stamp_stop(struct accel_stamp *st)
{
	st->epoch++;
	st->running = false;
	st->credit = 0;
}

static void accel_stamp_fail(struct accel *a, u32 status)
{
	accel_stamp_stop(&a->stamp);
	a->stamp.status = status;
	accel_int_occur(a, MIMIC_ACCEL_INT_STAMP);
}

/*
 * Make the page of the next stamp for one target, a range of @pages pages at
 * @base. Returns where it goes.
 */
static u64 accel_stamp_make(struct accel_stamp *st, u32 where, u64 base,
			    u32 pages)
{
	struct mimic_accel_stamp *page = &st->pages[where];
	u64 seq = st->seq + 1;
	u64 addr, word;
	u32 index, crc;
	int i;

	div_u64_rem(seq - 1, pages, &index);
	addr = base + (u64)index * MIMIC_ACCEL_PAGE_SIZE;
	word = seq * ACCEL_STAMP_FACTOR + addr;

	page->magic = cpu_to_le64(MIMIC_ACCEL_STAMP_MAGIC);
	page->where = cpu_to_le32(where);
	page->page = cpu_to_le32(index);
	page->seq = cpu_to_le64(seq);
	page->addr = cpu_to_le64(addr);
	for (i = 0; i < ARRAY_SIZE(page->fill); i++)
		page->fill[i] = cpu_to_le64(word + i);
	crc = ~crc32c(~0, page, offsetof(struct mimic_accel_stamp, crc));
	page->crc = cpu_to_le32(crc);
	page->crc_inv = cpu_to_le32(~crc);
	return addr;
}

/*
 * Both pages are written in one critical section, so that a stamp is either
 * written or not when the device stops. Device memory goes first, since this
 * is what can fail. -EAGAIN if it is frozen, else 0.
 */
static int accel_stamp_put(struct accel *a, u64 dev_addr, struct mimic_pin *pin)
{
	struct accel_stamp *st = &a->stamp;
	int err = 0;

	lockdep_assert_held(&a->lock);
	if (st->dev_pages)
		err = vmig_mem_write(&a->v->mem, dev_addr,
				     &st->pages[MIMIC_ACCEL_STAMP_IN_DEVICE],
				     MIMIC_ACCEL_PAGE_SIZE);
	if (err == -EIO)
		return -EAGAIN;
	if (err) {
		accel_stamp_fail(a, accel_mem_status(err));
		return 0;
	}
	if (st->guest_pages)
		mimic_dma_copy(pin, 0, &st->pages[MIMIC_ACCEL_STAMP_IN_GUEST],
			       MIMIC_ACCEL_PAGE_SIZE);
	st->seq++;
	st->credit -= NSEC_PER_SEC;
	return 0;
}

/* Write the next stamp. The epoch covers RUN, and so the parameters, and SEQ. */
static int accel_stamp_step(struct accel *a)
{
	struct accel_stamp *st = &a->stamp;
	bool to_guest = st->guest_pages;
	u64 dev_addr = 0, guest_addr;
	struct mimic_pin pin;
	int err;

	if (st->dev_pages)
		dev_addr = accel_stamp_make(st, MIMIC_ACCEL_STAMP_IN_DEVICE,
					    st->dev, st->dev_pages);
	if (to_guest) {
		guest_addr = accel_stamp_make(st, MIMIC_ACCEL_STAMP_IN_GUEST,
					      st->guest, st->guest_pages);
		err = accel_guest_pin(a, guest_addr, MIMIC_ACCEL_PAGE_SIZE, &pin,
				      &st->epoch);
		if (err == -ESTALE)
			return 0;
		if (err) {
			accel_stamp_fail(a, MIMIC_ACCEL_CPL_DMA_FAULT);
			return 0;
		}
	}
	err = accel_stamp_put(a, dev_addr, &pin);
	if (to_guest)
		accel_guest_unpin(a, &pin);
	return err;
}

static void accel_stamp_work(struct work_struct *work)
{
	struct accel *a = container_of(to_delayed_work(work), struct accel,
				       stamp.work);
	struct accel_stamp *st = &a->stamp;

	mutex_lock(&a->lock);
	accel_stamp_settle(a);
	while (accel_stamp_can_run(a) && st->credit >= NSEC_PER_SEC) {
		if (accel_stamp_step(a))
			break;
		mutex_unlock(&a->lock);
		cond_resched();
		mutex_lock(&a->lock);
	}
	if (accel_stamp_can_run(a))
		queue_delayed_work(a->wq, &st->work, accel_stamp_delay(st));
	mutex_unlock(&a->lock);
}

/* --- Registers ---------------------------------------------------------- */

/* As with rings, a stopped device lets the job be ended but not begun. */
static bool accel_stamp_set_ctrl(struct accel *a, u32 val)
{
	struct accel_stamp *st = &a->stamp;
	bool run = val & MIMIC_ACCEL_STAMP_CTRL_RUN;

	if (run == st->running)
		return true;
	if (!run) {
		accel_stamp_stop(st);
		return true;
	}
	if (a->run == VMIG_RUN_NONE ||
	    !accel_stamp_params_ok(a, st->dev, st->dev_pages, st->guest,
				   st->guest_pages, st->rate))
		return false;
	st->epoch++;
	st->running = true;
	st->status = MIMIC_ACCEL_CPL_OK;
	if (!(val & MIMIC_ACCEL_STAMP_CTRL_KEEP))
		st->seq = 0;
	accel_stamp_kick(a);
	return true;
}

u32 accel_stamp_read(struct accel_stamp *st, u32 off)
{
	switch (off) {
	case MIMIC_ACCEL_STAMP_CTRL:
		return st->running ? MIMIC_ACCEL_STAMP_CTRL_RUN : 0;
	case MIMIC_ACCEL_STAMP_RATE:
		return st->rate;
	case MIMIC_ACCEL_STAMP_DEV_LO:
		return lower_32_bits(st->dev);
	case MIMIC_ACCEL_STAMP_DEV_HI:
		return upper_32_bits(st->dev);
	case MIMIC_ACCEL_STAMP_DEV_PAGES:
		return st->dev_pages;
	case MIMIC_ACCEL_STAMP_GUEST_PAGES:
		return st->guest_pages;
	case MIMIC_ACCEL_STAMP_GUEST_LO:
		return lower_32_bits(st->guest);
	case MIMIC_ACCEL_STAMP_GUEST_HI:
		return upper_32_bits(st->guest);
	case MIMIC_ACCEL_STAMP_SEQ_LO:
		st->seq_hi = upper_32_bits(st->seq);
		return lower_32_bits(st->seq);
	case MIMIC_ACCEL_STAMP_SEQ_HI:
		return st->seq_hi;
	case MIMIC_ACCEL_STAMP_STATUS:
		return st->status;
	default:
		return 0;
	}
}

bool accel_stamp_write(struct accel *a, u32 off, u32 val)
{
	struct accel_stamp *st = &a->stamp;

	lockdep_assert_held(&a->lock);
	if (off == MIMIC_ACCEL_STAMP_CTRL)
		return accel_stamp_set_ctrl(a, val);
	if (st->running)
		return false;
	switch (off) {
	case MIMIC_ACCEL_STAMP_RATE:
		st->rate = val;
		return true;
	case MIMIC_ACCEL_STAMP_DEV_LO:
		accel_set_lo(&st->dev, val);
		return true;
	case MIMIC_ACCEL_STAMP_DEV_HI:
		accel_set_hi(&st->dev, val);
		return true;
	case MIMIC_ACCEL_STAMP_DEV_PAGES:
		st->dev_pages = val;
		return true;
	case MIMIC_ACCEL_STAMP_GUEST_PAGES:
		st->guest_pages = val;
		return true;
	case MIMIC_ACCEL_STAMP_GUEST_LO:
		accel_set_lo(&st->guest, val);
		return true;
	case MIMIC_ACCEL_STAMP_GUEST_HI:
		accel_set_hi(&st->guest, val);
		return true;
	default:
		return false;
	}
}

/* --- Reset, save, check and load ---------------------------------------- */

void accel_stamp_reset(struct accel_stamp *st)
{
	accel_stamp_stop(st);
	st->dev = 0;
	st->guest = 0;
	st->dev_pages = 0;
	st->guest_pages = 0;
	st->rate = 0;
	st->seq = 0;
	st->seq_hi = 0;
	st->status = MIMIC_ACCEL_CPL_OK;
}

void accel_stamp_save(const struct accel_stamp *st,
		      struct accel_state_stamp *s)
{
	s->dev = cpu_to_le64(st->dev);
	s->guest = cpu_to_le64(st->guest);
	s->seq = cpu_to_le64(st->seq);
	s->credit = cpu_to_le64(st->credit);
	s->dev_pages = cpu_to_le32(st->dev_pages);
	s->guest_pages = cpu_to_le32(st->guest_pages);
	s->rate = cpu_to_le32(st->rate);
	s->flags = cpu_to_le32(st->running ? ACCEL_STATE_STAMP_RUN : 0);
	s->seq_hi = cpu_to_le32(st->seq_hi);
	s->status = cpu_to_le32(st->status);
}

bool accel_stamp_state_ok(const struct accel *a,
			  const struct accel_state_stamp *s)
{
	u32 status = le32_to_cpu(s->status);
	u32 flags = le32_to_cpu(s->flags);
	u32 rate = le32_to_cpu(s->rate);

	if (!flags)
		return !s->credit && status <= MIMIC_ACCEL_CPL_NO_MEMORY;
	return flags == ACCEL_STATE_STAMP_RUN && !status &&
	       accel_stamp_params_ok(a, le64_to_cpu(s->dev),
				     le32_to_cpu(s->dev_pages),
				     le64_to_cpu(s->guest),
				     le32_to_cpu(s->guest_pages), rate) &&
	       le64_to_cpu(s->credit) <= accel_stamp_max_credit(rate);
}

void accel_stamp_load(struct accel_stamp *st,
		      const struct accel_state_stamp *s)
{
	st->epoch++;
	st->dev = le64_to_cpu(s->dev);
	st->guest = le64_to_cpu(s->guest);
	st->seq = le64_to_cpu(s->seq);
	st->credit = le64_to_cpu(s->credit);
	st->dev_pages = le32_to_cpu(s->dev_pages);
	st->guest_pages = le32_to_cpu(s->guest_pages);
	st->rate = le32_to_cpu(s->rate);
	st->running = le32_to_cpu(s->flags) & ACCEL_STATE_STAMP_RUN;
	st->seq_hi = le32_to_cpu(s->seq_hi);
	st->status = le32_to_cpu(s->status);
}

void accel_stamp_init(struct accel *a)
{
	INIT_DELAYED_WORK(&a->stamp.work, accel_stamp_work);
}
