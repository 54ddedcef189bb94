// SPDX-License-Identifier: GPL-2.0-only
/*
 * V2-FEA, V2-PI, V2-DS: what a client can ask about a device and its session, and
 * the envelope in which it asks.
 */
#include "v2_test.h"

#include <sys/resource.h>

#define UNITS	20
#define VALUE	1234

FIXTURE(v2_info) {
	struct vt t;
	int fd;
};

FIXTURE_SETUP(v2_info)
{
	self->fd = -1;
	if (!v2_open(_metadata, &self->t))
		SKIP(return, V2_NO_PROTOCOL);
}

FIXTURE_TEARDOWN(v2_info)
{
	if (self->fd >= 0)
		close(self->fd);
	vt_close(&self->t);
}

static void fill(struct __test_metadata *_metadata, struct vt *t,
		 unsigned int n, __u64 value)
{
	if (t->m)
		vt_touch(_metadata, &t->a, t->m, n, value);
}

/* --- The envelope ----------------------------------------------------- */

TEST_F(v2_info, V2_FEA_01_V2_FEA_11_flags)
{
	struct vfc_dev *d = &self->t.a;
	__u64 flags = 0;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, vfc2_flags(d, &flags));
		ASSERT_EQ(VFC2_HAS_STOP_COPY | VFC2_HAS_P2P | VFC2_HAS_PRE_COPY,
			  flags);
	}
	/* The same in each state. */
	for (i = 0; i < ARRAY_SIZE(v2_seven); i++) {
		ASSERT_EQ(0, vfc2_set(d, v2_seven[i], NULL));
		ASSERT_EQ(0, vfc2_flags(d, &flags));
		ASSERT_EQ(7, flags);
		ASSERT_EQ(0, vfc_reset(d));
	}
}

/* One VFIO_DEVICE_FEATURE, with an argsz of its own. */
static int feature(const struct vfc_dev *d, __u32 argsz, __u32 flags)
{
	struct {
		struct vfio_device_feature head;
		__u8 data[256];
	} arg;

	memset(&arg, 0, sizeof(arg));
	arg.head.argsz = argsz;
	arg.head.flags = flags;
	/* A request for STOP, if it should come to that. */
	arg.data[0] = VFC2_STOP;
	return ioctl(d->fd, VFIO_DEVICE_FEATURE, &arg) < 0 ? -errno : 0;
}

TEST_F(v2_info, V2_FEA_02_envelope)
{
	static const struct {
		__u32 feature, dirs, size;
	} known[] = {
		{ VFC2_F_MIGRATION, VFC2_GET, 8 },
		{ VFC2_F_DEVICE_STATE, VFC2_GET, 8 },
		{ VFC2_F_DEVICE_STATE, VFC2_SET, 8 },
		{ VFC2_F_DATA_SIZE, VFC2_GET, 8 },
	};
	struct vfc_dev *d = &self->t.a;
	__u32 f, dirs, size, bit;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		f = known[i].feature;
		dirs = known[i].dirs;
		for (size = 0; size < 8 + known[i].size; size++)
			ASSERT_EQ(-EINVAL, feature(d, size, f | dirs))
				TH_LOG("feature %u size %u", f, size);
		for (bit = 19; bit < 32; bit++)
			ASSERT_EQ(-EINVAL, feature(d, 16, f | dirs | 1u << bit));
		ASSERT_EQ(-EINVAL, feature(d, 16, f | VFC2_GET | VFC2_SET));
		ASSERT_EQ(-EINVAL, feature(d, 16, f));
		/* Larger than it needs is good. */
		if (dirs == VFC2_GET)
			ASSERT_EQ(0, feature(d, 264, f | dirs));
		ASSERT_EQ(VFC2_RUNNING, GET2());
	}
}

/* What @directions of a feature PROBE answers with, by GET, SET, both. */
static void probes(struct __test_metadata *_metadata, const struct vfc_dev *d,
		   __u32 f, bool get, bool set)
{
	ASSERT_EQ(0, vfc2_probe(d, f, 0));
	ASSERT_EQ(get ? 0 : -EINVAL, vfc2_probe(d, f, VFC2_GET));
	ASSERT_EQ(set ? 0 : -EINVAL, vfc2_probe(d, f, VFC2_SET));
	ASSERT_EQ(get && set ? 0 : -EINVAL,
		  vfc2_probe(d, f, VFC2_GET | VFC2_SET));
}

