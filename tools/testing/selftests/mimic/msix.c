// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI-X, ERR and REQ as eventfds see them: which vector, and how often. An
 * eventfd adds up what it was signalled, so that counts here are exact.
 */
#include "accel_test.h"

#define NR		MIMIC_ACCEL_NR_VECTORS
#define MSIX		VFIO_PCI_MSIX_IRQ_INDEX
#define INTX		VFIO_PCI_INTX_IRQ_INDEX
#define MISC		MIMIC_ACCEL_VEC_MISC
#define TRIGGER		VFIO_IRQ_SET_ACTION_TRIGGER
#define NONE		VFIO_IRQ_SET_DATA_NONE
#define BOOL		VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD		VFIO_IRQ_SET_DATA_EVENTFD

FIXTURE(msix) {
	struct at t;
	int32_t fd[NR];
};

FIXTURE_SETUP(msix)
{
	at_setup(_metadata, &self->t, 64 * 1024);
	at_msix(_metadata, &self->t.d, self->fd);
}

FIXTURE_TEARDOWN(msix)
{
	at_close(_metadata, &self->t);
}

/* Make causes occur; interrupts are sent when the write returns. */
#define OCCUR(causes)	SETREG(MIMIC_ACCEL_INT_TRIGGER, causes)
/* Exactly @a, @b and @c signals on vectors 0, 1 and 2 since the last look. */
#define EXPECT_EVENTS(a, b, c) do {					\
	ASSERT_EQ((__u64)(a), vfc_event_take(self->fd[0]));		\
	ASSERT_EQ((__u64)(b), vfc_event_take(self->fd[1]));		\
	ASSERT_EQ((__u64)(c), vfc_event_take(self->fd[2]));		\
	} while (0)

TEST_F(msix, irq_info)
{
	static const struct {
		__u32 index, flags, count;
	} want[] = {
		{ INTX, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
			VFIO_IRQ_INFO_AUTOMASKED, 1 },
		{ VFIO_PCI_MSI_IRQ_INDEX, VFIO_IRQ_INFO_EVENTFD, 0 },
		{ MSIX, VFIO_IRQ_INFO_EVENTFD, NR },
		{ VFIO_PCI_ERR_IRQ_INDEX, VFIO_IRQ_INFO_EVENTFD, 1 },
		{ VFIO_PCI_REQ_IRQ_INDEX, VFIO_IRQ_INFO_EVENTFD, 1 },
	};
	struct vfc_dev *d = &self->t.d;
	struct vfio_irq_info info;
	unsigned int i;

	ASSERT_EQ(VFIO_PCI_NUM_IRQS, d->info.num_irqs);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		info = (struct vfio_irq_info){ .argsz = sizeof(info),
					       .index = want[i].index };
		ASSERT_EQ(0, ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &info));
		ASSERT_EQ(want[i].count, info.count);
		ASSERT_EQ(want[i].flags, info.flags & ~VFIO_IRQ_INFO_NORESIZE);
	}
	info = (struct vfio_irq_info){ .argsz = sizeof(info),
				       .index = VFIO_PCI_NUM_IRQS };
	ASSERT_EQ(-1, ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &info));
	ASSERT_EQ(EINVAL, errno);
	info = (struct vfio_irq_info){ .argsz = sizeof(info) - 1 };
	ASSERT_EQ(-1, ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &info));
	ASSERT_EQ(EINVAL, errno);
}

TEST_F(msix, causes_have_their_vectors)
{
	struct vfc_dev *d = &self->t.d;

	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EXPECT_EVENTS(1, 0, 0);
	OCCUR(MIMIC_ACCEL_INT_STAMP);
	EXPECT_EVENTS(1, 0, 0);
	OCCUR(MIMIC_ACCEL_INT_RING_ERROR);
	EXPECT_EVENTS(1, 0, 0);
	OCCUR(MIMIC_ACCEL_INT_RING(0));
	EXPECT_EVENTS(0, 1, 0);
	OCCUR(MIMIC_ACCEL_INT_RING(1));
	EXPECT_EVENTS(0, 0, 1);
	/* One message for each cause, although some share a vector. */
	OCCUR(MIMIC_ACCEL_INT_ALL);
	EXPECT_EVENTS(3, 1, 1);
	/* Each time, although it is pending already. */
	OCCUR(MIMIC_ACCEL_INT_RING(0));
	OCCUR(MIMIC_ACCEL_INT_RING(0));
	EXPECT_EVENTS(0, 2, 0);
	OCCUR(0);
	OCCUR(~MIMIC_ACCEL_INT_ALL);
	EXPECT_EVENTS(0, 0, 0);
}

