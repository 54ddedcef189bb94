// SPDX-License-Identifier: GPL-2.0-only
/*
 * A random walk over two devices, each access of which is held against an
 * oracle of the rules (oracle.h), over one file descriptor and over several,
 * with the section mapped and without; and threads that do anything at once,
 * of which only that is asked which holds for them as well.
 *
 *	WALK_SEED=...		repeats a run
 *	WALK_EPISODE=...	only this part of it
 *	WALK_STEPS=...		accesses of all variants together
 */
#include "vmig_test.h"

#include "walker.h"

#define STEPS		1040000
#define TIMEOUT		600	/* for a run that has something to shorten */

/* Which units of memory are what. */
#define NOISE_UNITS	16
#define NOISE_RATE	2000	/* a second */
#define UNITS_FROM	NOISE_UNITS
#define BULK_FROM	64
#define BULK_UNITS	300	/* more than one section */

static __u64 seed_of_run(void)
{
	return vfc_number("WALK_SEED", vfc_now_us() & 0xffffffff);
}

/* --- Devices ---------------------------------------------------------- */

/**
 * struct pair - the devices as the walk sees them
 * @d: devices; @d[i].fd is @fds[i][0]
 * @fds: file descriptors
 * @nfds: how many
 * @mapped: map the section
 * @m: adapter, or NULL
 */
struct pair {
	struct vfc_dev d[WALK_DEVS];
	int fds[WALK_DEVS][WALK_FDS];
	int nfds[WALK_DEVS];
	bool mapped;
	const struct vfc_model *m;
};

static struct vfc_dev *dev_of(void *ctx, int dev)
{
	return &((struct pair *)ctx)->d[dev];
}

static int op_open(void *ctx, int dev)
{
	struct pair *p = ctx;
	int ret = vfc_open(&p->d[dev], getenv(dev ? "VFIO_DEV2" : "VFIO_DEV"));

	if (!ret && p->mapped)
		ret = vfc_map(&p->d[dev]);
	p->fds[dev][0] = p->d[dev].fd;
	p->nfds[dev] = 1;
	return ret;
}

static void op_close(void *ctx, int dev)
{
	struct pair *p = ctx;

	while (p->nfds[dev] > 1)
		close(p->fds[dev][--p->nfds[dev]]);
	if (p->nfds[dev])
		vfc_close(&p->d[dev]);
	p->nfds[dev] = 0;
}

static struct vfc_dev at_fd(struct pair *p, int dev, int fd)
{
	struct vfc_dev d = p->d[dev];

	d.fd = p->fds[dev][fd];
	return d;
}

static ssize_t op_read(void *ctx, int dev, int fd, void *buf, size_t n,
		       __u64 off)
{
	struct vfc_dev d = at_fd(ctx, dev, fd);

	return vfc_pread(&d, buf ? buf : (void *)1, n, off);
}

static ssize_t op_write(void *ctx, int dev, int fd, const void *buf, size_t n,
			__u64 off)
{
	struct vfc_dev d = at_fd(ctx, dev, fd);

	return vfc_pwrite(&d, buf ? buf : (void *)1, n, off);
}

static int op_reset(void *ctx, int dev, int fd)
{
	struct vfc_dev d = at_fd(ctx, dev, fd);

	return vfc_reset(&d);
}

static int op_fd_add(void *ctx, int dev, bool again)
{
	struct pair *p = ctx;
	int fd;

	fd = again ? dup(p->d[dev].fd) : vfc_device_fd(&p->d[dev]);
	if (fd < 0)
		return again ? -errno : fd;
	p->fds[dev][p->nfds[dev]++] = fd;
	return 0;
}

static void op_fd_del(void *ctx, int dev, int fd)
{
	struct pair *p = ctx;

	close(p->fds[dev][fd]);
	p->fds[dev][fd] = p->fds[dev][--p->nfds[dev]];
	p->d[dev].fd = p->fds[dev][0];
}

static int op_pin(void *ctx, int dev)
{
	struct pair *p = ctx;
	int fd;

	while (p->nfds[dev])
		close(p->fds[dev][--p->nfds[dev]]);
	fd = vfc_device_fd(&p->d[dev]);
	p->d[dev].fd = fd;
	p->fds[dev][0] = fd;
	p->nfds[dev] = 1;
	return fd < 0 ? fd : 0;
}

