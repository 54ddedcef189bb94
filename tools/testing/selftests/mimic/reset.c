// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_RESET and the function-level reset that a guest does: power-on
 * values everywhere, memory that is zero, and eventfds that stay.
 */
#include "accel_test.h"

#define CFG_SIZE	256
#define MEM_SIZE	(16 * AT_PAGE)

struct snapshot {
	__u8 cfg[CFG_SIZE];
	__u32 regs[MIMIC_ACCEL_REGS_SIZE / 4];
	__u8 msix[4096];
};

FIXTURE(reset) {
	struct at t;
	struct snapshot power_on;
	int32_t fd[MIMIC_ACCEL_NR_VECTORS];
};

FIXTURE_VARIANT(reset) {
	bool flr;
};

FIXTURE_VARIANT_ADD(reset, ioctl) { .flr = false };
FIXTURE_VARIANT_ADD(reset, flr) { .flr = true };

/* All that can be read; what a clock shows is left out. */
static void take(struct __test_metadata *_metadata, struct vfc_dev *d,
		 struct snapshot *s)
{
	unsigned int i;

	ASSERT_EQ(CFG_SIZE, vfc_region_read(d, AT_CFG, 0, s->cfg, CFG_SIZE));
	at_enable(_metadata, d);
	for (i = 0; i < ARRAY_SIZE(s->regs); i++)
		s->regs[i] = REG(4 * i);
	s->regs[MIMIC_ACCEL_TICK_LO / 4] = 0;
	s->regs[MIMIC_ACCEL_TICK_HI / 4] = 0;
	ASSERT_EQ(4096, vfc_region_read(d, AT_MSIX, 0, s->msix, 4096));
}

/* Open it, see what it is like at power-on, and make it ready for work. */
static void power_up(struct __test_metadata *_metadata, struct at *t,
		     struct snapshot *power_on,
		     int32_t fd[MIMIC_ACCEL_NR_VECTORS])
{
	struct vfc_dev *d = &t->d;

	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	take(_metadata, d, power_on);
	at_rings(_metadata, t, 16);
	at_mem_map(_metadata, d, &t->mem, AT_MEM_IOVA, MEM_SIZE, AT_RW);
	at_msix(_metadata, d, fd);
}

FIXTURE_SETUP(reset)
{
	power_up(_metadata, &self->t, &self->power_on, self->fd);
}

FIXTURE_TEARDOWN(reset)
{
	at_close(_metadata, &self->t);
}

static void reset(struct __test_metadata *_metadata, struct vfc_dev *d,
		  bool flr)
{
	if (flr)
		at_flr(_metadata, d);
	else
		ASSERT_EQ(0, vfc_reset(d));
}

/* Change all there is, and have everything at work. */
static void make_a_mess(struct __test_metadata *_metadata, struct at *t)
{
	struct vfc_dev *d = &t->d;
	struct at_job j = { .dev_pages = 8, .guest = AT_MEM_IOVA,
			    .guest_pages = 8, .rate = 2000 };
	struct mimic_accel_desc desc;
	unsigned int i, n;

	SETREG(MIMIC_ACCEL_SCRATCH, 0x5ec2e7);
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_RING(1));
	SETREG(MIMIC_ACCEL_TIMER_PERIOD, 500);
	SETREG(0x800, 1);			/* counts in IGNORED */
	at_job_start(_metadata, d, &j);
	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
		desc = at_desc(99, 0, 0, 1);
		at_fails(_metadata, &t->ring[n], &desc,
			 MIMIC_ACCEL_CPL_BAD_DESC, 0);
		for (i = 0; i < 8; i++) {
			desc = at_irq(at_desc(MIMIC_ACCEL_OP_FILL_D, 0,
					      AT_PAGE * i, 1 << 20));
			desc.pattern = ~0ull;
			at_put(&t->ring[n], &desc);
		}
		at_bell(_metadata, &t->ring[n]);
	}
	for (i = 0; i < 64; i++)
		AT_WRITE(AT_MEM, i * 5 * AT_PAGE + i, __u64, ~0ull);
	AT_WRITE(AT_MSIX, 0, __u64, 0xfee00000);
	AT_WRITE(AT_MSIX, 12, __u32, 0);
	SETCFG32(PCI_BASE_ADDRESS_0, 0xfeb00000);
	SETCFG32(PCI_BASE_ADDRESS_3, 0x12);
	SETCFG8(PCI_INTERRUPT_LINE, 11);
	SETCFG8(PCI_CACHE_LINE_SIZE, 16);
	AT_WAIT(REG(MIMIC_ACCEL_TIMER_COUNT) &&
		REG(MIMIC_ACCEL_STAMP_SEQ_LO));
	ASSERT_TRUE(REG(MIMIC_ACCEL_INT_STATUS));
}

