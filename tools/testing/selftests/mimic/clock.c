// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tick counter and timer. The machine may be as slow as it likes: upper bounds
 * follow from the device's own clock or the host's, lower ones are waited for.
 */
#include "accel_test.h"

FIXTURE(clock) {
	struct vfc_dev d;
	int32_t fd[MIMIC_ACCEL_NR_VECTORS];
};

FIXTURE_SETUP(clock)
{
	at_open(_metadata, &self->d, "VFIO_DEV");
	at_msix(_metadata, &self->d, self->fd);
}

FIXTURE_TEARDOWN(clock)
{
	vfc_close(&self->d);
}

#define TICK()		REG64(MIMIC_ACCEL_TICK_LO)
#define COUNT()		REG(MIMIC_ACCEL_TIMER_COUNT)
#define PERIOD(us)	SETREG(MIMIC_ACCEL_TIMER_PERIOD, us)

/* The host's clock, read before and after, says what may have passed. */
TEST_F(clock, tick_is_microseconds)
{
	struct vfc_dev *d = &self->d;
	__u64 before[2], after[2], tick[2];
	int i;

	for (i = 0; i < 2; i++) {
		before[i] = vfc_now_us();
		tick[i] = TICK();
		after[i] = vfc_now_us();
		if (!i)
			vfc_sleep_ms(300);
	}
	ASSERT_LE(before[1] - after[0], tick[1] - tick[0] + 2);
	ASSERT_GE(after[1] - before[0] + 2, tick[1] - tick[0]);
}

TEST_F(clock, tick_never_goes_back)
{
	struct vfc_dev *d = &self->d;
	__u64 last = 0, now;
	int i;

	for (i = 0; i < 1000; i++) {
		now = i & 1 ? TICK() :
			AT_READ(AT_REGS, MIMIC_ACCEL_TICK_LO, __u64);
		ASSERT_LE(last, now);
		last = now;
	}
	ASSERT_LT(0, last);
}

TEST_F(clock, tick_starts_at_reset)
{
	struct vfc_dev *d = &self->d;
	__u64 before;

	vfc_sleep_ms(100);
	ASSERT_LE(100000, TICK());
	before = vfc_now_us();
	ASSERT_EQ(0, vfc_reset(d));
	at_enable(_metadata, d);
	/* TICK counts from somewhere in between, not from where it was. */
	ASSERT_GE(vfc_now_us() - before + 2000, TICK());
}

TEST_F(clock, timer_off)
{
	struct vfc_dev *d = &self->d;

	ASSERT_EQ(0, REG(MIMIC_ACCEL_TIMER_PERIOD));
	vfc_sleep_ms(50);
	ASSERT_EQ(0, COUNT());
	ASSERT_EQ(0, REG(MIMIC_ACCEL_INT_STATUS));
	ASSERT_EQ(0, vfc_event_take(self->fd[0]));
}

/* COUNT is the number of periods that have passed, no more, and no less. */
static void check_period(struct __test_metadata *_metadata, struct vfc_dev *d,
			 __u32 write, __u32 period, __u32 periods)
{
	__u64 start, now;
	__u32 first = COUNT(), count, due;

	PERIOD(0);
	first = COUNT();
	start = TICK();
	PERIOD(write);
	ASSERT_EQ(write, REG(MIMIC_ACCEL_TIMER_PERIOD));
	do {
		count = COUNT() - first;
		now = TICK();
		ASSERT_GE((now - start) / period + 1, count);
		usleep(500);
	} while (count < periods);
	/* Those of now are counted soon, however late the host is. */
	due = (TICK() - start) / period - 1;
	AT_WAIT(COUNT() - first >= due);
	PERIOD(0);
}

TEST_F_TIMEOUT(clock, timer_counts_periods, 60)
{
	struct vfc_dev *d = &self->d;

	check_period(_metadata, d, 10000, 10000, 30);
	check_period(_metadata, d, 1000, 1000, 100);
	check_period(_metadata, d, 123, 123, 200);
}