TEST_F(msix, mask)
{
	struct vfc_dev *d = &self->t.d;

	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_RING(0));
	OCCUR(MIMIC_ACCEL_INT_RING(0));
	OCCUR(MIMIC_ACCEL_INT_RING(0));
	OCCUR(MIMIC_ACCEL_INT_RING(1));
	EXPECT_EVENTS(0, 0, 1);
	/* Once when a pending cause is unmasked, however often it occurred. */
	SETREG(MIMIC_ACCEL_INT_MASK, 0);
	EXPECT_EVENTS(0, 1, 0);
	/* Not for one that is not masked, nor for one that is not pending. */
	SETREG(MIMIC_ACCEL_INT_MASK, 0);
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_TIMER);
	SETREG(MIMIC_ACCEL_INT_MASK, 0);
	EXPECT_EVENTS(0, 0, 0);
	/* Cleared while it was masked: nothing is left to say. */
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_ALL);
	OCCUR(MIMIC_ACCEL_INT_ALL);
	SETREG(MIMIC_ACCEL_INT_STATUS, MIMIC_ACCEL_INT_ALL);
	SETREG(MIMIC_ACCEL_INT_MASK, 0);
	EXPECT_EVENTS(0, 0, 0);
	/* Of some, those. */
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_ALL);
	OCCUR(MIMIC_ACCEL_INT_ALL);
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_ALL &
	       ~(MIMIC_ACCEL_INT_TIMER | MIMIC_ACCEL_INT_RING(1)));
	EXPECT_EVENTS(1, 0, 1);
}

/* The device counts on nobody: a completion with IRQ is one message. */
TEST_F(msix, DEV_05_one_message_for_each_completion)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc;
	unsigned int n, lap, i;
	__u64 want[2] = {}, got[2] = {};

	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++)
		at_ring_start(_metadata, &self->t.ring[n], 256);
	for (lap = 0; lap < 10; lap++) {
		for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
			for (i = 0; i < 200; i++) {
				desc = NOP();
				if (i % (n + 2) == 0) {
					desc = at_irq(desc);
					want[n]++;
				}
				at_put(&self->t.ring[n], &desc);
			}
			at_bell(_metadata, &self->t.ring[n]);
		}
		for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
			at_wait(_metadata, &self->t.ring[n],
				self->t.ring[n].tail - 1);
			ASSERT_EQ(self->t.ring[n].tail,
				  REG(RING_REG(n, HEAD)));
			got[n] += vfc_event_take(self->fd[1 + n]);
			ASSERT_EQ(want[n], got[n]);
		}
	}
	ASSERT_EQ(0, vfc_event_take(self->fd[MISC]));
	ASSERT_EQ(MIMIC_ACCEL_INT_RING(0) | MIMIC_ACCEL_INT_RING(1),
		  REG(MIMIC_ACCEL_INT_STATUS));
}

/* Also when the command was a bad one, and on the other vector if it halts. */
TEST_F(msix, errors_interrupt)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc = at_irq(at_desc(99, 0, 0, 1));

	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	EXPECT_EVENTS(0, 1, 0);
	/* Unknown flags next to the one that is known. */
	desc = at_desc(MIMIC_ACCEL_OP_NOP, 0, 0, 1);
	desc.flags = MIMIC_ACCEL_DESC_IRQ | 0x8000;
	at_fails(_metadata, r, &desc, MIMIC_ACCEL_CPL_BAD_DESC, 0);
	SETREG(RING_REG(0, TAIL), r->tail + 1000);
	ASSERT_EQ(1, vfc_event_take(self->fd[MISC]));
}

