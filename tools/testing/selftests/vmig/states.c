// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-ST: device_state. Every cell of the 8 x 8 matrix, reserved bits, writes
 * of the current value, reset, and that there is one state per device.
 */
#include "busy.h"

/* --- The matrix ------------------------------------------------------- */

enum cell {
	OK,		/* reads back the new value */
	NOOP,		/* likewise, and the session goes on */
	BAD,		/* -EINVAL, unchanged */
	FULL,		/* OK with a complete stream, BAD without */
	DEAD,		/* -EIO, still in error */
};

FIXTURE(matrix) {
	struct vt t;
};

FIXTURE_VARIANT(matrix) {
	__u32 from;
	__u32 to;
	enum cell cell;
};

FIXTURE_SETUP(matrix)
{
	vt_open(_metadata, &self->t);
}

FIXTURE_TEARDOWN(matrix)
{
	vt_close(&self->t);
}

/* What state 0 to 4 promises right after it was entered. */
static void check_entered(struct __test_metadata *_metadata,
			  const struct vfc_dev *d, const struct vfc_model *m,
			  __u32 state)
{
	__u8 buf[8];

	ASSERT_EQ(state, R4(VFC_STATE));
	vt_ticks(_metadata, d, m, state == VFC_RUNNING || state == VFC_PRECOPY);
	ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	if (state == VFC_SAVING || state == VFC_PRECOPY) {
		ASSERT_LT(0, R8(VFC_PENDING));
		ASSERT_LT(0, R8(VFC_SIZE));
		ASSERT_EQ(8, vfc_rd(d, 0, buf, 8));
		return;
	}
	ASSERT_EQ(0, R8(VFC_PENDING));
	ASSERT_EQ(0, R8(VFC_SIZE));
	ASSERT_EQ(state == VFC_RESUMING ? 8 : -EINVAL, vfc_rd(d, 0, buf, 8));
}

static void check_cell(struct __test_metadata *_metadata, struct vt *t,
		       __u32 from, __u32 to, enum cell cell)
{
	struct vfc_dev *d = &t->a;
	bool saving = from == VFC_SAVING || from == VFC_PRECOPY;
	struct vt_snap snap;

	if (cell == FULL)
		vt_small_stream(_metadata, d, t->m, 2, 9, &t->s);
	vt_reach(_metadata, d, from);
	ASSERT_EQ(from, R4(VFC_STATE));
	vt_snap(_metadata, d, t->m, saving, &snap);
	switch (cell) {
	case OK:
		W4(VFC_STATE, to);
		check_entered(_metadata, d, t->m, to);
		break;
	case NOOP:
		W4(VFC_STATE, to);
		vt_unchanged(_metadata, d, t->m, &snap);
		break;
	case BAD:
		ASSERT_EQ(-EINVAL, vfc_set(d, to));
		vt_unchanged(_metadata, d, t->m, &snap);
		break;
	case FULL:
		ASSERT_EQ(-EINVAL, vfc_set(d, to));
		vt_unchanged(_metadata, d, t->m, &snap);
		ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, t->s.buf, t->s.len, 0));
		W4(VFC_STATE, to);
		check_entered(_metadata, d, t->m, to);
		vt_check_small(_metadata, d, t->m, 2, 9);
		break;
	case DEAD:
		ASSERT_EQ(-EIO, vfc_set(d, to));
		vt_unchanged(_metadata, d, t->m, &snap);
		break;
	}
	vt_snap_free(&snap);
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
}

