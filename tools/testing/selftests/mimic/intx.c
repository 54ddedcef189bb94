// SPDX-License-Identifier: GPL-2.0-only
/*
 * INTx: a level that is masked when it is delivered, and unmasked by the client
 * or by an eventfd (irqfd with resampling).
 */
#include "accel_test.h"

#define INTX		VFIO_PCI_INTX_IRQ_INDEX
#define TRIGGER		VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK		VFIO_IRQ_SET_ACTION_MASK
#define UNMASK		VFIO_IRQ_SET_ACTION_UNMASK
#define NONE		VFIO_IRQ_SET_DATA_NONE
#define BOOL		VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD		VFIO_IRQ_SET_DATA_EVENTFD

FIXTURE(intx) {
	struct at t;
	int32_t fd;
};

FIXTURE_SETUP(intx)
{
	at_setup(_metadata, &self->t, 0);
	self->fd = at_eventfd(_metadata);
	ASSERT_EQ(0, vfc_irq_set(&self->t.d, INTX, 0, 1, &self->fd));
}

FIXTURE_TEARDOWN(intx)
{
	at_close(_metadata, &self->t);
}

#define OCCUR(causes)	SETREG(MIMIC_ACCEL_INT_TRIGGER, causes)
#define CLEAR(causes)	SETREG(MIMIC_ACCEL_INT_STATUS, causes)
#define EVENTS(n)	ASSERT_EQ((__u64)(n), vfc_event_take(self->fd))
/* Is the line asserted, as config space shows it? */
#define LINE()		(!!(CFG16(PCI_STATUS) & PCI_STATUS_INTERRUPT))
#define SIMPLE(flags)	ASSERT_EQ(0, at_irqs(d, NONE | (flags), INTX, 0, 1,	\
					     NULL, 0))

TEST_F(intx, level_and_automask)
{
	struct vfc_dev *d = &self->t.d;

	ASSERT_FALSE(LINE());
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	ASSERT_TRUE(LINE());
	EVENTS(1);
	/* Masked now: more causes make no more interrupts. */
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	OCCUR(MIMIC_ACCEL_INT_RING(1));
	EVENTS(0);
	/* Unmasked while still asserted: again. */
	SIMPLE(UNMASK);
	EVENTS(1);
	/* One cause less is not none. */
	CLEAR(MIMIC_ACCEL_INT_TIMER);
	ASSERT_TRUE(LINE());
	SIMPLE(UNMASK);
	EVENTS(1);
	CLEAR(MIMIC_ACCEL_INT_RING(1));
	ASSERT_FALSE(LINE());
	SIMPLE(UNMASK);
	EVENTS(0);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(1);
	/* Gone before it was unmasked: nothing. */
	CLEAR(MIMIC_ACCEL_INT_ALL);
	SIMPLE(UNMASK);
	EVENTS(0);
}

TEST_F(intx, client_masks)
{
	struct vfc_dev *d = &self->t.d;
	__u8 yes = 1, no = 0;

	SIMPLE(MASK);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	ASSERT_TRUE(LINE());
	EVENTS(0);
	ASSERT_EQ(0, at_irqs(d, BOOL | UNMASK, INTX, 0, 1, &no, 1));
	EVENTS(0);
	ASSERT_EQ(0, at_irqs(d, BOOL | UNMASK, INTX, 0, 1, &yes, 1));
	EVENTS(1);
	CLEAR(MIMIC_ACCEL_INT_ALL);
	SIMPLE(UNMASK);
	ASSERT_EQ(0, at_irqs(d, BOOL | MASK, INTX, 0, 1, &no, 1));
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(1);
	CLEAR(MIMIC_ACCEL_INT_ALL);
	SIMPLE(UNMASK);
	ASSERT_EQ(0, at_irqs(d, BOOL | MASK, INTX, 0, 1, &yes, 1));
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(0);
}