static __u8 *op_map(void *ctx, int dev)
{
	return vfc_data(dev_of(ctx, dev));
}

static int touch_bulk(struct pair *p, int dev, __u64 value)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < BULK_UNITS && !ret; i++)
		ret = p->m->touch(&p->d[dev], BULK_FROM + i,
				  value ? value + i : 0);
	return ret;
}

/* Some of them will do. */
static int peek_bulk(struct pair *p, int dev, __u64 *value)
{
	static const unsigned int some[] = { 0, 1, 37, 150, BULK_UNITS - 1 };
	unsigned int i;
	__u64 v;
	int ret;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		ret = p->m->read_back(&p->d[dev], BULK_FROM + some[i], &v);
		if (ret)
			return ret;
		v -= v ? some[i] : 0;
		if (i && v != *value)
			return -EILSEQ;
		*value = v;
	}
	return 0;
}

static int op_touch(void *ctx, int dev, unsigned int unit, __u64 value)
{
	struct pair *p = ctx;

	if (unit == WALK_BULK)
		return touch_bulk(p, dev, value);
	if (unit == WALK_SCRATCH)
		return p->m->reg_set(&p->d[dev], value);
	return p->m->touch(&p->d[dev], UNITS_FROM + unit, value);
}

static int op_peek(void *ctx, int dev, unsigned int unit, __u64 *value)
{
	struct pair *p = ctx;
	__u32 reg;
	int ret;

	if (unit == WALK_BULK)
		return peek_bulk(p, dev, value);
	if (unit != WALK_SCRATCH)
		return p->m->read_back(&p->d[dev], UNITS_FROM + unit, value);
	ret = p->m->reg_get(&p->d[dev], &reg);
	*value = reg;
	return ret;
}

static int op_noise(void *ctx, int dev, bool on)
{
	struct pair *p = ctx;
	__u64 seq;

	return on ? p->m->start_noise(&p->d[dev], NOISE_UNITS, NOISE_RATE) :
		    p->m->stop_noise(&p->d[dev], &seq);
}

static int op_noise_check(void *ctx, int dev)
{
	struct pair *p = ctx;
	__u64 seq;
	int ret = p->m->noise_seq(&p->d[dev], &seq);

	return ret ? ret : p->m->check_noise(&p->d[dev], NOISE_UNITS, seq);
}

static int op_fail(void *ctx, int dev)
{
	char path[VFC_PATH];
	int ret;

	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/mimic/%s/internal_error",
		 dev_of(ctx, dev)->uuid);
	ret = vfc_file_write(path, "1", 1);
	return ret == 1 ? 0 : -EIO;
}

/* --- One after the other ---------------------------------------------- */

FIXTURE(walk) {
	struct pair p;
	struct walk_ops ops;
	struct oracle_geom geom;
	bool skip;
};

FIXTURE_VARIANT(walk) {
	bool many_fds;
	bool mapped;
};

FIXTURE_VARIANT_ADD(walk, one_fd) { .many_fds = false };
FIXTURE_VARIANT_ADD(walk, one_fd_mapped) { .mapped = true };
FIXTURE_VARIANT_ADD(walk, many_fds) { .many_fds = true };
FIXTURE_VARIANT_ADD(walk, many_fds_mapped) { .many_fds = true, .mapped = true };

/* What the devices are like; they are closed again. */
static void look(struct __test_metadata *_metadata, struct pair *p,
		 struct walk_ops *ops, struct oracle_geom *g)
{
	struct vfc_dev *d = &p->d[0];

	ASSERT_EQ(0, op_open(p, 0));
	ASSERT_LE(0, d->mig_index);
	g->region = d->mig_size;
	g->data = d->data_off;
	g->crc32c = vmr_crc32c_value;
	p->m = vfc_model_find(d);
	if (p->m)
		g->chunks = p->m->units(d);
	if (g->chunks >= BULK_FROM + BULK_UNITS) {
		ops->touch = op_touch;
		ops->peek = op_peek;
		ops->noise = op_noise;
		ops->noise_check = op_noise_check;
	}
	if (vt_has_error_knob(d))
		ops->fail = op_fail;
	op_close(p, 0);
}

