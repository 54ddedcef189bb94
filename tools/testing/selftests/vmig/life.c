// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIFE: removal of a device that is in use, and what the next user of a device
 * may see. The tests make their own mdev, of the type of VFIO_DEV.
 */
#include "vmig_test.h"

#include <grp.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

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

/* Who removes it asks for it by @req, and waits; it works until it is closed. */
static void removed_at_close(struct __test_metadata *_metadata,
			     struct vfc_dev *d, const char *uuid, int req,
			     __u32 state)
{
	struct remover r = { .uuid = uuid };
	__u64 v;

	ASSERT_EQ(0, pthread_create(&r.thread, NULL, remove_thread, &r));
	ASSERT_LT(0, vfc_event_wait(req, 20000));
	ASSERT_FALSE(remover_done(&r));
	ASSERT_EQ(state, R4(VFC_STATE));
	ASSERT_EQ(8, vfc_r8(d, VFC_OFFSET, &v));
	vfc_close(d);
	ASSERT_TRUE(remover_joins(&r));
	ASSERT_EQ(0, r.ret);
	ASSERT_FALSE(exists(uuid));
}

TEST_F_TIMEOUT(life, LIFE_02_V1_CAN_09_remove_in_each_state, 120)
{
	struct vfc_dev *d = &self->own;
	unsigned int i;
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
		removed_at_close(_metadata, d, self->uuid, req, vt_states[i]);
		close(req);
	}
}

/* Removal while a session is at each of its points. */
TEST_F_TIMEOUT(life, V1_CAN_09_remove_at_each_point, 120)
{
	struct vfc_dev *d = &self->own;
	enum vt_point point;
	__u32 state;
	int req;

	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		for (point = VT_ENTRY; point < VT_POINTS; point++) {
			create(_metadata, self->type, self->uuid, d);
			req = bind_req(d);
			ASSERT_LE(0, req);
			ASSERT_EQ(0, vt_advance(d, state, point));
			removed_at_close(_metadata, d, self->uuid, req, state);
			close(req);
		}
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
TEST_F_TIMEOUT(life, LIFE_02_works_until_it_is_closed_also_when_signalled, 60)
{
	struct vfc_dev *d = &self->own;
	int req, status, i;
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
	/*
	 * A signal: some kernels go on waiting and some let the remover go, but
	 * the device stays until it is closed.
	 */
	ASSERT_EQ(0, kill(pid, SIGTERM));
	vfc_sleep_ms(200);
	vt_migrates(_metadata, d);
	vfc_close(d);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(SIGTERM, WTERMSIG(status));
	for (i = 0; i < 1000 && exists(self->uuid); i++)
		vfc_sleep_ms(10);
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

/* What opening and mapping takes, closing and unmapping gives back. */
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

/* --- Nothing is left -------------------------------------------------- */

/* What is lost each time shows after so many, and other things do not. */
#define CYCLES		128
#define CACHES		128
#define LOST		(CYCLES / 2)

/**
 * struct usage - memory of the kernel that is in use
 * @name: of each slab cache that kmalloc() takes objects from
 * @objects: in use in each of these
 * @caches: how many there are
 * @vmalloc: bytes that the modules under test took from vmalloc()
 * @charged: bytes charged to the control group of this process
 */
struct usage {
	char name[CACHES][32];
	long objects[CACHES];
	unsigned int caches;
	long vmalloc;
	long long charged;
};

/* Have a cache give back what processors hold: only then its count is exact. */
static void give_back(const char *cache)
{
	char path[VFC_PATH];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	vfc_file_write(path, "1", 1);
}

static void count_objects(struct usage *u)
{
	char line[512], name[32];
	long objects;
	FILE *f = fopen("/proc/slabinfo", "r");

	while (f && u->caches < CACHES && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %ld", name, &objects) != 2 ||
		    strncmp(name, "kmalloc-", 8) ||
		    !strncmp(name, "kmalloc-rcl", 11))
			continue;
		strcpy(u->name[u->caches], name);
		u->objects[u->caches++] = objects;
	}
	if (f)
		fclose(f);
}

static void count_vmalloc(struct usage *u)
{
	FILE *f = fopen("/proc/vmallocinfo", "r");
	char line[512];
	long bytes;

	while (f && fgets(line, sizeof(line), f))
		if ((strstr(line, "[vmig]") || strstr(line, "[mimic]")) &&
		    sscanf(line, "%*s %ld", &bytes) == 1)
			u->vmalloc += bytes;
	if (f)
		fclose(f);
}

/*
 * What kfree_rcu() frees (a file of sysfs when it is closed, for one) is in use
 * for some 5 s more, unless shrinkers run: these start it, RCU and a worker end
 * it.
 */
static void free_what_waits(void)
{
	vfc_file_write("/proc/sys/vm/drop_caches", "2", 1);
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0);
	vfc_sleep_ms(100);
}