static void expect_power_on(struct __test_metadata *_metadata,
			    struct vfc_dev *d, const struct snapshot *want)
{
	struct snapshot now;
	unsigned int i;

	take(_metadata, d, &now);
	for (i = 0; i < CFG_SIZE; i++)
		ASSERT_EQ(want->cfg[i], now.cfg[i])
			TH_LOG("config space, %02x", i);
	for (i = 0; i < ARRAY_SIZE(now.regs); i++)
		ASSERT_EQ(want->regs[i], now.regs[i])
			TH_LOG("register %03x", 4 * i);
	ASSERT_EQ(0, memcmp(want->msix, now.msix, sizeof(now.msix)));
}

static void expect_zero_memory(struct __test_metadata *_metadata,
			       struct vfc_dev *d, __u64 bytes)
{
	__u8 buf[65536];
	__u64 off;

	for (off = 0; off < bytes; off += sizeof(buf)) {
		READ_MEM(off, buf, sizeof(buf));
		ASSERT_TRUE(at_all(buf, 0, sizeof(buf)))
			TH_LOG("memory at %llx", off);
	}
}

TEST_F_TIMEOUT(reset, LIFE_07_power_on_values, 60)
{
	struct vfc_dev *d = &self->t.d;
	int i;

	for (i = 0; i < 3; i++) {
		make_a_mess(_metadata, &self->t);
		reset(_metadata, d, variant->flr);
		expect_power_on(_metadata, d, &self->power_on);
		expect_zero_memory(_metadata, d, 4 << 20);
		at_enable_msix(_metadata, d, true);
		at_ring_start(_metadata, &self->t.ring[0], 16);
		at_ring_start(_metadata, &self->t.ring[1], 16);
	}
	expect_zero_memory(_metadata, d, at_region_size(d, AT_MEM));
}

/* Drained: after it returned nothing writes to the guest any more. */
TEST_F_TIMEOUT(reset, all_is_quiet_after, 60)
{
	struct vfc_dev *d = &self->t.d;
	__u8 *mem = malloc(MEM_SIZE), *rings;
	int i, k;

	rings = malloc(self->t.rings.size);
	ASSERT_NE(NULL, mem);
	ASSERT_NE(NULL, rings);
	for (i = 0; i < 5; i++) {
		make_a_mess(_metadata, &self->t);
		reset(_metadata, d, variant->flr);
		memcpy(mem, self->t.mem.p, MEM_SIZE);
		memcpy(rings, self->t.rings.p, self->t.rings.size);
		for (k = 0; k < MIMIC_ACCEL_NR_VECTORS; k++)
			vfc_event_take(self->fd[k]);
		vfc_sleep_ms(50);
		ASSERT_EQ(0, memcmp(mem, self->t.mem.p, MEM_SIZE));
		ASSERT_EQ(0, memcmp(rings, self->t.rings.p,
				    self->t.rings.size));
		for (k = 0; k < MIMIC_ACCEL_NR_VECTORS; k++)
			ASSERT_EQ(0, vfc_event_take(self->fd[k]));
		at_enable(_metadata, d);
		at_enable_msix(_metadata, d, true);
		at_ring_start(_metadata, &self->t.ring[0], 16);
		at_ring_start(_metadata, &self->t.ring[1], 16);
	}
	free(mem);
	free(rings);
}

TEST_F(reset, LIFE_07_eventfds_stay)
{
	struct vfc_dev *d = &self->t.d;
	int i;

	for (i = 0; i < 3; i++) {
		reset(_metadata, d, variant->flr);
		at_enable(_metadata, d);
		SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_TIMER |
		       MIMIC_ACCEL_INT_RING(0) | MIMIC_ACCEL_INT_RING(1));
		ASSERT_EQ(1, vfc_event_take(self->fd[0]));
		ASSERT_EQ(1, vfc_event_take(self->fd[1]));
		ASSERT_EQ(1, vfc_event_take(self->fd[2]));
	}
}

