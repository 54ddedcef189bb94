// SPDX-License-Identifier: GPL-2.0-only
/*
 * accel: interrupt causes, tick counter and timer. accel.int_lock protects it
 * all, since the timer's callback takes part.
 *
 * Nothing here happens unless accel.live: then an interrupt is sent in the
 * critical section in which its cause occurs, so that clearing accel.live is
 * enough to stop. Time is kept relative while the device is stopped.
 */
#include <linux/bitops.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "accel.h"
#include "mimic_compat.h"

#define ACCEL_MIN_PERIOD_US	100

/* --- Interrupts --------------------------------------------------------- */

static unsigned int accel_int_vector(unsigned int bit)
{
	/* Causes of rings are bits 8 and up, see MIMIC_ACCEL_INT_RING(). */
	return bit < 8 ? MIMIC_ACCEL_VEC_MISC : MIMIC_ACCEL_VEC_RING(bit - 8);
}

/* One message for each cause, although some share a vector. */
static void accel_int_send(struct accel *a, u32 causes)
{
	unsigned long bits = causes;
	unsigned int bit;

	lockdep_assert_held(&a->int_lock);
	for_each_set_bit(bit, &bits, 32)
		mimic_irq_raise(a->v, accel_int_vector(bit));
}

static void accel_int_update_level(struct accel *a)
{
	lockdep_assert_held(&a->int_lock);
	mimic_irq_set_level(a->v, a->int_status & ~a->int_mask);
}

/* The core picks messages or INTx, by what the client has set up. */
static void accel_int_occur_locked(struct accel *a, u32 causes)
{
	lockdep_assert_held(&a->int_lock);
	a->int_status |= causes;
	accel_int_send(a, causes & ~a->int_mask);
	accel_int_update_level(a);
}

void accel_int_occur(struct accel *a, u32 causes)
{
	unsigned long flags;

	spin_lock_irqsave(&a->int_lock, flags);
	accel_int_occur_locked(a, causes);
	spin_unlock_irqrestore(&a->int_lock, flags);
}

/*
 * INT_STATUS and INT_MASK hold plain values, which a stopped device takes too;
 * but it sends nothing. What unmasking would send is owed until it starts.
 */
static void accel_int_changed(struct accel *a)
{
	lockdep_assert_held(&a->int_lock);
	a->int_owed &= a->int_status & ~a->int_mask;
	if (!a->live)
		return;
	accel_int_send(a, a->int_owed);
	a->int_owed = 0;
	accel_int_update_level(a);
}

void accel_int_set_status(struct accel *a, u32 clear)
{
	unsigned long flags;

	spin_lock_irqsave(&a->int_lock, flags);
	a->int_status &= ~clear;
	accel_int_changed(a);
	spin_unlock_irqrestore(&a->int_lock, flags);
}

void accel_int_set_mask(struct accel *a, u32 mask)
{
	unsigned long flags;

	spin_lock_irqsave(&a->int_lock, flags);
	a->int_owed |= a->int_mask & ~mask;
	a->int_mask = mask & MIMIC_ACCEL_INT_ALL;
	accel_int_changed(a);
	spin_unlock_irqrestore(&a->int_lock, flags);
}

/* --- Tick counter and timer --------------------------------------------- */

/* Length of a period of @us microseconds as written to TIMER_PERIOD; 0 is off. */
static u64 accel_period_ns(u32 us)
{
	return us ? (u64)max_t(u32, us, ACCEL_MIN_PERIOD_US) * NSEC_PER_USEC : 0;
}

/*
 * Count the expirations up to @now. If the host was slow these may be several:
 * COUNT gets all of them, but they are one interrupt, since a burst of equal
 * messages tells the guest nothing and keeps a slow host slow.
 */
static void accel_timer_expire(struct accel *a, u64 now)
{
	u64 period = accel_period_ns(a->timer_period);
	u64 n;

	lockdep_assert_held(&a->int_lock);
	if (!period || now < a->timer_next_ns)
		return;
	n = div64_u64(now - a->timer_next_ns, period) + 1;
	a->timer_count += n;
	a->timer_next_ns += n * period;
	accel_int_occur_locked(a, MIMIC_ACCEL_INT_TIMER);
}

static void accel_timer_arm(struct accel *a)
{
	lockdep_assert_held(&a->int_lock);
	if (a->timer_period)
		hrtimer_start(&a->timer, ns_to_ktime(a->timer_next_ns),
			      HRTIMER_MODE_ABS);
}

/*
 * Starts the timer again by hand instead of returning HRTIMER_RESTART, as a
 * write to TIMER_PERIOD may have started it meanwhile. After the clock was
 * stopped or the timer was turned off it just ends.
 */
static enum hrtimer_restart accel_timer_fn(struct hrtimer *timer)
{
	struct accel *a = container_of(timer, struct accel, timer);
	unsigned long flags;

	spin_lock_irqsave(&a->int_lock, flags);
	if (a->live) {
		accel_timer_expire(a, ktime_get_ns());
		accel_timer_arm(a);
	}
	spin_unlock_irqrestore(&a->int_lock, flags);
	return HRTIMER_NORESTART;
}

