// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-DISC: how a client finds the migration region, what its description says,
 * and what of it can be mapped. (V1-DISC-10 is in life.c, V1-DISC-11 in
 * saving.c.)
 */
#include "vmig_test.h"

FIXTURE(discovery) {
	struct vt t;
};

FIXTURE_SETUP(discovery)
{
	vt_open_two(_metadata, &self->t);
}

FIXTURE_TEARDOWN(discovery)
{
	vt_close(&self->t);
}

/*
 * The numbers of this library against those of the kernel's header; that has
 * the structure still, and the numbers by the name that they got in 5.18.
 */
#define INFO	struct vfio_device_migration_info

_Static_assert(sizeof(INFO) == VFC_HEADER, "header");
_Static_assert(offsetof(INFO, device_state) == VFC_STATE, "device_state");
_Static_assert(offsetof(INFO, reserved) == VFC_RESERVED, "reserved");
_Static_assert(offsetof(INFO, pending_bytes) == VFC_PENDING, "pending_bytes");
_Static_assert(offsetof(INFO, data_offset) == VFC_OFFSET, "data_offset");
_Static_assert(offsetof(INFO, data_size) == VFC_SIZE, "data_size");
_Static_assert(VFIO_DEVICE_STATE_V1_STOP == VFC_STOP, "STOP");
_Static_assert(VFIO_DEVICE_STATE_V1_RUNNING == VFC_RUNNING, "RUNNING");
_Static_assert(VFIO_DEVICE_STATE_V1_SAVING == VFC_SAVING, "SAVING");
_Static_assert(VFIO_DEVICE_STATE_V1_RESUMING == VFC_RESUMING, "RESUMING");
_Static_assert(VFIO_REGION_TYPE_MIGRATION_DEPRECATED == 3, "type");
_Static_assert(VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED == 1, "subtype");
/* Before 5.18, which a program has only if it is built for such a kernel. */
#ifdef VFIO_REGION_TYPE_MIGRATION
_Static_assert(VFIO_REGION_TYPE_MIGRATION == 3, "old type");
_Static_assert(VFIO_REGION_SUBTYPE_MIGRATION == 1, "old subtype");
#endif