TEST_F(msix, completion_is_there_before_its_interrupt)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[1];
	struct mimic_accel_desc desc;
	__u32 i, k;

	for (i = 0; i < 300; i++) {
		desc = at_irq(NOP());
		k = at_put(r, &desc);
		at_bell(_metadata, r);
		ASSERT_EQ(1, vfc_event_wait(self->fd[2], AT_DEADLINE_MS));
		ASSERT_TRUE(at_done(r, k));
		ASSERT_EQ(k + 1, REG(RING_REG(1, HEAD)));
		ASSERT_TRUE(REG(MIMIC_ACCEL_INT_STATUS) &
			    MIMIC_ACCEL_INT_RING(1));
	}
}

/* Taken away, a message waits; given back, it comes, and comes once. */
TEST_F(msix, DEV_05_no_eventfd_yet)
{
	struct vfc_dev *d = &self->t.d;
	int32_t none = -1;

	ASSERT_EQ(0, vfc_irq_set(d, MSIX, 1, 1, &none));
	OCCUR(MIMIC_ACCEL_INT_RING(0));
	OCCUR(MIMIC_ACCEL_INT_RING(0));
	OCCUR(MIMIC_ACCEL_INT_RING(1));
	EXPECT_EVENTS(0, 0, 1);
	ASSERT_EQ(0, vfc_irq_set(d, MSIX, 1, 1, &self->fd[1]));
	EXPECT_EVENTS(0, 1, 0);
	OCCUR(MIMIC_ACCEL_INT_RING(0));
	EXPECT_EVENTS(0, 1, 0);
	/* All of them taken down for a moment, as clients do it. */
	ASSERT_EQ(0, vfc_irq_disable(d, MSIX));
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EXPECT_EVENTS(0, 0, 0);
	ASSERT_EQ(0, vfc_irq_set(d, MSIX, 0, NR, self->fd));
	EXPECT_EVENTS(1, 0, 0);
	/* A device that uses no MSI-X has no message that could wait. */
	at_enable_msix(_metadata, d, false);
	ASSERT_EQ(0, vfc_irq_disable(d, MSIX));
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	at_enable_msix(_metadata, d, true);
	ASSERT_EQ(0, vfc_irq_set(d, MSIX, 0, NR, self->fd));
	EXPECT_EVENTS(0, 0, 0);
}

TEST_F(msix, vectors_one_by_one)
{
	struct vfc_dev *d = &self->t.d;
	int32_t other[NR];
	int i;

	for (i = 0; i < NR; i++) {
		other[i] = at_eventfd(_metadata);
		ASSERT_EQ(0, vfc_irq_set(d, MSIX, i, 1, &other[i]));
	}
	OCCUR(MIMIC_ACCEL_INT_TIMER | MIMIC_ACCEL_INT_RING(0) |
	      MIMIC_ACCEL_INT_RING(1));
	EXPECT_EVENTS(0, 0, 0);		/* replaced */
	for (i = 0; i < NR; i++)
		ASSERT_EQ(1, vfc_event_take(other[i]));
	/* The same eventfd for two vectors adds up. */
	ASSERT_EQ(0, vfc_irq_set(d, MSIX, 2, 1, &other[1]));
	OCCUR(MIMIC_ACCEL_INT_RING(0) | MIMIC_ACCEL_INT_RING(1));
	ASSERT_EQ(2, vfc_event_take(other[1]));
	ASSERT_EQ(0, vfc_event_take(other[2]));
	/* A closed one is kept alive by the device, and harmless. */
	close(other[1]);
	OCCUR(MIMIC_ACCEL_INT_RING(0));
}

/* Loopback: the client signals its own eventfds by the device's setup. */
TEST_F(msix, loopback)
{
	static const __u8 some[] = { 1, 0, 1 };
	struct vfc_dev *d = &self->t.d;

	ASSERT_EQ(0, at_irqs(d, NONE | TRIGGER, MSIX, 1, 2, NULL, 0));
	EXPECT_EVENTS(0, 1, 1);
	ASSERT_EQ(0, at_irqs(d, BOOL | TRIGGER, MSIX, 0, 3, some, 3));
	EXPECT_EVENTS(1, 0, 1);
	ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_STATUS));
}

