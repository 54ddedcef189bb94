// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIFE-05: the device by its node of iommufd. It can be bound once, and then it is
 * what it is by its group.
 *
 * All other tests use the node with VFIO_CDEV=1 in the environment.
 */
#include "vmig_test.h"
#include "vfio_v2.h"

#define NO_NODES	"this kernel has no device nodes (VFIO_DEVICE_CDEV)"

/* After vt_arguments(): all or nothing, and the harness cannot skip a fixture. */
static void __attribute__((constructor)) skip_without_nodes(void)
{
	int node = vfc_cdev_node(getenv("VFIO_DEV"));

	if (node >= 0)
		close(node);
	if (node != -ENOENT)
		return;
	printf("TAP version 13\n1..0 # SKIP %s\n", NO_NODES);
	exit(VT_EXIT_SKIP);
}

FIXTURE(cdev) {
	const char *uuid;
	int iommufd;
};

FIXTURE_SETUP(cdev)
{
	self->uuid = getenv("VFIO_DEV");
	self->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->iommufd);
}

FIXTURE_TEARDOWN(cdev)
{
	close(self->iommufd);
}

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static int get_info(int fd)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	return call(fd, VFIO_DEVICE_GET_INFO, &info);
}

/* --- Binding ------------------------------------------------------------ */

TEST_F(cdev, LIFE_05_nothing_before_it_is_bound)
{
	struct vfc_dev d = { .fd = vfc_cdev_node(self->uuid) };
	struct vfio_region_info region = { .argsz = sizeof(region) };
	__u32 word;

	ASSERT_LE(0, d.fd);
	ASSERT_EQ(-EINVAL, get_info(d.fd));
	ASSERT_EQ(-EINVAL, call(d.fd, VFIO_DEVICE_GET_REGION_INFO, &region));
	ASSERT_EQ(-EINVAL, vfc_reset(&d));
	ASSERT_EQ(-EINVAL, vfc2_probe(&d, VFC2_F_MIGRATION, VFC2_GET));
	ASSERT_EQ(-1, pread(d.fd, &word, sizeof(word), 0));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, pwrite(d.fd, &word, sizeof(word), 0));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, d.fd, 0));
	ASSERT_EQ(-EINVAL, vfc_cdev_attach(d.fd, 1));
	ASSERT_EQ(-EINVAL, vfc_cdev_detach(d.fd));
	close(d.fd);
}

TEST_F(cdev, LIFE_05_bound_once)
{
	int one = vfc_cdev_node(self->uuid);
	int two = vfc_cdev_node(self->uuid);

	ASSERT_LE(0, one);
	ASSERT_LE(0, two);
	ASSERT_EQ(0, vfc_cdev_bind(one, self->iommufd));
	ASSERT_EQ(0, get_info(one));
	ASSERT_EQ(-EINVAL, vfc_cdev_bind(one, self->iommufd));
	ASSERT_EQ(-EINVAL, vfc_cdev_bind(two, self->iommufd));
	ASSERT_EQ(-EINVAL, get_info(two));
	ASSERT_EQ(0, get_info(one));
	/* The last close of the one makes room for the other. */
	close(one);
	ASSERT_EQ(0, vfc_cdev_bind(two, self->iommufd));
	ASSERT_EQ(0, get_info(two));
	close(two);
}

TEST_F(cdev, LIFE_05_group_or_node)
{
	struct vfc_dev by_group, by_node;
	int node;

	ASSERT_EQ(0, vfc_open_cdev(&by_node, self->uuid));
	ASSERT_EQ(-EBUSY, vfc_open_group(&by_group, self->uuid));
	ASSERT_EQ(VFC_RUNNING, vfc_get(&by_node));
	vfc_close(&by_node);

	ASSERT_EQ(0, vfc_open_group(&by_group, self->uuid));
	node = vfc_cdev_node(self->uuid);
	ASSERT_LE(0, node);
	ASSERT_EQ(-EBUSY, vfc_cdev_bind(node, self->iommufd));
	ASSERT_EQ(VFC_RUNNING, vfc_get(&by_group));
	vfc_close(&by_group);
	ASSERT_EQ(0, vfc_cdev_bind(node, self->iommufd));
	close(node);
}

TEST_F(cdev, LIFE_05_bad_arguments)
{
	int node = vfc_cdev_node(self->uuid), null = open("/dev/null", O_RDWR);
	__u32 ioas;

	ASSERT_LE(0, node);
	ASSERT_EQ(-EINVAL, vfc_cdev_bind(node, -1));
	ASSERT_GT(0, vfc_cdev_bind(node, null));
	ASSERT_GT(0, vfc_cdev_bind(node, node));
	ASSERT_GT(0, vfc_cdev_bind(node, 1000));
	ASSERT_EQ(-EINVAL, get_info(node));
	ASSERT_EQ(0, vfc_cdev_bind(node, self->iommufd));
	ASSERT_EQ(-ENOENT, vfc_cdev_attach(node, 1000));
	ASSERT_EQ(0, vfc_ioas_alloc(self->iommufd, &ioas));
	ASSERT_EQ(0, vfc_cdev_attach(node, ioas));
	ASSERT_EQ(0, vfc_cdev_detach(node));
	ASSERT_EQ(0, vfc_cdev_attach(node, ioas));
	ASSERT_EQ(0, get_info(node));
	close(node);
	close(null);
}

