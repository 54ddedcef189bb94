// SPDX-License-Identifier: GPL-2.0-only
/*
 * The "accel" device: command rings and a stamp job that move data between
 * guest memory and device memory, and a timer. The guest's view of it is
 * include/uapi/linux/mimic_accel.h.
 *
 *   accel.c		registers, start and stop, guest memory, saved state
 *   accel_ring.c	command rings
 *   accel_stamp.c	stamp job
 *   accel_clock.c	interrupts, tick counter and timer
 *
 * Rings and the stamp job are worked on by work items, because access to guest
 * memory needs a kernel thread and may sleep for as long as user space likes.
 * Stopping the device must not wait for that. Hence:
 *
 * - accel.lock is never held over mimic_dma_read(), mimic_dma_pin() or
 *   mimic_dma_unpin(). Whoever drops it for one of them notes the epoch of the
 *   ring or job before, and compares after: another epoch means stopped, reset,
 *   disabled or halted meanwhile, and what was read or pinned is given up.
 * - All that shows (bytes in guest or device memory, progress, completions and
 *   their interrupts) changes in one critical section of accel.lock, after the
 *   comparison. So stopping is: take the lock, change run and epochs, release.
 * - Progress is part of the saved state, in units of at most ACCEL_UNIT bytes.
 *   What was given up is done again from there, which cannot be told from
 *   having done it once.
 * - A work item looks at nothing but the current state, so that queueing it is
 *   always right and never lost: queued while it runs, it goes round again.
 *
 * Locks: vmig_device.lock, accel.lock, then vmig_mem.lock or accel.int_lock,
 * then mimic_irqs.lock inside accel.int_lock.
 */
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "accel.h"

/* --- Guest memory ------------------------------------------------------- */

/*
 * Read guest memory into a buffer that belongs to the work item. Drops
 * accel.lock. 0; -EFAULT if the memory cannot be reached; -ESTALE if the epoch
 * changed, and then the bytes mean nothing.
 */
int accel_guest_read(struct accel *a, u64 iova, void *buf, size_t len,
		     const u64 *epoch)
{
	u64 was = *epoch;
	int err;

	lockdep_assert_held(&a->lock);
	mutex_unlock(&a->lock);
	err = mimic_dma_read(a->v, iova, buf, len);
	mutex_lock(&a->lock);
	if (*epoch != was)
		return -ESTALE;
	return err ? -EFAULT : 0;
}

/* Drops accel.lock, as unpinning may wait for somebody else's page fault. */
void accel_guest_unpin(struct accel *a, struct mimic_pin *pin)
{
	lockdep_assert_held(&a->lock);
	mutex_unlock(&a->lock);
	mimic_dma_unpin(a->v, pin);
	mutex_lock(&a->lock);
}

/*
 * Pin guest memory within one page, to be written in the critical section that
 * the caller is in when this returns. Drops accel.lock. Returns as
 * accel_guest_read(); nothing stays pinned on failure.
 */
int accel_guest_pin(struct accel *a, u64 iova, size_t len,
		    struct mimic_pin *pin, const u64 *epoch)
{
	u64 was = *epoch;
	int err;

	lockdep_assert_held(&a->lock);
	mutex_unlock(&a->lock);
	err = mimic_dma_pin(a->v, iova, len, pin);
	mutex_lock(&a->lock);
	if (*epoch == was)
		return err ? -EFAULT : 0;
	if (!err)
		accel_guest_unpin(a, pin);
	return -ESTALE;
}

/* --- Registers ---------------------------------------------------------- */

/* The ring that @off belongs to, or NULL; *@reg becomes the offset in it. */
static struct accel_ring *accel_ring_at(struct accel *a, u32 off, u32 *reg)
{
	const u32 stride = MIMIC_ACCEL_RING(1) - MIMIC_ACCEL_RING(0);
	u32 index;

	if (off < MIMIC_ACCEL_RING(0) ||
	    off >= MIMIC_ACCEL_RING(MIMIC_ACCEL_NR_RINGS))
		return NULL;
	*reg = (off - MIMIC_ACCEL_RING(0)) % stride;
	index = (off - MIMIC_ACCEL_RING(0)) / stride;
	return &a->rings[array_index_nospec(index, MIMIC_ACCEL_NR_RINGS)];
}

static bool accel_int_trigger(struct accel *a, u32 causes)
{
	lockdep_assert_held(&a->lock);
	if (a->run == VMIG_RUN_NONE)
		return false;
	accel_int_occur(a, causes & MIMIC_ACCEL_INT_ALL);
	return true;
}

static u32 accel_tick_read_lo(struct accel *a)
{
	u64 us = accel_tick_us(a);

	a->tick_hi = upper_32_bits(us);
	return lower_32_bits(us);
}