FIXTURE_SETUP(walk)
{
	static const struct walk_ops always = {
		.open = op_open,
		.close = op_close,
		.read = op_read,
		.write = op_write,
		.reset = op_reset,
		.fd_add = op_fd_add,
		.fd_del = op_fd_del,
		.pin = op_pin,
		.map = op_map,
	};
	__u32 crc;

	self->skip = !getenv("VFIO_DEV2") || vmr_crc32c("", 1, &crc);
	if (self->skip)
		return;
	self->ops = always;
	self->p.mapped = variant->mapped;
	look(_metadata, &self->p, &self->ops, &self->geom);
}

FIXTURE_TEARDOWN(walk) {}

static void say(const char *line)
{
	printf("# %s\n", line);
	fflush(stdout);		/* the harness leaves by _exit() */
}

static void say_result(const struct walk_config *c,
		       const struct walk_result *r, __u64 us)
{
	char line[200];

	snprintf(line, sizeof(line),
		 "WALK_SEED=%#llx: %llu steps, %llu accesses in %llu ms, %llu episodes",
		 c->seed, r->steps, r->accesses, us / 1000, r->episodes);
	say(line);
	snprintf(line, sizeof(line),
		 "%llu segments, %llu streams of up to %llu bytes, %llu restored, %llu refused, %llu compared",
		 r->acks, r->drained, r->largest, r->restored, r->refused,
		 r->verified);
	say(line);
}

TEST_F_TIMEOUT(walk, V1_ST_20_to_85_V1_ACC_01_V1_ACC_03_to_11_V1_YZ_R1_to_6,
	       TIMEOUT)
{
	const struct walk_config config = {
		.seed = seed_of_run(),
		.salt = variant->many_fds * 2 + variant->mapped,
		.steps = vfc_number("WALK_STEPS", STEPS) / 4,
		.episode = vfc_number("WALK_EPISODE", -1),
		.many_fds = variant->many_fds,
		.log = say,
	};
	struct walk_result r;
	__u64 begin = vfc_now_us();

	if (self->skip)
		SKIP(return, "no VFIO_DEV2, or no crc32c in AF_ALG");
	walk_run(&self->ops, &self->p, &self->geom, &config, &r);
	say_result(&config, &r, vfc_now_us() - begin);
	ASSERT_EQ(0, r.error);
	ASSERT_FALSE(r.diverged)
		TH_LOG("again: WALK_SEED=%#llx ../lib/on-mdevs vmig/walk",
		       config.seed);
	if (config.episode < 0)
		ASSERT_EQ(config.steps, r.steps);
}

/* --- All at once ------------------------------------------------------ */

#define THREADS		4
#define BUF		8192

/**
 * struct worker - one thread
 * @d: the device with an fd of its own
 * @x: its dice
 * @steps: how often it does something
 * @wrong: what it should not have seen, or NULL
 * @ret: and its result
 * @step: and when
 */
struct worker {
	struct vfc_dev d;
	__u64 x;
	__u64 steps;
	const char *wrong;
	long ret;
	__u64 step;
};

static void wrong(struct worker *w, const char *what, long ret)
{
	if (w->wrong)
		return;
	w->wrong = what;
	w->ret = ret;
}

/* May a call end so? No other errno, whatever the others do meanwhile. */
static void expect(struct worker *w, const char *what, long ret, long full)
{
	if (ret < 0 ? ret != -EINVAL : ret > full)
		wrong(w, what, ret);
}

static void any_header(struct worker *w, __u64 dice)
{
	static const __u8 valid[] = { 1, 1, 1, 1, 1, 0, 1, 0 };
	__u32 state;
	__u64 v;
	int ret;

	switch (dice % 4) {
	case 0:
		ret = vfc_r4(&w->d, VFC_STATE, &state);
		if (ret != 4 || state > 6 || !valid[state])
			wrong(w, "device_state", ret == 4 ? (long)state : ret);
		break;
	case 1:
		ret = vfc_r8(&w->d, VFC_PENDING, &v);
		if (ret != 8)
			wrong(w, "pending_bytes", ret);
		break;
	case 2:
		ret = vfc_r8(&w->d, VFC_OFFSET, &v);
		if (ret != 8 || v != w->d.data_off)
			wrong(w, "data_offset", ret);
		break;
	default:
		ret = vfc_r8(&w->d, VFC_SIZE, &v);
		if (ret != 8 || v > vfc_section(&w->d))
			wrong(w, "data_size", ret);
	}
}

