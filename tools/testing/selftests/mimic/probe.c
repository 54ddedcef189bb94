// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probe: its registers, and that state of any size migrates whole: none, one
 * byte, one byte more than a section holds, more bytes than 32 bits count. Run it
 * on any of its types.
 */
#include <errno.h>

#include <linux/mimic_probe.h>
#include <linux/pci_regs.h>

#include "../vmig/vmig_test.h"

FIXTURE(probe) {
	struct vt t;
	struct vfc_dev *to;	/* the destination */
	__u64 size;
	__u32 units;
};

#define REG(off)	({ __u32 r_; reg_read(_metadata, d, (off), &r_, 4); r_; })
#define REG64(off)	({ __u64 r_; reg_read(_metadata, d, (off), &r_, 8); r_; })
#define SETREG(off, v)	do {						\
		__u32 w_ = (v);						\
		reg_write(_metadata, d, (off), &w_, 4);			\
	} while (0)
#define SETREG64(off, v)	do {					\
		__u64 w_ = (v);						\
		reg_write(_metadata, d, (off), &w_, 8);			\
	} while (0)

static void reg_read(struct __test_metadata *_metadata, const struct vfc_dev *d,
		     __u64 off, void *buf, ssize_t n)
{
	ASSERT_EQ(n, vfc_region_read(d, MIMIC_PROBE_BAR_REGS, off, buf, n));
}

static void reg_write(struct __test_metadata *_metadata, const struct vfc_dev *d,
		      __u64 off, const void *buf, ssize_t n)
{
	ASSERT_EQ(n, vfc_region_write(d, MIMIC_PROBE_BAR_REGS, off, buf, n));
}

/* As after power-on the device decodes nothing. */
static void decode(struct __test_metadata *_metadata, const struct vfc_dev *d)
{
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	ASSERT_EQ(2, vfc_region_write(d, VFIO_PCI_CONFIG_REGION_INDEX,
				      PCI_COMMAND, &command, 2));
}

FIXTURE_SETUP(probe)
{
	struct vfc_dev *d = &self->t.a;
	__u16 id[2];

	vt_open_two(_metadata, &self->t);
	ASSERT_EQ(4, vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX, 0, id, 4));
	ASSERT_EQ(MIMIC_PROBE_PCI_DEVICE_ID, id[1]);
	self->to = self->t.two ? &self->t.b : d;
	decode(_metadata, d);
	self->size = REG64(MIMIC_PROBE_SIZE_LO);
	self->units = (self->size + MIMIC_PROBE_UNIT - 1) / MIMIC_PROBE_UNIT;
}

FIXTURE_TEARDOWN(probe)
{
	vt_close(&self->t);
}

static __u32 fill(struct __test_metadata *_metadata, const struct vfc_dev *d,
		  __u32 first, __u32 count, __u64 value)
{
	SETREG(MIMIC_PROBE_FIRST, first);
	SETREG(MIMIC_PROBE_COUNT, count);
	SETREG64(MIMIC_PROBE_VALUE_LO, value);
	SETREG(MIMIC_PROBE_COMMAND, MIMIC_PROBE_FILL);
	return REG(MIMIC_PROBE_STATUS);
}

static __u64 look(struct __test_metadata *_metadata, const struct vfc_dev *d,
		  __u32 unit)
{
	SETREG(MIMIC_PROBE_FIRST, unit);
	SETREG(MIMIC_PROBE_COMMAND, MIMIC_PROBE_READ);
	ASSERT_EQ(MIMIC_PROBE_OK, REG(MIMIC_PROBE_STATUS));
	return REG64(MIMIC_PROBE_VALUE_LO);
}

/* What unit @i shows when @value fills it: the last one may be short. */
static __u64 shown(__u64 size, __u32 i, __u64 value)
{
	__u64 left = size - (__u64)i * MIMIC_PROBE_UNIT;

	return left >= 8 ? value : value & ((1ull << (8 * left)) - 1);
}

TEST_F(probe, power_on)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	ASSERT_EQ(MIMIC_PROBE_ID_VALUE, REG(MIMIC_PROBE_ID));
	ASSERT_EQ(MIMIC_PROBE_VERSION_VALUE, REG(MIMIC_PROBE_VERSION));
	ASSERT_EQ(0, REG(MIMIC_PROBE_SCRATCH));
	ASSERT_EQ(0, REG(MIMIC_PROBE_IGNORED));
	ASSERT_EQ(0, REG(MIMIC_PROBE_FIRST));
	ASSERT_EQ(1, REG(MIMIC_PROBE_COUNT));
	ASSERT_EQ(0, REG64(MIMIC_PROBE_VALUE_LO));
	ASSERT_EQ(MIMIC_PROBE_OK, REG(MIMIC_PROBE_STATUS));
	ASSERT_EQ(0, REG(MIMIC_PROBE_INT_STATUS));
	for (i = MIMIC_PROBE_INT_STATUS + 4; i < MIMIC_PROBE_REGS_SIZE; i += 4)
		ASSERT_EQ(0, REG(i));
	for (i = 0; i < self->units && i < 4; i++)
		ASSERT_EQ(0, look(_metadata, d, i));
}

