// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that sends nonsense: random descriptors, registers and resets for a
 * while. Host memory outside of what is mapped stays as it is, memory that is
 * mapped read-only too; the device never hangs, the kernel's log is not
 * flooded, and after a reset everything works.
 *
 * HOSTILE_SEED in the environment repeats a run, which prints its seed.
 */
#include "accel_test.h"

#include "vmig_records.h"

#define MEM_SIZE	(64 * AT_PAGE)
#define RO_SIZE		(16 * AT_PAGE)
#define RO_IOVA		(AT_MEM_IOVA + MEM_SIZE)	/* right behind */
#define SECONDS		4
#define MAX_LOG_LINES	40

FIXTURE(hostile) {
	struct at t;
	struct at_mem ro;
	__u64 size;
	__u64 rng;
	int kmsg;
};

FIXTURE_SETUP(hostile)
{
	const char *seed = getenv("HOSTILE_SEED");

	at_setup(_metadata, &self->t, MEM_SIZE);
	at_mem_map(_metadata, &self->t.d, &self->ro, RO_IOVA, RO_SIZE, AT_RO);
	at_fill(self->ro.p, RO_SIZE, 1);
	self->size = at_region_size(&self->t.d, AT_MEM);
	self->rng = seed ? strtoull(seed, NULL, 0) : vfc_now_us();
	TH_LOG("HOSTILE_SEED=%llu", (unsigned long long)self->rng);
	self->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (self->kmsg >= 0)
		lseek(self->kmsg, 0, SEEK_END);
}

static unsigned int log_lines(int kmsg)
{
	char line[8192];
	unsigned int n = 0;

	while (kmsg >= 0 && (read(kmsg, line, sizeof(line)) > 0 ||
			     errno == EPIPE))
		n++;
	return n;
}

FIXTURE_TEARDOWN(hostile)
{
	at_close(_metadata, &self->t);
}

/*
 * What has to hold whatever was done to the device; the end of each test. Not in
 * the teardown: the harness would run that again and again if it failed there.
 */
static void still_works(struct __test_metadata *_metadata,
			struct _test_data_hostile *self)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc = NOP();
	__u8 *want = malloc(RO_SIZE);
	__u64 begin = vfc_now_us();
	unsigned int n;

	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_GT(10 * 1000000ull, vfc_now_us() - begin);
	at_enable(_metadata, d);
	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
		self->t.ring[n].d = d;
		at_ring_start(_metadata, &self->t.ring[n], 16);
		at_ok(_metadata, &self->t.ring[n], &desc);
	}
	ASSERT_NE(NULL, want);
	at_fill(want, RO_SIZE, 1);
	ASSERT_EQ(0, memcmp(want, self->ro.p, RO_SIZE));
	ASSERT_TRUE(at_guards_ok(&self->ro));
	ASSERT_TRUE(at_guards_ok(&self->t.mem));
	ASSERT_TRUE(at_guards_ok(&self->t.rings));
	ASSERT_GE(MAX_LOG_LINES, log_lines(self->kmsg));
	free(want);
}

static __u32 rnd(__u64 *rng)
{
	*rng = *rng * 6364136223846793005ull + 1442695040888963407ull;
	return *rng >> 33;
}

static __u64 rnd64(__u64 *rng)
{
	return (__u64)rnd(rng) << 40 ^ (__u64)rnd(rng) << 20 ^ rnd(rng);
}

/* Addresses that are good, bad, or close to a border. */
static __u64 rnd_addr(__u64 *rng, __u64 dev_size)
{
	const __u64 edges[] = {
		AT_MEM_IOVA, AT_MEM_IOVA + MEM_SIZE, RO_IOVA + RO_SIZE,
		AT_RING_IOVA, AT_RING_IOVA + AT_RING_BYTES, AT_HOLE_IOVA, 0,
		dev_size, dev_size / 2, ~0ull, 1ull << 63, 1ull << 32,
	};
	__u64 near = edges[rnd(rng) % ARRAY_SIZE(edges)];

	switch (rnd(rng) % 8) {
	case 0:
		return rnd64(rng);
	case 1:
	case 2:
		return AT_MEM_IOVA + rnd(rng) % MEM_SIZE;
	case 3:
	case 4:
		return rnd(rng) % dev_size;
	case 5:
		return near;
	default:
		return near + rnd(rng) % 8192 - 4096;
	}
}

