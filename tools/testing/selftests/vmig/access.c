// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-ACC: which accesses to the region are legal, and that all others are
 * refused and change nothing.
 */
#include "vmig_test.h"

/* Every test of this fixture runs in every state. */
FIXTURE(in_state) {
	struct vt t;
	bool skip;
};

FIXTURE_VARIANT(in_state) {
	__u32 state;
};

FIXTURE_VARIANT_ADD(in_state, stop) { .state = VFC_STOP };
FIXTURE_VARIANT_ADD(in_state, running) { .state = VFC_RUNNING };
FIXTURE_VARIANT_ADD(in_state, saving) { .state = VFC_SAVING };
FIXTURE_VARIANT_ADD(in_state, precopy) { .state = VFC_PRECOPY };
FIXTURE_VARIANT_ADD(in_state, resuming) { .state = VFC_RESUMING };
FIXTURE_VARIANT_ADD(in_state, error) { .state = VFC_ERROR };

static const __u8 put_there[16] = { 1, 2, 3, 5, 7, 11, 13 };

FIXTURE_SETUP(in_state)
{
	const struct vfc_dev *d = &self->t.a;

	vt_open(_metadata, &self->t);
	self->skip = variant->state == VFC_ERROR && !vt_has_error_knob(d);
	if (self->skip)
		return;
	if (self->t.m) {
		ASSERT_EQ(0, self->t.m->reg_set(d, 0x5ca7c4));
		vt_touch(_metadata, d, self->t.m, 3, 77);
	}
	vt_reach(_metadata, d, variant->state);
	/* What was put there, and not yet committed, is to be left alone too. */
	if (variant->state == VFC_RESUMING)
		WD(0, put_there, sizeof(put_there));
}

FIXTURE_TEARDOWN(in_state)
{
	vt_close(&self->t);
}

static bool is_saving(__u32 state)
{
	return state == VFC_SAVING || state == VFC_PRECOPY;
}

static bool legal_read(__u64 off, size_t n)
{
	return ((off == 0 || off == 4) && n == 4) ||
	       ((off == 8 || off == 16 || off == 24) && n == 8);
}

/* RESUMING: the bytes in the section are still those of the setup. */
static void check_put(struct __test_metadata *_metadata,
		      const struct vfc_dev *d, __u32 state)
{
	__u8 buf[sizeof(put_there)];

	if (state != VFC_RESUMING)
		return;
	RD(0, buf, sizeof(buf));
	ASSERT_EQ(0, memcmp(put_there, buf, sizeof(buf)));
}

/* Every offset and width that is not legal: nothing is read, nothing moves. */
static void illegal_reads(struct __test_metadata *_metadata,
			  const struct vfc_dev *d, __u32 state)
{
	__u8 buf[64];
	__u64 off;
	size_t n, i;

	for (off = 0; off < VFC_HEADER; off++) {
		for (n = 1; n <= 40; n++) {
			if (legal_read(off, n))
				continue;
			memset(buf, 0xa5, sizeof(buf));
			ASSERT_EQ(-EINVAL, vfc_pread(d, buf, n, off))
				TH_LOG("offset %llu width %zu",
				       (unsigned long long)off, n);
			for (i = 0; i < sizeof(buf); i++)
				ASSERT_EQ(0xa5, buf[i]);
		}
		ASSERT_EQ(state, R4(VFC_STATE));
		check_put(_metadata, d, state);
	}
}

/*
 * First with nothing staged, where an illegal read that stages would show as a
 * segment that can be read; then with a staged one, which must survive.
 */
TEST_F(in_state, V1_ACC_01_illegal_reads)
{
	struct vfc_dev *d = &self->t.a;
	bool stage = is_saving(variant->state);
	struct vt_snap snap;
	__u64 pending, off;
	__u8 buf[64];
	size_t n;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	pending = R8(VFC_PENDING);
	illegal_reads(_metadata, d, variant->state);
	if (stage) {
		ASSERT_EQ(-EINVAL, vfc_rd(d, 0, buf, 1));
		R8(VFC_OFFSET);		/* staged, not sized */
		illegal_reads(_metadata, d, variant->state);
	}
	/* None of them sized the segment, so this does not acknowledge. */
	ASSERT_EQ(pending, R8(VFC_PENDING));
	vt_snap(_metadata, d, self->t.m, stage, &snap);
	for (off = 0; off < VFC_HEADER; off += 3) {
		for (n = 1; n <= 40; n += 3)
			if (!legal_read(off, n))
				ASSERT_EQ(-EINVAL, vfc_pread(d, buf, n, off));
		vt_unchanged(_metadata, d, self->t.m, &snap);
	}
	vt_snap_free(&snap);
}

