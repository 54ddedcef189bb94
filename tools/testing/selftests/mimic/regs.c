// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAR0 and BAR4: registers with their reset values, access widths, what is
 * ignored and counted, memory decode, and the MSI-X table.
 */
#include "accel_test.h"

FIXTURE(regs) {
	struct vfc_dev d;
};

FIXTURE_SETUP(regs)
{
	at_open(_metadata, &self->d, "VFIO_DEV");
}

FIXTURE_TEARDOWN(regs)
{
	vfc_close(&self->d);
}

/* What reads as it does whatever one writes, and is not zero. */
static bool reset_value(const struct vfc_dev *d, __u32 off, __u32 *val)
{
	__u64 mem = at_region_size(d, AT_MEM);

	*val = 0;
	switch (off) {
	case MIMIC_ACCEL_ID:
		*val = MIMIC_ACCEL_ID_VALUE;
		return true;
	case MIMIC_ACCEL_VERSION:
		*val = MIMIC_ACCEL_VERSION_VALUE;
		return true;
	case MIMIC_ACCEL_CAPS:
		*val = MIMIC_ACCEL_NR_RINGS | MIMIC_ACCEL_NR_VECTORS << 8;
		return true;
	case MIMIC_ACCEL_MEM_SIZE_LO:
		*val = (__u32)mem;
		return true;
	case MIMIC_ACCEL_MEM_SIZE_HI:
		*val = (__u32)(mem >> 32);
		return true;
	case MIMIC_ACCEL_TICK_LO:
	case MIMIC_ACCEL_TICK_HI:
		return false;
	default:
		return true;
	}
}

TEST_F(regs, reset_values)
{
	struct vfc_dev *d = &self->d;
	__u32 off, want;

	ASSERT_EQ(0, vfc_reset(d));
	at_enable(_metadata, d);
	for (off = 0; off < MIMIC_ACCEL_REGS_SIZE; off += 4) {
		if (!reset_value(d, off, &want))
			continue;
		ASSERT_EQ(want, REG(off)) TH_LOG("register %03x", off);
	}
}

TEST_F(regs, scratch)
{
	static const __u32 values[] = { 1, 0xffffffff, 0x80000000, 0xa5a55a5a, 0 };
	struct vfc_dev *d = &self->d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		SETREG(MIMIC_ACCEL_SCRATCH, values[i]);
		ASSERT_EQ(values[i], REG(MIMIC_ACCEL_SCRATCH));
	}
	ASSERT_EQ(0, REG(MIMIC_ACCEL_IGNORED));
}

/*
 * Registers that can be written here without anything happening, and what
 * they read back of ones.
 */
static const struct {
	__u32 off, ones;
} plain[] = {
	{ MIMIC_ACCEL_SCRATCH, 0xffffffff },
	{ MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_ALL },
	{ MIMIC_ACCEL_TIMER_PERIOD, 0xffffffff },
	{ MIMIC_ACCEL_RING(0) + MIMIC_ACCEL_RING_DESC_LO, 0xffffffff },
	{ MIMIC_ACCEL_RING(0) + MIMIC_ACCEL_RING_DESC_HI, 0xffffffff },
	{ MIMIC_ACCEL_RING(0) + MIMIC_ACCEL_RING_CPL_LO, 0xffffffff },
	{ MIMIC_ACCEL_RING(0) + MIMIC_ACCEL_RING_CPL_HI, 0xffffffff },
	{ MIMIC_ACCEL_RING(0) + MIMIC_ACCEL_RING_SIZE, 0xffffffff },
	{ MIMIC_ACCEL_RING(1) + MIMIC_ACCEL_RING_DESC_LO, 0xffffffff },
	{ MIMIC_ACCEL_RING(1) + MIMIC_ACCEL_RING_SIZE, 0xffffffff },
	{ MIMIC_ACCEL_STAMP_RATE, 0xffffffff },
	{ MIMIC_ACCEL_STAMP_DEV_LO, 0xffffffff },
	{ MIMIC_ACCEL_STAMP_DEV_HI, 0xffffffff },
	{ MIMIC_ACCEL_STAMP_DEV_PAGES, 0xffffffff },
	{ MIMIC_ACCEL_STAMP_GUEST_PAGES, 0xffffffff },
	{ MIMIC_ACCEL_STAMP_GUEST_LO, 0xffffffff },
	{ MIMIC_ACCEL_STAMP_GUEST_HI, 0xffffffff },
};