static __u32 rnd_len(__u64 *rng)
{
	static const __u32 some[] = {
		0, 1, 2, 4095, 4096, 4097, 65536, MIMIC_ACCEL_MAX_LEN,
		MIMIC_ACCEL_MAX_LEN + 1, 0xffffffff,
	};

	/* Long ones are rare, or nothing else would be seen. */
	switch (rnd(rng) % 16) {
	case 0:
		return some[rnd(rng) % ARRAY_SIZE(some)];
	case 1:
		return rnd(rng) % (1 << 20);
	default:
		return rnd(rng) % 10000;
	}
}

static struct mimic_accel_desc rnd_desc(__u64 *rng, __u64 dev_size)
{
	struct mimic_accel_desc desc = {
		.opcode = rnd(rng) % 16 ? rnd(rng) % 9 : rnd(rng),
		.flags = rnd(rng) % 16 ? rnd(rng) % 2 : rnd(rng),
		.cookie = rnd(rng),
		.src = rnd_addr(rng, dev_size),
		.dst = rnd_addr(rng, dev_size),
		.len = rnd_len(rng),
		.reserved0 = rnd(rng) % 32 ? 0 : rnd(rng),
		.pattern = rnd64(rng),
	};

	if (rnd(rng) % 32 == 0)
		desc.reserved[rnd(rng) % 3] = rnd64(rng);
	return desc;
}

#define UNTIL(seconds)							\
	for (__u64 end_ = vfc_now_us() + (seconds) * 1000000ull;	\
	     vfc_now_us() < end_;)

/* Random commands in a ring that is otherwise driven as it should be. */
TEST_F_TIMEOUT(hostile, random_commands, 120)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	__u64 commands = 0, *rng = &self->rng;
	unsigned int n, i;

	UNTIL(SECONDS) {
		for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
			struct at_ring *r = &self->t.ring[n];

			for (i = 0; i < 32; i++, commands++) {
				desc = rnd_desc(rng, self->size);
				at_put(r, &desc);
			}
			at_bell(_metadata, r);
		}
		for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
			struct at_ring *r = &self->t.ring[n];

			/* It may have overwritten its own ring, even so. */
			AT_WAIT(REG(RING_REG(n, HEAD)) == r->tail ||
				REG(RING_REG(n, STATUS)) &
				MIMIC_ACCEL_RING_STATUS_HALTED);
			ASSERT_EQ(0, REG(RING_REG(n, STATUS)) &
				  MIMIC_ACCEL_RING_STATUS_HALTED);
		}
	}
	ASSERT_LT(0, commands);
	ASSERT_LT(0, REG(RING_REG(0, ERRORS)));
	still_works(_metadata, self);
}