static int region_info(int fd, void *buf, __u32 index, __u32 argsz)
{
	struct vfio_region_info *info = buf;

	memset(info, 0, sizeof(*info));
	info->argsz = argsz;
	info->index = index;
	return ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

TEST_F(discovery, V1_DISC_01_found_by_capability)
{
	struct vfc_dev *d = &self->t.a;
	struct vfio_region_info *info;
	unsigned int i, found = 0;
	int ret;

	for (i = 0; i < d->info.num_regions; i++) {
		ret = vfc_region_info(d->fd, i, &info);
		if (ret)	/* a gap among the fixed ones, no VGA say */
			ASSERT_GT(VFIO_PCI_NUM_REGIONS, i);
		if (ret)
			continue;
		if (vfc_region_is_migration(info)) {
			ASSERT_LE(VFIO_PCI_NUM_REGIONS, i);
			ASSERT_EQ(i, info->index);
			found++;
		}
		free(info);
	}
	ASSERT_EQ(1, found);
	ASSERT_EQ(-EINVAL, vfc_region_info(d->fd, d->info.num_regions, &info));
	ASSERT_EQ(-EINVAL, vfc_region_info(d->fd, ~0u, &info));
}

TEST_F(discovery, V1_DISC_02_numbers)
{
	struct vfc_dev *d = &self->t.a;
	struct vfio_region_info_cap_type *type;
	struct vfio_region_info *info;

	ASSERT_EQ(0, vfc_region_info(d->fd, d->mig_index, &info));
	type = (void *)vfc_region_cap(info, 2);
	ASSERT_NE(NULL, type);
	ASSERT_EQ(3, type->type);
	ASSERT_EQ(1, type->subtype);
	free(info);
}

TEST_F(discovery, V1_DISC_03_argsz)
{
	struct vfc_dev *d = &self->t.a;
	struct vfio_region_info *info, *full;
	struct vfio_info_cap_header *cap;
	__u32 need, size, off, next;

	info = malloc(65536);
	ASSERT_NE(NULL, info);
	ASSERT_EQ(-EINVAL, region_info(d->fd, info, d->mig_index, 31));
	ASSERT_EQ(-EINVAL, region_info(d->fd, info, d->mig_index, 0));
	ASSERT_EQ(0, region_info(d->fd, info, d->mig_index, 32));
	need = info->argsz;
	ASSERT_LT(32, need);
	ASSERT_GE(65536 - 4096, need);
	for (size = 32; size < need; size++) {
		memset((char *)info + 32, 0xa5, need);
		ASSERT_EQ(0, region_info(d->fd, info, d->mig_index, size));
		ASSERT_EQ(need, info->argsz);
		ASSERT_EQ(0, info->cap_offset);
		ASSERT_TRUE(info->flags & VFIO_REGION_INFO_FLAG_CAPS);
		for (off = 32; off < need; off++)
			ASSERT_EQ(0xa5, ((__u8 *)info)[off]);
	}
	ASSERT_EQ(0, vfc_region_info(d->fd, d->mig_index, &full));
	ASSERT_EQ(need, full->argsz);
	for (size = need; size <= need + 4096; size += 4096) {
		ASSERT_EQ(0, region_info(d->fd, info, d->mig_index, size));
		/* argsz says what is needed or what was given */
		ASSERT_LE(need, info->argsz);
		ASSERT_GE(size, info->argsz);
		info->argsz = need;
		ASSERT_EQ(0, memcmp(full, info, need));
		ASSERT_LE(32, info->cap_offset);
		for (off = info->cap_offset; off; off = next) {
			ASSERT_EQ(0, off % 8);
			ASSERT_GE(need, off + sizeof(*cap));
			cap = (void *)((char *)info + off);
			next = cap->next;
			if (next)
				ASSERT_LT(off, next);
		}
	}
	free(full);
	free(info);
}

TEST_F(discovery, V1_DISC_04_flags)
{
	struct vfc_dev *d = &self->t.a;
	struct vfio_region_info *info;
	__u32 must = VFIO_REGION_INFO_FLAG_READ |
		VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_CAPS;
	bool sparse;

	ASSERT_EQ(0, vfc_region_info(d->fd, d->mig_index, &info));
	ASSERT_EQ(must, info->flags & must);
	sparse = vfc_region_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	ASSERT_EQ(sparse, !!(info->flags & VFIO_REGION_INFO_FLAG_MMAP));
	free(info);
}

TEST_F(discovery, V1_DISC_05_data_offset)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	ASSERT_LE(VFC_HEADER, d->data_off);
	ASSERT_GT(d->mig_size, d->data_off);
	for (i = 0; i < ARRAY_SIZE(vt_states); i++) {
		if (vt_states[i] == VFC_ERROR && !vt_has_error_knob(d))
			continue;
		vt_reach(_metadata, d, vt_states[i]);
		ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	}
}

TEST_F(discovery, V1_DISC_06_V1_DISC_07_areas)
{
	struct vfc_dev *d = &self->t.a;
	struct vfio_region_info_cap_sparse_mmap *sparse;
	__u64 page = sysconf(_SC_PAGESIZE);
	struct vfio_region_info *info;
	unsigned int i, j, starts = 0;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_region_info(d->fd, d->mig_index, &info));
	sparse = (void *)vfc_region_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	ASSERT_NE(NULL, sparse);
	ASSERT_LT(0, sparse->nr_areas);
	for (i = 0; i < sparse->nr_areas; i++) {
		__u64 off = sparse->areas[i].offset;
		__u64 size = sparse->areas[i].size;

		ASSERT_EQ(0, off % page);
		ASSERT_EQ(0, size % page);
		ASSERT_LT(0, size);
		ASSERT_LE(VFC_HEADER, off);
		ASSERT_GT(info->size, off);
		ASSERT_LE(size, info->size - off);
		starts += off == d->data_off;
		for (j = 0; j < i; j++)
			ASSERT_TRUE(off + size <= sparse->areas[j].offset ||
				    sparse->areas[j].offset +
				    sparse->areas[j].size <= off);
	}
	ASSERT_EQ(0, d->data_off % page);
	ASSERT_EQ(1, starts);
	free(info);
}