TEST_F(probe, ignored_is_counted)
{
	struct vfc_dev *d = &self->t.a;
	__u8 b = 0xff;

	SETREG(MIMIC_PROBE_ID, 1);
	ASSERT_EQ(1, REG(MIMIC_PROBE_IGNORED));
	SETREG(0x800, 1);
	ASSERT_EQ(2, REG(MIMIC_PROBE_IGNORED));
	reg_read(_metadata, d, MIMIC_PROBE_SCRATCH + 1, &b, 1);
	ASSERT_EQ(0xff, b);
	ASSERT_EQ(3, REG(MIMIC_PROBE_IGNORED));
	SET(VFC_STOP);
	SETREG(MIMIC_PROBE_COMMAND, MIMIC_PROBE_FILL);
	SETREG(MIMIC_PROBE_TRIGGER, 1);
	ASSERT_EQ(5, REG(MIMIC_PROBE_IGNORED));
	ASSERT_EQ(0, REG(MIMIC_PROBE_INT_STATUS));
}

/* There is no device memory to read, write or map, whatever the state's size. */
TEST_F(probe, no_memory_bar)
{
	struct vfc_dev *d = &self->t.a;
	struct vfio_region_info *info;
	__u32 bar[2] = { ~0u, ~0u };

	ASSERT_EQ(0, vfc_region_info(d->fd, 2, &info));
	ASSERT_EQ(0, info->size);
	ASSERT_EQ(0, info->flags);
	ASSERT_EQ(-EINVAL, vfc_region_read(d, 2, 0, bar, 4));
	ASSERT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, d->fd,
				   info->offset));
	ASSERT_EQ(EINVAL, errno);
	free(info);
	ASSERT_EQ(8, vfc_region_write(d, VFIO_PCI_CONFIG_REGION_INDEX,
				      PCI_BASE_ADDRESS_2, bar, 8));
	ASSERT_EQ(8, vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX,
				     PCI_BASE_ADDRESS_2, bar, 8));
	ASSERT_EQ(0, bar[0] | bar[1]);
}

TEST_F(probe, fill_and_read)
{
	struct vfc_dev *d = &self->t.a;
	__u64 value = 0x0123456789abcdefull;
	__u32 last = self->units - 1;

	if (!self->units) {
		ASSERT_EQ(MIMIC_PROBE_BAD, fill(_metadata, d, 0, 1, 1));
		ASSERT_EQ(MIMIC_PROBE_OK, fill(_metadata, d, 0, 0, 1));
		return;
	}
	ASSERT_EQ(MIMIC_PROBE_OK, fill(_metadata, d, last, 1, value));
	ASSERT_EQ(shown(self->size, last, value), look(_metadata, d, last));
	if (last)
		ASSERT_EQ(0, look(_metadata, d, last - 1));
	ASSERT_EQ(MIMIC_PROBE_OK, fill(_metadata, d, last, 1, 0));
	ASSERT_EQ(0, look(_metadata, d, last));
	/* Beyond, and what no unit can hold; nothing is touched. */
	ASSERT_EQ(MIMIC_PROBE_BAD, fill(_metadata, d, last, 2, value));
	ASSERT_EQ(MIMIC_PROBE_BAD, fill(_metadata, d, ~0u, ~0u, value));
	ASSERT_EQ(MIMIC_PROBE_BAD, fill(_metadata, d, last, 1, 1ull << 63));
	ASSERT_EQ(0, look(_metadata, d, last));
	SETREG(MIMIC_PROBE_FIRST, self->units);
	SETREG(MIMIC_PROBE_COMMAND, MIMIC_PROBE_READ);
	ASSERT_EQ(MIMIC_PROBE_BAD, REG(MIMIC_PROBE_STATUS));
	SETREG(MIMIC_PROBE_COMMAND, 99);
	ASSERT_EQ(MIMIC_PROBE_BAD, REG(MIMIC_PROBE_STATUS));
}

/* A few units that matter: the first, the last, and some between. */
static __u32 sample(__u32 units, unsigned int i)
{
	return (__u64)(units - 1) * i / 15;
}

static void fill_samples(struct __test_metadata *_metadata, struct vfc_dev *d,
			 __u32 units, __u64 value)
{
	unsigned int i;

	for (i = 0; units && i < 16; i++)
		ASSERT_EQ(MIMIC_PROBE_OK,
			  fill(_metadata, d, sample(units, i), 1,
			       value + sample(units, i)));
}

static void check_samples(struct __test_metadata *_metadata, struct vfc_dev *d,
			  __u64 size, __u32 units, __u64 value)
{
	unsigned int i;

	for (i = 0; units && i < 16; i++) {
		__u32 unit = sample(units, i);

		ASSERT_EQ(shown(size, unit, value + unit),
			  look(_metadata, d, unit));
	}
}