/* --- The same by group and by node -------------------------------------- */

/**
 * struct record - what a device answered, in order
 * @n: entries of @answer
 * @answer: results, states and numbers
 */
struct record {
	unsigned int n;
	__u64 answer[4096];
};

static void note(struct record *r, __u64 answer)
{
	if (r->n < ARRAY_SIZE(r->answer))
		r->answer[r->n++] = answer;
}

static void describe(const struct vfc_dev *d, struct record *r)
{
	struct vfio_irq_info irq = { .argsz = sizeof(irq) };
	struct vfio_region_info *info;
	__u32 i;
	int ret;

	note(r, d->info.flags);
	note(r, d->info.num_regions);
	note(r, d->info.num_irqs);
	for (i = 0; i <= d->info.num_regions; i++) {
		ret = vfc_region_info(d->fd, i, &info);
		note(r, ret);
		if (ret)
			continue;
		note(r, info->flags);
		note(r, info->size);
		note(r, info->offset);
		note(r, info->argsz);
		free(info);
	}
	for (i = 0; i <= d->info.num_irqs; i++) {
		irq.index = i;
		ret = call(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &irq);
		note(r, ret);
		note(r, ret ? 0 : irq.flags);
		note(r, ret ? 0 : irq.count);
	}
}

/* Each state of v1 from each, valid or not. */
static void all_of_v1(const struct vfc_dev *d, struct record *r)
{
	int from, to;

	for (from = 0; from < 8; from++) {
		for (to = 0; to < 9; to++) {
			note(r, vfc_reset(d));
			note(r, vfc_set(d, from));
			note(r, vfc_set(d, to));
			note(r, vfc_get(d));
		}
	}
	note(r, vfc_reset(d));
}

/* Likewise of v2, and its features; a device without it says so each time. */
static void all_of_v2(const struct vfc_dev *d, struct record *r)
{
	__u32 feature, from, to;

	for (feature = 0; feature < 32; feature++) {
		note(r, vfc2_probe(d, feature, VFC2_GET));
		note(r, vfc2_probe(d, feature, VFC2_SET));
	}
	for (from = 0; from <= VFC2_STATES; from++) {
		for (to = 0; to <= VFC2_STATES; to++) {
			note(r, vfc_reset(d));
			note(r, vfc2_set(d, from, NULL));
			note(r, vfc2_set(d, to, NULL));
			note(r, vfc2_get(d));
		}
	}
	note(r, vfc_reset(d));
}

TEST_F_TIMEOUT(cdev, LIFE_05_same_results, 60)
{
	struct record *r = calloc(2, sizeof(*r));
	struct vfc_dev d;
	unsigned int i;

	ASSERT_NE(NULL, r);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, (i ? vfc_open_cdev : vfc_open_group)(&d,
								  self->uuid));
		describe(&d, &r[i]);
		all_of_v1(&d, &r[i]);
		all_of_v2(&d, &r[i]);
		vfc_close(&d);
	}
	ASSERT_LT(600, r[0].n);
	ASSERT_GT(ARRAY_SIZE(r[0].answer), r[0].n);
	ASSERT_EQ(r[0].n, r[1].n);
	for (i = 0; i < r[0].n; i++)
		ASSERT_EQ(r[0].answer[i], r[1].answer[i])
			TH_LOG("answer %u", i);
	free(r);
}

/* What was saved by the one is resumed by the other. */
TEST_F_TIMEOUT(cdev, LIFE_05_streams_fit, 60)
{
	const char *other = getenv("VFIO_DEV2");
	const struct vfc_model *m;
	struct vfc_stream s = {};
	struct vfc_dev a, b;
	int by_node;
	__u64 value;

	if (!other)
		SKIP(return, VT_NO_SECOND);
	for (by_node = 0; by_node < 2; by_node++) {
		ASSERT_EQ(0, (by_node ? vfc_open_cdev :
			      vfc_open_group)(&a, self->uuid));
		ASSERT_EQ(0, (by_node ? vfc_open_group :
			      vfc_open_cdev)(&b, other));
		m = vfc_model_find(&a);
		if (m && m->units(&a) > 3)
			ASSERT_EQ(0, m->touch(&a, 3, 4711 + by_node));
		ASSERT_EQ(0, vfc_save(&a, &vt_bulk, &s));
		ASSERT_LE(0, vfc_load(&b, &vt_bulk, &s));
		ASSERT_EQ(4, vfc_set(&b, VFC_RUNNING));
		if (m && m->units(&b) > 3) {
			ASSERT_EQ(0, m->read_back(&b, 3, &value));
			ASSERT_EQ(4711 + by_node, value);
		}
		vfc_stream_free(&s);
		vfc_close(&a);
		vfc_close(&b);
	}
}

TEST_HARNESS_MAIN
