// SPDX-License-Identifier: GPL-2.0-only
/*
 * The "probe" device, for tests of migration: some registers, and a state of any
 * size that a register changes. What a guest sees of it is in
 * include/uapi/linux/mimic_probe.h.
 *
 * Nothing in it runs by itself, apart from the tick counter, which is arithmetic.
 * So it is stopped as soon as probe.run says so: all that changes its state looks
 * at that under probe.lock, and holds the lock for few units at a time.
 *
 * Locks: vmig_device.lock, probe.lock, then vmig_mem.lock or mimic_irqs.lock.
 */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <uapi/linux/mimic_probe.h>

#include "../mimic.h"

/* Units that are filled in one go. */
#define PROBE_BATCH	64

/**
 * struct probe - a device
 * @v: the instance
 * @lock: protects all members below
 * @run: what the device may do
 * @epoch: changes with @run; a command that sees another one leaves off
 * @since: time at which it was last allowed to run; valid while it is
 * @tick: microseconds that it ran before that
 * @tick_hi: latched upper half of the counter
 * @scratch: register
 * @ignored: register
 * @first: register
 * @count: register
 * @value: register pair
 * @status: register
 * @int_status: register
 * @unit: a unit's content on its way
 */
struct probe {
	struct mimic_vdev *v;
	struct mutex lock; /* protects all of the below */
	enum vmig_run run;
	u64 epoch;
	ktime_t since;
	u64 tick;
	u32 tick_hi;
	u32 scratch;
	u32 ignored;
	u32 first;
	u32 count;
	u64 value;
	u32 status;
	u32 int_status;
	__le64 unit[MIMIC_PROBE_UNIT / sizeof(__le64)];
};

static_assert(MIMIC_PROBE_UNIT == VMIG_CHUNK_SIZE);

/* The registers as they are in a stream, see stream-format.rst. */
struct probe_state {
	__le64 tick;
	__le64 value;
	__le32 tick_hi;
	__le32 scratch;
	__le32 ignored;
	__le32 first;
	__le32 count;
	__le32 status;
	__le32 int_status;
	__le32 reserved;
};

static_assert(sizeof(struct probe_state) == 48);

/* --- Tick counter ------------------------------------------------------- */

static u64 probe_tick(const struct probe *p)
{
	lockdep_assert_held(&p->lock);
	if (p->run == VMIG_RUN_NONE)
		return p->tick;
	return p->tick + ktime_us_delta(ktime_get(), p->since);
}

static u32 probe_tick_read_lo(struct probe *p)
{
	u64 tick = probe_tick(p);

	p->tick_hi = upper_32_bits(tick);
	return lower_32_bits(tick);
}

/* --- Units -------------------------------------------------------------- */

/* Bytes of a unit; the unit must exist. */
static u32 probe_unit_len(const struct probe *p, u64 index)
{
	return min_t(u64, p->v->mem.size - index * MIMIC_PROBE_UNIT,
		     MIMIC_PROBE_UNIT);
}

/**
 * struct probe_job - a FILL, as it was when it was asked for
 * @first: first unit
 * @count: units
 * @done: those that are filled
 * @value: number
 */
struct probe_job {
	u64 first;
	u32 count;
	u32 done;
	u64 value;
};

static int probe_fill_unit(struct probe *p, const struct probe_job *job)
{
	u64 index = job->first + job->done;
	struct vmig_mem *mem = &p->v->mem;

	lockdep_assert_held(&p->lock);
	if (!job->value)
		return vmig_mem_punch(mem, index);
	if (mem->uniform)
		return vmig_mem_fill(mem, index, job->value);
	return vmig_mem_write(mem, index * MIMIC_PROBE_UNIT, p->unit,
			      probe_unit_len(p, index));
}

/* Some units more. Returns 0, or a negative errno. */
static int probe_fill_batch(struct probe *p, struct probe_job *job)
{
	u32 end = job->done + min_t(u32, job->count - job->done, PROBE_BATCH);
	int ret = 0;

	lockdep_assert_held(&p->lock);
	memset64((u64 *)p->unit, (__force u64)cpu_to_le64(job->value),
		 ARRAY_SIZE(p->unit));
	while (job->done < end && !ret) {
		ret = probe_fill_unit(p, job);
		job->done += !ret;
	}
	return ret;
}

/*
 * In pieces, between which the device may be stopped or reset. If it is, what was
 * written until then is saved, and that the command is not done; see BUSY.
 */
static void probe_fill_all(struct probe *p, struct probe_job *job)
{
	u64 epoch = p->epoch;
	int ret;

	lockdep_assert_held(&p->lock);
	while (job->done < job->count) {
		ret = probe_fill_batch(p, job);
		if (ret) {
			p->status = MIMIC_PROBE_NO_MEMORY;
			return;
		}
		mutex_unlock(&p->lock);
		cond_resched();
		mutex_lock(&p->lock);
		if (p->epoch != epoch)
			return;
	}
	p->status = MIMIC_PROBE_OK;
}