TEST_F(regs, plain_registers_keep_values)
{
	struct vfc_dev *d = &self->d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		SETREG(plain[i].off, 0xffffffff);
		ASSERT_EQ(plain[i].ones,
			  REG(plain[i].off) & plain[i].ones)
			TH_LOG("register %03x", plain[i].off);
		SETREG(plain[i].off, 0);
		ASSERT_EQ(0, REG(plain[i].off));
	}
	ASSERT_EQ(0, REG(MIMIC_ACCEL_IGNORED));
	/* No two of them are one. */
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		SETREG(plain[i].off, (i + 1) & plain[i].ones);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		ASSERT_EQ((i + 1) & plain[i].ones, REG(plain[i].off))
			TH_LOG("register %03x", plain[i].off);
}

/* Eight bytes are two registers, the lower one first. */
TEST_F(regs, eight_bytes)
{
	struct vfc_dev *d = &self->d;
	__u64 desc = RING_REG(0, DESC_LO), tick;

	ASSERT_EQ(MIMIC_ACCEL_ID_VALUE |
		  (__u64)MIMIC_ACCEL_VERSION_VALUE << 32,
		  AT_READ(AT_REGS, MIMIC_ACCEL_ID, __u64));
	AT_WRITE(AT_REGS, desc, __u64, 0x1122334455667788ull);
	ASSERT_EQ(0x55667788, REG(RING_REG(0, DESC_LO)));
	ASSERT_EQ(0x11223344, REG(RING_REG(0, DESC_HI)));
	ASSERT_EQ(0x1122334455667788ull, AT_READ(AT_REGS, desc, __u64));
	ASSERT_EQ(at_region_size(d, AT_MEM),
		  AT_READ(AT_REGS, MIMIC_ACCEL_MEM_SIZE_LO, __u64));
	tick = AT_READ(AT_REGS, MIMIC_ACCEL_TICK_LO, __u64);
	ASSERT_LE(tick, REG64(MIMIC_ACCEL_TICK_LO));
	/* CAPS is read-only, SCRATCH behind it is not. */
	AT_WRITE(AT_REGS, MIMIC_ACCEL_CAPS, __u64, 0x9abcdef0ffffffffull);
	ASSERT_EQ(0x9abcdef0, REG(MIMIC_ACCEL_SCRATCH));
	ASSERT_EQ(MIMIC_ACCEL_NR_RINGS | MIMIC_ACCEL_NR_VECTORS << 8,
		  REG(MIMIC_ACCEL_CAPS));
}

/* Every width at every alignment: 4 and 8, aligned, and nothing else. */
TEST_F(regs, widths_and_alignment)
{
	struct vfc_dev *d = &self->d;
	__u32 ignored = REG(MIMIC_ACCEL_IGNORED), off;
	__u8 buf[64], junk[64];
	ssize_t n;

	memset(junk, 0x5a, sizeof(junk));
	SETREG(MIMIC_ACCEL_SCRATCH, 0xcafe);
	for (off = 0; off < 24; off++) {
		for (n = 1; n <= 40; n++) {
			if ((n == 4 || n == 8) && !(off % n))
				continue;
			ASSERT_EQ(n, vfc_region_read(d, AT_REGS, off, buf, n));
			ASSERT_TRUE(at_all(buf, 0xff, n))
				TH_LOG("%zd bytes at %u", n, off);
			ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED))
				TH_LOG("read of %zd at %u", n, off);
			ASSERT_EQ(n, vfc_region_write(d, AT_REGS, off, junk, n));
			ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED))
				TH_LOG("write of %zd at %u", n, off);
			ASSERT_EQ(0xcafe, REG(MIMIC_ACCEL_SCRATCH));
			ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_MASK));
		}
	}
}