TEST_F(in_state, V1_ACC_01_illegal_writes)
{
	struct vfc_dev *d = &self->t.a;
	struct vt_snap snap;
	__u8 buf[64];
	__u64 off;
	size_t n;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	vt_snap(_metadata, d, self->t.m, is_saving(variant->state), &snap);
	for (off = 0; off < VFC_HEADER; off++) {
		for (n = 1; n <= 40; n++) {
			if (legal_read(off, n))
				continue;	/* see the tests below */
			/* Bytes that would be a legal state somewhere. */
			memset(buf, 0, sizeof(buf));
			buf[0] = n & 3;
			ASSERT_EQ(-EINVAL, vfc_pwrite(d, buf, n, off))
				TH_LOG("offset %llu width %zu",
				       (unsigned long long)off, n);
			ASSERT_EQ(variant->state, R4(VFC_STATE));
		}
		check_put(_metadata, d, variant->state);
		vt_unchanged(_metadata, d, self->t.m, &snap);
	}
	vt_snap_free(&snap);
}

TEST_F(in_state, V1_ACC_01_V1_ACC_08_legal_reads)
{
	struct vfc_dev *d = &self->t.a;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	ASSERT_EQ(variant->state, R4(VFC_STATE));
	ASSERT_EQ(0, R4(VFC_RESERVED));
	if (is_saving(variant->state))
		ASSERT_LT(0, R8(VFC_PENDING));
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	if (is_saving(variant->state))
		ASSERT_LT(0, R8(VFC_SIZE));
}

TEST_F(in_state, V1_ACC_10_empty_access)
{
	struct vfc_dev *d = &self->t.a;
	struct vt_snap snap;
	__u64 off;
	char c;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	vt_snap(_metadata, d, self->t.m, is_saving(variant->state), &snap);
	for (off = 0; off <= VFC_HEADER; off++) {
		ASSERT_EQ(0, vfc_pread(d, &c, 0, off));
		ASSERT_EQ(0, vfc_pwrite(d, &c, 0, off));
	}
	ASSERT_EQ(0, vfc_pread(d, &c, 0, d->data_off));
	ASSERT_EQ(0, vfc_pwrite(d, &c, 0, d->data_off));
	vt_unchanged(_metadata, d, self->t.m, &snap);
	vt_snap_free(&snap);
}

TEST_F(in_state, V1_ACC_03_reserved)
{
	static const __u32 values[] = { ~0u, 1, 0, 0x80000000 };
	struct vfc_dev *d = &self->t.a;
	struct vt_snap snap;
	unsigned int i;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	vt_snap(_metadata, d, self->t.m, is_saving(variant->state), &snap);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		W4(VFC_RESERVED, values[i]);
		ASSERT_EQ(0, R4(VFC_RESERVED));
	}
	vt_unchanged(_metadata, d, self->t.m, &snap);
	vt_snap_free(&snap);
}

TEST_F(in_state, V1_ACC_04_V1_ACC_05_read_only)
{
	struct vfc_dev *d = &self->t.a;
	__u64 values[] = { 0, 1, 4096, d->data_off, ~0ull };
	struct vt_snap snap;
	unsigned int i;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	vt_snap(_metadata, d, self->t.m, is_saving(variant->state), &snap);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		ASSERT_EQ(-EINVAL, vfc_w8(d, VFC_PENDING, values[i]));
		ASSERT_EQ(-EINVAL, vfc_w8(d, VFC_OFFSET, values[i]));
		if (variant->state != VFC_RESUMING)
			ASSERT_EQ(-EINVAL, vfc_w8(d, VFC_SIZE, values[i]));
	}
	vt_unchanged(_metadata, d, self->t.m, &snap);
	vt_snap_free(&snap);
}

/* In the saving states these fields are other tests' matter. */
TEST_F(in_state, V1_ACC_06_V1_ACC_07_zero_outside_saving)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	for (i = 0; i < 100 && !is_saving(variant->state); i++) {
		ASSERT_EQ(0, R8(VFC_PENDING));
		ASSERT_EQ(0, R8(VFC_SIZE));
		ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	}
}

/*
 * A read of the size that faults gives nobody the size, so that the next read
 * of pending acknowledges nothing. One that stages may do so, faulting or not:
 * either way the segment is there afterwards.
 */
