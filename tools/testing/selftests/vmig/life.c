// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIFE: removal of a device that is in use, and what the next user of a device
 * may see. The tests make their own mdev, of the type of VFIO_DEV.
 */
#include "vmig_test.h"

FIXTURE(life) {
	struct vt t;
	struct vfc_dev own;
	char uuid[VFC_UUID_LEN + 1];
	char type[VFC_PATH];
};

FIXTURE_SETUP(life)
{
	vt_open(_metadata, &self->t);
	ASSERT_EQ(0, vfc_mdev_type(self->t.a.uuid, self->type));
	ASSERT_EQ(0, vfc_uuid(self->uuid));
}

FIXTURE_TEARDOWN(life)
{
	vt_close(&self->t);
	vfc_mdev_remove(self->uuid);	/* if the test did not get there */
}

static void create(struct __test_metadata *_metadata, const char *type,
		   const char *uuid, struct vfc_dev *d)
{
	ASSERT_EQ(0, vfc_mdev_create(type, uuid));
	ASSERT_EQ(0, vfc_open(d, uuid));
}

struct remover {
	const char *uuid;
	int ret;
	bool done;
	pthread_t thread;
};

static void *remove_thread(void *arg)
{
	struct remover *r = arg;

	r->ret = vfc_mdev_remove(r->uuid);
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool remover_done(struct remover *r)
{
	return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE);
}

/* Join within 10 s: removal must end once nobody uses the device. */
static bool remover_joins(struct remover *r)
{
	int i;

	for (i = 0; i < 1000 && !remover_done(r); i++)
		vfc_sleep_ms(10);
	return remover_done(r) && !pthread_join(r->thread, NULL);
}

static int bind_req(const struct vfc_dev *d)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd >= 0 && vfc_irq_set(d, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &fd) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool exists(const char *uuid)
{
	char path[VFC_PATH];

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s", uuid);
	return access(path, F_OK) == 0;
}

TEST_F_TIMEOUT(life, LIFE_02_V1_CAN_09_remove_in_each_state, 120)
{
	struct vfc_dev *d = &self->own;
	struct remover r;
	unsigned int i;
	__u64 v;
	int req;

	for (i = 0; i < ARRAY_SIZE(vt_states); i++) {
		create(_metadata, self->type, self->uuid, d);
		if (vt_states[i] == VFC_ERROR && !vt_has_error_knob(d)) {
			vfc_close(d);
			ASSERT_EQ(0, vfc_mdev_remove(self->uuid));
			continue;
		}
		req = bind_req(d);
		ASSERT_LE(0, req);
		vt_reach(_metadata, d, vt_states[i]);
		if (vt_states[i] == VFC_SAVING || vt_states[i] == VFC_PRECOPY)
			ASSERT_LT(0, R8(VFC_SIZE));
		r = (struct remover){ .uuid = self->uuid };
		ASSERT_EQ(0, pthread_create(&r.thread, NULL, remove_thread,
					    &r));
		/* It asks for the device, and waits. */
		ASSERT_LT(0, vfc_event_wait(req, 20000));
		ASSERT_FALSE(remover_done(&r));
		ASSERT_EQ(vt_states[i], R4(VFC_STATE));
		ASSERT_EQ(8, vfc_r8(d, VFC_OFFSET, &v));
		vfc_close(d);
		ASSERT_TRUE(remover_joins(&r));
		ASSERT_EQ(0, r.ret);
		ASSERT_FALSE(exists(self->uuid));
		close(req);
	}
}

static int remove_and_wait(void *arg)
{
	return vfc_mdev_remove(arg) ? 1 : 0;
}

/*
 * While the remover (another process) waits, the device works. Its links in
 * sysfs may be gone by then: the driver core takes them first.
 */
TEST_F_TIMEOUT(life, LIFE_02_works_until_it_is_closed, 60)
{
	struct vfc_dev *d = &self->own;
	int req, status;
	pid_t pid;

	create(_metadata, self->type, self->uuid, d);
	req = bind_req(d);
	ASSERT_LE(0, req);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Its copies of the fds must not count as users. */
		close(d->fd);
		close(d->group);
		close(d->container);
		_exit(remove_and_wait(self->uuid));
	}
	ASSERT_LT(0, vfc_event_wait(req, 20000));
	ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	vt_migrates(_metadata, d);
	ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	vfc_close(d);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	ASSERT_FALSE(exists(self->uuid));
	close(req);
}