/* A whole page at once is no way to read registers either. */
TEST_F(regs, whole_region_at_once)
{
	struct vfc_dev *d = &self->d;
	__u32 ignored = REG(MIMIC_ACCEL_IGNORED);
	__u8 buf[MIMIC_ACCEL_REGS_SIZE];

	ASSERT_EQ(MIMIC_ACCEL_REGS_SIZE,
		  vfc_region_read(d, AT_REGS, 0, buf, sizeof(buf)));
	ASSERT_TRUE(at_all(buf, 0xff, sizeof(buf)));
	ASSERT_EQ(ignored + 1, REG(MIMIC_ACCEL_IGNORED));
}

TEST_F(regs, ends_of_the_region)
{
	struct vfc_dev *d = &self->d;
	__u64 v = ~0ull;
	__u32 last = MIMIC_ACCEL_REGS_SIZE - 4;

	/* Cut to the four bytes that there are. */
	ASSERT_EQ(4, vfc_region_read(d, AT_REGS, last, &v, 8));
	ASSERT_EQ(0xffffffff00000000ull, v);
	ASSERT_EQ(-EINVAL, vfc_region_read(d, AT_REGS, last + 4, &v, 4));
	ASSERT_EQ(-EINVAL, vfc_region_write(d, AT_REGS, last + 4, &v, 4));
	ASSERT_EQ(0, vfc_region_read(d, AT_REGS, 0, &v, 0));
	ASSERT_EQ(0, vfc_region_write(d, AT_REGS, 0, &v, 0));
	/* Regions that the device does not have. */
	ASSERT_EQ(-EINVAL, vfc_region_read(d, VFIO_PCI_BAR1_REGION_INDEX, 0, &v,
					   4));
	ASSERT_EQ(-EINVAL, vfc_region_read(d, VFIO_PCI_ROM_REGION_INDEX, 0, &v,
					   4));
	ASSERT_EQ(-EINVAL, vfc_region_read(d, VFIO_PCI_VGA_REGION_INDEX, 0, &v,
					   4));
	ASSERT_EQ(-1, pread(d->fd, &v, 4, 0x7fffffffffff0000ll));
	ASSERT_EQ(EINVAL, errno);
}

TEST_F(regs, read_only_and_unlisted)
{
	static const __u32 offs[] = {
		MIMIC_ACCEL_ID, MIMIC_ACCEL_VERSION, MIMIC_ACCEL_CAPS,
		0x01c, MIMIC_ACCEL_MEM_SIZE_LO, MIMIC_ACCEL_MEM_SIZE_HI,
		MIMIC_ACCEL_TICK_LO, MIMIC_ACCEL_TICK_HI,
		MIMIC_ACCEL_TIMER_COUNT, MIMIC_ACCEL_IGNORED, 0x03c, 0x080,
		0x0fc, RING_REG(0, HEAD), RING_REG(0, STATUS),
		RING_REG(0, ERRORS), MIMIC_ACCEL_RING(0) + 0x28,
		MIMIC_ACCEL_RING(1) + 0x3c, MIMIC_ACCEL_RING(2),
		0x1fc, MIMIC_ACCEL_STAMP_SEQ_LO, MIMIC_ACCEL_STAMP_SEQ_HI,
		MIMIC_ACCEL_STAMP_STATUS, 0x22c, 0x800, 0xffc,
	};
	struct vfc_dev *d = &self->d;
	__u32 ignored = REG(MIMIC_ACCEL_IGNORED), want;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offs); i++) {
		SETREG(offs[i], 0xffffffff);
		ASSERT_EQ(++ignored, REG(MIMIC_ACCEL_IGNORED))
			TH_LOG("register %03x", offs[i]);
		if (offs[i] == MIMIC_ACCEL_IGNORED ||
		    !reset_value(d, offs[i], &want))
			continue;
		ASSERT_EQ(want, REG(offs[i])) TH_LOG("register %03x", offs[i]);
	}
	ASSERT_GT(60ull * 1000000, REG64(MIMIC_ACCEL_TICK_LO));
}