static bool all_zero(const __u8 *p, size_t n)
{
	return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

TEST_F(discovery, V1_DISC_08_mapping_lives)
{
	static const __u32 walk[] = { 3, 2, 0, 1, 4 };
	struct vfc_dev *d = &self->t.a;
	volatile __u8 *p;
	unsigned int i;
	__u64 off;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	ASSERT_EQ(0, vfc_map(d));
	ASSERT_TRUE(all_zero(d->map, d->area_size));
	p = d->map;
	for (i = 0; i < ARRAY_SIZE(walk); i++) {
		SET(walk[i]);
		/* STOP and RUNNING come after a session here. */
		if (walk[i] == VFC_STOP || walk[i] == VFC_RUNNING)
			ASSERT_TRUE(all_zero(d->map, d->area_size));
		for (off = 0; off < d->area_size; off += 4096)
			p[off] = p[off];	/* SIGBUS would end the test */
	}
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_TRUE(all_zero(d->map, d->area_size));
	/* A session leaves nothing behind that was collected, */
	SET(VFC_SAVING);
	ASSERT_LT(0, vfc_save_segment(d, &vt_mmap, &self->t.s));
	ASSERT_FALSE(all_zero(d->map, d->area_size));
	R8(VFC_PENDING);
	SET(VFC_RUNNING);
	ASSERT_TRUE(all_zero(d->map, d->area_size));
	/* and what may still be copied stays until the next one, or a reset. */
	SET(VFC_SAVING);
	vfc_stream_free(&self->t.s);
	ASSERT_LT(0, vfc_save_segment(d, &vt_mmap, &self->t.s));
	SET(VFC_RUNNING);
	ASSERT_EQ(0, memcmp(d->map, self->t.s.buf, self->t.s.len));
	SET(VFC_RESUMING);
	ASSERT_TRUE(all_zero(d->map, d->area_size));
	ASSERT_EQ(0, vfc_reset(d));
	SET(VFC_SAVING);
	ASSERT_LT(0, vfc_save_segment(d, &vt_mmap, &self->t.s));
	SET(VFC_RUNNING);
	ASSERT_FALSE(all_zero(d->map, d->area_size));
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_TRUE(all_zero(d->map, d->area_size));
}

TEST_F(discovery, V1_DISC_09_refused_mappings)
{
	struct vfc_dev *d = &self->t.a;
	int rw = PROT_READ | PROT_WRITE;
	const struct {
		size_t len;
		int flags;
		__u64 off;
	} bad[] = {
		{ 4096, MAP_SHARED, 0 },		/* the header */
		{ d->data_off + 4096, MAP_SHARED, 0 },
		{ 4096, MAP_SHARED, d->mig_size },	/* past the end */
		{ d->area_size + 4096, MAP_SHARED, d->area_off },
		{ 8192, MAP_SHARED, d->mig_size - 4096 },
		{ 0, MAP_SHARED, d->area_off },
		{ 4096, MAP_PRIVATE, d->area_off },
		{ 4096, MAP_SHARED, d->area_off + 512 },
	};
	unsigned int i;
	void *p;

	if (!d->area_size)
		SKIP(return, VT_NO_MMAP);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		p = mmap(NULL, bad[i].len, rw, bad[i].flags, d->fd,
			 d->mig + bad[i].off);
		ASSERT_EQ(MAP_FAILED, p)
			TH_LOG("case %u was mapped", i);
		ASSERT_EQ(EINVAL, errno)
			TH_LOG("case %u", i);
	}
	/* offset + length wraps: the kernel or the driver says so */
	p = mmap(NULL, 8192, rw, MAP_SHARED, d->fd, 0x7ffffffffffff000ll);
	ASSERT_EQ(MAP_FAILED, p);
	ASSERT_TRUE(errno == EINVAL || errno == EOVERFLOW);
	ASSERT_EQ(0, vfc_map(d));
}

