// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a golden stream: once for each minor version of the stream, when it is
 * released. No test makes golden ones anew; see golden/README. ../matrix has it save
 * streams that it takes to other machines.
 *
 * By the v1 protocol, or with GOLDEN_BY=2 in the environment by v2.
 *
 * The device is brought into a state with as much in it as one can have: bytes in
 * memory, commands done and one that failed, a job that runs, a timer, pending
 * interrupts, and config space as a driver leaves it.
 */
#include <errno.h>

#include "accel_test.h"
#include "golden.h"
#include "vfio_v2.h"

#define MEM_BYTES	(256 * 1024)

FIXTURE(goldensave) {
	struct at t;
	struct vfc_stream s;
};

FIXTURE_SETUP(goldensave)
{
	__u16 id[2];

	ASSERT_NE(NULL, getenv("GOLDEN_SAVE"))
		TH_LOG("GOLDEN_SAVE names the folder to write to");
	ASSERT_EQ(0, vfc_open(&self->t.d, getenv("VFIO_DEV")));
	ASSERT_EQ(4, vfc_region_read(&self->t.d, AT_CFG, 0, id, 4));
	at_enable(_metadata, &self->t.d);
	if (id[1] != MIMIC_ACCEL_PCI_DEVICE_ID)
		return;
	at_rings(_metadata, &self->t, 16);
	at_mem_map(_metadata, &self->t.d, &self->t.mem, AT_MEM_IOVA, MEM_BYTES,
		   AT_RW);
}

FIXTURE_TEARDOWN(goldensave)
{
	vfc_stream_free(&self->s);
	at_close(_metadata, &self->t);
}

static void busy_rings(struct __test_metadata *_metadata, struct at *t)
{
	struct at_ring *r = t->ring;
	struct mimic_accel_desc desc;
	unsigned int i;

	at_fill(t->mem.p, MEM_BYTES, 7);
	for (i = 0; i < 5; i++) {
		desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D,
			       AT_MEM_IOVA + i * 5000, 0x10000 + i * 70000, 4500);
		at_ok(_metadata, &r[0], &desc);
	}
	/* An error completion, and a ring that has halted. */
	desc = at_desc(MIMIC_ACCEL_OP_COPY_G2D, AT_HOLE_IOVA, 0, 4096);
	at_run(_metadata, &r[0], &desc);
	at_ring_setup(_metadata, &r[1], AT_HOLE_IOVA, AT_HOLE_IOVA + 65536, 8);
	r[1].tail = 1;
	at_bell(_metadata, &r[1]);
	AT_WAIT(({ struct vfc_dev *d = &t->d; REG(RING_REG(1, STATUS)); }) &
		MIMIC_ACCEL_RING_STATUS_HALTED);
}

static void busy_accel(struct __test_metadata *_metadata, struct at *t)
{
	struct at_job job = {
		.dev = 0x200000, .dev_pages = 6, .guest = AT_MEM_IOVA,
		.guest_pages = 3, .rate = 500,
	};
	struct vfc_dev *d = &t->d;
	unsigned int i;

	busy_rings(_metadata, t);
	SETREG(MIMIC_ACCEL_SCRATCH, 0x600d5eed);
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_TIMER);
	SETREG(MIMIC_ACCEL_TIMER_PERIOD, 777);
	for (i = 0; i < 3; i++)
		SETREG(0xff0, 1);	/* ignored */
	at_enable_msix(_metadata, d, true);
	for (i = 0; i < MIMIC_ACCEL_NR_VECTORS; i++) {
		AT_WRITE(AT_MSIX, 16 * i, __u32, 0xfee00000 + 0x1000 * i);
		AT_WRITE(AT_MSIX, 16 * i + 8, __u32, 0x4021 + i);
		AT_WRITE(AT_MSIX, 16 * i + 12, __u32, i == 2);
	}
	SETCFG32(PCI_BASE_ADDRESS_0, 0xfe000000);
	SETCFG32(PCI_BASE_ADDRESS_2, 0x80000000);
	SETCFG8(PCI_INTERRUPT_LINE, 11);
	at_job_start(_metadata, d, &job);
	AT_WAIT(REG64(MIMIC_ACCEL_STAMP_SEQ_LO) > 20);
	SETREG(MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_RING(0));
}