/* Everything arrives, through pre-copy and not, and again with other content. */
TEST_F_TIMEOUT(probe, V1_PRE_07_V1_ST_90_migrates, 120)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	unsigned int round;
	__u64 tick;

	for (round = 0; round < 3; round++) {
		vfc_stream_free(s);
		ASSERT_EQ(0, vfc_reset(d));
		decode(_metadata, d);
		fill_samples(_metadata, d, self->units, 1000 * round + 7);
		if (round) {
			SET(VFC_PRECOPY);
			ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
			fill_samples(_metadata, d, self->units, 5000 + round);
			SETREG(MIMIC_PROBE_SCRATCH, 0x1000 + round);
			SET(VFC_SAVING);
			ASSERT_LE(1, R8(VFC_PENDING));
		} else {
			SET(VFC_SAVING);
		}
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
		SET(VFC_STOP);
		tick = REG64(MIMIC_PROBE_TICK_LO);

		d = self->to;
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(0, vfc_load(d, &vt_bulk, s));
		SET(VFC_STOP);
		ASSERT_EQ(tick, REG64(MIMIC_PROBE_TICK_LO));
		ASSERT_EQ(round ? 0x1000 + round : 0, REG(MIMIC_PROBE_SCRATCH));
		check_samples(_metadata, d, self->size, self->units,
			      round ? 5000 + round : 7);
		SET(VFC_RUNNING);
		d = &self->t.a;
	}
}

/* A pending interrupt crosses the migration and comes once. */
TEST_F(probe, DEV_05_interrupt_crosses)
{
	struct vfc_dev *d = &self->t.a;
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	ASSERT_LE(0, event);
	SETREG(MIMIC_PROBE_TRIGGER, 1);
	ASSERT_EQ(1, REG(MIMIC_PROBE_INT_STATUS));
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &self->t.s));
	SET(VFC_STOP);
	d = self->to;
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, vfc_load(d, &vt_bulk, &self->t.s));
	ASSERT_LE(0, vfc_irq_set(d, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, &event));
	SET(VFC_RUNNING);
	ASSERT_EQ(1, vfc_event_wait(event, 5000));
	SETREG(MIMIC_PROBE_INT_STATUS, 1);
	ASSERT_EQ(0, REG(MIMIC_PROBE_INT_STATUS));
	close(event);
}

/* --- More bytes than 32 bits count ------------------------------------- */

#define CHUNK_BYTES	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_chunk))

struct flipper {
	struct __test_metadata *metadata;
	const struct vfc_dev *d;
	__u32 unit;
	bool stop;
	unsigned int flips;
};

/* Fill and clear a unit, so that pending_bytes crosses 2^32 each time. */
static void *flip(void *arg)
{
	struct flipper *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE))
		fill(f->metadata, f->d, f->unit, 1, f->flips++ & 1 ? 0 : 9);
	return NULL;
}

/*
 * The unit is dirty all the time, so pending_bytes has one of two values, which
 * differ in both halves: anything else is torn.
 */
TEST_F_TIMEOUT(probe, V1_ACC_02_never_torn, 240)
{
	struct vfc_dev *d = &self->t.a;
	struct flipper f = { .metadata = _metadata, .d = d };
	unsigned int i, reads = 1000000, seen[2] = {};
	__u64 low, high, pending;
	pthread_t thread;
	__u32 units;

	if (self->size <= 1ull << 32)
		SKIP(return, "the state is not that large");
	/* Header and whole chunks, as many as stay below 2^32. */
	SET(VFC_PRECOPY);
	low = R8(VFC_PENDING);
	units = ((1ull << 32) - low - CHUNK_BYTES) / (CHUNK_BYTES + VFC_UNIT);
	ASSERT_EQ(MIMIC_PROBE_OK, fill(_metadata, d, 0, units, 5));
	/* Clear ones fill the gap to less than a chunk. */
	f.unit = units;
	ASSERT_EQ(MIMIC_PROBE_OK, fill(_metadata, d, f.unit, 1, 9));
	high = R8(VFC_PENDING);
	while (high < 1ull << 32) {
		ASSERT_EQ(MIMIC_PROBE_OK, fill(_metadata, d, ++units, 1, 1));
		ASSERT_EQ(MIMIC_PROBE_OK, fill(_metadata, d, units, 1, 0));
		high = R8(VFC_PENDING);
	}
	ASSERT_EQ(MIMIC_PROBE_OK, fill(_metadata, d, f.unit, 1, 0));
	low = R8(VFC_PENDING);
	ASSERT_EQ(high - VFC_UNIT, low);
	ASSERT_GT(1ull << 32, low);
	ASSERT_LE(1ull << 32, high);

	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &f));
	for (i = 0; i < reads; i++) {
		if (vfc_r8(d, VFC_PENDING, &pending) != 8 ||
		    (pending != low && pending != high))
			break;
		seen[pending == high]++;
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(reads, i)
		TH_LOG("%llx, not %llx or %llx", pending, low, high);
	TH_LOG("%u reads, %u flips, %u below, %u above", reads, f.flips, seen[0],
	       seen[1]);
	ASSERT_LT(0, seen[0]);
	ASSERT_LT(0, seen[1]);
	/* Each call was one event. */
	if (vt_has_knob(d, "migration"))
		ASSERT_LE((long long)reads, vt_counter(d, "pending_reads"));
}

TEST_HARNESS_MAIN
