/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the "accel" model share: the layout of the saved state, and
 * the device. accel.c says how it works and which rules hold.
 */
#ifndef _MIMIC_ACCEL_MODEL_H
#define _MIMIC_ACCEL_MODEL_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <uapi/linux/mimic_accel.h>

#include "../mimic.h"

/* Most bytes that are moved in one critical section; a bounce buffer's size. */
#define ACCEL_UNIT		MIMIC_ACCEL_PAGE_SIZE

static_assert(sizeof(struct mimic_accel_desc) == 64);
static_assert(sizeof(struct mimic_accel_cpl) == 32);
static_assert(sizeof(struct mimic_accel_stamp) == MIMIC_ACCEL_PAGE_SIZE);
static_assert(MIMIC_ACCEL_NR_VECTORS <= MIMIC_MAX_VECTORS);

/* --- Saved state -------------------------------------------------------- */

/*
 * What a ring does with the descriptor numbered HEAD: nothing yet, move its
 * bytes, or wait to write its completion. The values are part of the stream.
 */
enum accel_stage {
	ACCEL_STAGE_IDLE = 0,
	ACCEL_STAGE_EXEC = 1,
	ACCEL_STAGE_COMPLETE = 2,
};

/**
 * struct accel_state_cmd - a command in progress; all zero if there is none
 * @desc: the descriptor as it was fetched
 * @done: bytes moved so far
 * @crc: for CRC opcodes: while @stage is 1, the remainder so far without the
 *	final xor; while it is 2 and @status is 0, the result. Else zero
 * @status: MIMIC_ACCEL_CPL_* to put in the completion; zero unless @stage is 2
 * @stage: 0: no command; 1: @done < the length; 2: the completion is due
 * @reserved: zero
 */
struct accel_state_cmd {
	struct mimic_accel_desc desc;
	__le32 done;
	__le32 crc;
	__le16 status;
	__le16 stage;
	__le32 reserved;
} __packed;

#define ACCEL_STATE_RING_ENABLED	BIT(0)
#define ACCEL_STATE_RING_HALTED		BIT(1)

/**
 * struct accel_state_ring - a command ring
 * @desc: register DESC
 * @cpl: register CPL
 * @size: register SIZE
 * @flags: bit 0: enabled, bit 1: halted (only if enabled), others zero
 * @tail: register TAIL; equal to @head if not enabled
 * @head: register HEAD
 * @errors: register ERRORS
 * @reserved: zero
 * @cmd: the command in progress, whose number is @head
 */
struct accel_state_ring {
	__le64 desc;
	__le64 cpl;
	__le32 size;
	__le32 flags;
	__le32 tail;
	__le32 head;
	__le32 errors;
	__le32 reserved;
	struct accel_state_cmd cmd;
} __packed;

#define ACCEL_STATE_STAMP_RUN		BIT(0)

/**
 * struct accel_state_stamp - the stamp job
 * @dev: register STAMP_DEV
 * @guest: register STAMP_GUEST
 * @seq: number of the last stamp that was written
 * @credit: stamps that are due by RATE, in billionths of a stamp; at most the
 *	larger of one stamp and RATE / 10 stamps; zero if the job does not run
 * @dev_pages: register STAMP_DEV_PAGES
 * @guest_pages: register STAMP_GUEST_PAGES
 * @rate: register STAMP_RATE
 * @flags: bit 0: the job runs, others zero
 * @seq_hi: what reading STAMP_SEQ_HI returns
 * @status: register STAMP_STATUS; zero if the job runs
 */
struct accel_state_stamp {
	__le64 dev;
	__le64 guest;
	__le64 seq;
	__le64 credit;
	__le32 dev_pages;
	__le32 guest_pages;
	__le32 rate;
	__le32 flags;
	__le32 seq_hi;
	__le32 status;
} __packed;

/**
 * struct accel_state - MIMIC_OBJ_MODEL of an accel device in the stream
 * @tick_ns: nanoseconds that the device ran since reset, below 2^63
 * @timer_left_ns: nanoseconds to the next expiration, 1 to the period; zero if
 *	the timer is off
 * @timer_period: register TIMER_PERIOD, in microseconds, as written
 * @timer_count: register TIMER_COUNT
 * @tick_hi: what reading TICK_HI returns
 * @scratch: register SCRATCH
 * @int_status: register INT_STATUS, bits in MIMIC_ACCEL_INT_ALL
 * @int_mask: register INT_MASK, bits in MIMIC_ACCEL_INT_ALL
 * @int_owed: causes that were unmasked while the device was stopped and whose
 *	message is sent when it starts; bits in @int_status and not in @int_mask
 * @ignored: register IGNORED
 * @reserved: zero
 * @stamp: the stamp job
 * @rings: the command rings
 */