static void set_probe(struct __test_metadata *_metadata, struct vfc_dev *d,
		      __u32 unit, __u64 value)
{
	SETREG(MIMIC_PROBE_FIRST, unit);
	SETREG64(MIMIC_PROBE_VALUE_LO, value);
	SETREG(MIMIC_PROBE_COMMAND, MIMIC_PROBE_FILL);
}

static void busy_probe(struct __test_metadata *_metadata, struct vfc_dev *d)
{
	SETREG(MIMIC_PROBE_SCRATCH, 0x600d5eed);
	set_probe(_metadata, d, 0, 0x1122334455667788ull);
	set_probe(_metadata, d, 7, 0x0102030405060708ull);
	set_probe(_metadata, d, 256, 0x5a);
	SETREG(0x800, 1);
	SETREG(MIMIC_PROBE_TRIGGER, 1);
	SETCFG8(PCI_INTERRUPT_LINE, 10);
}

static FILE *create(struct __test_metadata *_metadata, const char *name,
		    const char *ending)
{
	char path[VFC_PATH];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.%s", getenv("GOLDEN_SAVE"), name,
		 ending);
	f = fopen(path, "wx");	/* never over one that is there */
	ASSERT_NE(NULL, f) TH_LOG("%s: %s", path, strerror(errno));
	return f;
}

/*
 * Through pre-copy, so that chunks come in more than one generation. What is saved
 * is a device that has stopped and never runs again.
 */
static void save_v1(struct __test_metadata *_metadata, struct vfc_dev *d,
		    struct vfc_stream *s)
{
	const struct vfc_io bulk = { false, 0 };

	AT_STATE(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &bulk, s));
	AT_STATE(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &bulk, s));
	AT_STATE(VFC_STOP);
}

static void save_v2(struct __test_metadata *_metadata, struct vfc_dev *d,
		    struct vfc_stream *s)
{
	int fd;

	ASSERT_EQ(0, vfc2_set(d, VFC2_PRE_COPY, &fd));
	ASSERT_EQ(-ENOMSG, vfc2_drain(fd, 0, s));
	ASSERT_EQ(0, vfc2_set(d, VFC2_STOP_COPY, NULL));
	ASSERT_EQ(0, vfc2_drain(fd, 0, s));
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, vfc2_set(d, VFC2_STOP, NULL));
}

/* What a stream says of itself is what a manager of hosts reads of the device. */
static void same_version(struct __test_metadata *_metadata, const struct vfc_dev *d,
			 const struct vfc_stream *s)
{
	char said[256], shown[256];

	ASSERT_EQ(0, golden_version(s->buf, s->len, said));
	ASSERT_LT(0, vfc_mdev_version(d->uuid, false, shown, sizeof(shown)));
	shown[strcspn(shown, "\n")] = '\0';
	ASSERT_STREQ(shown, said);
}

TEST_F_TIMEOUT(goldensave, save, 120)
{
	struct vfc_dev *d = &self->t.d;
	char name[GOLDEN_NAME_MAX];
	FILE *f;

	ASSERT_EQ(0, golden_name(d, name));
	if (self->t.mem.p)
		busy_accel(_metadata, &self->t);
	else
		busy_probe(_metadata, d);
	if (vfc_number("GOLDEN_BY", 1) == 2)
		save_v2(_metadata, d, &self->s);
	else
		save_v1(_metadata, d, &self->s);
	same_version(_metadata, d, &self->s);
	f = create(_metadata, name, "stream");
	ASSERT_EQ(self->s.len, fwrite(self->s.buf, 1, self->s.len, f));
	ASSERT_EQ(0, fclose(f));

	SETCFG16(PCI_COMMAND, PCI_COMMAND_MEMORY);
	f = create(_metadata, name, "dump");
	ASSERT_EQ(0, golden_dump(d, f));
	ASSERT_EQ(0, fclose(f));
}

TEST_HARNESS_MAIN
