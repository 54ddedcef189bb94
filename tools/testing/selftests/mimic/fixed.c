// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-DISC-12: a type that cannot migrate has nothing that says it could; it is
 * the same device otherwise. Run it on a device of such a type.
 */
#include "accel_test.h"

#define MIGRATION_INDEX	VFIO_PCI_NUM_REGIONS	/* where others have it */

FIXTURE(fixed) {
	struct at t;
};

FIXTURE_SETUP(fixed)
{
	at_setup(_metadata, &self->t, 64 * 1024);
	if (self->t.d.mig_index >= 0)
		SKIP(return, "this device can migrate");
}

FIXTURE_TEARDOWN(fixed)
{
	at_close(_metadata, &self->t);
}

TEST_F(fixed, V1_DISC_12_no_region)
{
	struct vfc_dev *d = &self->t.d;
	struct vfio_region_info *info;
	__u32 i, v = 0;

	ASSERT_EQ(VFIO_PCI_NUM_REGIONS, d->info.num_regions);
	ASSERT_EQ(-EINVAL, vfc_region_info(d->fd, MIGRATION_INDEX, &info));
	for (i = 0; i < d->info.num_regions; i++) {
		if (vfc_region_info(d->fd, i, &info))
			continue;
		ASSERT_EQ(NULL, vfc_region_cap(info, VFIO_REGION_INFO_CAP_TYPE));
		free(info);
	}
	/* Nor by its offset. */
	ASSERT_EQ(-1, pread(d->fd, &v, 4, (__u64)MIGRATION_INDEX << 40));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, pwrite(d->fd, &v, 4, (__u64)MIGRATION_INDEX << 40));
	ASSERT_EQ(EINVAL, errno);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(MAP_FAILED,
			  mmap(NULL, AT_PAGE, PROT_READ, MAP_SHARED, d->fd,
			       ((__u64)MIGRATION_INDEX << 40) + i * AT_PAGE));
		ASSERT_EQ(EINVAL, errno);
	}
}

TEST_F(fixed, V1_DISC_12_no_feature)
{
	struct vfc_dev *d = &self->t.d;
	struct {
		struct vfio_device_feature head;
		__u64 data[4];
	} f = {
		.head.argsz = sizeof(f),
		.head.flags = VFIO_DEVICE_FEATURE_GET |
			      VFIO_DEVICE_FEATURE_MIGRATION,
	};

	ASSERT_EQ(-1, ioctl(d->fd, VFIO_DEVICE_FEATURE, &f));
	ASSERT_EQ(ENOTTY, errno);
	f.head.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
		       VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
	ASSERT_EQ(-1, ioctl(d->fd, VFIO_DEVICE_FEATURE, &f));
	ASSERT_EQ(ENOTTY, errno);
}

TEST_F(fixed, V1_DISC_12_no_attribute)
{
	char buf[512];

	ASSERT_EQ(-ENOENT, vfc_mdev_version(self->t.d.uuid, false, buf,
					    sizeof(buf)));
	ASSERT_EQ(-ENOENT, vfc_mdev_version(self->t.d.uuid, true, buf,
					    sizeof(buf)));
}

TEST_F(fixed, works_like_the_others)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	int32_t fd[MIMIC_ACCEL_NR_VECTORS];
	__u8 *p;

	ASSERT_TRUE(d->info.flags & VFIO_DEVICE_FLAGS_RESET);
	ASSERT_TRUE(d->info.flags & VFIO_DEVICE_FLAGS_PCI);
	at_msix(_metadata, d, fd);
	desc = at_irq(at_pattern(at_desc(MIMIC_ACCEL_OP_FILL_D, 0, 0, 8192),
				 ~0ull));
	at_ok(_metadata, &self->t.ring[1], &desc);
	ASSERT_EQ(1, vfc_event_take(fd[2]));
	p = mmap(NULL, 4 * AT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
		 at_region_offset(d, AT_MEM));
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_TRUE(at_all(p, 0xff, 8192));
	ASSERT_EQ(0, p[8192]);
	p[8192] = 1;
	desc = at_desc(MIMIC_ACCEL_OP_COPY_D2G, 8191, AT_MEM_IOVA, 2);
	at_ok(_metadata, &self->t.ring[0], &desc);
	ASSERT_EQ(0xff, self->t.mem.p[0]);
	ASSERT_EQ(1, self->t.mem.p[1]);
	munmap(p, 4 * AT_PAGE);
	ASSERT_EQ(0, vfc_reset(d));
	at_enable(_metadata, d);
	ASSERT_EQ(0, AT_READ(AT_MEM, 0, __u64));
}

/* An internal error shows by its interrupt and by silence; RESET helps. */
TEST_F(fixed, internal_error)
{
	struct vfc_dev *d = &self->t.d;
	int32_t err = at_eventfd(_metadata);
	__u64 tick;

	ASSERT_EQ(0, vfc_irq_set(d, VFIO_PCI_ERR_IRQ_INDEX, 0, 1, &err));
	if (at_make_error(d) != 1)
		SKIP(return, AT_NO_KNOB);
	ASSERT_EQ(1, vfc_event_wait(err, AT_DEADLINE_MS));
	tick = REG64(MIMIC_ACCEL_TICK_LO);
	vfc_sleep_ms(20);
	ASSERT_EQ(tick, REG64(MIMIC_ACCEL_TICK_LO));
	ASSERT_EQ(0, vfc_reset(d));
	at_enable(_metadata, d);
	AT_WAIT(REG64(MIMIC_ACCEL_TICK_LO) > 1000);
}

TEST_HARNESS_MAIN