static u32 accel_global_read(struct accel *a, u32 off)
{
	lockdep_assert_held(&a->lock);
	switch (off) {
	case MIMIC_ACCEL_ID:
		return MIMIC_ACCEL_ID_VALUE;
	case MIMIC_ACCEL_VERSION:
		return MIMIC_ACCEL_VERSION_VALUE;
	case MIMIC_ACCEL_CAPS:
		return MIMIC_ACCEL_NR_RINGS | MIMIC_ACCEL_NR_VECTORS << 8;
	case MIMIC_ACCEL_SCRATCH:
		return a->scratch;
	case MIMIC_ACCEL_INT_STATUS:
		return READ_ONCE(a->int_status);
	case MIMIC_ACCEL_INT_MASK:
		return READ_ONCE(a->int_mask);
	case MIMIC_ACCEL_MEM_SIZE_LO:
		return lower_32_bits(accel_mem_size(a));
	case MIMIC_ACCEL_MEM_SIZE_HI:
		return upper_32_bits(accel_mem_size(a));
	case MIMIC_ACCEL_TICK_LO:
		return accel_tick_read_lo(a);
	case MIMIC_ACCEL_TICK_HI:
		return a->tick_hi;
	case MIMIC_ACCEL_TIMER_PERIOD:
		return READ_ONCE(a->timer_period);
	case MIMIC_ACCEL_TIMER_COUNT:
		return READ_ONCE(a->timer_count);
	case MIMIC_ACCEL_IGNORED:
		return atomic_read(&a->ignored);
	default:
		return 0;
	}
}

static bool accel_global_write(struct accel *a, u32 off, u32 val)
{
	lockdep_assert_held(&a->lock);
	switch (off) {
	case MIMIC_ACCEL_SCRATCH:
		a->scratch = val;
		return true;
	case MIMIC_ACCEL_INT_STATUS:
		accel_int_set_status(a, val);
		return true;
	case MIMIC_ACCEL_INT_MASK:
		accel_int_set_mask(a, val);
		return true;
	case MIMIC_ACCEL_INT_TRIGGER:
		return accel_int_trigger(a, val);
	case MIMIC_ACCEL_TIMER_PERIOD:
		accel_timer_set(a, val);
		return true;
	default:
		return false;
	}
}

static u32 accel_read(struct mimic_vdev *v, u32 off)
{
	struct accel *a = v->priv;
	struct accel_ring *r;
	u32 reg, val;

	mutex_lock(&a->lock);
	r = accel_ring_at(a, off, &reg);
	if (r)
		val = accel_ring_read(r, reg);
	else if (off >= MIMIC_ACCEL_STAMP_CTRL)
		val = accel_stamp_read(&a->stamp, off);
	else
		val = accel_global_read(a, off);
	mutex_unlock(&a->lock);
	return val;
}

static void accel_ignored(struct mimic_vdev *v)
{
	struct accel *a = v->priv;

	atomic_inc(&a->ignored);
}

/* What no register takes counts as ignored, wherever the guest aimed it. */
static void accel_write(struct mimic_vdev *v, u32 off, u32 val)
{
	struct accel *a = v->priv;
	struct accel_ring *r;
	bool taken;
	u32 reg;

	mutex_lock(&a->lock);
	r = accel_ring_at(a, off, &reg);
	if (r)
		taken = accel_ring_write(r, reg, val);
	else if (off >= MIMIC_ACCEL_STAMP_CTRL)
		taken = accel_stamp_write(a, off, val);
	else
		taken = accel_global_write(a, off, val);
	mutex_unlock(&a->lock);
	if (!taken)
		accel_ignored(v);
}

/* --- Start, stop and reset ---------------------------------------------- */

/* Give up what is in progress; it is done again from where it was. */
static void accel_new_epoch(struct accel *a)
{
	int i;

	lockdep_assert_held(&a->lock);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		a->rings[i].epoch++;
	a->stamp.epoch++;
}

static void accel_kick_all(struct accel *a)
{
	int i;

	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		accel_ring_kick(&a->rings[i]);
	accel_stamp_kick(a);
}

/*
 * Whoever holds accel.lock has moved nothing by halves, so with the lock and
 * a new epoch all data transfer is drained. Waits for a unit at most.
 */
static void accel_set_run(struct mimic_vdev *v, enum vmig_run run)
{
	struct accel *a = v->priv;

	mutex_lock(&a->lock);
	accel_stamp_settle(a);
	accel_new_epoch(a);
	a->run = run;
	if (run == VMIG_RUN_NONE)
		accel_clock_stop(a);
	else
		accel_clock_start(a);
	if (run == VMIG_RUN_ALL)
		accel_kick_all(a);
	mutex_unlock(&a->lock);
}