/* One random register access, now and then something rougher. */
static void poke(struct vfc_dev *d, __u64 *rng, __u64 dev_size)
{
	static const __u32 bases[] = {
		0, MIMIC_ACCEL_RING(0), MIMIC_ACCEL_RING(1),
		MIMIC_ACCEL_STAMP_CTRL,
	};
	__u32 off = bases[rnd(rng) % 4] + rnd(rng) % 16 * 4;
	__u64 val = rnd(rng) % 2 ? rnd_addr(rng, dev_size) : rnd(rng) % 64;
	__u16 cmd = AT_ON;
	__u8 buf[64];

	switch (rnd(rng) % 64) {
	case 0:
		vfc_region_read(d, AT_REGS, rnd(rng) % 4096, buf,
				rnd(rng) % sizeof(buf));
		break;
	case 1:
		memset(buf, rnd(rng), sizeof(buf));
		vfc_region_write(d, AT_REGS, rnd(rng) % 4096, buf,
				 rnd(rng) % sizeof(buf));
		break;
	case 2:
		vfc_region_write(d, AT_MSIX, rnd(rng) % 4096, &val, 8);
		break;
	case 3:
		vfc_region_write(d, AT_MEM, rnd(rng) % dev_size, &val, 8);
		break;
	case 4:
		cmd = rnd(rng);
		__attribute__((fallthrough));
	case 5:
		vfc_region_write(d, AT_CFG, PCI_COMMAND, &cmd, 2);
		break;
	case 6:
		/* Any byte, which may be a function-level reset. */
		vfc_region_write(d, AT_CFG, rnd(rng) % 256, &val, 1);
		break;
	case 7:
		if (rnd(rng) % 16 == 0)
			vfc_reset(d);
		break;
	default:
		vfc_region_write(d, AT_REGS, off, &val, 4);
	}
}

/* Rings, stamp job and timer started with anything that is accepted. */
static void good_start(struct at *t, __u64 *rng)
{
	const struct {
		__u32 off, val;
	} writes[] = {
		{ RING_REG(0, CTRL), 0 },
		{ RING_REG(0, DESC_LO), (__u32)AT_RING_IOVA },
		{ RING_REG(0, DESC_HI), AT_RING_IOVA >> 32 },
		{ RING_REG(0, CPL_LO), (__u32)(AT_RING_IOVA + AT_DESC_BYTES) },
		{ RING_REG(0, CPL_HI), AT_RING_IOVA >> 32 },
		{ RING_REG(0, SIZE), 2u << rnd(rng) % 10 },
		{ RING_REG(0, CTRL), 1 },
		{ RING_REG(0, TAIL), rnd(rng) % 3 },
		{ MIMIC_ACCEL_STAMP_CTRL, 0 },
		{ MIMIC_ACCEL_STAMP_RATE, 1 + rnd(rng) % 100000 },
		{ MIMIC_ACCEL_STAMP_DEV_LO, rnd(rng) % 8 * AT_PAGE },
		{ MIMIC_ACCEL_STAMP_DEV_HI, 0 },
		{ MIMIC_ACCEL_STAMP_DEV_PAGES, rnd(rng) % 100 },
		{ MIMIC_ACCEL_STAMP_GUEST_LO, rnd(rng) % 100 * AT_PAGE },
		{ MIMIC_ACCEL_STAMP_GUEST_HI, AT_MEM_IOVA >> 32 },
		{ MIMIC_ACCEL_STAMP_GUEST_PAGES, rnd(rng) % 70 },
		{ MIMIC_ACCEL_STAMP_CTRL, 1 + rnd(rng) % 3 },
		{ MIMIC_ACCEL_TIMER_PERIOD, rnd(rng) % 1000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(writes); i++)
		vfc_region_write(&t->d, AT_REGS, writes[i].off, &writes[i].val,
				 4);
}

/* Descriptors that change while the device reads them, random everything. */
struct scribbler {
	struct at *t;
	__u64 rng;
	__u64 size;
	bool stop;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	struct at_ring *r;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		r = &s->t->ring[rnd(&s->rng) % MIMIC_ACCEL_NR_RINGS];
		r->desc[rnd(&s->rng) % AT_RING_MAX] = rnd_desc(&s->rng,
							       s->size);
		if (rnd(&s->rng) % 64 == 0)
			usleep(100);
	}
	return NULL;
}

TEST_F_TIMEOUT(hostile, random_registers_and_descriptors, 120)
{
	struct scribbler s = { .t = &self->t, .size = self->size,
			       .rng = self->rng + 1 };
	struct vfc_dev *d = &self->t.d;
	__u64 *rng = &self->rng;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &s));
	UNTIL(SECONDS) {
		at_enable(_metadata, d);
		good_start(&self->t, rng);
		for (i = 0; i < 200; i++)
			poke(d, rng, self->size);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	still_works(_metadata, self);
}