static void faulting_before_sized(struct __test_metadata *_metadata,
				  const struct vfc_dev *d, void *bad)
{
	__u64 pending = R8(VFC_PENDING);

	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 8, VFC_OFFSET));
	ASSERT_EQ(pending, R8(VFC_PENDING));
	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 8, VFC_SIZE));
	ASSERT_EQ(pending, R8(VFC_PENDING));
	R8(VFC_OFFSET);
	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 8, VFC_SIZE));
	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 8, VFC_SIZE));
	ASSERT_EQ(pending, R8(VFC_PENDING));
}

TEST_F(in_state, V1_ACC_09_faulting_buffers)
{
	struct vfc_dev *d = &self->t.a;
	bool saving = is_saving(variant->state);
	void *bad = (void *)1;
	struct vt_snap snap;
	__u64 pending;
	__u8 *page;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	/* A page with none behind it: half of the value can be stored. */
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + 4096, 4096));

	if (saving)
		faulting_before_sized(_metadata, d, bad);
	pending = R8(VFC_PENDING);
	vt_snap(_metadata, d, self->t.m, saving, &snap);
	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 4, VFC_STATE));
	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 4, VFC_RESERVED));
	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 8, VFC_PENDING));
	ASSERT_EQ(-EFAULT, vfc_pread(d, page + 4092, 8, VFC_PENDING));
	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 8, VFC_OFFSET));
	ASSERT_EQ(-EFAULT, vfc_pread(d, bad, 8, VFC_SIZE));
	ASSERT_EQ(-EFAULT, vfc_pwrite(d, bad, 4, VFC_STATE));
	ASSERT_EQ(-EFAULT, vfc_pwrite(d, page + 4094, 4, VFC_STATE));
	vt_unchanged(_metadata, d, self->t.m, &snap);
	check_put(_metadata, d, variant->state);
	if (saving) {
		ASSERT_EQ(-EFAULT, vfc_rd(d, 0, bad, 8));
		vt_unchanged(_metadata, d, self->t.m, &snap);
		/* The acknowledgment comes with the read that succeeds. */
		ASSERT_EQ(pending - snap.size, R8(VFC_PENDING));
	}
	vt_snap_free(&snap);
}

TEST_F(in_state, V1_ACC_10_region_end)
{
	struct vfc_dev *d = &self->t.a;
	__u64 end = d->mig_size;
	__u64 outside[] = {
		end, end + 1, end + 8, end + 4096,
		(1ull << 39), (1ull << 62) - d->mig,
		0x7fffffffffffffffull - d->mig - 8,
		0x7fffffffffffffffull - d->mig,
	};
	__u8 buf[16] = {};
	struct vt_snap snap;
	unsigned int i;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	vt_snap(_metadata, d, self->t.m, is_saving(variant->state), &snap);
	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		ASSERT_EQ(-EINVAL, vfc_pread(d, buf, 1, outside[i]))
			TH_LOG("offset %llx", (long long)outside[i]);
		ASSERT_EQ(-EINVAL, vfc_pread(d, buf, 8, outside[i]));
		ASSERT_EQ(-EINVAL, vfc_pwrite(d, buf, 1, outside[i]));
		ASSERT_EQ(-EINVAL, vfc_pwrite(d, buf, 8, outside[i]));
	}
	if (variant->state == VFC_RESUMING) {
		ASSERT_EQ(4, vfc_pread(d, buf, 8, end - 4));
		ASSERT_EQ(1, vfc_pread(d, buf, 2, end - 1));
		ASSERT_EQ(4, vfc_pwrite(d, buf, 8, end - 4));
		ASSERT_EQ(1, vfc_pwrite(d, buf, 2, end - 1));
	} else {
		int err = variant->state == VFC_ERROR ? -EIO : -EINVAL;

		ASSERT_EQ(err, vfc_pread(d, buf, 8, end - 4));
		ASSERT_EQ(err, vfc_pread(d, buf, 2, end - 1));
		ASSERT_EQ(err, vfc_pwrite(d, buf, 8, end - 4));
		ASSERT_EQ(err, vfc_pwrite(d, buf, 2, end - 1));
	}
	vt_unchanged(_metadata, d, self->t.m, &snap);
	vt_snap_free(&snap);
}