TEST_F(msix, refused_set_irqs)
{
	struct vfc_dev *d = &self->t.d;
	int32_t fds[NR + 1] = { self->fd[2], self->fd[1], self->fd[0], -1 };
	int32_t not_eventfd = d->fd, closed = 1000;
	const struct {
		__u32 flags, index, start, count;
		const void *data;
		size_t size;
	} bad[] = {
		{ EVENTFD | TRIGGER, MSIX, 0, NR + 1, fds, sizeof(fds) },
		{ EVENTFD | TRIGGER, MSIX, NR, 1, fds, 4 },
		{ EVENTFD | TRIGGER, MSIX, 0xffffffff, 2, fds, 8 },
		{ EVENTFD | TRIGGER, MSIX, 1, 0xffffffff, fds, 8 },
		{ EVENTFD | TRIGGER, MSIX, 0, 2, fds, 4 },	/* short */
		{ EVENTFD | BOOL | TRIGGER, MSIX, 0, 1, fds, 4 },
		{ EVENTFD | TRIGGER | VFIO_IRQ_SET_ACTION_MASK, MSIX, 0, 1, fds,
		  4 },
		{ EVENTFD, MSIX, 0, 1, fds, 4 },
		{ TRIGGER, MSIX, 0, 1, fds, 4 },
		{ NONE | TRIGGER | 1u << 30, MSIX, 0, 1, NULL, 0 },
		{ EVENTFD | TRIGGER, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, fds, 4 },
		{ EVENTFD | TRIGGER, VFIO_PCI_NUM_IRQS, 0, 1, fds, 4 },
		{ EVENTFD | TRIGGER, 0xffffffff, 0, 1, fds, 4 },
		{ EVENTFD | TRIGGER, INTX, 0, 1, fds, 4 },	/* MSI-X is on */
		{ EVENTFD | TRIGGER, MSIX, 0, 1, &not_eventfd, 4 },
		{ EVENTFD | TRIGGER, MSIX, 0, 1, &closed, 4 },
		{ NONE | VFIO_IRQ_SET_ACTION_MASK, MSIX, 0, 1, NULL, 0 },
		{ NONE | VFIO_IRQ_SET_ACTION_UNMASK, MSIX, 0, 1, NULL, 0 },
		{ EVENTFD | TRIGGER, VFIO_PCI_ERR_IRQ_INDEX, 1, 1, fds, 4 },
		{ EVENTFD | TRIGGER, VFIO_PCI_REQ_IRQ_INDEX, 0, 2, fds, 8 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ASSERT_GT(0, at_irqs(d, bad[i].flags, bad[i].index,
				     bad[i].start, bad[i].count, bad[i].data,
				     bad[i].size))
			TH_LOG("case %u was accepted", i);
		OCCUR(MIMIC_ACCEL_INT_TIMER | MIMIC_ACCEL_INT_RING(0) |
		      MIMIC_ACCEL_INT_RING(1));
		EXPECT_EVENTS(1, 1, 1);
	}
	/* All or nothing: the second one of three is bad. */
	fds[1] = not_eventfd;
	ASSERT_EQ(-EINVAL, vfc_irq_set(d, MSIX, 0, NR, fds));
	OCCUR(MIMIC_ACCEL_INT_RING(1));
	EXPECT_EVENTS(0, 0, 1);
	fds[1] = closed;
	ASSERT_EQ(-EBADF, vfc_irq_set(d, MSIX, 0, NR, fds));
	OCCUR(MIMIC_ACCEL_INT_RING(1));
	EXPECT_EVENTS(0, 0, 1);
}

/* --- Stopped ---------------------------------------------------------- */

/* What was triggered while it was stopped is not: doorbells are ignored. */
TEST_F(msix, DEV_03_trigger_is_ignored_when_stopped)
{
	struct vfc_dev *d = &self->t.d;
	__u32 ignored;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	ignored = REG(MIMIC_ACCEL_IGNORED);
	AT_STATE(VFC_STOP);
	OCCUR(MIMIC_ACCEL_INT_ALL);
	ASSERT_EQ(ignored + 1, REG(MIMIC_ACCEL_IGNORED));
	ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_STATUS));
	AT_STATE(VFC_RUNNING);
	EXPECT_EVENTS(0, 0, 0);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EXPECT_EVENTS(1, 0, 0);
}