/* One cell is one variant: its id is 20 + 8 * from + to. */
FIXTURE_VARIANT_ADD(matrix, V1_ST_20) { 0, 0, NOOP };
FIXTURE_VARIANT_ADD(matrix, V1_ST_21) { 0, 1, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_22) { 0, 2, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_23) { 0, 3, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_24) { 0, 4, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_25) { 0, 5, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_26) { 0, 6, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_27) { 0, 7, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_28) { 1, 0, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_29) { 1, 1, NOOP };
FIXTURE_VARIANT_ADD(matrix, V1_ST_30) { 1, 2, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_31) { 1, 3, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_32) { 1, 4, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_33) { 1, 5, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_34) { 1, 6, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_35) { 1, 7, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_36) { 2, 0, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_37) { 2, 1, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_38) { 2, 2, NOOP };
FIXTURE_VARIANT_ADD(matrix, V1_ST_39) { 2, 3, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_40) { 2, 4, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_41) { 2, 5, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_42) { 2, 6, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_43) { 2, 7, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_44) { 3, 0, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_45) { 3, 1, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_46) { 3, 2, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_47) { 3, 3, NOOP };
FIXTURE_VARIANT_ADD(matrix, V1_ST_48) { 3, 4, OK };
FIXTURE_VARIANT_ADD(matrix, V1_ST_49) { 3, 5, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_50) { 3, 6, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_51) { 3, 7, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_52) { 4, 0, FULL };
FIXTURE_VARIANT_ADD(matrix, V1_ST_53) { 4, 1, FULL };
FIXTURE_VARIANT_ADD(matrix, V1_ST_54) { 4, 2, FULL };
FIXTURE_VARIANT_ADD(matrix, V1_ST_55) { 4, 3, FULL };
FIXTURE_VARIANT_ADD(matrix, V1_ST_56) { 4, 4, NOOP };
FIXTURE_VARIANT_ADD(matrix, V1_ST_57) { 4, 5, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_58) { 4, 6, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_59) { 4, 7, BAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_68) { 6, 0, DEAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_69) { 6, 1, DEAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_70) { 6, 2, DEAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_71) { 6, 3, DEAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_72) { 6, 4, DEAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_73) { 6, 5, DEAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_74) { 6, 6, DEAD };
FIXTURE_VARIANT_ADD(matrix, V1_ST_75) { 6, 7, DEAD };

TEST_F(matrix, cell)
{
	if (variant->cell == DEAD && !vt_has_error_knob(&self->t.a))
		SKIP(return, VT_NO_KNOB);
	check_cell(_metadata, &self->t, variant->from, variant->to,
		   variant->cell);
}

/* --- Everything else about the register ------------------------------- */

FIXTURE(states) {
	struct vt t;
};

FIXTURE_SETUP(states)
{
	vt_open(_metadata, &self->t);
}

FIXTURE_TEARDOWN(states)
{
	vt_close(&self->t);
}

/* Rows 5 and 7 cannot be entered, so they have no cells to try. */
TEST_F(states, V1_ST_60_to_67_V1_ST_76_to_83_unreachable)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int from;
	__u32 to;

	for (from = 0; from <= VFC_RESUMING; from++) {
		vt_reach(_metadata, d, from);
		for (to = 5; to <= 7; to++) {
			ASSERT_EQ(-EINVAL, vfc_set(d, to));
			ASSERT_EQ(from, R4(VFC_STATE));
		}
		ASSERT_EQ(0, vfc_reset(d));
	}
}

static const __u32 five[] = { 0, 1, 2, 3, 4 };

struct leave {
	const char *uuid;
	__u32 state;
};

/* Another client: opens the device and leaves it in a state. */
static int leave_in(void *arg)
{
	const struct leave *leave = arg;
	char path[VFC_PATH];
	struct vfc_dev d;
	int ret;

	ret = vfc_open(&d, leave->uuid);
	if (ret)
		return ret;
	if (leave->state == VFC_ERROR) {
		snprintf(path, sizeof(path),
			 "/sys/kernel/debug/mimic/%s/internal_error", d.uuid);
		ret = vfc_file_write(path, "1", 1);
	} else {
		ret = vfc_set(&d, leave->state);
	}
	if (ret < 0)
		return ret;
	return vfc_get(&d) == (int)leave->state ? 0 : -EILSEQ;
}