TEST_F_TIMEOUT(life, V1_DISC_10_mapping_pins_the_device, 60)
{
	struct vfc_dev *d = &self->own;
	struct remover r = { .uuid = self->uuid };
	struct vfc_dev dev;
	volatile __u8 *p;
	__u8 *map;
	__u64 off;
	int req;

	create(_metadata, self->type, self->uuid, d);
	if (!d->area_size) {
		vfc_close(d);
		ASSERT_EQ(0, vfc_mdev_remove(self->uuid));
		SKIP(return, VT_NO_MMAP);
	}
	req = bind_req(d);
	ASSERT_LE(0, req);
	ASSERT_EQ(0, vfc_map(d));
	dev = *d;
	map = d->map;
	d->map = NULL;		/* so that it stays */
	vfc_close(d);
	p = map;
	for (off = 0; off < dev.area_size; off += 4096)
		p[off] = p[off];
	ASSERT_EQ(0, pthread_create(&r.thread, NULL, remove_thread, &r));
	ASSERT_LT(0, vfc_event_wait(req, 20000));
	vfc_sleep_ms(200);
	ASSERT_FALSE(remover_done(&r));
	for (off = 0; off < dev.area_size; off += 4096)
		p[off] = p[off];
	ASSERT_EQ(0, munmap(map, dev.area_size));
	ASSERT_TRUE(remover_joins(&r));
	ASSERT_EQ(0, r.ret);
	ASSERT_FALSE(exists(self->uuid));
	close(req);
}

/* The device memory's mapping pins it just as well. */
TEST_F_TIMEOUT(life, V1_DISC_10_memory_mapping_pins_the_device, 60)
{
	struct vfc_dev *d = &self->own;
	const struct vfc_model *m = self->t.m;
	struct remover r = { .uuid = self->uuid };
	volatile __u8 *p;
	__u8 *map;
	int req;

	if (!vt_maps(self->t.m))
		SKIP(return, VT_NO_MAP);
	create(_metadata, self->type, self->uuid, d);
	req = bind_req(d);
	ASSERT_LE(0, req);
	ASSERT_EQ(0, m->map(d, 2, &map));
	p = map;
	p[0] = 1;
	vfc_close(d);
	ASSERT_EQ(1, p[0]);
	p[4096] = 2;
	ASSERT_EQ(0, pthread_create(&r.thread, NULL, remove_thread, &r));
	ASSERT_LT(0, vfc_event_wait(req, 20000));
	vfc_sleep_ms(200);
	ASSERT_FALSE(remover_done(&r));
	ASSERT_EQ(2, p[4096]);
	ASSERT_EQ(0, munmap(map, 8192));
	ASSERT_TRUE(remover_joins(&r));
	ASSERT_EQ(0, r.ret);
	close(req);
}

#define NO_MODULE	(-1000)

/*
 * References to a module (NULL: the one that drives @uuid), NO_MODULE if there
 * is no such. A count that was given back too often stays at -1.
 */
static int module_refs(const char *uuid, const char *module)
{
	char path[VFC_PATH], buf[32];

	if (module)
		snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	else
		snprintf(path, sizeof(path),
			 "/sys/bus/mdev/devices/%s/driver/module/refcnt", uuid);
	return vfc_file_read(path, buf, sizeof(buf)) < 0 ? NO_MODULE :
		atoi(buf);
}

/* What opening and mapping takes, closing and unmapping gives back. */
struct opener {
	const char *uuid;
	struct vfc_dev d;
	int ret;
	bool region;
	bool info;
	int state;
};

/* Opens the device as soon as it can be, and asks at once for all there is. */
static void *open_thread(void *arg)
{
	struct opener *o = arg;
	struct vfio_region_info *region;
	__u64 end = vfc_now_us() + 20000000;

	do {
		o->ret = vfc_open(&o->d, o->uuid);
	} while (o->ret && vfc_now_us() < end);
	if (o->ret)
		return NULL;
	o->region = o->d.mig_index >= 0;
	o->info = o->region &&
		!vfc_region_info(o->d.fd, o->d.mig_index, &region);
	if (o->info)
		free(region);
	o->state = vfc_get(&o->d);
	return NULL;
}