/* What was pending is not, and does not come later. */
TEST_F(reset, pending_interrupts_are_gone)
{
	struct vfc_dev *d = &self->t.d;

	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_RING(0));
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_RING(0));
	ASSERT_EQ(0, vfc_irq_disable(d, VFIO_PCI_MSIX_IRQ_INDEX));
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_RING(1));
	reset(_metadata, d, variant->flr);
	at_enable(_metadata, d);
	at_enable_msix(_metadata, d, true);
	ASSERT_EQ(0, vfc_irq_set(d, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				 MIMIC_ACCEL_NR_VECTORS, self->fd));
	SETREG(MIMIC_ACCEL_INT_MASK, 0);
	ASSERT_EQ(0, vfc_event_take(self->fd[1]));
	ASSERT_EQ(0, vfc_event_take(self->fd[2]));
	ASSERT_FALSE(CFG16(PCI_STATUS) & PCI_STATUS_INTERRUPT);
}

TEST_F(reset, mapped_memory)
{
	struct vfc_dev *d = &self->t.d;
	__u8 *p = mmap(NULL, 4 * AT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       d->fd, at_region_offset(d, AT_MEM));

	ASSERT_NE(MAP_FAILED, p);
	p[0] = 1;
	p[3 * AT_PAGE] = 3;
	reset(_metadata, d, variant->flr);
	/* It decodes nothing, then it is all zero. */
	ASSERT_EQ(SIGBUS, at_load_fault(p));
	at_enable(_metadata, d);
	ASSERT_EQ(0, p[0]);
	ASSERT_EQ(0, p[3 * AT_PAGE]);
	p[0] = 2;
	ASSERT_EQ(2, AT_READ(AT_MEM, 0, __u8));
	munmap(p, 4 * AT_PAGE);
}

/* The device can be used as before. */
TEST_F(reset, works_after)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	int i;

	for (i = 0; i < 20; i++) {
		desc = at_irq(NOP());
		at_ok(_metadata, &self->t.ring[0], &desc);
		ASSERT_EQ(1, vfc_event_take(self->fd[1]));
		reset(_metadata, d, variant->flr);
		at_enable(_metadata, d);
		at_enable_msix(_metadata, d, true);
		at_ring_start(_metadata, &self->t.ring[0], 16);
	}
}

/* --- In every state --------------------------------------------------- */

FIXTURE(state) {
	struct at t;
	struct snapshot power_on;
	int32_t fd[MIMIC_ACCEL_NR_VECTORS];
};

FIXTURE_VARIANT(state) {
	__u32 state;
};

FIXTURE_VARIANT_ADD(state, stop) { .state = VFC_STOP };
FIXTURE_VARIANT_ADD(state, running) { .state = VFC_RUNNING };
FIXTURE_VARIANT_ADD(state, saving) { .state = VFC_SAVING };
FIXTURE_VARIANT_ADD(state, precopy) { .state = VFC_PRECOPY };
FIXTURE_VARIANT_ADD(state, resuming) { .state = VFC_RESUMING };
FIXTURE_VARIANT_ADD(state, error) { .state = VFC_ERROR };

FIXTURE_SETUP(state)
{
	power_up(_metadata, &self->t, &self->power_on, self->fd);
	ASSERT_LE(0, self->t.d.mig_index);
}

FIXTURE_TEARDOWN(state)
{
	at_close(_metadata, &self->t);
}

/* RESET leads to a running device at power-on that has kept its eventfds. */
TEST_F_TIMEOUT(state, V1_ST_87_LIFE_07_reset_in_every_state, 60)
{
	struct vfc_dev *d = &self->t.d;
	unsigned int k;

	make_a_mess(_metadata, &self->t);
	if (variant->state == VFC_ERROR) {
		if (at_make_error(d) != 1)
			SKIP(return, AT_NO_KNOB);
	} else {
		AT_STATE(variant->state);
	}
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(VFC_RUNNING, vfc_get(d));
	for (k = 0; k < MIMIC_ACCEL_NR_VECTORS; k++)
		vfc_event_take(self->fd[k]);
	expect_power_on(_metadata, d, &self->power_on);
	expect_zero_memory(_metadata, d, 4 << 20);
	at_enable_msix(_metadata, d, true);
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_TIMER);
	ASSERT_EQ(1, vfc_event_take(self->fd[0]));
	for (k = 1; k < MIMIC_ACCEL_NR_VECTORS; k++)
		ASSERT_EQ(0, vfc_event_take(self->fd[k]));
}

/* --- What is particular to one of them -------------------------------- */

FIXTURE(single) {
	struct at t;
};

FIXTURE_SETUP(single)
{
	at_setup(_metadata, &self->t, 0);
}

FIXTURE_TEARDOWN(single)
{
	at_close(_metadata, &self->t);
}