TEST_F_TIMEOUT(clock, timer_shortest_period, 60)
{
	struct vfc_dev *d = &self->d;

	check_period(_metadata, d, 100, 100, 500);
	check_period(_metadata, d, 99, 100, 500);
	check_period(_metadata, d, 1, 100, 500);
}

/* A message when COUNT moves on: one at least, and one a period at most. */
TEST_F(clock, timer_interrupts)
{
	struct vfc_dev *d = &self->d;
	__u64 events = 0;
	__u32 count;

	PERIOD(2000);
	while (events < 50) {
		events += vfc_event_wait(self->fd[0], AT_DEADLINE_MS);
		ASSERT_LT(0, events);
		ASSERT_GE(COUNT(), events);
	}
	PERIOD(0);
	count = COUNT();
	events += vfc_event_take(self->fd[0]);
	ASSERT_GE(count, events);
	ASSERT_EQ(MIMIC_ACCEL_INT_TIMER, REG(MIMIC_ACCEL_INT_STATUS));
	/* Off is off. */
	vfc_sleep_ms(50);
	ASSERT_EQ(count, COUNT());
	ASSERT_EQ(0, vfc_event_take(self->fd[0]));
}

TEST_F(clock, timer_masked)
{
	struct vfc_dev *d = &self->d;

	SETREG(MIMIC_ACCEL_INT_MASK, MIMIC_ACCEL_INT_TIMER);
	PERIOD(1000);
	AT_WAIT(COUNT() >= 10);
	ASSERT_EQ(0, vfc_event_take(self->fd[0]));
	PERIOD(0);
	ASSERT_EQ(MIMIC_ACCEL_INT_TIMER, REG(MIMIC_ACCEL_INT_STATUS));
	SETREG(MIMIC_ACCEL_INT_MASK, 0);
	ASSERT_EQ(1, vfc_event_take(self->fd[0]));
}

/*
 * A write restarts the period, so that who keeps writing hears nothing. The
 * host may be away for longer than the period: then it counts for nothing.
 */
TEST_F_TIMEOUT(clock, write_restarts_the_period, 120)
{
	const __u32 period = 500000;
	struct vfc_dev *d = &self->d;
	__u64 begin, last, now;
	int attempt;
	__u32 first;

	for (attempt = 0; attempt < 20; attempt++) {
		first = COUNT();
		begin = TICK();
		last = begin;
		do {
			PERIOD(period);
			now = TICK();
			if (now - last >= period)
				break;
			last = now;
			usleep(20000);
		} while (now - begin < 3 * period);
		PERIOD(0);
		if (now - begin >= 3 * period && TICK() - last < period) {
			ASSERT_EQ(first, COUNT());
			return;
		}
	}
	SKIP(return, "this host is never on time for half a second");
}

/* Since @before the clock that stood at @tick can have gained so much at most. */
static void now_within(struct __test_metadata *_metadata, struct vfc_dev *d,
		       __u64 tick, __u64 before)
{
	__u64 now = TICK();

	ASSERT_LE(tick, now);
	ASSERT_GE(vfc_now_us() - before + 2, now - tick);
}

/* DEV-01: a stopped device's clock stands, and goes on where it stood. */
TEST_F(clock, DEV_01_stopped)
{
	struct vfc_dev *d = &self->d;
	__u64 tick, before;
	__u32 count;
	int i;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	PERIOD(1000);
	AT_WAIT(COUNT() >= 10);
	for (i = 0; i < 5; i++) {
		AT_STATE(VFC_STOP);
		tick = TICK();
		count = COUNT();
		vfc_event_take(self->fd[0]);
		vfc_sleep_ms(100);
		ASSERT_EQ(tick, TICK());
		ASSERT_EQ(count, COUNT());
		ASSERT_EQ(0, vfc_event_take(self->fd[0]));
		before = vfc_now_us();
		AT_STATE(VFC_RUNNING);
		now_within(_metadata, d, tick, before);
		AT_WAIT(COUNT() > count + 5);
	}
}