TEST_F(states, V1_ST_01_default_is_running)
{
	struct leave leave = { .uuid = getenv("VFIO_DEV") };
	struct vfc_dev *d = &self->t.a;
	struct vfc_child child;
	unsigned int i;

	ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
	for (i = 0; i < ARRAY_SIZE(vt_states); i++) {
		leave.state = vt_states[i];
		if (leave.state == VFC_ERROR && !vt_has_error_knob(d))
			continue;
		/* closed in that state */
		vt_reach(_metadata, d, leave.state);
		vfc_close(d);
		ASSERT_EQ(0, vfc_open(d, leave.uuid));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
		ASSERT_EQ(0, R8(VFC_PENDING));
		vfc_close(d);
		/* killed in that state */
		ASSERT_EQ(0, vfc_child_start(&child, leave_in, &leave));
		ASSERT_EQ(0, vfc_child_kill(&child));
		ASSERT_EQ(0, vfc_open(d, leave.uuid));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
		ASSERT_EQ(0, R8(VFC_PENDING));
	}
	vt_migrates(_metadata, d);
}

TEST_F(states, V1_ST_02_V1_ST_03_reserved_bits)
{
	static const __u32 odd[] = { ~0u, 0x80000000, 8, 0xfffffff8, 256 };
	struct vfc_dev *d = &self->t.a;
	struct vt_snap snap;
	unsigned int i, k;
	__u32 s;
	int bit;

	for (i = 0; i < ARRAY_SIZE(five); i++) {
		vt_reach(_metadata, d, five[i]);
		ASSERT_EQ(0, R4(VFC_STATE) & ~7u);
		vt_snap(_metadata, d, self->t.m, five[i] == VFC_SAVING ||
			five[i] == VFC_PRECOPY, &snap);
		for (s = 0; s < 8; s++) {
			for (bit = 3; bit < 32; bit++) {
				ASSERT_EQ(-EINVAL, vfc_set(d, s | 1u << bit))
					TH_LOG("%u in %u with bit %d", s,
					       five[i], bit);
			}
		}
		for (k = 0; k < ARRAY_SIZE(odd); k++)
			ASSERT_EQ(-EINVAL, vfc_set(d, odd[k]));
		vt_unchanged(_metadata, d, self->t.m, &snap);
		vt_snap_free(&snap);
		ASSERT_EQ(0, vfc_reset(d));
	}
}

TEST_F(states, V1_ST_04_stopped_is_stopped)
{
	static const __u32 stops[] = { VFC_STOP, VFC_SAVING, VFC_RESUMING };
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	__u64 before, after;
	unsigned int i, k;
	void *dma;
	int event;

	if (!vt_works(self->t.m))
		SKIP(return, VT_NO_WORK);
	vt_make_busy(_metadata, d, m, &dma, &event);
	/* Long enough for what was under way, also on a busy host. */
	for (k = 0; k < 40; k++) {
		ASSERT_EQ(0, m->ticks(d, &before));
		W4(VFC_STATE, VFC_STOP);
		vt_check_quiet(_metadata, d, m, dma, event, 30);
		W4(VFC_STATE, VFC_RUNNING);
	}
	for (i = 0; i < ARRAY_SIZE(stops); i++) {
		__u64 start = vfc_now_us();

		W4(VFC_STATE, stops[i]);
		ASSERT_GT(2000000, vfc_now_us() - start);
		vt_check_quiet(_metadata, d, m, dma, event, 300);
		if (stops[i] == VFC_RESUMING)
			break;
		ASSERT_EQ(0, m->ticks(d, &before));
		W4(VFC_STATE, VFC_RUNNING);
		ASSERT_LT(0, vfc_event_wait(event, 5000));
		ASSERT_EQ(0, m->ticks(d, &after));
		ASSERT_LT(before, after);
	}
	close(event);
}