struct accel_state {
	__le64 tick_ns;
	__le64 timer_left_ns;
	__le32 timer_period;
	__le32 timer_count;
	__le32 tick_hi;
	__le32 scratch;
	__le32 int_status;
	__le32 int_mask;
	__le32 int_owed;
	__le32 ignored;
	__le64 reserved[2];
	struct accel_state_stamp stamp;
	struct accel_state_ring rings[MIMIC_ACCEL_NR_RINGS];
} __packed;

static_assert(sizeof(struct accel_state_cmd) == 80);
static_assert(sizeof(struct accel_state_ring) == 120);
static_assert(sizeof(struct accel_state_stamp) == 56);
static_assert(sizeof(struct accel_state) == 360);
static_assert(sizeof(struct accel_state) <= VMIG_BLOB_MAX);

/* --- The device --------------------------------------------------------- */

struct accel;

/**
 * struct accel_ring - a command ring
 * @a: the device
 * @index: which ring of it
 * @work: works on it
 * @bounce: data on its way; belongs to @work
 * @epoch: changes whenever work in progress has to be given up
 * @enabled: CTRL.ENABLE; then addresses and size are valid
 * @halted: STATUS.HALTED; only if @enabled, and there is no command
 * @desc_addr: register DESC
 * @cpl_addr: register CPL
 * @size: register SIZE
 * @tail: register TAIL; at most @size ahead of @head, equal if not @enabled
 * @head: register HEAD
 * @errors: register ERRORS
 * @stage: how far the command is; other than idle only if @head != @tail
 * @desc: the command, zero while idle
 * @done: bytes moved, zero while idle
 * @crc: as in struct accel_state_cmd
 * @status: as in struct accel_state_cmd
 *
 * accel.lock protects all members but @bounce.
 */
struct accel_ring {
	struct accel *a;
	unsigned int index;
	struct delayed_work work;
	u8 bounce[ACCEL_UNIT] __aligned(8);
	u64 epoch;
	bool enabled;
	bool halted;
	u64 desc_addr;
	u64 cpl_addr;
	u32 size;
	u32 tail;
	u32 head;
	u32 errors;
	enum accel_stage stage;
	struct mimic_accel_desc desc;
	u32 done;
	u32 crc;
	u16 status;
};

/**
 * struct accel_stamp - the stamp job
 * @work: writes the stamps
 * @pages: the stamp that is being written, by MIMIC_ACCEL_STAMP_IN_*; belong
 *	to @work
 * @epoch: as in struct accel_ring
 * @running: CTRL.RUN; then the parameters are valid
 * @dev: register STAMP_DEV
 * @guest: register STAMP_GUEST
 * @dev_pages: register STAMP_DEV_PAGES
 * @guest_pages: register STAMP_GUEST_PAGES
 * @rate: register STAMP_RATE
 * @seq: number of the last stamp that was written, to both targets
 * @seq_hi: latched by a read of STAMP_SEQ_LO
 * @status: register STAMP_STATUS
 * @credit: billionths of stamps that are due
 * @last_ns: when @credit was brought up to date
 *
 * accel.lock protects all members but @pages.
 */
struct accel_stamp {
	struct delayed_work work;
	struct mimic_accel_stamp pages[2];
	u64 epoch;
	bool running;
	u64 dev;
	u64 guest;
	u32 dev_pages;
	u32 guest_pages;
	u32 rate;
	u64 seq;
	u32 seq_hi;
	u32 status;
	u64 credit;
	u64 last_ns;
};

/**
 * struct accel - an accel device
 * @v: the instance
 * @wq: where the work items run
 * @ignored: register IGNORED; atomic since the core counts as well
 * @lock: protects @run, @scratch, @tick_hi, @rings and @stamp
 * @run: what the device may do
 * @scratch: register SCRATCH
 * @tick_hi: latched by a read of TICK_LO
 * @rings: the command rings
 * @stamp: the stamp job
 * @int_lock: protects all members below; taken by the timer's callback
 * @live: time passes and interrupts are sent: @run is not NONE
 * @int_status: register INT_STATUS
 * @int_mask: register INT_MASK
 * @int_owed: causes to send a message for when the device starts
 * @tick_ns: nanoseconds that the device ran, up to @tick_start_ns
 * @tick_start_ns: when it started to run; while @live
 * @timer: expires at @timer_next_ns
 * @timer_period: register TIMER_PERIOD
 * @timer_count: register TIMER_COUNT
 * @timer_next_ns: next expiration; while @live and the timer is on
 * @timer_left_ns: time to the next expiration; while not @live
 */