static void any_data(struct worker *w, __u64 dice)
{
	__u64 at = (dice >> 8) % 4096;
	size_t n = (dice >> 24) % BUF;
	const __u8 *map = vfc_data(&w->d);
	__u8 buf[BUF];

	switch (dice % 4) {
	case 0:
		memset(buf, dice, n);
		expect(w, "data write", vfc_wd(&w->d, at, buf, n), n);
		break;
	case 1:
		if (map)
			memcpy(buf, map + at, n);
		break;
	default:
		expect(w, "data read", vfc_rd(&w->d, at, buf, n), n);
	}
}

static void any_access(struct worker *w)
{
	__u64 dice = walk_random(&w->x), arg = dice >> 8;
	__u8 buf[64];

	switch (dice % 16) {
	case 0:
	case 1:
		expect(w, "state write", vfc_set(&w->d, arg % 5), 4);
		break;
	case 2:
		expect(w, "refused state write",
		       vfc_set(&w->d, 5 + arg % 1000), -1);
		break;
	case 3:
		expect(w, "size write", vfc_w8(&w->d, VFC_SIZE, arg % 4096),
		       8);
		break;
	case 4:
		expect(w, "odd read", vfc_pread(&w->d, buf, 1 + arg % 3, 8),
		       -1);
		break;
	case 5:
		if (arg % 8 == 0 && vfc_reset(&w->d))
			wrong(w, "reset", -1);
		break;
	case 6:
	case 7:
	case 8:
		any_data(w, arg);
		break;
	default:
		any_header(w, arg);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (w->step = 0; w->step < w->steps && !w->wrong; w->step++)
		any_access(w);
	return NULL;
}

FIXTURE(threads) {
	struct vt t;
};

FIXTURE_VARIANT(threads) {
	int n;
};

FIXTURE_VARIANT_ADD(threads, two) { .n = 2 };
FIXTURE_VARIANT_ADD(threads, four) { .n = THREADS };

FIXTURE_SETUP(threads)
{
	vt_open(_metadata, &self->t);
	if (self->t.m)
		vt_touch(_metadata, &self->t.a, self->t.m, 20, 1);
	vfc_map(&self->t.a);
}

FIXTURE_TEARDOWN(threads)
{
	vt_close(&self->t);
}

TEST_F_TIMEOUT(threads, V1_ST_13_V1_ST_84_V1_SAV_18_V1_CAN_10_at_once, TIMEOUT)
{
	__u64 seed = seed_of_run(), begin = vfc_now_us();
	struct worker w[THREADS] = {};
	pthread_t thread[THREADS];
	struct vfc_dev *d = &self->t.a;
	int i;

	for (i = 0; i < variant->n; i++) {
		w[i].d = *d;
		w[i].d.fd = i ? vfc_device_fd(d) : d->fd;
		ASSERT_LE(0, w[i].d.fd);
		w[i].x = seed + i;
		w[i].steps = vfc_number("WALK_STEPS", STEPS) / 40 / variant->n;
	}
	for (i = 0; i < variant->n; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, work, &w[i]));
	for (i = 0; i < variant->n; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	TH_LOG("WALK_SEED=%#llx: %llu accesses in %llu ms", seed,
	       w[0].steps * variant->n, (vfc_now_us() - begin) / 1000);
	for (i = 0; i < variant->n; i++) {
		ASSERT_EQ(NULL, w[i].wrong)
			TH_LOG("%s: %ld at step %llu of thread %d", w[i].wrong,
			       w[i].ret, w[i].step, i);
		if (i)
			close(w[i].d.fd);
	}
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(VFC_RUNNING, vfc_get(d));
	if (self->t.m)
		vt_touch(_metadata, d, self->t.m, 20, 7);
	vt_migrates(_metadata, d);
	if (self->t.m)
		vt_check_touched(_metadata, d, self->t.m, 20, 7);
}

TEST_HARNESS_MAIN