/* The period that was running goes on with what was left of it. */
TEST_F_TIMEOUT(clock, period_survives_a_stop, 60)
{
	const __u32 period = 300000;
	struct vfc_dev *d = &self->d;
	__u64 start, stopped;
	__u32 first;
	int i;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	first = COUNT();
	start = TICK();
	PERIOD(period);
	for (i = 0; i < 10; i++) {
		AT_STATE(VFC_STOP);
		stopped = TICK();
		vfc_sleep_ms(50);
		ASSERT_EQ(stopped, TICK());
		AT_STATE(VFC_RUNNING);
		vfc_sleep_ms(20);
		ASSERT_GE((TICK() - start) / period + 1, COUNT() - first);
	}
	/* By the device's own clock it is due then. */
	AT_WAIT(TICK() - start >= 3 * period);
	AT_WAIT(COUNT() - first >= 2);
}

/* Written while it is stopped, it begins when the device does. */
TEST_F(clock, period_written_while_stopped)
{
	struct vfc_dev *d = &self->d;
	__u64 tick;
	__u32 count;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	AT_STATE(VFC_STOP);
	PERIOD(1000);
	ASSERT_EQ(1000, REG(MIMIC_ACCEL_TIMER_PERIOD));
	vfc_sleep_ms(50);
	ASSERT_EQ(0, COUNT());
	tick = TICK();
	AT_STATE(VFC_RUNNING);
	AT_WAIT(COUNT() >= 5);
	count = COUNT();
	ASSERT_GE((TICK() - tick) / 1000 + 1, count);
	AT_STATE(VFC_STOP);
	PERIOD(0);
	AT_STATE(VFC_RUNNING);
	count = COUNT();
	vfc_sleep_ms(50);
	ASSERT_EQ(count, COUNT());
}

/* One timer period, of which a migration takes place in the middle. */
#define CROSSED_US	1000000

/*
 * From @from, where the period began and half of it passes, to @to. It must
 * not be over early; was it over when it had to, by the device's clock? That
 * is before a period that began anew at the destination could be.
 */
static bool period_crosses(struct __test_metadata *_metadata,
			   struct vfc_dev *from, struct vfc_dev *to)
{
	static const struct vfc_io bulk = { false, 0 };
	struct vfc_stream s = {};
	struct vfc_dev *d = from;
	__u64 start, stopped, now;
	__u32 first = COUNT(), count;

	start = TICK();
	PERIOD(CROSSED_US);
	vfc_sleep_ms(500);
	AT_STATE(VFC_STOP);
	stopped = TICK();
	count = COUNT();
	ASSERT_EQ(0, vfc_save(d, &bulk, &s));
	vfc_sleep_ms(400);		/* on the way, where no time passes */
	d = to;
	ASSERT_EQ(0, vfc_load(d, &bulk, &s));
	vfc_stream_free(&s);
	AT_STATE(VFC_STOP);
	ASSERT_EQ(stopped, TICK());
	ASSERT_EQ(count, COUNT());
	if (count != first)		/* the host was away for that long */
		return false;
	AT_STATE(VFC_RUNNING);
	do {
		count = COUNT();
		now = TICK();
	} while (count == first && now < stopped + CROSSED_US);
	PERIOD(0);
	if (count != first)
		ASSERT_LE(CROSSED_US, now - start + 2);
	return count != first && now < stopped + CROSSED_US;
}

TEST_F_TIMEOUT(clock, STR_13_period_crosses_a_migration, 60)
{
	struct vfc_dev *d = &self->d;
	struct vfc_dev b;
	bool on_time = false;
	int i;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	if (!getenv("VFIO_DEV2"))
		SKIP(return, AT_NO_SECOND);
	at_open(_metadata, &b, "VFIO_DEV2");
	/* A slow host may be late now and then. */
	for (i = 0; i < 5 && !on_time; i++) {
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(0, vfc_reset(&b));
		at_enable(_metadata, d);
		on_time = period_crosses(_metadata, d, &b);
	}
	ASSERT_TRUE(on_time);
	vfc_close(&b);
}

TEST_HARNESS_MAIN