TEST_F_TIMEOUT(life, LIFE_06_all_there_when_it_can_be_opened, 120)
{
	struct opener o;
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		o = (struct opener){ .uuid = self->uuid, .state = -1 };
		ASSERT_EQ(0, pthread_create(&thread, NULL, open_thread, &o));
		ASSERT_EQ(0, vfc_mdev_create(self->type, self->uuid));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(0, o.ret);
		ASSERT_TRUE(o.region);
		ASSERT_TRUE(o.info);
		ASSERT_EQ(VFC_RUNNING, o.state);
		vfc_close(&o.d);
		ASSERT_EQ(0, vfc_mdev_remove(self->uuid));
	}
}

TEST_F(life, LIFE_01_module_references)
{
	struct vfc_dev *d = &self->t.a;
	const char *uuid = getenv("VFIO_DEV");
	int before[2], mapped, k;
	__u8 *p;
	int round;

	vfc_close(d);
	before[0] = module_refs(uuid, NULL);
	before[1] = module_refs(uuid, "vmig");
	ASSERT_LE(0, before[0]);
	/*
	 * The driver that is loaded on top of the engine holds it: below 1
	 * somebody gave back what was not his, maybe long ago, and a comparison
	 * of before and after would no longer show it.
	 */
	if (before[1] != NO_MODULE)
		ASSERT_LE(1, before[1]);
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, vfc_open(d, uuid));
		mapped = module_refs(uuid, NULL);
		ASSERT_LT(before[0], mapped);
		if (d->area_size) {
			ASSERT_EQ(0, vfc_map(d));
			d->map[0] = d->map[1];
			vfc_unmap(d);
			ASSERT_EQ(mapped, module_refs(uuid, NULL));
		}
		for (k = 0; vt_maps(self->t.m) && k < 3; k++) {
			ASSERT_EQ(0, self->t.m->map(d, 2, &p));
			p[0] = 1;
			ASSERT_LE(mapped, module_refs(uuid, NULL));
			ASSERT_EQ(0, munmap(p, 2 * VFC_UNIT));
			ASSERT_EQ(mapped, module_refs(uuid, NULL));
		}
		vfc_close(d);
		ASSERT_EQ(before[0], module_refs(uuid, NULL));
		ASSERT_EQ(before[1], module_refs(uuid, "vmig"));
	}
}

/* Every readable byte of every region, except what differs by nature. */
static bool find_secret(const struct vfc_dev *d, const void *secret, size_t n)
{
	struct vfio_region_info *info;
	__u8 *buf = malloc(65536 + n);
	__u64 off;
	__u32 i;
	ssize_t got;
	bool found = false;

	for (i = 0; buf && i < d->info.num_regions && !found; i++) {
		if (vfc_region_info(d->fd, i, &info))
			continue;
		for (off = 0; off < info->size && !found; off += 65536) {
			got = pread(d->fd, buf, 65536, info->offset + off);
			found = got > 0 && memmem(buf, got, secret, n);
		}
		free(info);
	}
	free(buf);
	return found;
}

TEST_F_TIMEOUT(life, LIFE_07_next_user_sees_nothing, 60)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	struct vfc_stream s = {};
	__u8 secret[VFC_UNIT];
	__u64 value;
	__u32 reg;
	unsigned int i, step;

	if (!vt_maps(self->t.m))
		SKIP(return, VT_NO_MAP);
	step = vt_units(d, m, 17 * 40) / 40;
	vfc_unit_fill(secret, 0x5ec2e75ec2e7ull);
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, m->touch(d, i * step, 0x5ec2e75ec2e7ull));
	ASSERT_EQ(0, m->reg_set(d, 0x5ec2e7));
	ASSERT_TRUE(find_secret(d, secret, 64));	/* it can be found */
	/* Also in the section: a staged segment with it. */
	if (d->area_size)
		ASSERT_EQ(0, vfc_map(d));
	SET(VFC_SAVING);
	ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, &s));
	vfc_close(d);
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	ASSERT_FALSE(find_secret(d, secret, 64));
	ASSERT_EQ(0, m->reg_get(d, &reg));
	ASSERT_EQ(0, reg);
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, m->read_back(d, i * step, &value));
		ASSERT_EQ(0, value);
	}
	if (d->area_size) {
		ASSERT_EQ(0, vfc_map(d));
		ASSERT_EQ(NULL, memmem(d->map, d->area_size, secret, 64));
	}
	/* Nor in what it saves. */
	vfc_stream_free(&s);
	ASSERT_EQ(0, vfc_save(d, &vt_bulk, &s));
	ASSERT_EQ(NULL, memmem(s.buf, s.len, secret, 64));
	vfc_stream_free(&s);
}

TEST_HARNESS_MAIN