static bool probe_fill(struct probe *p)
{
	struct probe_job job = {
		.first = p->first, .count = p->count, .value = p->value,
	};

	lockdep_assert_held(&p->lock);
	if (p->run == VMIG_RUN_NONE)
		return false;
	if (job.first + job.count > p->v->mem.nr_chunks || job.value > LONG_MAX) {
		p->status = MIMIC_PROBE_BAD;
		return true;
	}
	p->status = MIMIC_PROBE_BUSY;
	probe_fill_all(p, &job);
	return true;
}

static void probe_read_unit(struct probe *p)
{
	u32 len, i;

	lockdep_assert_held(&p->lock);
	p->status = MIMIC_PROBE_BAD;
	if (p->first >= p->v->mem.nr_chunks)
		return;
	len = probe_unit_len(p, p->first);
	p->unit[0] = 0;
	if (vmig_mem_read(&p->v->mem, (u64)p->first * MIMIC_PROBE_UNIT, p->unit,
			  len))
		return;
	p->status = MIMIC_PROBE_OK;
	for (i = sizeof(p->unit[0]); i < len; i++)
		if (((u8 *)p->unit)[i] != ((u8 *)p->unit)[i % 8])
			p->status = MIMIC_PROBE_MIXED;
	p->value = le64_to_cpu(p->unit[0]);
}

static bool probe_command(struct probe *p, u32 command)
{
	switch (command) {
	case MIMIC_PROBE_FILL:
		return probe_fill(p);
	case MIMIC_PROBE_READ:
		probe_read_unit(p);
		return true;
	default:
		p->status = MIMIC_PROBE_BAD;
		return true;
	}
}

/* --- Interrupt ---------------------------------------------------------- */

static void probe_set_int_status(struct probe *p, u32 val)
{
	lockdep_assert_held(&p->lock);
	p->int_status = val;
	mimic_irq_set_level(p->v, val);
}

static bool probe_trigger(struct probe *p)
{
	if (p->run == VMIG_RUN_NONE)
		return false;
	probe_set_int_status(p, 1);
	mimic_irq_raise(p->v, 0);
	return true;
}

/* --- Registers ---------------------------------------------------------- */

static u32 probe_reg_read(struct probe *p, u32 off)
{
	switch (off) {
	case MIMIC_PROBE_ID:
		return MIMIC_PROBE_ID_VALUE;
	case MIMIC_PROBE_VERSION:
		return MIMIC_PROBE_VERSION_VALUE;
	case MIMIC_PROBE_SCRATCH:
		return p->scratch;
	case MIMIC_PROBE_IGNORED:
		return p->ignored;
	case MIMIC_PROBE_SIZE_LO:
		return lower_32_bits(p->v->mem.size);
	case MIMIC_PROBE_SIZE_HI:
		return upper_32_bits(p->v->mem.size);
	case MIMIC_PROBE_TICK_LO:
		return probe_tick_read_lo(p);
	case MIMIC_PROBE_TICK_HI:
		return p->tick_hi;
	case MIMIC_PROBE_FIRST:
		return p->first;
	case MIMIC_PROBE_COUNT:
		return p->count;
	case MIMIC_PROBE_VALUE_LO:
		return lower_32_bits(p->value);
	case MIMIC_PROBE_VALUE_HI:
		return upper_32_bits(p->value);
	case MIMIC_PROBE_STATUS:
		return p->status;
	case MIMIC_PROBE_INT_STATUS:
		return p->int_status;
	default:
		return 0;
	}
}

/* Returns false if the device has to ignore it. */
static bool probe_reg_write(struct probe *p, u32 off, u32 val)
{
	switch (off) {
	case MIMIC_PROBE_SCRATCH:
		p->scratch = val;
		return true;
	case MIMIC_PROBE_FIRST:
		p->first = val;
		return true;
	case MIMIC_PROBE_COUNT:
		p->count = val;
		return true;
	case MIMIC_PROBE_VALUE_LO:
		p->value = (p->value & ~(u64)U32_MAX) | val;
		return true;
	case MIMIC_PROBE_VALUE_HI:
		p->value = lower_32_bits(p->value) | (u64)val << 32;
		return true;
	case MIMIC_PROBE_COMMAND:
		return probe_command(p, val);
	case MIMIC_PROBE_TRIGGER:
		return probe_trigger(p);
	case MIMIC_PROBE_INT_STATUS:
		probe_set_int_status(p, p->int_status & ~val);
		return true;
	default:
		return false;
	}
}

static u32 probe_read(struct mimic_vdev *v, u32 off)
{
	struct probe *p = v->priv;
	u32 val;

	mutex_lock(&p->lock);
	val = probe_reg_read(p, off);
	mutex_unlock(&p->lock);
	return val;
}

static void probe_write(struct mimic_vdev *v, u32 off, u32 val)
{
	struct probe *p = v->priv;

	mutex_lock(&p->lock);
	if (!probe_reg_write(p, off, val))
		p->ignored++;
	mutex_unlock(&p->lock);
}