/* Memory that comes and goes under the device, with everything at work. */
TEST_F_TIMEOUT(hostile, memory_comes_and_goes, 120)
{
	struct scribbler s = { .t = &self->t, .size = self->size,
			       .rng = self->rng + 1 };
	struct vfc_dev *d = &self->t.d;
	__u64 *rng = &self->rng, begin, worst = 0;
	struct at_mem m;
	pthread_t thread;
	int i;

	at_mem_alloc(_metadata, &m, MEM_SIZE);
	ASSERT_EQ(0, vfc_dma_unmap(d, AT_MEM_IOVA, MEM_SIZE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &s));
	UNTIL(SECONDS) {
		ASSERT_EQ(0, vfc_dma_map_as(d, m.p, AT_MEM_IOVA, MEM_SIZE,
					    AT_RW));
		at_enable(_metadata, d);
		good_start(&self->t, rng);
		for (i = 0; i < 20; i++)
			poke(d, rng, self->size);
		begin = vfc_now_us();
		ASSERT_EQ(0, vfc_dma_unmap(d, AT_MEM_IOVA, MEM_SIZE));
		if (vfc_now_us() - begin > worst)
			worst = vfc_now_us() - begin;
		/* Nobody writes there now. */
		memset(m.p, 0x99, MEM_SIZE);
		usleep(rnd(rng) % 2000);
		ASSERT_TRUE(at_all(m.p, 0x99, MEM_SIZE));
		ASSERT_TRUE(at_guards_ok(&m));
	}
	TH_LOG("slowest unmap: %llu us", (unsigned long long)worst);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	still_works(_metadata, self);
}

/* Closed in the middle of it, by a process that is killed. */
static int busy_child(void *arg)
{
	struct at *t = arg;
	__u64 rng = 7;
	int i;

	for (i = 0; i < AT_RING_MAX; i++)
		t->ring[0].desc[i] = rnd_desc(&rng, 1 << 20);
	for (i = 0; i < 20; i++)
		good_start(t, &rng);
	return 0;
}

struct owner {
	const char *uuid;
	struct at t;
};

static int open_and_work(void *arg)
{
	struct owner *o = arg;
	struct at *t = &o->t;
	__u16 on = AT_ON;
	void *p;

	if (vfc_open(&t->d, o->uuid))
		return 1;
	p = mmap(NULL, MIMIC_ACCEL_NR_RINGS * AT_RING_BYTES + MEM_SIZE,
		 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 2;
	if (vfc_dma_map_as(&t->d, p, AT_RING_IOVA,
			   MIMIC_ACCEL_NR_RINGS * AT_RING_BYTES, AT_RW) ||
	    vfc_dma_map_as(&t->d, p + MIMIC_ACCEL_NR_RINGS * AT_RING_BYTES,
			   AT_MEM_IOVA, MEM_SIZE, AT_RW))
		return 3;
	t->ring[0].desc = p;
	vfc_region_write(&t->d, AT_CFG, PCI_COMMAND, &on, sizeof(on));
	return busy_child(t);
}

TEST_F_TIMEOUT(hostile, user_killed_at_work, 120)
{
	struct vfc_dev *d = &self->t.d;
	struct owner o = {};
	struct vfc_child c;
	char uuid[VFC_UUID_LEN + 1], type[VFC_PATH];
	int i;

	ASSERT_EQ(0, vfc_uuid(uuid));
	ASSERT_EQ(0, vfc_mdev_type(d->uuid, type));
	ASSERT_EQ(0, vfc_mdev_create(type, uuid));
	o.uuid = uuid;
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, vfc_child_start(&c, open_and_work, &o));
		usleep(i * 1000);
		ASSERT_EQ(0, vfc_child_kill(&c));
	}
	ASSERT_EQ(0, vfc_mdev_remove(uuid));
	still_works(_metadata, self);
}