TEST_F(in_state, V1_ACC_11_straddling)
{
	struct vfc_dev *d = &self->t.a;
	__u8 *buf = calloc(1, 8192);
	struct vt_snap snap;

	ASSERT_NE(NULL, buf);
	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	vt_snap(_metadata, d, self->t.m, is_saving(variant->state), &snap);
	ASSERT_EQ(-EINVAL, vfc_pread(d, buf, 8, 28));
	ASSERT_EQ(-EINVAL, vfc_pread(d, buf, 64, 0));
	ASSERT_EQ(-EINVAL, vfc_pread(d, buf, 16, 24));
	ASSERT_EQ(-EINVAL, vfc_pread(d, buf, 8192, 0));
	ASSERT_EQ(-EINVAL, vfc_pread(d, buf, 8, d->data_off - 4));
	ASSERT_EQ(-EINVAL, vfc_pwrite(d, buf, 8, 28));
	ASSERT_EQ(-EINVAL, vfc_pwrite(d, buf, 64, 0));
	ASSERT_EQ(-EINVAL, vfc_pwrite(d, buf, 16, 24));
	ASSERT_EQ(-EINVAL, vfc_pwrite(d, buf, 8, d->data_off - 4));
	vt_unchanged(_metadata, d, self->t.m, &snap);
	vt_snap_free(&snap);
	free(buf);
}

TEST_F(in_state, V1_ACC_12_vectors)
{
	struct vfc_dev *d = &self->t.a;
	__u32 part[2] = { ~0u, ~0u };
	struct iovec two[] = { { &part[0], 4 }, { &part[1], 4 } };
	struct iovec one = { part, 8 };
	struct vt_snap snap;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	vt_snap(_metadata, d, self->t.m, is_saving(variant->state), &snap);
	ASSERT_EQ(-1, lseek(d->fd, d->mig + 8, SEEK_SET));
	ASSERT_EQ(ESPIPE, errno);
	/* Offset 16: reading it has no effect that a second try could show. */
	ASSERT_EQ(8, preadv(d->fd, &one, 1, d->mig + VFC_OFFSET));
	ASSERT_EQ(d->data_off, part[0] | (__u64)part[1] << 32);
	ASSERT_EQ(4, pwritev(d->fd, two, 1, d->mig + VFC_RESERVED));
	ASSERT_EQ(0, R4(VFC_RESERVED));
	ASSERT_EQ(-1, preadv(d->fd, two, 2, d->mig + VFC_OFFSET));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, preadv(d->fd, two, 2, d->mig + VFC_PENDING));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, pwritev(d->fd, two, 2, d->mig + VFC_SIZE));
	ASSERT_EQ(EINVAL, errno);
	vt_unchanged(_metadata, d, self->t.m, &snap);
	vt_snap_free(&snap);
}

static bool is_or_faults(ssize_t ret, ssize_t n)
{
	return ret == n || ret == -EFAULT;
}

/* Data accesses go through where the state allows them. */
static bool moved_or_refused(ssize_t ret)
{
	return ret > 0 || ret == -EFAULT || ret == -EINVAL || ret == -EIO;
}

/* SET_IRQS with its argument at @p: one vector, without an eventfd. */
static void irqs_from(struct __test_metadata *_metadata,
		      const struct vfc_dev *d, void *p)
{
	struct vfio_irq_set *set = p;
	int ret;

	memset(p, 0, sizeof(*set) + 4);
	set->argsz = sizeof(*set) + 4;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_MSIX_IRQ_INDEX;
	set->count = 1;
	memset(set->data, 0xff, 4);
	ret = ioctl(d->fd, VFIO_DEVICE_SET_IRQS, set);
	ASSERT_TRUE(ret >= 0 || errno == EFAULT || errno == EINVAL);
}

/* Device memory: its fault handler looks at the device's state. */
static void buffer_in_memory(struct __test_metadata *_metadata,
			     const struct vfc_dev *d,
			     const struct vfc_model *m)
{
	ssize_t ret;
	__u8 *p;

	if (!vt_maps(m) || m->map(d, 1, &p))
		return;
	ASSERT_TRUE(is_or_faults(vfc_pread(d, p, 8, VFC_PENDING), 8));
	ASSERT_TRUE(is_or_faults(vfc_pread(d, p, 4, VFC_STATE), 4));
	ASSERT_TRUE(moved_or_refused(vfc_rd(d, 0, p, 4096)));
	ASSERT_TRUE(moved_or_refused(vfc_wd(d, 0, p, 4096)));
	ret = vfc_pwrite(d, p, 8, VFC_SIZE);
	ASSERT_TRUE(is_or_faults(ret, 8) || ret == -EINVAL || ret == -EIO);
}