void accel_timer_set(struct accel *a, u32 period)
{
	unsigned long flags;
	u64 now;

	spin_lock_irqsave(&a->int_lock, flags);
	now = ktime_get_ns();
	if (a->live)
		accel_timer_expire(a, now);
	a->timer_period = period;
	if (a->live) {
		a->timer_next_ns = now + accel_period_ns(period);
		accel_timer_arm(a);
	} else {
		a->timer_left_ns = accel_period_ns(period);
	}
	spin_unlock_irqrestore(&a->int_lock, flags);
}

/* Let time pass, and send what a stopped device had to keep to itself. */
void accel_clock_start(struct accel *a)
{
	unsigned long flags;

	spin_lock_irqsave(&a->int_lock, flags);
	if (!a->live) {
		a->live = true;
		a->tick_start_ns = ktime_get_ns();
		a->timer_next_ns = a->tick_start_ns + a->timer_left_ns;
		accel_timer_arm(a);
		accel_int_changed(a);
	}
	spin_unlock_irqrestore(&a->int_lock, flags);
}

/*
 * No interrupt comes and no time passes after this returned. It is safe under
 * accel.lock, which the timer's callback does not take.
 */
void accel_clock_stop(struct accel *a)
{
	unsigned long flags;
	u64 now;

	spin_lock_irqsave(&a->int_lock, flags);
	if (a->live) {
		now = ktime_get_ns();
		accel_timer_expire(a, now);
		a->timer_left_ns = a->timer_period ? a->timer_next_ns - now : 0;
		a->tick_ns += now - a->tick_start_ns;
		a->live = false;
	}
	spin_unlock_irqrestore(&a->int_lock, flags);
	hrtimer_cancel(&a->timer);
}

u64 accel_tick_us(struct accel *a)
{
	unsigned long flags;
	u64 ns;

	spin_lock_irqsave(&a->int_lock, flags);
	ns = a->tick_ns;
	if (a->live)
		ns += ktime_get_ns() - a->tick_start_ns;
	spin_unlock_irqrestore(&a->int_lock, flags);
	return div_u64(ns, NSEC_PER_USEC);
}

/* --- Reset, save, check and load ---------------------------------------- */

/* The clock is stopped. */
void accel_clock_reset(struct accel *a)
{
	unsigned long flags;

	spin_lock_irqsave(&a->int_lock, flags);
	a->int_status = 0;
	a->int_mask = 0;
	a->int_owed = 0;
	a->tick_ns = 0;
	a->timer_period = 0;
	a->timer_count = 0;
	a->timer_left_ns = 0;
	spin_unlock_irqrestore(&a->int_lock, flags);
}

/* The clock is stopped. */
void accel_clock_save(struct accel *a, struct accel_state *s)
{
	unsigned long flags;

	spin_lock_irqsave(&a->int_lock, flags);
	s->tick_ns = cpu_to_le64(a->tick_ns);
	s->timer_left_ns = cpu_to_le64(a->timer_left_ns);
	s->timer_period = cpu_to_le32(a->timer_period);
	s->timer_count = cpu_to_le32(a->timer_count);
	s->int_status = cpu_to_le32(a->int_status);
	s->int_mask = cpu_to_le32(a->int_mask);
	s->int_owed = cpu_to_le32(a->int_owed);
	spin_unlock_irqrestore(&a->int_lock, flags);
}

static bool accel_int_state_ok(const struct accel_state *s)
{
	u32 status = le32_to_cpu(s->int_status);
	u32 mask = le32_to_cpu(s->int_mask);
	u32 owed = le32_to_cpu(s->int_owed);

	return !(status & ~MIMIC_ACCEL_INT_ALL) &&
	       !(mask & ~MIMIC_ACCEL_INT_ALL) && !(owed & ~(status & ~mask));
}

bool accel_clock_state_ok(const struct accel_state *s)
{
	u64 period = accel_period_ns(le32_to_cpu(s->timer_period));
	u64 left = le64_to_cpu(s->timer_left_ns);

	return accel_int_state_ok(s) && le64_to_cpu(s->tick_ns) <= S64_MAX &&
	       left <= period && !left == !period;
}

/* The clock is stopped; interrupts wait for its start. */
void accel_clock_load(struct accel *a, const struct accel_state *s)
{
	unsigned long flags;

	spin_lock_irqsave(&a->int_lock, flags);
	a->tick_ns = le64_to_cpu(s->tick_ns);
	a->timer_left_ns = le64_to_cpu(s->timer_left_ns);
	a->timer_period = le32_to_cpu(s->timer_period);
	a->timer_count = le32_to_cpu(s->timer_count);
	a->int_status = le32_to_cpu(s->int_status);
	a->int_mask = le32_to_cpu(s->int_mask);
	a->int_owed = le32_to_cpu(s->int_owed);
	/* The status register shows the level at once; nobody is interrupted. */
	accel_int_update_level(a);
	spin_unlock_irqrestore(&a->int_lock, flags);
}

void accel_clock_init(struct accel *a)
{
	spin_lock_init(&a->int_lock);
	mimic_hrtimer_setup(&a->timer, accel_timer_fn, CLOCK_MONOTONIC,
			    HRTIMER_MODE_ABS);
}