TEST_F(regs, int_status_write_one_to_clear)
{
	struct vfc_dev *d = &self->d;
	unsigned int bit;
	__u32 b;

	SETREG(MIMIC_ACCEL_INT_TRIGGER, 0xffffffff);
	ASSERT_EQ(MIMIC_ACCEL_INT_ALL, REG(MIMIC_ACCEL_INT_STATUS));
	ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_TRIGGER));
	SETREG(MIMIC_ACCEL_INT_STATUS, 0);
	ASSERT_EQ(MIMIC_ACCEL_INT_ALL, REG(MIMIC_ACCEL_INT_STATUS));
	SETREG(MIMIC_ACCEL_INT_STATUS, 0xffffffff);
	ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_STATUS));
	for (bit = 0; bit < 32; bit++) {
		b = (1u << bit) & MIMIC_ACCEL_INT_ALL;
		SETREG(MIMIC_ACCEL_INT_TRIGGER, 1u << bit);
		ASSERT_EQ(b, REG(MIMIC_ACCEL_INT_STATUS));
		SETREG(MIMIC_ACCEL_INT_STATUS, ~(1u << bit));
		ASSERT_EQ(b, REG(MIMIC_ACCEL_INT_STATUS));
		SETREG(MIMIC_ACCEL_INT_STATUS, 1u << bit);
		ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_STATUS));
	}
	/* A masked cause is pending all the same. */
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_ALL);
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_TIMER);
	ASSERT_EQ(MIMIC_ACCEL_INT_TIMER, REG(MIMIC_ACCEL_INT_STATUS));
}

/* Without memory decode the BARs are not there; what they hold stays. */
TEST_F(regs, memory_decode)
{
	static const __u32 bars[] = { AT_REGS, AT_MEM, AT_MSIX };
	struct vfc_dev *d = &self->d;
	__u32 v = 0xdead;
	unsigned int i;
	__u64 size;

	SETREG(MIMIC_ACCEL_SCRATCH, 5);
	WRITE_MEM(8, &(__u32){ 6 }, 4);
	AT_WRITE(AT_MSIX, 4, __u32, 7);
	SETCFG16(PCI_COMMAND, PCI_COMMAND_MASTER);
	for (i = 0; i < ARRAY_SIZE(bars); i++) {
		ASSERT_EQ(-EIO, vfc_region_read(d, bars[i], 12, &v, 4));
		ASSERT_EQ(-EIO, vfc_region_write(d, bars[i], 12, &v, 4));
		ASSERT_EQ(-EIO, vfc_region_read(d, bars[i], 1, &v, 1));
		ASSERT_EQ(-EIO, vfc_region_write(d, bars[i], 8, &v, 4));
		ASSERT_EQ(0, vfc_region_read(d, bars[i], 8, &v, 0));
		size = at_region_size(d, bars[i]);
		ASSERT_EQ(-EINVAL, vfc_region_read(d, bars[i], size, &v, 4));
	}
	ASSERT_EQ(MIMIC_PCI_VENDOR_ID, CFG16(PCI_VENDOR_ID));
	at_enable(_metadata, d);
	ASSERT_EQ(5, REG(MIMIC_ACCEL_SCRATCH));
	ASSERT_EQ(6, AT_READ(AT_MEM, 8, __u32));
	ASSERT_EQ(7, AT_READ(AT_MSIX, 4, __u32));
	ASSERT_EQ(0, REG(MIMIC_ACCEL_IGNORED));
}

/* --- MSI-X table ------------------------------------------------------ */

#define TABLE_SIZE	(MIMIC_ACCEL_NR_VECTORS * PCI_MSIX_ENTRY_SIZE)
#define PBA		0x800