static void probe_ignored(struct mimic_vdev *v)
{
	struct probe *p = v->priv;

	mutex_lock(&p->lock);
	p->ignored++;
	mutex_unlock(&p->lock);
}

/* --- Start, stop and reset ---------------------------------------------- */

static void probe_set_run(struct mimic_vdev *v, enum vmig_run run)
{
	struct probe *p = v->priv;

	mutex_lock(&p->lock);
	p->tick = probe_tick(p);
	p->since = ktime_get();
	p->run = run;
	p->epoch++;
	mutex_unlock(&p->lock);
}

/* The device does no DMA, so nothing of it waits for guest memory. */
static void probe_flush(struct mimic_vdev *v)
{
}

static void probe_reset(struct mimic_vdev *v)
{
	struct probe *p = v->priv;

	mutex_lock(&p->lock);
	p->tick = 0;
	p->tick_hi = 0;
	p->scratch = 0;
	p->ignored = 0;
	p->first = 0;
	p->count = 1;
	p->value = 0;
	p->status = MIMIC_PROBE_OK;
	probe_set_int_status(p, 0);
	mutex_unlock(&p->lock);
}

/* --- Save, check and load ----------------------------------------------- */

static void probe_save(struct mimic_vdev *v, void *buf)
{
	struct probe_state *s = buf;
	struct probe *p = v->priv;

	mutex_lock(&p->lock);
	s->tick = cpu_to_le64(p->tick);
	s->value = cpu_to_le64(p->value);
	s->tick_hi = cpu_to_le32(p->tick_hi);
	s->scratch = cpu_to_le32(p->scratch);
	s->ignored = cpu_to_le32(p->ignored);
	s->first = cpu_to_le32(p->first);
	s->count = cpu_to_le32(p->count);
	s->status = cpu_to_le32(p->status);
	s->int_status = cpu_to_le32(p->int_status);
	mutex_unlock(&p->lock);
}

static int probe_check(struct mimic_vdev *v, const void *buf)
{
	const struct probe_state *s = buf;

	if (s->reserved || le32_to_cpu(s->status) > MIMIC_PROBE_NO_MEMORY ||
	    le32_to_cpu(s->int_status) > 1)
		return -EINVAL;
	return 0;
}

static void probe_load(struct mimic_vdev *v, const void *buf)
{
	const struct probe_state *s = buf;
	struct probe *p = v->priv;

	mutex_lock(&p->lock);
	p->tick = le64_to_cpu(s->tick);
	p->value = le64_to_cpu(s->value);
	p->tick_hi = le32_to_cpu(s->tick_hi);
	p->scratch = le32_to_cpu(s->scratch);
	p->ignored = le32_to_cpu(s->ignored);
	p->first = le32_to_cpu(s->first);
	p->count = le32_to_cpu(s->count);
	p->status = le32_to_cpu(s->status);
	probe_set_int_status(p, le32_to_cpu(s->int_status));
	mutex_unlock(&p->lock);
}

/* --- Creation and removal ----------------------------------------------- */

static int probe_init(struct mimic_vdev *v)
{
	struct probe *p;

	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	p->v = v;
	p->run = VMIG_RUN_NONE;
	p->count = 1;
	mutex_init(&p->lock);
	v->priv = p;
	return 0;
}

static void probe_fini(struct mimic_vdev *v)
{
	struct probe *p = v->priv;

	v->priv = NULL;
	mutex_destroy(&p->lock);
	kfree(p);
}

/*
 * Sizes at which something can go wrong: none, less than a chunk, one byte more
 * than the data section holds, and more than 32 bits can count. A small section
 * makes many segments of little.
 */
static const struct mimic_share probe_shares[] = {
	{ .suffix = "none", .migratable = true },
	{ .suffix = "byte", .state = 1, .migratable = true },
	{ .suffix = "odd", .state = SZ_1M + 1, .migratable = true },
	{
		.suffix = "small", .state = SZ_1M + 1, .section_size = SZ_64K,
		.migratable = true, .title = "64 KiB of data section",
	}, {
		.suffix = "huge", .state = 8ULL * SZ_1G, .uniform = true,
		.migratable = true, .title = "invented",
	},
};

const struct mimic_model mimic_probe_model = {
	.name = "probe",
	.nr_shares = ARRAY_SIZE(probe_shares),
	.shares = probe_shares,
	.pci_device = MIMIC_PROBE_PCI_DEVICE_ID,
	.pci_revision = MIMIC_PROBE_VERSION_VALUE >> 16,
	.pci_class = 0xff0000,	/* fits no class */
	.nr_vectors = MIMIC_PROBE_NR_VECTORS,
	.regs_size = MIMIC_PROBE_REGS_SIZE,
	.state_size = sizeof(struct probe_state),
	.init = probe_init,
	.fini = probe_fini,
	.set_run = probe_set_run,
	.flush = probe_flush,
	.reset = probe_reset,
	.read = probe_read,
	.write = probe_write,
	.ignored = probe_ignored,
	.save = probe_save,
	.check = probe_check,
	.load = probe_load,
};