static void usage_take(struct usage *u)
{
	unsigned int i;

	memset(u, 0, sizeof(*u));
	count_objects(u);	/* for the names */
	free_what_waits();
	for (i = 0; i < u->caches; i++)
		give_back(u->name[i]);
	u->caches = 0;
	count_objects(u);
	count_vmalloc(u);
	u->charged = vt_group_bytes();
}

/* What grew by as much as if each cycle had lost something; NULL: nothing. */
static const char *usage_lost(const struct usage *a, const struct usage *b,
			      long *by)
{
	unsigned int i;

	for (i = 0; i < a->caches; i++) {
		*by = b->objects[i] - a->objects[i];
		if (*by >= LOST)
			return a->name[i];
	}
	*by = b->vmalloc - a->vmalloc;
	if (*by >= LOST * 4096)
		return "vmalloc";
	/* Each processor may have a quarter of a MiB in store. */
	*by = b->charged - a->charged;
	return *by >= LOST * 4096 + 524288 ? "pages" : NULL;
}

/**
 * struct leak - what a cycle works on
 * @uuid: the device that it opens
 * @own: a device that does not exist yet
 * @type: directory of the type
 * @m: adapter
 * @s: a stream that @uuid takes
 * @n: number of the cycle
 */
struct leak {
	const char *uuid;
	const char *own;
	const char *type;
	const struct vfc_model *m;
	const struct vfc_stream *s;
	unsigned int n;
};

/* The device @uuid with something in its memory. */
static int open_touched(const struct leak *l, const char *uuid,
			struct vfc_dev *d)
{
	unsigned int i, n;
	int ret = vfc_open(d, uuid);

	n = !ret && l->m ? vt_units(d, l->m, 4) : 0;
	for (i = 0; i < n && !ret; i++)
		ret = l->m->touch(d, i, i + 1);
	return ret;
}

static int cycle_create(struct leak *l)
{
	struct vfc_dev d;
	int ret = vfc_mdev_create(l->type, l->own);

	if (ret < 0)
		return ret;
	ret = open_touched(l, l->own, &d);
	if (!ret)
		ret = vt_advance(&d, VFC_PRECOPY, VT_SIZE);
	vfc_close(&d);
	return vfc_mdev_remove(l->own) < 0 ? -EIO : ret;
}

static int cycle_close(struct leak *l)
{
	struct vfc_dev d;
	int ret = open_touched(l, l->uuid, &d);

	vfc_close(&d);
	return ret;
}

/* Closed at each point of a saving session in turn. */
static int cycle_saving(struct leak *l)
{
	struct vfc_dev d;
	int ret = open_touched(l, l->uuid, &d);

	if (!ret)
		ret = vt_advance(&d, l->n & 8 ? VFC_SAVING : VFC_PRECOPY,
				 l->n % VT_POINTS);
	vfc_close(&d);
	return ret;
}