/* INT_MASK is a plain value: a stopped device takes it, and speaks up later. */
TEST_F(msix, DEV_05_unmasked_while_stopped)
{
	struct vfc_dev *d = &self->t.d;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_ALL);
	OCCUR(MIMIC_ACCEL_INT_RING(1));
	AT_STATE(VFC_STOP);
	SETREG(MIMIC_ACCEL_INT_MASK, 0);
	EXPECT_EVENTS(0, 0, 0);
	AT_STATE(VFC_RUNNING);
	EXPECT_EVENTS(0, 0, 1);
	AT_STATE(VFC_STOP);
	AT_STATE(VFC_RUNNING);
	EXPECT_EVENTS(0, 0, 0);
}

/* Its client may still test its own wiring. */
TEST_F(msix, loopback_when_stopped)
{
	struct vfc_dev *d = &self->t.d;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	AT_STATE(VFC_STOP);
	ASSERT_EQ(0, at_irqs(d, NONE | TRIGGER, MSIX, 2, 1, NULL, 0));
	EXPECT_EVENTS(0, 0, 1);
}

/* --- ERR and REQ ------------------------------------------------------ */

TEST_F(msix, err)
{
	struct vfc_dev *d = &self->t.d;
	int32_t fd = at_eventfd(_metadata), none = -1;

	ASSERT_EQ(0, vfc_irq_set(d, VFIO_PCI_ERR_IRQ_INDEX, 0, 1, &fd));
	ASSERT_EQ(0, at_irqs(d, NONE | TRIGGER, VFIO_PCI_ERR_IRQ_INDEX, 0, 1,
			     NULL, 0));
	ASSERT_EQ(1, vfc_event_take(fd));
	if (at_make_error(d) != 1)
		SKIP(return, AT_NO_KNOB);
	ASSERT_EQ(1, vfc_event_wait(fd, AT_DEADLINE_MS));
	if (d->mig_index >= 0)
		ASSERT_EQ(VFC_ERROR, vfc_get(d));
	EXPECT_EVENTS(0, 0, 0);
	/* RESET is the way out, and the eventfd stays. */
	ASSERT_EQ(0, vfc_reset(d));
	if (d->mig_index >= 0)
		ASSERT_EQ(VFC_RUNNING, vfc_get(d));
	ASSERT_EQ(1, at_make_error(d));
	ASSERT_EQ(1, vfc_event_wait(fd, AT_DEADLINE_MS));
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, vfc_irq_set(d, VFIO_PCI_ERR_IRQ_INDEX, 0, 1, &none));
	ASSERT_EQ(1, at_make_error(d));
	ASSERT_EQ(0, vfc_event_take(fd));
	ASSERT_EQ(0, vfc_reset(d));
}

struct remover {
	const char *uuid;
	int ret;
	bool done;
};

static void *remove_thread(void *arg)
{
	struct remover *r = arg;

	r->ret = vfc_mdev_remove(r->uuid);
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* LIFE-02: who removes a device that is open waits, and the user is asked. */
TEST_F_TIMEOUT(msix, LIFE_02_req, 60)
{
	struct vfc_dev *d = &self->t.d, own;
	char uuid[VFC_UUID_LEN + 1], type[VFC_PATH], path[VFC_PATH];
	struct remover r = { .uuid = uuid };
	int32_t req = at_eventfd(_metadata);
	pthread_t thread;

	ASSERT_EQ(0, vfc_uuid(uuid));
	ASSERT_EQ(0, vfc_mdev_type(d->uuid, type));
	ASSERT_EQ(0, vfc_mdev_create(type, uuid));
	ASSERT_EQ(0, vfc_open(&own, uuid));
	ASSERT_EQ(0, vfc_irq_set(&own, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &req));
	ASSERT_EQ(0, vfc_event_take(req));
	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_thread, &r));
	ASSERT_EQ(1, vfc_event_wait(req, AT_DEADLINE_MS));
	ASSERT_FALSE(__atomic_load_n(&r.done, __ATOMIC_ACQUIRE));
	/* It works until it is closed, and the others are not asked. */
	d = &own;
	at_enable(_metadata, d);
	SETREG(MIMIC_ACCEL_SCRATCH, 4);
	ASSERT_EQ(4, REG(MIMIC_ACCEL_SCRATCH));
	d = &self->t.d;
	EXPECT_EVENTS(0, 0, 0);
	vfc_close(&own);
	AT_WAIT(__atomic_load_n(&r.done, __ATOMIC_ACQUIRE));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, r.ret);
	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s", uuid);
	ASSERT_NE(0, access(path, F_OK));
	close(req);
}