/* A type of the same parent that cannot migrate. */
static bool fixed_type(const char *uuid, char *path)
{
	char *p;

	if (vfc_mdev_type(uuid, path))
		return false;
	p = strrchr(path, '_');
	if (!p || strlen(p) > 32)
		return false;
	strcpy(p, "_fixed");
	return access(path, F_OK) == 0;
}

TEST_F(discovery, V1_DISC_12_fixed_type_shows_nothing)
{
	struct {
		struct vfio_device_feature head;
		__u64 flags;
	} feature = {
		.head.argsz = sizeof(feature),
		.head.flags = VFIO_DEVICE_FEATURE_GET |
			      VFIO_DEVICE_FEATURE_MIGRATION,
	};
	char type[VFC_PATH], uuid[VFC_UUID_LEN + 1], version[VMIG_VERSION_MAX];
	struct vfc_dev fixed;
	int ret;

	if (!fixed_type(self->t.a.uuid, type))
		SKIP(return, "no type that cannot migrate on this parent");
	ASSERT_EQ(0, vfc_uuid(uuid));
	ASSERT_EQ(0, vfc_mdev_create(type, uuid));
	ret = vfc_open(&fixed, uuid);
	EXPECT_EQ(0, ret);
	if (!ret) {
		EXPECT_EQ(-1, fixed.mig_index);
		EXPECT_EQ(-1, ioctl(fixed.fd, VFIO_DEVICE_FEATURE, &feature));
		EXPECT_EQ(ENOTTY, errno);
		vfc_close(&fixed);
	}
	EXPECT_EQ(-ENOENT, vfc_mdev_version(uuid, false, version,
					    sizeof(version)));
	EXPECT_EQ(-ENOENT, vfc_mdev_version(uuid, true, version,
					    sizeof(version)));
	ASSERT_EQ(0, vfc_mdev_remove(uuid));
}

TEST_F(discovery, V1_DISC_13_reset)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	ASSERT_TRUE(d->info.flags & VFIO_DEVICE_FLAGS_RESET);
	ASSERT_TRUE(d->info.flags & VFIO_DEVICE_FLAGS_PCI);
	for (i = 0; i < ARRAY_SIZE(vt_states); i++) {
		if (vt_states[i] == VFC_ERROR && !vt_has_error_knob(d))
			continue;
		vt_reach(_metadata, d, vt_states[i]);
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC_RUNNING, vfc_get(d));
	}
}

TEST_F(discovery, V1_DISC_14_constant)
{
	struct vfc_dev *d = &self->t.a;
	struct vfio_region_info *first, *now;
	int fds[2] = { d->fd, vfc_device_fd(d) };
	unsigned int i, k;

	if (fds[1] == -EOPNOTSUPP)
		SKIP(return, VFC_ONE_FILE);
	ASSERT_LE(0, fds[1]);
	ASSERT_EQ(0, vfc_region_info(d->fd, d->mig_index, &first));
	for (i = 0; i < ARRAY_SIZE(vt_states); i++) {
		if (vt_states[i] == VFC_ERROR && !vt_has_error_knob(d))
			continue;
		vt_reach(_metadata, d, vt_states[i]);
		for (k = 0; k < 2; k++) {
			ASSERT_EQ(0, vfc_region_info(fds[k], d->mig_index,
						     &now));
			ASSERT_EQ(first->argsz, now->argsz);
			ASSERT_EQ(0, memcmp(first, now, now->argsz));
			free(now);
		}
		ASSERT_EQ(0, vfc_reset(d));
	}
	free(first);
	close(fds[1]);
}

TEST_F(discovery, V1_DISC_15_section_size)
{
	struct vfc_dev *d = &self->t.a;

	ASSERT_LE(1u << 20, vfc_section(d));
	if (!self->t.two)
		SKIP(return, VT_NO_SECOND);
	ASSERT_EQ(vfc_section(d), vfc_section(&self->t.b));
}

TEST_HARNESS_MAIN