/* Closed with a part of a stream, a refused one, or all of it. */
static int cycle_resuming(struct leak *l)
{
	struct vfc_dev d;
	int ret = open_touched(l, l->uuid, &d);
	size_t len = l->s->len * (l->n % 4 + 1) / 4;

	if (!ret && vfc_set(&d, VFC_RESUMING) < 0)
		ret = -EIO;
	if (!ret)
		ret = vfc_feed_all(&d, &vt_bulk, l->s->buf, len, 0);
	if (!ret && l->n & 4)
		vfc_feed(&d, &vt_bulk, "no record, for certain, is this one", 36);
	vfc_close(&d);
	return ret;
}

static int killed(void *arg)
{
	struct leak *l = arg;
	struct vfc_dev d;
	int ret = open_touched(l, l->uuid, &d);

	if (ret)
		return ret;
	if (d.area_size)
		vfc_map(&d);
	if (l->n % 3 < 2)
		return vt_advance(&d, l->n & 8 ? VFC_SAVING : VFC_PRECOPY,
				  l->n % VT_POINTS);
	ret = vfc_set(&d, VFC_RESUMING);
	return ret < 0 ? ret : vfc_feed_all(&d, &vt_bulk, l->s->buf,
					    l->s->len / 2, 0);
}

static int cycle_kill(struct leak *l)
{
	struct vfc_child child;
	int ret = vfc_child_start(&child, killed, l);

	return ret ? ret : vfc_child_kill(&child);
}

/* Every legal way out of a session, without closing. */
static int cycle_leave(struct leak *l)
{
	static const __u32 to[] = { VFC_STOP, VFC_RUNNING, VFC_SAVING,
				    VFC_RESUMING };
	static struct vfc_dev d;
	int ret = l->n ? 0 : open_touched(l, l->uuid, &d);

	if (!ret)
		ret = vt_advance(&d, l->n & 8 ? VFC_SAVING : VFC_PRECOPY,
				 l->n % VT_POINTS);
	if (!ret && vfc_set(&d, to[l->n / 16 % 4]) < 0)
		ret = -EIO;
	if (!ret)
		ret = l->n & 1 ? vfc_reset(&d) : vfc_load(&d, &vt_bulk, l->s);
	if (!ret && vfc_set(&d, VFC_RUNNING) < 0)
		ret = -EIO;
	if (ret || l->n == CYCLES - 1)
		vfc_close(&d);
	return ret;
}

FIXTURE(leak) {
	struct vt t;
	struct leak l;
	char uuid[VFC_UUID_LEN + 1];
	char type[VFC_PATH];
};

FIXTURE_VARIANT(leak) {
	int (*cycle)(struct leak *l);
};

FIXTURE_VARIANT_ADD(leak, create_and_remove) { .cycle = cycle_create };
FIXTURE_VARIANT_ADD(leak, open_and_close) { .cycle = cycle_close };
FIXTURE_VARIANT_ADD(leak, V1_CAN_07_close_while_saving) {
	.cycle = cycle_saving,
};

FIXTURE_VARIANT_ADD(leak, close_while_resuming) { .cycle = cycle_resuming };
FIXTURE_VARIANT_ADD(leak, V1_CAN_08_kill) { .cycle = cycle_kill };
FIXTURE_VARIANT_ADD(leak, V1_ST_92_V1_PRE_06_leave_a_session) {
	.cycle = cycle_leave,
};

FIXTURE_SETUP(leak)
{
	struct vt *t = &self->t;

	vt_open(_metadata, t);
	ASSERT_EQ(0, vfc_mdev_type(t->a.uuid, self->type));
	ASSERT_EQ(0, vfc_uuid(self->uuid));
	vt_small_stream(_metadata, &t->a, t->m, 20, 7, &t->s);
	vfc_close(&t->a);
	self->l = (struct leak){
		.uuid = getenv("VFIO_DEV"), .own = self->uuid,
		.type = self->type, .m = t->m, .s = &t->s,
	};
}

FIXTURE_TEARDOWN(leak)
{
	vt_group_leave();
	vfc_mdev_remove(self->uuid);	/* if the test did not get there */
	vfc_stream_free(&self->t.s);
}