/* Not this kernel's: in all directions. */
static void unknown(struct __test_metadata *_metadata, const struct vfc_dev *d,
		    __u32 f)
{
	ASSERT_EQ(-ENOTTY, vfc2_probe(d, f, 0));
	ASSERT_EQ(-ENOTTY, vfc2_probe(d, f, VFC2_GET));
	ASSERT_EQ(-ENOTTY, vfc2_probe(d, f, VFC2_SET));
	ASSERT_EQ(-ENOTTY, vfc2_probe(d, f, VFC2_GET | VFC2_SET));
	ASSERT_EQ(-ENOTTY, feature(d, 64, f | VFC2_GET));
	ASSERT_EQ(-ENOTTY, feature(d, 64, f | VFC2_SET));
}

TEST_F(v2_info, V2_FEA_03_V2_FEA_04_probe)
{
	struct vfc_dev *d = &self->t.a;

	probes(_metadata, d, VFC2_F_MIGRATION, true, false);
	probes(_metadata, d, VFC2_F_DEVICE_STATE, true, true);
	probes(_metadata, d, VFC2_F_DATA_SIZE, true, false);
	if (vfc2_probe(d, VFC2_F_PRECOPY_INFOV2, 0) == -ENOTTY)
		unknown(_metadata, d, VFC2_F_PRECOPY_INFOV2);
	else
		probes(_metadata, d, VFC2_F_PRECOPY_INFOV2, false, true);
	unknown(_metadata, d, 4095);
	unknown(_metadata, d, 0xffff);
	ASSERT_EQ(VFC2_RUNNING, GET2());
}

/* Logging of DMA is there as a whole, or not at all. */
TEST_F(v2_info, V2_FEA_03_V2_FEA_05_logging)
{
	struct vfc_dev *d = &self->t.a;

	if (vfc2_probe(d, VFC2_F_LOG_START, 0) == -ENOTTY) {
		unknown(_metadata, d, VFC2_F_LOG_START);
		unknown(_metadata, d, VFC2_F_LOG_STOP);
		unknown(_metadata, d, VFC2_F_LOG_REPORT);
		return;
	}
	probes(_metadata, d, VFC2_F_LOG_START, false, true);
	probes(_metadata, d, VFC2_F_LOG_STOP, false, true);
	probes(_metadata, d, VFC2_F_LOG_REPORT, true, false);
}

TEST_F(v2_info, V2_FEA_06_logging_is_offered)
{
	int ret = vfc2_probe(&self->t.a, VFC2_F_LOG_START, VFC2_SET);

	if (ret == -ENOTTY)
		SKIP(return, "this kernel cannot serve DMA logging");
	ASSERT_EQ(0, ret);
}

/* Whatever they answer: nothing is called that is not there. */
TEST_F(v2_info, V2_FEA_05_all_features)
{
	static const __u32 all[] = {
		VFC2_F_DATA_SIZE, VFC2_F_LOG_START, VFC2_F_LOG_STOP,
		VFC2_F_LOG_REPORT, VFC2_F_PRECOPY_INFOV2,
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i, size;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		for (size = 8; size <= 72; size += 8) {
			feature(d, size, all[i] | VFC2_GET);
			feature(d, size, all[i] | VFC2_SET);
		}
	}
	ASSERT_EQ(VFC2_RUNNING, GET2());
	v2_migrates(_metadata, d);
}

/* --- Requests whose answer does not arrive ---------------------------- */

struct request {
	struct vfio_device_feature head;
	struct vfc2_mig_state state;
};

/* SET(@state) with an argument that cannot be written. */
static int set_read_only(const struct vfc_dev *d, struct request *page,
			 __u32 state)
{
	int ret;

	if (mprotect(page, 4096, PROT_READ | PROT_WRITE))
		return -errno;
	memset(page, 0, sizeof(*page));
	page->head.argsz = sizeof(*page);
	page->head.flags = VFC2_F_DEVICE_STATE | VFC2_SET;
	page->state.device_state = state;
	page->state.data_fd = -1;
	if (mprotect(page, 4096, PROT_READ))
		return -errno;
	ret = ioctl(d->fd, VFIO_DEVICE_FEATURE, page);
	return ret < 0 ? -errno : ret;
}