struct accel {
	struct mimic_vdev *v;
	struct workqueue_struct *wq;
	atomic_t ignored;

	struct mutex lock;	/* run, registers, rings, stamp job */
	enum vmig_run run;
	u32 scratch;
	u32 tick_hi;
	struct accel_ring rings[MIMIC_ACCEL_NR_RINGS];
	struct accel_stamp stamp;

	spinlock_t int_lock;	/* interrupts, tick counter, timer */
	bool live;
	u32 int_status;
	u32 int_mask;
	u32 int_owed;
	u64 tick_ns;
	u64 tick_start_ns;
	struct hrtimer timer;
	u32 timer_period;
	u32 timer_count;
	u64 timer_next_ns;
	u64 timer_left_ns;
};

static inline u64 accel_mem_size(const struct accel *a)
{
	return a->v->type->mem_size;
}

static inline void accel_set_lo(u64 *reg, u32 val)
{
	*reg = (*reg & ~(u64)U32_MAX) | val;
}

static inline void accel_set_hi(u64 *reg, u32 val)
{
	*reg = (*reg & U32_MAX) | (u64)val << 32;
}

/* Status for an error of vmig_mem_write() other than -EIO. */
static inline u16 accel_mem_status(int err)
{
	return err == -ENOMEM ? MIMIC_ACCEL_CPL_NO_MEMORY :
				MIMIC_ACCEL_CPL_BAD_RANGE;
}

/*
 * Functions below are called with accel.lock held unless they say otherwise.
 * Writers of registers say whether they took the value; if not, the access
 * counts as ignored. What *_load() gets has been accepted by *_state_ok(), which
 * changes nothing and needs no lock. *_init() is for a device nobody uses yet.
 */

/* accel.c: these drop accel.lock meanwhile. */
int accel_guest_read(struct accel *a, u64 iova, void *buf, size_t len,
		     const u64 *epoch);
int accel_guest_pin(struct accel *a, u64 iova, size_t len,
		    struct mimic_pin *pin, const u64 *epoch);
void accel_guest_unpin(struct accel *a, struct mimic_pin *pin);

/* accel_clock.c: these need no lock but accel.lock around start and stop. */
void accel_int_occur(struct accel *a, u32 causes);
void accel_int_set_status(struct accel *a, u32 clear);
void accel_int_set_mask(struct accel *a, u32 mask);
u64 accel_tick_us(struct accel *a);
void accel_timer_set(struct accel *a, u32 period);
void accel_clock_start(struct accel *a);
void accel_clock_stop(struct accel *a);
void accel_clock_init(struct accel *a);
void accel_clock_reset(struct accel *a);
void accel_clock_save(struct accel *a, struct accel_state *s);
bool accel_clock_state_ok(const struct accel_state *s);
void accel_clock_load(struct accel *a, const struct accel_state *s);

/* accel_ring.c */
void accel_ring_kick(struct accel_ring *r);
u32 accel_ring_read(const struct accel_ring *r, u32 reg);
bool accel_ring_write(struct accel_ring *r, u32 reg, u32 val);
void accel_ring_init(struct accel *a, unsigned int index);
void accel_ring_reset(struct accel_ring *r);
void accel_ring_save(const struct accel_ring *r, struct accel_state_ring *s);
bool accel_ring_state_ok(const struct accel *a,
			 const struct accel_state_ring *s);
void accel_ring_load(struct accel_ring *r, const struct accel_state_ring *s);

/* accel_stamp.c */
void accel_stamp_kick(struct accel *a);
void accel_stamp_settle(struct accel *a);
u32 accel_stamp_read(struct accel_stamp *st, u32 off);
bool accel_stamp_write(struct accel *a, u32 off, u32 val);
void accel_stamp_init(struct accel *a);
void accel_stamp_reset(struct accel_stamp *st);
void accel_stamp_save(const struct accel_stamp *st,
		      struct accel_state_stamp *s);
bool accel_stamp_state_ok(const struct accel *a,
			  const struct accel_state_stamp *s);
void accel_stamp_load(struct accel_stamp *st,
		      const struct accel_state_stamp *s);

#endif /* _MIMIC_ACCEL_MODEL_H */