static void cycles(struct __test_metadata *_metadata, struct leak *l,
		   int (*cycle)(struct leak *l))
{
	for (l->n = 0; l->n < CYCLES; l->n++)
		ASSERT_EQ(0, cycle(l)) TH_LOG("cycle %u", l->n);
}

/*
 * The machine does other things, which may take memory at the same time and
 * give it back later: what is lost in each of three rounds, and in the last one
 * did not come back within GIVE_BACK_MS, is lost.
 */
#define GIVE_BACK_MS	8000

static const char *usage_lost_for(unsigned int ms, const struct usage *before,
				  long *by)
{
	static struct usage after;
	__u64 start = vfc_now_us();
	const char *lost;

	do {
		usage_take(&after);
		if (after.caches != before->caches)
			return "caches";
		lost = usage_lost(before, &after, by);
	} while (lost && vfc_now_us() - start < ms * 1000ull);
	return lost;
}

TEST_F_TIMEOUT(leak, LIFE_01_nothing_is_left, 120)
{
	static struct usage before;
	const char *lost = NULL;
	unsigned int round;
	long by = 0;

	if (!vt_group_enter())
		SKIP(return, VT_NO_CGROUP);
	cycles(_metadata, &self->l, variant->cycle);	/* caches fill up */
	for (round = 0; round < 3; round++) {
		usage_take(&before);
		ASSERT_LT(0, before.caches);
		cycles(_metadata, &self->l, variant->cycle);
		lost = usage_lost_for(round == 2 ? GIVE_BACK_MS : 0, &before, &by);
		if (!lost)
			break;
		TH_LOG("%s: %ld more after %d cycles", lost, by, CYCLES);
	}
	ASSERT_EQ(NULL, lost);
}

/* --- The next user ---------------------------------------------------- */

#define SECRET	0x5ec2e75ec2e7ull

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

/* A user without any rights opens the device, and looks. */
static int stranger(void *arg)
{
	const char *uuid = arg;
	struct vfc_dev d;
	__u8 secret[VFC_UNIT];
	__u64 i;

	if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
		return 1;
	if (vfc_open(&d, uuid))
		return 2;
	vfc_unit_fill(secret, SECRET);
	if (find_secret(&d, secret, 64))
		return 3;
	if (!d.area_size)
		return 0;
	if (vfc_map(&d))
		return 4;
	for (i = 0; i < d.area_size; i++)
		if (d.map[i])
			return 5;
	return vfc_set(&d, VFC_SAVING) == 4 ? 0 : 6;
}

/* Of the group that the mdev is in; the container's is everybody's already. */
static void let_everybody_open(struct __test_metadata *_metadata,
			       const char *uuid)
{
	char path[VFC_PATH], link[VFC_PATH], *group;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/iommu_group",
		 uuid);
	n = readlink(path, link, sizeof(link) - 1);
	ASSERT_LT(0, n);
	link[n] = 0;
	group = strrchr(link, '/');
	ASSERT_NE(NULL, group);
	snprintf(path, sizeof(path), "/dev/vfio%s", group);
	ASSERT_EQ(0, chmod(path, 0666));
	ASSERT_EQ(0, chmod("/dev/vfio/vfio", 0666));
}

/* Left with the secret in memory and in a staged segment that was mapped. */
TEST_F_TIMEOUT(life, V1_SAV_14_LIFE_07_another_user_sees_nothing, 60)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	const char *uuid = getenv("VFIO_DEV");
	unsigned int i;

	if (!vt_has(&self->t, 1))
		SKIP(return, VT_NO_ROOM);
	for (i = 0; i < vt_units(d, m, 300); i++)
		ASSERT_EQ(0, m->touch(d, i, SECRET));
	if (d->area_size)
		ASSERT_EQ(0, vfc_map(d));
	SET(VFC_SAVING);
	ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, &self->t.s));
	vfc_close(d);
	let_everybody_open(_metadata, uuid);
	ASSERT_EQ(0, vfc_in_child(stranger, (void *)uuid));
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
	vfc_unit_fill(secret, SECRET);
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, m->touch(d, i * step, SECRET));
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