/* Received, staged and delivered bytes survive a write of the same value. */
TEST_F(states, V1_ST_10_same_value_while_saving)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	struct vt_snap snap;
	__u64 pending;
	__u32 state;

	if (self->t.m)	/* several segments */
		vt_touch(_metadata, d, self->t.m,
			 2 * vfc_section(d) / VFC_UNIT, 100);
	for (state = VFC_SAVING; state <= VFC_PRECOPY; state++) {
		vt_reach(_metadata, d, state);
		vfc_stream_free(s);
		pending = R8(VFC_PENDING);
		W4(VFC_STATE, state);
		ASSERT_EQ(pending, R8(VFC_PENDING));
		/* staged, not sized: still not acknowledged by pending */
		R8(VFC_OFFSET);
		W4(VFC_STATE, state);
		ASSERT_EQ(pending, R8(VFC_PENDING));
		vt_snap(_metadata, d, self->t.m, true, &snap);
		W4(VFC_STATE, state);
		vt_unchanged(_metadata, d, self->t.m, &snap);
		ASSERT_EQ(0, vfc_stream_add(s, snap.bytes, snap.size));
		ASSERT_EQ(pending - snap.size, R8(VFC_PENDING));
		W4(VFC_STATE, state);
		ASSERT_EQ(pending - snap.size, R8(VFC_PENDING));
		vt_snap_free(&snap);
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
		W4(VFC_STATE, state);
		ASSERT_EQ(0, R8(VFC_PENDING));
		ASSERT_EQ(0, R8(VFC_SIZE));
		if (state == VFC_SAVING)
			vt_restore(_metadata, d, s);
		ASSERT_EQ(0, vfc_reset(d));
		if (self->t.m)
			vt_touch(_metadata, d, self->t.m,
				 2 * vfc_section(d) / VFC_UNIT, 100);
	}
}

TEST_F(states, V1_ST_10_V1_RES_23_same_value_while_resuming)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	__u8 buf[16];
	size_t half;

	vt_small_stream(_metadata, d, self->t.m, 3, 50, s);
	half = s->len / 2;
	SET(VFC_RESUMING);
	ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, s->buf, half, 0));
	W4(VFC_STATE, VFC_RESUMING);
	/* Bytes that were put but not committed stay as well. */
	WD(0, s->buf + half, s->len - half);
	W4(VFC_STATE, VFC_RESUMING);
	RD(0, buf, sizeof(buf));
	ASSERT_EQ(0, memcmp(buf, s->buf + half, sizeof(buf)));
	W8(VFC_SIZE, s->len - half);
	W4(VFC_STATE, VFC_RESUMING);
	SET(VFC_RUNNING);
	vt_check_small(_metadata, d, self->t.m, 3, 50);
}

TEST_F(states, V1_ST_10_same_value_at_rest)
{
	struct vfc_dev *d = &self->t.a;
	struct vt_snap snap;

	if (self->t.m)
		ASSERT_EQ(0, self->t.m->reg_set(d, 4711));
	vt_snap(_metadata, d, self->t.m, false, &snap);
	W4(VFC_STATE, VFC_RUNNING);
	vt_unchanged(_metadata, d, self->t.m, &snap);
	SET(VFC_STOP);
	vt_snap(_metadata, d, self->t.m, false, &snap);
	W4(VFC_STATE, VFC_STOP);
	vt_unchanged(_metadata, d, self->t.m, &snap);
}

/*
 * The error comes before RESUMING, which takes a reset to leave. A longer time
 * would show no more: only a write, a reset or the knob assigns the state.
 */
TEST_F_TIMEOUT(states, V1_ST_11_no_change_on_its_own, 60)
{
	static const __u32 order[] = { VFC_STOP, VFC_RUNNING, VFC_SAVING,
				       VFC_PRECOPY, VFC_ERROR, VFC_RESUMING };
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	unsigned int i, k;
	int event = -1;
	void *dma;

	if (vt_works(m))
		vt_make_busy(_metadata, d, m, &dma, &event);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		if (order[i] == VFC_ERROR && !vt_has_error_knob(d))
			continue;
		vt_reach(_metadata, d, order[i]);
		for (k = 0; k < 200; k++) {
			ASSERT_EQ(order[i], R4(VFC_STATE));
			vfc_sleep_ms(10);
		}
		if (order[i] == VFC_ERROR)
			ASSERT_EQ(0, vfc_reset(d));
		if (order[i] != VFC_RESUMING)
			SET(VFC_RUNNING);
	}
}