/* The file of STOP_COPY was dropped; a new one can be had. */
static void file_again(struct __test_metadata *_metadata, struct vt *t, int files)
{
	struct vfc_dev *d = &t->a;
	int fd;

	ASSERT_EQ(VFC2_STOP_COPY, GET2());
	ASSERT_EQ(files, v2_files());
	ASSERT_EQ(-1, SET2(VFC2_STOP));
	fd = SET2(VFC2_STOP_COPY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, vfc2_drain(fd, 0, &t->s));
	ASSERT_TRUE(v2_whole(&t->s));
	close(fd);
	SET2(VFC2_STOP);
	v2_restores(_metadata, t, &t->s, UNITS, VALUE);
}

TEST_F(v2_info, V2_FEA_07_answer_cannot_be_written)
{
	struct vfc_dev *d = &self->t.a;
	int files = v2_files();
	struct request *page;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	fill(_metadata, &self->t, UNITS, VALUE);
	if (self->t.m)
		ASSERT_EQ(0, self->t.m->reg_set(d, VALUE));
	ASSERT_EQ(-EFAULT, set_read_only(d, page, VFC2_STOP_COPY));
	file_again(_metadata, &self->t, files);
	/* An arc without a file was taken as well. */
	ASSERT_EQ(-EFAULT, set_read_only(d, page, VFC2_STOP));
	ASSERT_EQ(VFC2_STOP, GET2());
	ASSERT_EQ(0, vfc_reset(d));
	v2_migrates(_metadata, d);
}

TEST_F(v2_info, V2_FEA_07_request_cannot_be_read)
{
	struct vfc_dev *d = &self->t.a;
	__u8 *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct request *r;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p + 4096, 4096));
	ASSERT_EQ(-1, ioctl(d->fd, VFIO_DEVICE_FEATURE, p + 4096));
	ASSERT_EQ(EFAULT, errno);
	/* The head is there, what is wanted is not. */
	r = (struct request *)(p + 4096 - sizeof(r->head));
	r->head.argsz = sizeof(*r);
	r->head.flags = VFC2_F_DEVICE_STATE | VFC2_SET;
	ASSERT_EQ(-1, ioctl(d->fd, VFIO_DEVICE_FEATURE, r));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(VFC2_RUNNING, GET2());
	v2_migrates(_metadata, d);
}

TEST_F(v2_info, V2_FEA_08_no_descriptor_left)
{
	struct vfc_dev *d = &self->t.a;
	int files = v2_files(), fd, last = -1, first = -1;
	struct rlimit old, few = {};

	fill(_metadata, &self->t, UNITS, VALUE);
	if (self->t.m)
		ASSERT_EQ(0, self->t.m->reg_set(d, VALUE));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	few.rlim_cur = 64;
	few.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	while ((fd = dup(0)) >= 0) {
		if (first < 0)
			first = fd;
		last = fd;
	}
	ASSERT_EQ(EMFILE, errno);
	ASSERT_LE(0, last);
	ASSERT_EQ(-EMFILE, vfc2_set(d, VFC2_STOP_COPY, &self->fd));
	ASSERT_EQ(VFC2_STOP_COPY, GET2());
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	for (fd = first; fd <= last; fd++)
		if (fd != d->fd && fd != d->group && fd != d->container)
			close(fd);
	file_again(_metadata, &self->t, files);
}

/* --- The state -------------------------------------------------------- */

TEST_F(v2_info, V2_FEA_09_get_has_no_effect)
{
	struct vfc2_mig_state get;
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(v2_order); i++) {
		if (v2_order[i] == VFC2_ERROR && !vt_has_error_knob(d))
			continue;
		self->fd = v2_reach(_metadata, d, v2_order[i]);
		for (k = 0; k < 1000; k++) {
			get.device_state = 99;
			get.data_fd = 12345;
			ASSERT_EQ(0, vfc2_feature(d, VFC2_F_DEVICE_STATE |
						  VFC2_GET, &get, sizeof(get)));
			ASSERT_EQ(v2_order[i], get.device_state);
			ASSERT_EQ(-1, get.data_fd);
		}
		if (self->fd >= 0)
			close(self->fd);
		ASSERT_EQ(0, vfc_reset(d));
	}
	self->fd = -1;
}