TEST_F(regs, msix_table_is_storage)
{
	struct vfc_dev *d = &self->d;
	__u32 i, e;

	for (i = 0; i < MIMIC_ACCEL_NR_VECTORS; i++) {
		e = i * PCI_MSIX_ENTRY_SIZE;
		/* Masked at power-on. */
		ASSERT_EQ(PCI_MSIX_ENTRY_CTRL_MASKBIT,
			  AT_READ(AT_MSIX, e + PCI_MSIX_ENTRY_VECTOR_CTRL,
				  __u32));
		AT_WRITE(AT_MSIX, e, __u64, 0x12345678fee00000ull + 4 * i);
		AT_WRITE(AT_MSIX, e + PCI_MSIX_ENTRY_DATA, __u32, 0x4000 + i);
		AT_WRITE(AT_MSIX, e + PCI_MSIX_ENTRY_VECTOR_CTRL, __u32, 0);
	}
	for (i = 0; i < MIMIC_ACCEL_NR_VECTORS; i++) {
		e = i * PCI_MSIX_ENTRY_SIZE;
		ASSERT_EQ(0x12345678fee00000ull + 4 * i,
			  AT_READ(AT_MSIX, e, __u64));
		ASSERT_EQ(0x4000 + i,
			  AT_READ(AT_MSIX, e + PCI_MSIX_ENTRY_DATA, __u32));
		ASSERT_EQ(0, AT_READ(AT_MSIX, e + PCI_MSIX_ENTRY_VECTOR_CTRL,
				     __u32));
	}
}

TEST_F(regs, msix_table_write_masks)
{
	struct vfc_dev *d = &self->d;
	__u8 ones[4096], now[4096], want;
	unsigned int i;

	memset(ones, 0xff, sizeof(ones));
	ASSERT_EQ(4096, vfc_region_write(d, AT_MSIX, 0, ones, 4096));
	ASSERT_EQ(4096, vfc_region_read(d, AT_MSIX, 0, now, 4096));
	for (i = 0; i < 4096; i++) {
		want = 0xff;
		if (i >= TABLE_SIZE)
			want = 0;
		else if (i % 16 == PCI_MSIX_ENTRY_LOWER_ADDR)
			want = 0xfc;
		else if (i % 16 == PCI_MSIX_ENTRY_VECTOR_CTRL)
			want = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		else if (i % 16 > PCI_MSIX_ENTRY_VECTOR_CTRL)
			want = 0;
		ASSERT_EQ(want, now[i]) TH_LOG("offset %03x", i);
	}
	/* Bytes alone and over the edge of an entry. */
	AT_WRITE(AT_MSIX, 17, __u8, 0x5a);
	ASSERT_EQ(0x5a, AT_READ(AT_MSIX, 17, __u8));
	ASSERT_EQ(0xffff5afc, AT_READ(AT_MSIX, 16, __u32));
	AT_WRITE(AT_MSIX, 30, __u32, 0);
	ASSERT_EQ(0x0000, AT_READ(AT_MSIX, 32, __u16));
	ASSERT_EQ(0xffff, AT_READ(AT_MSIX, 34, __u16));
}

/* A message that has nowhere to go shows in the pending bits. */
TEST_F(regs, msix_pending_bits)
{
	struct vfc_dev *d = &self->d;
	int fd = at_eventfd(_metadata);

	ASSERT_EQ(0, AT_READ(AT_MSIX, PBA, __u64));
	at_enable_msix(_metadata, d, true);
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_RING(1));
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_RING(1));
	ASSERT_EQ(1 << MIMIC_ACCEL_VEC_RING(1), AT_READ(AT_MSIX, PBA, __u64));
	AT_WRITE(AT_MSIX, PBA, __u64, 0);
	ASSERT_EQ(1 << MIMIC_ACCEL_VEC_RING(1), AT_READ(AT_MSIX, PBA, __u8));
	ASSERT_EQ(0, vfc_irq_set(d, VFIO_PCI_MSIX_IRQ_INDEX,
				 MIMIC_ACCEL_VEC_RING(1), 1, &fd));
	ASSERT_EQ(1, vfc_event_take(fd));
	ASSERT_EQ(0, AT_READ(AT_MSIX, PBA, __u64));
	close(fd);
}

TEST_HARNESS_MAIN