TEST_F(states, V1_ST_12_one_state_per_device)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_dev other = *d;
	__u64 size;

	other.fd = vfc_device_fd(d);
	if (other.fd == -EOPNOTSUPP)
		SKIP(return, VFC_ONE_FILE);
	ASSERT_LE(0, other.fd);
	ASSERT_EQ(VFC_RUNNING, vfc_get(&other));
	SET(VFC_PRECOPY);
	ASSERT_EQ(VFC_PRECOPY, vfc_get(&other));
	size = R8(VFC_SIZE);
	ASSERT_LT(0, size);
	ASSERT_EQ(4, vfc_set(&other, VFC_SAVING));
	ASSERT_EQ(VFC_SAVING, vfc_get(d));
	/* The first fd goes; state and session stay. */
	close(d->fd);
	d->fd = other.fd;
	ASSERT_EQ(VFC_SAVING, vfc_get(d));
	ASSERT_EQ(size, R8(VFC_SIZE));
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &self->t.s));
	vt_restore(_metadata, d, &self->t.s);
	/* The last one takes the state along. */
	SET(VFC_STOP);
	vfc_close(d);
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
}

/* --- Linearizability -------------------------------------------------- */

enum { OP_WRITE, OP_READ, OP_RESET };

/**
 * struct op - one call of a thread
 * @kind: OP_*
 * @arg: value written
 * @ret: result, the value for OP_READ
 * @begin: ticket before the call
 * @end: ticket after it
 */
struct op {
	int kind;
	__u32 arg;
	int ret;
	unsigned int begin;
	unsigned int end;
};

#define THREADS	8
#define OPS	4
#define LEFT	390625	/* (OPS + 1) to the power of THREADS */

struct history {
	const struct vfc_dev *d;
	unsigned int *ticket;
	pthread_barrier_t *start;
	struct op op[OPS];
};

/* The model: result of @op in *@state, which it changes. */
static int model_op(const struct op *op, __u32 *state)
{
	if (op->kind == OP_READ)
		return *state;
	if (op->kind == OP_RESET) {
		*state = VFC_RUNNING;
		return 0;
	}
	if (op->arg > VFC_RESUMING)
		return -EINVAL;
	if (op->arg == *state)
		return 4;
	if (*state == VFC_RESUMING)	/* nothing was received */
		return -EINVAL;
	if (*state == VFC_SAVING && op->arg == VFC_PRECOPY)
		return -EINVAL;
	*state = op->arg;
	return 4;
}

/* One bit for each state in which what is left was tried in vain. */
static __u8 tried[LEFT];

static __u8 *tried_for(const unsigned int *next)
{
	unsigned int t, i = 0;

	for (t = 0; t < THREADS; t++)
		i = i * (OPS + 1) + next[t];
	return &tried[i];
}

/* Is there an order of what is left that explains all results? */
static bool explain(struct history *h, unsigned int *next, __u32 state)
{
	unsigned int t, u, left = 0;
	__u8 *vain = tried_for(next);
	const struct op *op;
	__u32 after;
	bool first;

	if (*vain & 1u << state)
		return false;
	for (t = 0; t < THREADS; t++) {
		if (next[t] == OPS)
			continue;
		left++;
		op = &h[t].op[next[t]];
		/* Nothing that ended before it began may come later. */
		for (first = true, u = 0; u < THREADS; u++)
			if (next[u] < OPS &&
			    h[u].op[next[u]].end < op->begin)
				first = false;
		after = state;
		if (!first || model_op(op, &after) != op->ret)
			continue;
		next[t]++;
		if (explain(h, next, after))
			return true;
		next[t]--;
	}
	*vain |= 1u << state;
	return !left;
}