#define NO_DEBUGFS	"this kernel has no debugfs file for the state"

/* The core's file; false: this kernel has none. */
static bool core_state(const char *uuid, char text[64])
{
	char path[VFC_PATH];
	int n;

	snprintf(path, sizeof(path), "/sys/kernel/debug/vfio/%s/migration/state",
		 uuid);
	n = vfc_file_read(path, text, 64);
	if (n < 0)
		return false;
	if (n && text[n - 1] == '\n')
		text[n - 1] = 0;
	return true;
}

TEST_F(v2_info, V2_FEA_10_state_in_debugfs)
{
	struct vfc_dev *d = &self->t.a;
	const char *uuid = getenv("VFIO_DEV");
	char text[64];
	unsigned int i;

	if (!core_state(uuid, text))
		SKIP(return, NO_DEBUGFS);
	for (i = 0; i < ARRAY_SIZE(v2_order); i++) {
		if (v2_order[i] == VFC2_ERROR && !vt_has_error_knob(d))
			continue;
		self->fd = v2_reach(_metadata, d, v2_order[i]);
		ASSERT_TRUE(core_state(uuid, text));
		ASSERT_STREQ(vfc2_state_name(v2_order[i]), text);
		if (self->fd >= 0)
			close(self->fd);
		vfc_close(d);
		ASSERT_TRUE(core_state(uuid, text));
		ASSERT_STREQ("RUNNING", text);
		ASSERT_EQ(0, vfc_open(d, uuid));
	}
	self->fd = -1;
}

struct watch {
	const char *uuid;
	bool end;
	unsigned int n;
};

static void *watch_state(void *arg)
{
	struct watch *w = arg;
	char text[64];

	while (!__atomic_load_n(&w->end, __ATOMIC_ACQUIRE))
		w->n += core_state(w->uuid, text);
	return NULL;
}

TEST_F(v2_info, V2_FEA_10_debugfs_against_open_and_remove)
{
	__u64 end = vfc_now_us() + vfc_number("FEA10_MS", 2000) * 1000;
	char uuid[VFC_UUID_LEN + 1], type[VFC_PATH], text[64];
	struct watch w = { .uuid = uuid };
	struct vfc_dev own;
	pthread_t thread;

	if (!core_state(getenv("VFIO_DEV"), text))
		SKIP(return, NO_DEBUGFS);
	ASSERT_EQ(0, vfc_mdev_type(self->t.a.uuid, type));
	ASSERT_EQ(0, vfc_uuid(uuid));
	ASSERT_EQ(0, pthread_create(&thread, NULL, watch_state, &w));
	while (vfc_now_us() < end) {
		ASSERT_EQ(0, vfc_mdev_create(type, uuid));
		ASSERT_EQ(0, vfc_open(&own, uuid));
		ASSERT_EQ(0, vfc2_set(&own, VFC2_PRE_COPY, NULL));
		vfc_close(&own);
		ASSERT_EQ(0, vfc_mdev_remove(uuid));
	}
	__atomic_store_n(&w.end, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_LT(0, w.n);
}

/* --- GET_PRECOPY_INFO ------------------------------------------------- */

/* Reads exactly @n bytes and throws them away. */
static void skip_bytes(struct __test_metadata *_metadata, int fd, __u64 n,
		       size_t step)
{
	__u8 buf[8192];
	ssize_t got;

	for (; n; n -= got) {
		got = v2_read(fd, buf, n < step ? n : step);
		ASSERT_LT(0, got);
	}
}

TEST_F(v2_info, V2_PI_01_where_it_is_valid)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = {};
	int ret;

	self->fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
	SET2(VFC2_PRE_COPY_P2P);
	ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
	SET2(VFC2_STOP_COPY);
	ASSERT_EQ(-EINVAL, vfc2_precopy_info(self->fd, &info));
	close(self->fd);
	SET2(VFC2_STOP);
	self->fd = SET2(VFC2_STOP_COPY);
	ASSERT_EQ(-EINVAL, vfc2_precopy_info(self->fd, &info));
	close(self->fd);
	self->fd = SET2(VFC2_RESUMING);
	ret = vfc2_precopy_info(self->fd, &info);
	ASSERT_TRUE(ret == -ENOTTY || ret == -EINVAL);
}