TEST_F(intx, cause_masks)
{
	struct vfc_dev *d = &self->t.d;

	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_TIMER);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	ASSERT_FALSE(LINE());
	EVENTS(0);
	SETREG(MIMIC_ACCEL_INT_MASK, 0);
	ASSERT_TRUE(LINE());
	EVENTS(1);
	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_ALL);
	ASSERT_FALSE(LINE());
	SIMPLE(UNMASK);
	EVENTS(0);
}

/* The device's own causes, not only the ones that tests make. */
TEST_F(intx, ring_completion)
{
	struct vfc_dev *d = &self->t.d;
	struct mimic_accel_desc desc = at_irq(NOP());
	int i;

	for (i = 0; i < 20; i++) {
		at_ok(_metadata, &self->t.ring[0], &desc);
		ASSERT_EQ(1, vfc_event_wait(self->fd, AT_DEADLINE_MS));
		ASSERT_EQ(MIMIC_ACCEL_INT_RING(0),
			  REG(MIMIC_ACCEL_INT_STATUS));
		CLEAR(MIMIC_ACCEL_INT_RING(0));
		SIMPLE(UNMASK);
		EVENTS(0);
	}
}

/* What KVM does at the guest's end of interrupt. */
TEST_F(intx, unmask_eventfd)
{
	struct vfc_dev *d = &self->t.d;
	int32_t unmask = at_eventfd(_metadata), other = at_eventfd(_metadata);
	int32_t none = -1;
	int i;

	ASSERT_EQ(0, at_irqs(d, EVENTFD | UNMASK, INTX, 0, 1, &unmask, 4));
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(1);
	/* Still asserted: it comes again each time. */
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, eventfd_write(unmask, 1));
		ASSERT_EQ(1, vfc_event_wait(self->fd, AT_DEADLINE_MS));
		EVENTS(0);
	}
	/* Not asserted: unmasked, and quiet until the next cause. */
	CLEAR(MIMIC_ACCEL_INT_ALL);
	ASSERT_EQ(0, eventfd_write(unmask, 1));
	EVENTS(0);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	ASSERT_EQ(1, vfc_event_wait(self->fd, AT_DEADLINE_MS));
	/* A second one is refused, and the first one goes on. */
	ASSERT_GT(0, at_irqs(d, EVENTFD | UNMASK, INTX, 0, 1, &other, 4));
	ASSERT_EQ(0, eventfd_write(unmask, 1));
	ASSERT_EQ(1, vfc_event_wait(self->fd, AT_DEADLINE_MS));
	/* Taken away it has no effect; by hand it works as before. */
	ASSERT_EQ(0, at_irqs(d, EVENTFD | UNMASK, INTX, 0, 1, &none, 4));
	ASSERT_EQ(0, eventfd_write(unmask, 1));
	vfc_sleep_ms(50);
	EVENTS(0);
	SIMPLE(UNMASK);
	EVENTS(1);
	ASSERT_EQ(0, at_irqs(d, EVENTFD | UNMASK, INTX, 0, 1, &other, 4));
	ASSERT_EQ(0, eventfd_write(other, 1));
	ASSERT_EQ(1, vfc_event_wait(self->fd, AT_DEADLINE_MS));
	/* Setting INTx up anew leaves nothing behind. */
	ASSERT_EQ(0, vfc_irq_disable(d, INTX));
	ASSERT_EQ(0, eventfd_write(other, 1));
	vfc_sleep_ms(50);
	EVENTS(0);
	close(unmask);
	close(other);
}

/* The eventfd that unmasks is the one that is signalled: a loop of one. */
TEST_F(intx, unmask_eventfd_is_the_trigger)
{
	struct vfc_dev *d = &self->t.d;
	int i;

	ASSERT_EQ(0, at_irqs(d, EVENTFD | UNMASK, INTX, 0, 1, &self->fd, 4));
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	for (i = 0; i < 50; i++)
		vfc_event_wait(self->fd, 100);
	CLEAR(MIMIC_ACCEL_INT_ALL);
	ASSERT_EQ(0, vfc_irq_disable(d, INTX));
	ASSERT_EQ(MIMIC_ACCEL_ID_VALUE, REG(MIMIC_ACCEL_ID));
}