/* The bit reads as zero; a byte write does it, too, and one without does not. */
TEST_F(single, flr_by_any_width)
{
	struct vfc_dev *d = &self->t.d;
	__u8 cap = at_cap(_metadata, d, PCI_CAP_ID_EXP);

	SETREG(MIMIC_ACCEL_SCRATCH, 1);
	SETCFG16(cap + PCI_EXP_DEVCTL, 0x281f);
	ASSERT_EQ(1, REG(MIMIC_ACCEL_SCRATCH));
	SETCFG8(cap + PCI_EXP_DEVCTL + 1, 0x80);
	ASSERT_EQ(0, CFG16(PCI_COMMAND));
	at_enable(_metadata, d);
	ASSERT_EQ(0, REG(MIMIC_ACCEL_SCRATCH));
	ASSERT_EQ(0, CFG16(cap + PCI_EXP_DEVCTL) & PCI_EXP_DEVCTL_BCR_FLR);
	SETREG(MIMIC_ACCEL_SCRATCH, 1);
	SETCFG32(cap + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
	at_enable(_metadata, d);
	ASSERT_EQ(0, REG(MIMIC_ACCEL_SCRATCH));
	SETREG(MIMIC_ACCEL_SCRATCH, 1);
	SETCFG8(cap + PCI_EXP_DEVCTL, 0x80);	/* the payload's, not it */
	ASSERT_EQ(1, REG(MIMIC_ACCEL_SCRATCH));
}

/* What belongs to the link stays over a function's reset. */
TEST_F(single, flr_keeps_link_control)
{
	struct vfc_dev *d = &self->t.d;
	__u8 cap = at_cap(_metadata, d, PCI_CAP_ID_EXP);

	SETCFG16(cap + PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_CCC);
	at_flr(_metadata, d);
	ASSERT_EQ(PCI_EXP_LNKCTL_CCC, CFG16(cap + PCI_EXP_LNKCTL));
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, CFG16(cap + PCI_EXP_LNKCTL));
}

/* The guest's own reset keeps the session, and is part of what it sends. */
TEST_F_TIMEOUT(single, flr_in_precopy, 60)
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_dev *d = &self->t.d, b;
	struct vfc_stream s = {};
	unsigned int i;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	if (!getenv("VFIO_DEV2"))
		SKIP(return, AT_NO_SECOND);
	for (i = 0; i < 50; i++)
		AT_WRITE(AT_MEM, i * AT_PAGE, __u64, ~0ull);
	SETREG(MIMIC_ACCEL_SCRATCH, 5);
	AT_STATE(VFC_PRECOPY);
	ASSERT_LT(0, vfc_save_segment(d, &bulk, &s));
	at_flr(_metadata, d);
	ASSERT_EQ(VFC_PRECOPY, vfc_get(d));
	at_enable(_metadata, d);
	AT_WRITE(AT_MEM, 7 * AT_PAGE, __u64, 7);
	SETREG(MIMIC_ACCEL_SCRATCH, 6);
	ASSERT_EQ(0, vfc_drain(d, &bulk, &s));
	AT_STATE(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &bulk, &s));
	ASSERT_EQ(0, vfc_open(&b, getenv("VFIO_DEV2")));
	d = &b;
	ASSERT_EQ(0, vfc_load(d, &bulk, &s));
	AT_STATE(VFC_RUNNING);
	ASSERT_EQ(6, REG(MIMIC_ACCEL_SCRATCH));
	for (i = 0; i < 50; i++)
		ASSERT_EQ(i == 7 ? 7 : 0, AT_READ(AT_MEM, i * AT_PAGE, __u64));
	vfc_stream_free(&s);
	vfc_close(&b);
}

/* Who opens it next finds nothing of it. */
TEST_F(single, LIFE_07_open_resets)
{
	struct vfc_dev *d = &self->t.d;
	__u8 buf[65536];

	SETREG(MIMIC_ACCEL_SCRATCH, 0x5ec2e7);
	AT_WRITE(AT_MEM, 77, __u64, ~0ull);
	AT_WRITE(AT_MSIX, 0, __u64, ~0ull);
	SETCFG8(PCI_INTERRUPT_LINE, 5);
	vfc_close(d);
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	ASSERT_EQ(0, CFG16(PCI_COMMAND));
	ASSERT_EQ(0, CFG8(PCI_INTERRUPT_LINE));
	at_enable(_metadata, d);
	ASSERT_EQ(0, REG(MIMIC_ACCEL_SCRATCH));
	ASSERT_EQ(0, AT_READ(AT_MSIX, 0, __u64));
	READ_MEM(0, buf, sizeof(buf));
	ASSERT_TRUE(at_all(buf, 0, sizeof(buf)));
}

TEST_HARNESS_MAIN