static void accel_reset(struct mimic_vdev *v)
{
	struct accel *a = v->priv;
	int i;

	mutex_lock(&a->lock);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		accel_ring_reset(&a->rings[i]);
	accel_stamp_reset(&a->stamp);
	a->scratch = 0;
	a->tick_hi = 0;
	atomic_set(&a->ignored, 0);
	accel_clock_reset(a);
	mutex_unlock(&a->lock);
}

/* --- Save, check and load ----------------------------------------------- */

static void accel_save(struct mimic_vdev *v, void *buf)
{
	struct accel *a = v->priv;
	struct accel_state *s = buf;
	int i;

	mutex_lock(&a->lock);
	accel_clock_save(a, s);
	s->tick_hi = cpu_to_le32(a->tick_hi);
	s->scratch = cpu_to_le32(a->scratch);
	s->ignored = cpu_to_le32(atomic_read(&a->ignored));
	accel_stamp_save(&a->stamp, &s->stamp);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		accel_ring_save(&a->rings[i], &s->rings[i]);
	mutex_unlock(&a->lock);
}

static int accel_check(struct mimic_vdev *v, const void *buf)
{
	const struct accel *a = v->priv;
	const struct accel_state *s = buf;
	int i;

	if (memchr_inv(s->reserved, 0, sizeof(s->reserved)) ||
	    !accel_clock_state_ok(s) ||
	    !accel_stamp_state_ok(a, &s->stamp))
		return -EINVAL;
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		if (!accel_ring_state_ok(a, &s->rings[i]))
			return -EINVAL;
	return 0;
}

static void accel_load(struct mimic_vdev *v, const void *buf)
{
	struct accel *a = v->priv;
	const struct accel_state *s = buf;
	int i;

	mutex_lock(&a->lock);
	accel_clock_load(a, s);
	a->tick_hi = le32_to_cpu(s->tick_hi);
	a->scratch = le32_to_cpu(s->scratch);
	atomic_set(&a->ignored, le32_to_cpu(s->ignored));
	accel_stamp_load(&a->stamp, &s->stamp);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		accel_ring_load(&a->rings[i], &s->rings[i]);
	mutex_unlock(&a->lock);
}

/* --- Creation and removal ----------------------------------------------- */

static int accel_init(struct mimic_vdev *v)
{
	struct accel *a;
	int i;

	a = kvzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return -ENOMEM;
	/* A queue per device: one whose guest memory hangs delays no other. */
	a->wq = alloc_workqueue("mimic-accel", WQ_UNBOUND, 0);
	if (!a->wq) {
		kvfree(a);
		return -ENOMEM;
	}
	a->v = v;
	a->run = VMIG_RUN_NONE;
	mutex_init(&a->lock);
	accel_clock_init(a);
	accel_stamp_init(a);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		accel_ring_init(a, i);
	v->priv = a;
	return 0;
}

/* What is cancelled here is queued again when the device starts. */
static void accel_flush(struct mimic_vdev *v)
{
	struct accel *a = v->priv;
	int i;

	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++)
		cancel_delayed_work_sync(&a->rings[i].work);
	cancel_delayed_work_sync(&a->stamp.work);
}

static void accel_fini(struct mimic_vdev *v)
{
	struct accel *a = v->priv;

	accel_set_run(v, VMIG_RUN_NONE);
	accel_flush(v);
	destroy_workqueue(a->wq);
	v->priv = NULL;
	kvfree(a);
}

static const struct mimic_share accel_shares[] = {
	{ .suffix = "1", .parts = 1, .migratable = true },
	{ .suffix = "2", .parts = 2, .migratable = true },
	{ .suffix = "4", .parts = 4, .migratable = true },
	{ .suffix = "8", .parts = 8, .migratable = true },
	{ .suffix = "fixed", .parts = 8, .title = "cannot migrate" },
};

const struct mimic_model mimic_accel_model = {
	.name = "accel",
	.nr_shares = ARRAY_SIZE(accel_shares),
	.shares = accel_shares,
	.pci_device = MIMIC_ACCEL_PCI_DEVICE_ID,
	.pci_revision = MIMIC_ACCEL_VERSION_VALUE >> 16,
	.pci_class = 0x120000,	/* processing accelerator */
	.nr_vectors = MIMIC_ACCEL_NR_VECTORS,
	.regs_size = MIMIC_ACCEL_REGS_SIZE,
	.state_size = sizeof(struct accel_state),
	.nr_params = 1,
	.params = {
		{ .name = "rings", .value = MIMIC_ACCEL_NR_RINGS },
	},
	.init = accel_init,
	.fini = accel_fini,
	.set_run = accel_set_run,
	.flush = accel_flush,
	.reset = accel_reset,
	.read = accel_read,
	.write = accel_write,
	.ignored = accel_ignored,
	.save = accel_save,
	.check = accel_check,
	.load = accel_load,
};