static void *run_history(void *arg)
{
	struct history *h = arg;
	struct op *op;

	pthread_barrier_wait(h->start);
	for (op = h->op; op < h->op + OPS; op++) {
		op->begin = __atomic_fetch_add(h->ticket, 1, __ATOMIC_SEQ_CST);
		if (op->kind == OP_WRITE)
			op->ret = vfc_set(h->d, op->arg);
		else if (op->kind == OP_READ)
			op->ret = vfc_get(h->d);
		else
			op->ret = vfc_reset(h->d);
		op->end = __atomic_fetch_add(h->ticket, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void show_history(struct __test_metadata *_metadata,
			 const struct history *h)
{
	static const char * const kinds[] = { "write", "read", "reset" };
	const struct op *op;
	unsigned int t;

	for (t = 0; t < THREADS; t++)
		for (op = h[t].op; op < h[t].op + OPS; op++)
			TH_LOG("thread %u [%u,%u] %s %u: %d", t, op->begin,
			       op->end, kinds[op->kind], op->arg, op->ret);
}

/* One round: run @h from RUNNING and look for an order. */
static void check_history(struct __test_metadata *_metadata,
			  const struct vfc_dev *d, struct history *h)
{
	unsigned int ticket = 0, next[THREADS] = {}, t;
	pthread_t thread[THREADS];
	pthread_barrier_t start;

	ASSERT_EQ(0, vfc_reset(d));
	pthread_barrier_init(&start, NULL, THREADS);
	for (t = 0; t < THREADS; t++) {
		h[t].d = d;
		h[t].ticket = &ticket;
		h[t].start = &start;
		ASSERT_EQ(0, pthread_create(&thread[t], NULL, run_history,
					    &h[t]));
	}
	for (t = 0; t < THREADS; t++)
		pthread_join(thread[t], NULL);
	pthread_barrier_destroy(&start);
	memset(tried, 0, sizeof(tried));
	ASSERT_TRUE(explain(h, next, VFC_RUNNING))
		show_history(_metadata, h);
}

/* ST-84: and so what is read is a state at all, whatever was written. */
TEST_F_TIMEOUT(states, V1_ST_13_V1_ST_84_linearizable, 60)
{
	static const __u32 args[] = { 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8,
				      0x80000001, ~0u };
	__u64 end = vfc_now_us() + 10000000;
	struct vfc_dev *d = &self->t.a;
	struct history h[THREADS];
	unsigned int seed = 1, t, i;

	while (vfc_now_us() < end) {
		for (t = 0; t < THREADS; t++) {
			for (i = 0; i < OPS; i++) {
				int r = rand_r(&seed) >> 8;

				h[t].op[i].kind = r % 8 < 4 ? OP_WRITE :
					r % 8 < 7 ? OP_READ : OP_RESET;
				h[t].op[i].arg = args[(r >> 4) % 16];
			}
		}
		check_history(_metadata, d, h);
	}
}

/* What RESET leaves cannot be explained by writes that came before it. */
TEST_F_TIMEOUT(states, V1_ST_88_reset_is_synchronous, 60)
{
	static const __u32 walk[OPS] = { 3, 2, 0, 1 };
	struct vfc_dev *d = &self->t.a;
	struct history h[THREADS];
	unsigned int round, t, i;

	for (round = 0; round < 100; round++) {
		for (t = 0; t < THREADS; t++) {
			for (i = 0; i < OPS; i++) {
				h[t].op[i].kind = !t ? OP_WRITE :
					(i + t) % 2 ? OP_RESET : OP_READ;
				h[t].op[i].arg = walk[i];
			}
		}
		check_history(_metadata, d, h);
	}
}

/* --- Error and reset -------------------------------------------------- */

TEST_F(states, V1_ST_85_error_cannot_be_set)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(five); i++) {
		vt_reach(_metadata, d, five[i]);
		ASSERT_EQ(-EINVAL, vfc_set(d, VFC_ERROR));
		ASSERT_EQ(five[i], R4(VFC_STATE));
		ASSERT_EQ(0, vfc_reset(d));
	}
}

TEST_F(states, V1_ST_86_only_reset_leaves_error)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;
	__u8 buf[64] = {};

	if (!vt_has_error_knob(d))
		SKIP(return, VT_NO_KNOB);
	if (d->area_size)
		ASSERT_EQ(0, vfc_map(d));
	for (i = 0; i < ARRAY_SIZE(five); i++) {
		vt_reach(_metadata, d, five[i]);
		if (five[i] == VFC_SAVING)
			ASSERT_LT(0, R8(VFC_SIZE));
		vt_make_error(_metadata, d);
		for (k = 0; k < 64; k++) {
			ASSERT_EQ(-EIO, vfc_set(d, k % 9));
			ASSERT_EQ(VFC_ERROR, R4(VFC_STATE));
		}
		ASSERT_EQ(0, R8(VFC_PENDING));
		ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
		ASSERT_EQ(0, R8(VFC_SIZE));
		ASSERT_EQ(-EIO, vfc_rd(d, 0, buf, 8));
		ASSERT_EQ(-EIO, vfc_wd(d, 0, buf, 8));
		ASSERT_EQ(-EIO, vfc_rd(d, 100, buf, sizeof(buf)));
		if (d->map) {
			memcpy(buf, vfc_data(d), sizeof(buf));
			memcpy(vfc_data(d), buf, sizeof(buf));
		}
		ASSERT_EQ(VFC_ERROR, R4(VFC_STATE));
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
	}
	vt_migrates(_metadata, d);
}