/* --- Migration -------------------------------------------------------- */

/* One of the two devices that take turns. */
struct side {
	struct vfc_dev *d;
	int32_t fd[NR];
};

static void side_open(struct __test_metadata *_metadata, struct side *s,
		      struct at *t)
{
	struct vfc_dev *d = s->d;

	at_open(_metadata, d, "VFIO_DEV2");
	ASSERT_EQ(0, vfc_dma_map_as(d, t->rings.p, t->rings.iova, t->rings.size,
				    AT_RW));
	ASSERT_EQ(0, vfc_dma_map_as(d, t->mem.p, t->mem.iova, t->mem.size,
				    AT_RW));
	at_msix(_metadata, d, s->fd);
}

/* Both sides, side 0 being @self's own device; or why it cannot be: to skip. */
static const char *sides_open(struct __test_metadata *_metadata,
			      struct side s[2], struct _test_data_msix *self)
{
	if (self->t.d.mig_index < 0)
		return AT_NO_MIGRATION;
	if (!getenv("VFIO_DEV2"))
		return AT_NO_SECOND;
	memcpy(s[0].fd, self->fd, sizeof(self->fd));
	side_open(_metadata, &s[1], &self->t);
	return NULL;
}

static __u64 side_take(struct side s[2], unsigned int vector)
{
	return vfc_event_take(s[0].fd[vector]) + vfc_event_take(s[1].fd[vector]);
}

static void move(struct __test_metadata *_metadata, struct vfc_dev *from,
		 struct vfc_dev *to)
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_stream s = {};
	struct vfc_dev *d;

	ASSERT_EQ(0, vfc_save(from, &bulk, &s));
	d = from;
	AT_STATE(VFC_STOP);
	ASSERT_EQ(0, vfc_load(to, &bulk, &s));
	d = to;
	AT_STATE(VFC_RUNNING);
	vfc_stream_free(&s);
	ASSERT_EQ(0, vfc_reset(from));
}

/*
 * DEV-05: there and back between two devices while the ring is at work. Each
 * message is sent once, by the one or by the other.
 */
TEST_F_TIMEOUT(msix, DEV_05_exact_over_migrations, AT_DEV05_TIMEOUT)
{
	unsigned int rounds = AT_DEV05_MIGRATIONS, round, i;
	struct vfc_dev b;
	struct side s[2] = { { .d = &self->t.d }, { .d = &b } };
	const char *why;
	struct at_ring *r = &self->t.ring[0];
	struct mimic_accel_desc desc;
	__u64 want = 0, got = 0, begin = vfc_now_us();
	struct vfc_dev *d;

	why = sides_open(_metadata, s, self);
	if (why)
		SKIP(return, "%s", why);
	at_ring_start(_metadata, r, 256);
	for (round = 0; round < rounds; round++) {
		r->d = s[round % 2].d;
		for (i = 0; i < 20; i++) {
			desc = at_irq(at_desc(MIMIC_ACCEL_OP_FILL_G, 0,
					      AT_MEM_IOVA, 3000));
			at_put(r, &desc);
			want++;
		}
		at_bell(_metadata, r);
		if (round % 4 == 1)	/* some way into it */
			AT_WAIT(at_done(r, r->tail - 10));
		move(_metadata, s[round % 2].d, s[1 - round % 2].d);
		d = s[1 - round % 2].d;
		at_wait(_metadata, r, r->tail - 1);
		ASSERT_EQ(r->tail, REG(RING_REG(0, HEAD)));
		got += side_take(s, 1);
		ASSERT_EQ(want, got) TH_LOG("round %u", round);
		ASSERT_EQ(0, side_take(s, 0));
		ASSERT_EQ(0, side_take(s, 2));
	}
	vfc_close(&b);
	TH_LOG("%llu messages over %u migrations in %llu ms", got, rounds,
	       (vfc_now_us() - begin) / 1000);
}