TEST_F(intx, command_disables)
{
	struct vfc_dev *d = &self->t.d;

	SETCFG16(PCI_COMMAND, AT_ON | PCI_COMMAND_INTX_DISABLE);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(0);
	/* The status bit does not care. */
	ASSERT_TRUE(LINE());
	SETCFG16(PCI_COMMAND, AT_ON);
	EVENTS(1);
	SIMPLE(UNMASK);
	EVENTS(1);
	SETCFG16(PCI_COMMAND, AT_ON | PCI_COMMAND_INTX_DISABLE);
	SIMPLE(UNMASK);
	EVENTS(0);
	ASSERT_TRUE(LINE());
	CLEAR(MIMIC_ACCEL_INT_ALL);
	ASSERT_FALSE(LINE());
	SETCFG16(PCI_COMMAND, AT_ON);
	EVENTS(0);
}

/* A function that sends messages asserts nothing. */
TEST_F(intx, msix_enabled_disables)
{
	struct vfc_dev *d = &self->t.d;

	at_enable_msix(_metadata, d, true);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(0);
	at_enable_msix(_metadata, d, false);
	EVENTS(1);
}

/* The eventfd comes late, or changes: a level is not lost. */
TEST_F(intx, DEV_05_late_eventfd)
{
	struct vfc_dev *d = &self->t.d;
	int32_t other = at_eventfd(_metadata), none = -1;

	ASSERT_EQ(0, vfc_irq_disable(d, INTX));
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(0);
	ASSERT_EQ(0, vfc_irq_set(d, INTX, 0, 1, &self->fd));
	EVENTS(1);
	ASSERT_EQ(0, vfc_irq_set(d, INTX, 0, 1, &none));
	SIMPLE(UNMASK);
	EVENTS(0);
	ASSERT_EQ(0, vfc_irq_set(d, INTX, 0, 1, &other));
	ASSERT_EQ(1, vfc_event_take(other));
	EVENTS(0);
	close(other);
}

TEST_F(intx, loopback)
{
	struct vfc_dev *d = &self->t.d;
	__u8 yes = 1, no = 0;

	SIMPLE(TRIGGER);
	EVENTS(1);
	ASSERT_EQ(0, at_irqs(d, BOOL | TRIGGER, INTX, 0, 1, &yes, 1));
	EVENTS(1);
	ASSERT_EQ(0, at_irqs(d, BOOL | TRIGGER, INTX, 0, 1, &no, 1));
	EVENTS(0);
	ASSERT_FALSE(LINE());
}

TEST_F(intx, refused)
{
	struct vfc_dev *d = &self->t.d;
	int32_t fds[2] = { self->fd, self->fd };

	ASSERT_GT(0, at_irqs(d, EVENTFD | TRIGGER, INTX, 1, 1, fds, 4));
	ASSERT_GT(0, at_irqs(d, EVENTFD | TRIGGER, INTX, 0, 2, fds, 8));
	ASSERT_GT(0, at_irqs(d, EVENTFD | TRIGGER, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1,
			     fds, 4));
	ASSERT_GT(0, at_irqs(d, NONE | UNMASK, INTX, 0, 2, NULL, 0));
	ASSERT_GT(0, at_irqs(d, NONE | UNMASK, INTX, 1, 1, NULL, 0));
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(1);
	ASSERT_EQ(0, vfc_irq_disable(d, INTX));
	ASSERT_GT(0, at_irqs(d, NONE | UNMASK, INTX, 0, 1, NULL, 0));
	ASSERT_GT(0, at_irqs(d, NONE | MASK, INTX, 0, 1, NULL, 0));
	ASSERT_GT(0, at_irqs(d, NONE | TRIGGER, INTX, 0, 1, NULL, 0));
}