TEST_F(states, V1_ST_87_V1_CAN_06_reset_from_any_state)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	struct vfc_stream *s = &self->t.s;
	struct vfc_stream half = {};
	__u8 junk[512];
	__u64 value;
	__u32 reg;
	unsigned int i, k;

	vt_small_stream(_metadata, d, m, 3, 5, &half);
	memset(junk, 0x5a, sizeof(junk));
	if (d->area_size)
		ASSERT_EQ(0, vfc_map(d));
	for (i = 0; i < ARRAY_SIZE(five); i++) {
		if (m) {
			ASSERT_EQ(0, m->reg_set(d, 0xdead));
			vt_touch(_metadata, d, m, 3, 5);
		}
		vt_reach(_metadata, d, five[i]);
		if (five[i] == VFC_SAVING || five[i] == VFC_PRECOPY)
			ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
		/* A part of a stream, and bytes that are not part of it yet. */
		if (five[i] == VFC_RESUMING)
			ASSERT_EQ(0, vfc_feed_all(d, &vt_bulk, half.buf,
						  half.len / 2, 0));
		if (five[i] == VFC_RESUMING)
			WD(0, junk, sizeof(junk));
		if (d->map && five[i] == VFC_RESUMING)
			memset(vfc_data(d), 0x77, 4096);
		ASSERT_EQ(0, vfc_reset(d));
		ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
		ASSERT_EQ(0, R8(VFC_PENDING));
		ASSERT_EQ(0, R8(VFC_SIZE));
		ASSERT_EQ(-EINVAL, vfc_rd(d, 0, junk, 8));
		for (k = 0; d->map && k < 8192; k++)
			ASSERT_EQ(0, vfc_data(d)[k]);
		if (!m)
			continue;
		ASSERT_EQ(0, m->reg_get(d, &reg));
		ASSERT_EQ(0, reg);
		for (k = 0; k < 3 && vt_has(&self->t, 3); k++) {
			ASSERT_EQ(0, m->read_back(d, k, &value));
			ASSERT_EQ(0, value);
		}
	}
	vfc_stream_free(&half);
	vt_migrates(_metadata, d);
}

TEST_F(states, V1_ST_87_LIFE_07_reset_keeps_eventfds)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	int event;

	if (!self->t.m)
		SKIP(return, VT_NO_MODEL);
	event = vt_bind_event(d, m);
	ASSERT_LE(0, event);
	ASSERT_EQ(0, m->trigger(d));
	ASSERT_EQ(1, vfc_event_wait(event, 5000));
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, m->trigger(d));
	ASSERT_EQ(1, vfc_event_wait(event, 5000));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, m->trigger(d));
	ASSERT_EQ(1, vfc_event_wait(event, 5000));
	close(event);
}