#define LONG_WORK	200	/* commands; a device is busy with them for a while */

/*
 * Work with a message for each command: to guest memory, and every other one so
 * much to the device's own that nobody who looks in between comes too late, also
 * where the device and its client take turns on one processor.
 */
static void put_work(struct at_ring *r)
{
	struct mimic_accel_desc desc;
	unsigned int i;

	for (i = 0; i < LONG_WORK; i++) {
		desc = i % 2 ? at_desc(MIMIC_ACCEL_OP_FILL_D, 0, 0, 1 << 20) :
			       at_desc(MIMIC_ACCEL_OP_FILL_G, 0, AT_MEM_IOVA,
				       60000);
		desc = at_irq(desc);
		desc.pattern = i + 1;
		at_put(r, &desc);
	}
}

/* What it would do if it ran: the rest of a ring, a timer, a message that waits. */
static __u64 make_busy(struct __test_metadata *_metadata, struct at *t)
{
	struct at_ring *r = &t->ring[0];
	struct vfc_dev *d = &t->d;
	int32_t none = -1;

	at_ring_start(_metadata, r, 256);
	put_work(r);
	ASSERT_EQ(0, vfc_irq_set(d, MSIX, 2, 1, &none));
	OCCUR(MIMIC_ACCEL_INT_RING(1));
	SETREG(MIMIC_ACCEL_TIMER_PERIOD, 300);
	at_bell(_metadata, r);
	AT_WAIT(at_done(r, 10));
	return LONG_WORK;
}

/* Neither the guest's memory nor an eventfd of @s changes for @ms. */
static void rests(struct __test_metadata *_metadata, struct at *t,
		  const struct side *s, unsigned int ms)
{
	__u8 *mem = malloc(t->mem.size), *rings = malloc(t->rings.size);
	unsigned int i;

	ASSERT_TRUE(mem && rings);
	memcpy(mem, t->mem.p, t->mem.size);
	memcpy(rings, t->rings.p, t->rings.size);
	vfc_sleep_ms(ms);
	ASSERT_EQ(0, memcmp(mem, t->mem.p, t->mem.size));
	ASSERT_EQ(0, memcmp(rings, t->rings.p, t->rings.size));
	for (i = 0; i < NR; i++)
		ASSERT_EQ(0, vfc_event_take(s->fd[i]));
	free(mem);
	free(rings);
}

/* RES-18: not before state 1, neither in 4 nor in 0, and then exactly once. */
TEST_F_TIMEOUT(msix, V1_RES_18_DEV_05_nothing_before_running, 60)
{
	static const struct vfc_io bulk = { false, 0 };
	struct at_ring *r = &self->t.ring[0];
	struct vfc_stream stream = {};
	struct vfc_dev b, *d;
	struct side s[2] = { { .d = &self->t.d }, { .d = &b } };
	const char *why;
	__u32 head, count;
	__u64 want, got;

	why = sides_open(_metadata, s, self);
	if (why)
		SKIP(return, "%s", why);
	want = make_busy(_metadata, &self->t);
	ASSERT_EQ(0, vfc_save(s[0].d, &bulk, &stream));
	d = s[0].d;
	head = REG(RING_REG(0, HEAD));
	count = REG(MIMIC_ACCEL_TIMER_COUNT);
	ASSERT_GT(want, head);		/* there is something left to do */
	got = vfc_event_take(s[0].fd[1]);
	ASSERT_EQ(head, got);
	vfc_event_take(s[0].fd[MISC]);
	d = s[1].d;
	ASSERT_EQ(0, vfc_load(d, &bulk, &stream));
	rests(_metadata, &self->t, &s[1], 300);
	AT_STATE(VFC_STOP);
	rests(_metadata, &self->t, &s[1], 100);
	ASSERT_EQ(head, REG(RING_REG(0, HEAD)));
	ASSERT_EQ(count, REG(MIMIC_ACCEL_TIMER_COUNT));
	AT_STATE(VFC_RUNNING);
	r->d = d;
	at_wait(_metadata, r, want - 1);
	ASSERT_EQ(want, REG(RING_REG(0, HEAD)));
	ASSERT_EQ(want, got + vfc_event_take(s[1].fd[1]));
	ASSERT_EQ(1, vfc_event_take(s[1].fd[2]));
	ASSERT_LT(0, vfc_event_wait(s[1].fd[MISC], AT_DEADLINE_MS));
	/* The device that was left does no more. */
	rests(_metadata, &self->t, &s[0], 50);
	vfc_stream_free(&stream);
	vfc_close(&b);
}