/*
 * The buffer of a call may be the mapped section itself, or device memory. The
 * value or -EFAULT is fine; not coming back is not (the time limit of the
 * test).
 */
TEST_F_TIMEOUT(in_state, V1_ACC_15_buffer_is_the_section, 10)
{
	struct vfc_dev *d = &self->t.a;
	struct vfio_region_info *info;
	ssize_t ret;
	__u8 *p;

	if (self->skip)
		SKIP(return, VT_NO_KNOB);
	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_map(d));
	p = vfc_data(d);
	ASSERT_TRUE(is_or_faults(vfc_pread(d, p, 8, VFC_PENDING), 8));
	ASSERT_TRUE(is_or_faults(vfc_pread(d, p, 8, VFC_OFFSET), 8));
	ASSERT_TRUE(is_or_faults(vfc_pread(d, p + 4092, 8, VFC_SIZE), 8));
	ASSERT_TRUE(moved_or_refused(vfc_rd(d, 0, p + 8192, 4096)));
	ASSERT_TRUE(moved_or_refused(vfc_wd(d, 0, p + 8192, 4096)));
	memset(p + 4092, 0xff, 8);	/* a size that is too large */
	ret = vfc_pwrite(d, p + 4092, 8, VFC_SIZE);
	ASSERT_TRUE(ret == -EINVAL || ret == -EFAULT || ret == -EIO);
	buffer_in_memory(_metadata, d, self->t.m);
	memset(p, 0xff, 4);
	ret = vfc_pwrite(d, p, 4, VFC_STATE);
	ASSERT_TRUE(ret == -EINVAL || ret == -EFAULT || ret == -EIO);
	info = (void *)p;
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = d->mig_index;
	ret = ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, info);
	ASSERT_TRUE(ret == 0 || errno == EFAULT);
	irqs_from(_metadata, d, p);
	ASSERT_EQ(variant->state, R4(VFC_STATE));
}

FIXTURE(access) {
	struct vt t;
};

FIXTURE_SETUP(access)
{
	vt_open(_metadata, &self->t);
}

FIXTURE_TEARDOWN(access)
{
	vt_close(&self->t);
}

/* An overlay of the header and the single accesses agree. */
TEST_F(access, V1_ACC_13_host_order)
{
	struct vfc_dev *d = &self->t.a;
	__u8 raw[8];
	__u64 value = 0;
	int i;

	ASSERT_EQ(8, vfc_pread(d, raw, 8, VFC_OFFSET));
	for (i = 7; i >= 0; i--)
		value = value << 8 | raw[i];
	ASSERT_EQ(d->data_off, value);
	ASSERT_EQ(4, vfc_pread(d, raw, 4, VFC_STATE));
	ASSERT_EQ(1, raw[0]);
	ASSERT_EQ(0, raw[1] | raw[2] | raw[3]);
}

/* 8 bytes are one event: each read of pending acknowledges once. */
TEST_F(access, V1_ACC_02_one_access)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int units = vfc_section(d) * 3 / VFC_UNIT, n = 0;
	__u64 pending, size, left;

	if (self->t.m)	/* more than one segment */
		vt_touch(_metadata, d, self->t.m, units, 1);
	SET(VFC_SAVING);
	for (pending = R8(VFC_PENDING); pending; pending = left, n++) {
		size = R8(VFC_SIZE);
		left = R8(VFC_PENDING);
		ASSERT_EQ(pending - size, left);
	}
	if (self->t.m)
		ASSERT_LE(vt_segments(d, self->t.m, units), n);
}

#if __SIZEOF_LONG__ == 4
/* This program, built for 32 bits, is such a client in all that it tests. */
TEST_F(access, V1_ACC_14_client_of_32_bits)
{
	struct vfc_dev *d = &self->t.a;
	__u32 half[2];

	ASSERT_EQ(4, sizeof(void *));
	ASSERT_EQ(32, sizeof(struct vfio_device_migration_info));
	SET(VFC_SAVING);
	ASSERT_LT(0, R8(VFC_PENDING));
	/* What a compiler may make of a 64-bit access. */
	ASSERT_EQ(-EINVAL, vfc_pread(d, &half[0], 4, VFC_PENDING));
	ASSERT_EQ(-EINVAL, vfc_pread(d, &half[1], 4, VFC_PENDING + 4));
	vfc_set(d, VFC_RUNNING);
	vt_migrates(_metadata, d);
}
#endif

TEST_HARNESS_MAIN