TEST_F(states, V1_ST_89_shutdown)
{
	struct vfc_dev *d = &self->t.a;

	SET(VFC_STOP);
	vfc_close(d);
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
	vfc_close(d);
	ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
	ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
}

TEST_F(states, V1_ST_90_V1_SAV_09_precopy_without_data)
{
	struct vfc_dev *d = &self->t.a;

	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, &self->t.s));
	ASSERT_EQ(0, R8(VFC_PENDING));
	SET(VFC_SAVING);
	ASSERT_LE(1, R8(VFC_PENDING));
	ASSERT_LE(1, R8(VFC_SIZE));
}

/* --- 3 -> 2 and leaving with data pending ----------------------------- */

/* How far into an iteration. */
enum { FRESH, PENDING, STAGED, SIZED, HALF, READ, ACKED, DRAINED, POINTS };

static void go_to(struct __test_metadata *_metadata, const struct vfc_dev *d,
		  int point, struct vfc_stream *s)
{
	__u8 buf[64];
	__u64 size;

	if (point >= PENDING)
		ASSERT_LT(0, R8(VFC_PENDING));
	if (point >= STAGED)
		R8(VFC_OFFSET);
	if (point >= SIZED)
		size = R8(VFC_SIZE);
	if (point == HALF)
		RD(0, buf, size / 2 < sizeof(buf) ? size / 2 : sizeof(buf));
	if (point >= READ)
		ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
	if (point >= ACKED)
		R8(VFC_PENDING);
	if (point == DRAINED)
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
}

TEST_F_TIMEOUT(states, V1_ST_91_stop_and_copy_at_any_point, 60)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	__u64 size;
	int point;

	for (point = FRESH; point < POINTS; point++) {
		vfc_stream_free(s);
		ASSERT_EQ(0, vfc_reset(d));
		if (self->t.m)
			vt_touch(_metadata, d, self->t.m,
				 vfc_section(d) / VFC_UNIT + 20, 1000);
		SET(VFC_PRECOPY);
		go_to(_metadata, d, point, s);
		SET(VFC_SAVING);
		if (point >= STAGED && point <= READ) {
			/* It stayed (R5): a sized one may count as read. */
			size = R8(VFC_SIZE);
			ASSERT_LT(0, size);
			if (point != READ)
				ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
			ASSERT_EQ(s->seg[0], size);
		}
		ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
		vt_restore(_metadata, d, s);
		if (self->t.m)
			vt_check_touched(_metadata, d, self->t.m,
					 vfc_section(d) / VFC_UNIT + 20, 1000);
	}
}

TEST_F_TIMEOUT(states, V1_ST_92_leave_with_data_pending, 60)
{
	static const __u32 targets[2][4] = { { 0, 1, 2, 4 }, { 0, 1, 2, 4 } };
	struct vfc_dev *d = &self->t.a;
	unsigned int from, k;
	int point;

	for (from = VFC_SAVING; from <= VFC_PRECOPY; from++) {
		for (point = FRESH; point < POINTS; point++) {
			for (k = 0; k < 4; k++) {
				ASSERT_EQ(0, vfc_reset(d));
				if (self->t.m)
					vt_touch(_metadata, d, self->t.m, 5, 1);
				SET(from);
				go_to(_metadata, d, point, &self->t.s);
				SET(targets[from - VFC_SAVING][k]);
			}
		}
	}
	ASSERT_EQ(0, vfc_reset(d));
	vt_migrates(_metadata, d);
}

TEST_F(states, V1_ST_93_error_is_quiet)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	void *dma;
	int event;

	if (!vt_works(self->t.m))
		SKIP(return, VT_NO_WORK);
	if (!vt_has_error_knob(d))
		SKIP(return, VT_NO_KNOB);
	vt_make_busy(_metadata, d, m, &dma, &event);
	vt_make_error(_metadata, d);
	vt_check_quiet(_metadata, d, m, dma, event, 300);
	close(event);
}

TEST_HARNESS_MAIN