TEST_F(v2_info, V2_PI_02_argsz)
{
	static const __u32 small[] = { 0, 1, 8, 16, 23 };
	static const __u32 large[] = { 24, 25, 32, 4096, ~0u };
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy *info;
	unsigned int i, k;
	__u8 buf[4096];

	info = (struct vfc2_precopy *)buf;
	self->fd = SET2(VFC2_PRE_COPY);
	for (i = 0; i < ARRAY_SIZE(small); i++) {
		memset(buf, 0x5a, sizeof(buf));
		info->argsz = small[i];
		ASSERT_EQ(-1, ioctl(self->fd, VFC2_PRECOPY_INFO, info));
		ASSERT_EQ(EINVAL, errno);
		for (k = 4; k < sizeof(buf); k++)
			ASSERT_EQ(0x5a, buf[k]);
	}
	for (i = 0; i < ARRAY_SIZE(large); i++) {
		memset(buf, 0x5a, sizeof(buf));
		info->argsz = large[i];
		info->flags = 0;
		ASSERT_EQ(0, ioctl(self->fd, VFC2_PRECOPY_INFO, info));
		for (k = 24; k < sizeof(buf); k++)
			ASSERT_EQ(0x5a, buf[k]);
		ASSERT_EQ(0, info->dirty_bytes);
	}
	ASSERT_EQ(-1, ioctl(self->fd, VFC2_PRECOPY_INFO, (void *)1));
	ASSERT_EQ(EFAULT, errno);
}

/* Busy as far as the model can be. */
static void make_noise(struct __test_metadata *_metadata, struct vt *t)
{
	if (vt_works(t->m))
		ASSERT_EQ(0, t->m->start_noise(&t->a, UNITS, 5000));
}

static const __u32 precopies[] = { VFC2_PRE_COPY, VFC2_PRE_COPY_P2P };

TEST_F(v2_info, V2_PI_03_V2_PI_06_initial_bytes_fall)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = {};
	unsigned int i, k;
	__u64 last;
	ssize_t n;
	__u8 buf[777];

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vfc_reset(d));
		fill(_metadata, &self->t, UNITS, VALUE);
		make_noise(_metadata, &self->t);
		self->fd = SET2(precopies[i]);
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
		ASSERT_LT(0, info.initial_bytes);
		for (k = 0, last = ~0ull; k < 2000; k++) {
			ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
			ASSERT_LE(info.initial_bytes, last);
			last = info.initial_bytes;
			/* Something changes that was sent already. */
			if (k % 50 == 0)
				fill(_metadata, &self->t, 1, k + 1);
			n = v2_read(self->fd, buf, sizeof(buf));
			ASSERT_TRUE(n > 0 || n == -ENOMSG);
		}
		ASSERT_EQ(0, last);
		close(self->fd);
	}
	self->fd = -1;
}

TEST_F(v2_info, V2_PI_04_V2_PI_06_initial_bytes_can_be_read)
{
	static const size_t steps[] = { 8192, 100, 4096 };
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = {};
	unsigned int i, k;

	for (i = 0; i < 2; i++) {
		for (k = 0; k < ARRAY_SIZE(steps); k++) {
			ASSERT_EQ(0, vfc_reset(d));
			fill(_metadata, &self->t, 100, VALUE);
			make_noise(_metadata, &self->t);
			self->fd = SET2(precopies[i]);
			ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
			skip_bytes(_metadata, self->fd, info.initial_bytes,
				   steps[k]);
			ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
			ASSERT_EQ(0, info.initial_bytes);
			close(self->fd);
		}
	}
	self->fd = -1;
}

/* In pieces, with changes to what was sent and to what was not. */
TEST_F(v2_info, V2_PI_04_while_everything_changes)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = {};
	__u64 left, n, k = 0;

	fill(_metadata, &self->t, UNITS, VALUE);
	self->fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
	for (left = info.initial_bytes; left; left -= n) {
		fill(_metadata, &self->t, UNITS, ++k);
		n = left < 1500 ? left : 1500;
		skip_bytes(_metadata, self->fd, n, n);
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
		ASSERT_LE(info.initial_bytes, left - n);
	}
	ASSERT_EQ(0, info.initial_bytes);
}