/* To enter and leave pre-copy costs no message, and makes none. */
TEST_F_TIMEOUT(msix, V1_PRE_06_DEV_05_enter_and_leave_precopy, 60)
{
	struct vfc_dev *d = &self->t.d;
	struct at_ring *r = &self->t.ring[0];
	unsigned int i;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	at_ring_start(_metadata, r, 256);
	put_work(r);
	at_bell(_metadata, r);
	for (i = 0; i < 50 || !at_done(r, LONG_WORK - 1); i++) {
		AT_STATE(VFC_PRECOPY);
		AT_STATE(VFC_RUNNING);
	}
	ASSERT_EQ(r->tail, REG(RING_REG(0, HEAD)));
	EXPECT_EVENTS(0, LONG_WORK, 0);
}

/* DEV-05: masked, and with no eventfd at the destination, it is not lost. */
TEST_F_TIMEOUT(msix, DEV_05_masked_and_late_over_migrations, AT_DEV05_TIMEOUT)
{
	unsigned int rounds = AT_DEV05_MIGRATIONS, round;
	struct vfc_dev b, *d;
	struct side s[2] = { { .d = &self->t.d }, { .d = &b } };
	const char *why;
	__u64 begin = vfc_now_us();

	why = sides_open(_metadata, s, self);
	if (why)
		SKIP(return, "%s", why);
	for (round = 0; round < rounds; round++) {
		d = s[round % 2].d;
		/* Masked there, unmasked here: one message. */
		SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_RING(0));
		OCCUR(MIMIC_ACCEL_INT_RING(0));
		ASSERT_EQ(0, vfc_irq_disable(s[1 - round % 2].d, MSIX));
		/* Vector 2 was pending there, as it had no eventfd. */
		ASSERT_EQ(0, vfc_irq_disable(d, MSIX));
		OCCUR(MIMIC_ACCEL_INT_RING(1));
		move(_metadata, d, s[1 - round % 2].d);
		d = s[1 - round % 2].d;
		ASSERT_EQ(MIMIC_ACCEL_INT_RING(0) | MIMIC_ACCEL_INT_RING(1),
			  REG(MIMIC_ACCEL_INT_STATUS));
		SETREG(MIMIC_ACCEL_INT_MASK, 0);
		ASSERT_EQ(0, side_take(s, 1));
		ASSERT_EQ(0, side_take(s, 2));
		ASSERT_EQ(0, vfc_irq_set(d, MSIX, 0, NR, s[1 - round % 2].fd));
		ASSERT_EQ(1, side_take(s, 1));
		ASSERT_EQ(1, side_take(s, 2));
		ASSERT_EQ(0, side_take(s, 0));
		SETREG(MIMIC_ACCEL_INT_STATUS, MIMIC_ACCEL_INT_ALL);
		/* The device that was left is reset; use it again. */
		ASSERT_EQ(0, vfc_irq_set(s[round % 2].d, MSIX, 0, NR,
					 s[round % 2].fd));
		ASSERT_EQ(0, side_take(s, 1));
	}
	vfc_close(&b);
	TH_LOG("%u migrations in %llu ms", rounds,
	       (vfc_now_us() - begin) / 1000);
}

TEST_HARNESS_MAIN