/* Held while it is stopped, delivered when it goes on. */
TEST_F(intx, DEV_05_stopped)
{
	struct vfc_dev *d = &self->t.d;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	EVENTS(1);
	AT_STATE(VFC_STOP);
	SIMPLE(UNMASK);
	EVENTS(0);
	ASSERT_TRUE(LINE());
	AT_STATE(VFC_RUNNING);
	EVENTS(1);
}

/* --- Migration -------------------------------------------------------- */

/* What the line and its client are like when a migration begins. */
enum { DELIVERED, CLIENT_MASKED, NO_EVENTFD, NOTHING, WAYS };

/**
 * struct side - one of the two devices that take turns
 * @d: device
 * @fd: its eventfd
 */
struct side {
	struct vfc_dev *d;
	int32_t fd;
};

static void leave_so(struct __test_metadata *_metadata, const struct side *s,
		     int way)
{
	struct vfc_dev *d = s->d;

	if (way == CLIENT_MASKED)
		SIMPLE(MASK);
	OCCUR(MIMIC_ACCEL_INT_TIMER);
	ASSERT_EQ(way == CLIENT_MASKED ? 0 : 1, vfc_event_take(s->fd));
	if (way == NOTHING)
		CLEAR(MIMIC_ACCEL_INT_ALL);
}

/* The mask was that of the other host: what is pending comes, and comes once. */
static void arrive_so(struct __test_metadata *_metadata, const struct side *s,
		      int way)
{
	struct vfc_dev *d = s->d;

	ASSERT_EQ(0, vfc_event_take(s->fd));
	AT_STATE(VFC_RUNNING);
	ASSERT_EQ(way != NOTHING, LINE());
	if (way == NO_EVENTFD) {
		ASSERT_EQ(0, vfc_event_take(s->fd));
		ASSERT_EQ(0, vfc_irq_set(d, INTX, 0, 1, &s->fd));
	}
	ASSERT_EQ(way == NOTHING ? 0 : 1, vfc_event_take(s->fd));
	CLEAR(MIMIC_ACCEL_INT_ALL);
	SIMPLE(UNMASK);
	ASSERT_EQ(0, vfc_event_take(s->fd));
}

static void ping(struct __test_metadata *_metadata, const struct side *from,
		 const struct side *to, int way)
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_stream s = {};

	leave_so(_metadata, from, way);
	ASSERT_EQ(0, vfc_save(from->d, &bulk, &s));
	/* As another client would find it. */
	ASSERT_EQ(0, vfc_irq_disable(to->d, INTX));
	if (way != NO_EVENTFD)
		ASSERT_EQ(0, vfc_irq_set(to->d, INTX, 0, 1, &to->fd));
	ASSERT_EQ(0, vfc_load(to->d, &bulk, &s));
	arrive_so(_metadata, to, way);
	ASSERT_EQ(0, vfc_reset(from->d));
	ASSERT_EQ(0, vfc_event_take(from->fd));
	vfc_stream_free(&s);
}

/* There and back between two devices: each level is delivered once. */
TEST_F_TIMEOUT(intx, DEV_05_over_migrations, AT_DEV05_TIMEOUT)
{
	unsigned int rounds = AT_DEV05_MIGRATIONS, round;
	struct vfc_dev b;
	struct side s[2] = { { &self->t.d, self->fd }, { &b, -1 } };
	__u64 begin = vfc_now_us();

	if (self->t.d.mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	if (!getenv("VFIO_DEV2"))
		SKIP(return, AT_NO_SECOND);
	s[1].fd = at_eventfd(_metadata);
	at_open(_metadata, &b, "VFIO_DEV2");
	ASSERT_EQ(0, vfc_irq_set(&b, INTX, 0, 1, &s[1].fd));
	for (round = 0; round < rounds; round++)
		ping(_metadata, &s[round % 2], &s[1 - round % 2],
		     round / 2 % WAYS);
	vfc_close(&b);
	close(s[1].fd);
	TH_LOG("%u migrations in %llu ms", rounds,
	       (vfc_now_us() - begin) / 1000);
}

TEST_HARNESS_MAIN