TEST_F(v2_info, V2_PI_05_V2_PI_06_dirty_bytes)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = {};
	unsigned int i, k;
	__u64 last;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vfc_reset(d));
		fill(_metadata, &self->t, UNITS, VALUE);
		self->fd = SET2(precopies[i]);
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
		ASSERT_EQ(0, info.dirty_bytes);
		ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &self->t.s));
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
		ASSERT_EQ(0, info.dirty_bytes);
		if (vt_has(&self->t, 3)) {
			for (k = 1, last = 0; k <= 3; k++) {
				fill(_metadata, &self->t, k, k + 1);
				ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
				ASSERT_LT(last, info.dirty_bytes);
				last = info.dirty_bytes;
			}
			skip_bytes(_metadata, self->fd, 5000, 5000);
			ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
			ASSERT_GT(last, info.dirty_bytes);
			ASSERT_EQ(-ENOMSG,
				  vfc2_drain(self->fd, 0, &self->t.s));
		}
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
		ASSERT_EQ(0, info.dirty_bytes);
		ASSERT_EQ(0, info.initial_bytes);
		close(self->fd);
	}
	self->fd = -1;
}

/* PRE_COPY_P2P shows what PRE_COPY does: the counters are the session's. */
TEST_F(v2_info, V2_PI_06_in_p2p)
{
	struct vfc2_precopy one = {}, two = {};
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	fill(_metadata, &self->t, UNITS, VALUE);
	self->fd = SET2(VFC2_PRE_COPY);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &one));
		SET2(VFC2_PRE_COPY_P2P);
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &two));
		ASSERT_EQ(one.initial_bytes, two.initial_bytes);
		ASSERT_EQ(one.dirty_bytes, two.dirty_bytes);
		if (i == 0)
			skip_bytes(_metadata, self->fd, 100, 100);
		if (i == 1)
			ASSERT_EQ(-ENOMSG,
				  vfc2_drain(self->fd, 0, &self->t.s));
		if (i == 2)
			fill(_metadata, &self->t, 3, 1);
		SET2(VFC2_PRE_COPY);
	}
}

/* The field that no kernel used to write. */
TEST_F(v2_info, V2_PI_07_flags_stay_as_they_are)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = { .flags = 0xdeadbeef };

	self->fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
	ASSERT_EQ(0xdeadbeef, info.flags);
}

TEST_F(v2_info, V2_PI_07_V2_PI_09_opted_in)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = {};
	unsigned int i;

	if (vfc2_probe(d, VFC2_F_PRECOPY_INFOV2, VFC2_SET) == -ENOTTY)
		SKIP(return, V2_NO_INFOV2);
	ASSERT_EQ(0, vfc2_opt_in(d));
	fill(_metadata, &self->t, UNITS, VALUE);
	self->fd = SET2(VFC2_PRE_COPY);
	for (i = 0; i < 50; i++) {
		info.flags = 0xdeadbeef;
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
		ASSERT_EQ(0, info.flags);
		if (info.initial_bytes + info.dirty_bytes > 1000)
			skip_bytes(_metadata, self->fd, 1000, 1000);
		fill(_metadata, &self->t, 2, i + 1);
	}
	close(self->fd);
	/* Until the last close. */
	vfc_close(d);
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	self->fd = SET2(VFC2_PRE_COPY);
	info.flags = 0xdeadbeef;
	ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
	ASSERT_EQ(0xdeadbeef, info.flags);
}

TEST_F(v2_info, V2_PI_09_never_anew)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = {};
	unsigned int i;

	make_noise(_metadata, &self->t);
	self->fd = SET2(VFC2_PRE_COPY);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
		ASSERT_EQ(0, info.flags);
		if (info.initial_bytes + info.dirty_bytes > 1000)
			skip_bytes(_metadata, self->fd, 1000, 1000);
	}
}