/* A field of a blob anew, or some, with the right crc. */
static void change_blobs(struct __test_metadata *_metadata, __u8 *buf,
			 const struct vmr_list *l, __u64 *rng, __u64 dev_size)
{
	const size_t head = sizeof(struct vmig_rec) +
		sizeof(struct vmig_rec_blob);
	unsigned int n = rnd(rng) % 4 ? 1 : 2 + rnd(rng) % 3;
	const struct vmr *r;
	__u64 val;
	size_t at;

	while (n--) {
		do {
			r = &l->rec[rnd(rng) % l->n];
		} while (r->head.type != VMIG_REC_BLOB || r->len < head + 8);
		at = r->off + head + rnd(rng) % (r->len - head - 7) / 4 * 4;
		val = rnd(rng) % 2 ? rnd_addr(rng, dev_size) :
			rnd(rng) % 2 ? rnd(rng) % 64 : rnd64(rng);
		memcpy(buf + at, &val, 1u << rnd(rng) % 4);
		ASSERT_EQ(0, vmr_seal(buf + r->off, r->len));
	}
}

/* The state of a device with everything started. */
static void save_busy(struct __test_metadata *_metadata, struct at *t,
		      __u64 *rng, struct vfc_stream *s)
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_dev *d = &t->d;

	vfc_stream_free(s);
	ASSERT_EQ(0, vfc_reset(d));
	at_enable(_metadata, d);
	good_start(t, rng);
	usleep(1000 + rnd(rng) % 10000);
	ASSERT_EQ(0, vfc_save(d, &bulk, s));
}

/* Load @buf; is it accepted? If so the device runs. */
static bool loads(struct __test_metadata *_metadata, struct vfc_dev *d,
		  const __u8 *buf, size_t n)
{
	static const struct vfc_io bulk = { false, 0 };

	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(4, vfc_set(d, VFC_RESUMING));
	vfc_feed_all(d, &bulk, buf, n, 0);
	if (vfc_set(d, VFC_RUNNING) == 4)
		return true;
	ASSERT_EQ(VFC_RESUMING, vfc_get(d));
	return false;
}

/*
 * State of a writer who knows the format and means harm: what is accepted
 * runs, with a guest that goes on sending nonsense. The teardown looks what
 * became of it.
 */
TEST_F_TIMEOUT(hostile, STR_08_random_blobs, 120)
{
	unsigned int accepted = 0, refused = 0, i, k;
	struct vfc_dev *d = &self->t.d;
	struct vfc_stream s = {};
	__u64 *rng = &self->rng;
	struct vmr_list l;
	__u8 *buf;
	__u32 crc;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	if (vmr_crc32c("x", 1, &crc))
		SKIP(return, "the kernel offers no crc32c to programs (AF_ALG)");
	UNTIL(2 * SECONDS) {
		save_busy(_metadata, &self->t, rng, &s);
		ASSERT_EQ(0, vmr_parse(&l, s.buf, s.len));
		ASSERT_LT(0, vmr_count(&l, VMIG_REC_BLOB));
		buf = malloc(s.len);
		ASSERT_NE(NULL, buf);
		for (k = 0; k < 100; k++) {
			memcpy(buf, s.buf, s.len);
			change_blobs(_metadata, buf, &l, rng, self->size);
			if (!loads(_metadata, d, buf, s.len)) {
				refused++;
				continue;
			}
			accepted++;
			at_enable(_metadata, d);
			for (i = 0; i < 50; i++)
				poke(d, rng, self->size);
		}
		vmr_free(&l);
		free(buf);
	}
	TH_LOG("%u accepted, %u refused", accepted, refused);
	ASSERT_LT(0, accepted);
	vfc_stream_free(&s);
	still_works(_metadata, self);
}

TEST_HARNESS_MAIN