TEST_F(v2_info, V2_PI_10_asking_has_no_effect)
{
	struct vfc2_precopy first = {}, info = {};
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;

	fill(_metadata, &self->t, UNITS, VALUE);
	if (self->t.m)
		ASSERT_EQ(0, self->t.m->reg_set(d, VALUE));
	self->fd = SET2(VFC2_PRE_COPY);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, vfc2_precopy_info(self->fd, &first));
		for (k = 0; k < 1000; k++) {
			ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
			ASSERT_EQ(0, memcmp(&first, &info, sizeof(info)));
		}
		v2_take(_metadata, self->fd, 50, &self->t.s);
	}
	SET2(VFC2_STOP_COPY);
	ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
	v2_restores(_metadata, &self->t, &self->t.s, UNITS, VALUE);
}

/* --- MIG_DATA_SIZE ---------------------------------------------------- */

TEST_F(v2_info, V2_DS_01_V2_DS_02_in_every_state)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;
	__u64 size;

	for (i = 0; i < ARRAY_SIZE(v2_order); i++) {
		if (v2_order[i] == VFC2_ERROR && !vt_has_error_knob(d))
			continue;
		self->fd = v2_reach(_metadata, d, v2_order[i]);
		for (k = 0; k < 10; k++) {
			size = 0;
			ASSERT_EQ(0, vfc2_data_size(d, &size));
			if (v2_order[i] == VFC2_RUNNING)
				ASSERT_LT(0, size);
		}
		if (self->fd >= 0)
			close(self->fd);
		ASSERT_EQ(0, vfc_reset(d));
	}
	self->fd = -1;
}

static const unsigned int fills[] = { 0, 1, 20, 200, 1000 };

TEST_F(v2_info, V2_DS_02_V2_DS_03_what_a_stop_gives)
{
	struct vfc_dev *d = &self->t.a;
	__u64 running, stopped, stop;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fills); i++) {
		vfc_stream_free(&self->t.s);
		ASSERT_EQ(0, vfc_reset(d));
		fill(_metadata, &self->t, fills[i], VALUE);
		ASSERT_EQ(0, vfc2_data_size(d, &running));
		ASSERT_LT(0, running);
		SET2(VFC2_STOP);
		ASSERT_EQ(0, vfc2_data_size(d, &stop));
		self->fd = SET2(VFC2_STOP_COPY);
		ASSERT_EQ(0, vfc2_data_size(d, &stopped));
		ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
		close(self->fd);
		ASSERT_LE(self->t.s.len, stopped);
		ASSERT_LE(self->t.s.len, stop);
		ASSERT_LE(running * 9 / 10, self->t.s.len);
		ASSERT_LE(self->t.s.len, running * 11 / 10)
			TH_LOG("%u units: %llu, then %zu", fills[i],
			       (unsigned long long)running, self->t.s.len);
	}
	self->fd = -1;
}

/* After a pre-copy only the rest. */
TEST_F(v2_info, V2_DS_03_V2_DS_04_after_a_precopy)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream rest = {};
	__u64 size;

	fill(_metadata, &self->t, 200, VALUE);
	self->fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &self->t.s));
	fill(_metadata, &self->t, 7, 1);
	SET2(VFC2_STOP_COPY);
	ASSERT_EQ(0, vfc2_data_size(d, &size));
	ASSERT_EQ(0, vfc2_drain(self->fd, 0, &rest));
	ASSERT_LE(rest.len, size);
	if (vt_has(&self->t, 200))
		ASSERT_GT(self->t.s.len / 2, size);
	vfc_stream_free(&rest);
}

TEST_F(v2_info, V2_DS_04_falls_as_it_is_read)
{
	struct vfc_dev *d = &self->t.a;
	__u64 first, size, last;
	__u8 buf[1000];
	ssize_t n;

	fill(_metadata, &self->t, 50, VALUE);
	self->fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(0, vfc2_data_size(d, &first));
	last = first;
	do {
		n = v2_read(self->fd, buf, sizeof(buf));
		ASSERT_TRUE(n > 0 || n == -ENOMSG);
		ASSERT_EQ(0, vfc2_data_size(d, &size));
		ASSERT_LE(size, last);
		last = size;
	} while (n > 0);
	if (vt_has(&self->t, 50))
		ASSERT_GT(first / 2, last);
	SET2(VFC2_STOP_COPY);
	do {
		ASSERT_EQ(0, vfc2_data_size(d, &size));
		ASSERT_LE(size, last);
		last = size;
		n = v2_read(self->fd, buf, 100);
		ASSERT_LE(0, n);
	} while (n);
}

TEST_HARNESS_MAIN
