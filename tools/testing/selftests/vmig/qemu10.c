// SPDX-License-Identifier: GPL-2.0-only
/*
 * What QEMU 10's client does, call by call: one function for one of its steps,
 * and a test for one thing that a user does. A failed transition is followed by
 * a reset, as there.
 */
#include "v2_test.h"

#define UNITS	40
#define BUFFER	0x100000

/**
 * struct client - one device of a virtual machine
 * @d: its device
 * @m: adapter, or NULL
 * @state: as the client believes
 * @fd: data file, or -1
 * @size: of the buffer for data
 * @out: what the client has sent
 */
struct client {
	struct vfc_dev *d;
	const struct vfc_model *m;
	__u32 state;
	int fd;
	__u64 size;
	struct vfc_stream out;
};

FIXTURE(qemu10) {
	struct vt t;
	struct client a;
	struct client b;
};

FIXTURE_SETUP(qemu10)
{
	if (!v2_open_two(_metadata, &self->t))
		SKIP(return, V2_NO_PROTOCOL);
	self->a = (struct client) { .d = &self->t.a, .m = self->t.m,
				    .state = VFC2_RUNNING, .fd = -1 };
	self->b = (struct client) { .d = v2_dest(&self->t), .m = self->t.m,
				    .state = VFC2_RUNNING, .fd = -1 };
}

static void forget(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	vfc_stream_free(&c->out);
}

FIXTURE_TEARDOWN(qemu10)
{
	forget(&self->a);
	forget(&self->b);
	vt_close(&self->t);
}

/* --- Its steps -------------------------------------------------------- */

static void reset(struct __test_metadata *_metadata, struct client *c)
{
	ASSERT_EQ(0, vfc_reset(c->d));
	c->state = VFC2_RUNNING;
}

/* A transition; if it fails the device is reset. */
static int set_state(struct __test_metadata *_metadata, struct client *c,
		     __u32 state)
{
	int fd, ret = vfc2_set(c->d, state, &fd);

	if (ret) {
		reset(_metadata, c);
		return ret;
	}
	c->state = state;
	if (fd >= 0) {
		/* It takes a second file for a sign that the device was reset. */
		ASSERT_EQ(-1, c->fd);
		c->fd = fd;
	}
	return 0;
}

static void must_set(struct __test_metadata *_metadata, struct client *c,
		     __u32 state)
{
	ASSERT_EQ(0, set_state(_metadata, c, state));
	ASSERT_EQ(state, vfc2_get(c->d));
}

/* The size of the buffer is that of the data, which must not be 0. */
static void save_setup(struct __test_metadata *_metadata, struct client *c)
{
	struct vfc2_precopy info = {};

	ASSERT_EQ(0, vfc2_data_size(c->d, &c->size));
	ASSERT_LT(0, c->size);
	if (c->size > BUFFER)
		c->size = BUFFER;
	if (c->state != VFC2_RUNNING)
		return;
	must_set(_metadata, c, VFC2_PRE_COPY);
	ASSERT_LE(0, c->fd);
	ASSERT_EQ(0, vfc2_precopy_info(c->fd, &info));
	ASSERT_LT(0, info.initial_bytes);
}

/* One read; more than 0: there may be more. */
static ssize_t save_block(struct __test_metadata *_metadata, struct client *c)
{
	__u8 *buf = malloc(c->size);
	ssize_t n;

	ASSERT_NE(NULL, buf);
	n = v2_read(c->fd, buf, c->size);
	if (n > 0)
		ASSERT_EQ(0, vfc_stream_add(&c->out, buf, n));
	free(buf);
	return n;
}

static void pending(struct __test_metadata *_metadata, struct client *c)
{
	struct vfc2_precopy info = {};
	__u64 size;

	ASSERT_EQ(0, vfc2_data_size(c->d, &size));
	if (v2_precopies(c->state))
		ASSERT_EQ(0, vfc2_precopy_info(c->fd, &info));
}

/* Iterate until there is nothing now. */
static void iterate(struct __test_metadata *_metadata, struct client *c)
{
	ssize_t n;

	do {
		pending(_metadata, c);
		n = save_block(_metadata, c);
	} while (n > 0);
	ASSERT_EQ(-ENOMSG, n);
}

/* Begin, and send nothing (0), one block (1), or what there is now (2). */
static void save_part(struct __test_metadata *_metadata, struct client *c,
		      int part)
{
	save_setup(_metadata, c);
	if (part == 1)
		ASSERT_LT(0, save_block(_metadata, c));
	if (part >= 2)
		iterate(_metadata, c);
}

/* The state of the machine changes: first the devices talk to nobody, then. */
static void vm_stops(struct __test_metadata *_metadata, struct client *c,
		     bool for_good)
{
	bool precopies = v2_precopies(c->state);

	must_set(_metadata, c, precopies ? VFC2_PRE_COPY_P2P : VFC2_RUNNING_P2P);
	must_set(_metadata, c, precopies && for_good ? VFC2_STOP_COPY : VFC2_STOP);
}

static void vm_runs(struct __test_metadata *_metadata, struct client *c)
{
	must_set(_metadata, c, VFC2_RUNNING_P2P);
	must_set(_metadata, c, VFC2_RUNNING);
}

/* save_complete_precopy: the first 0 is the end. */
static void complete(struct __test_metadata *_metadata, struct client *c)
{
	ssize_t n;

	must_set(_metadata, c, VFC2_STOP_COPY);
	do {
		n = save_block(_metadata, c);
	} while (n > 0);
	ASSERT_EQ(0, n);
}

static void save_cleanup(struct __test_metadata *_metadata, struct client *c)
{
	if (c->state == VFC2_STOP_COPY)
		must_set(_metadata, c, VFC2_STOP);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* At the destination; config space comes behind the data. */
static void load(struct __test_metadata *_metadata, struct client *c,
		 const struct vfc_stream *s)
{
	__u16 command;

	reset(_metadata, c);
	must_set(_metadata, c, VFC2_RESUMING);
	ASSERT_LE(0, c->fd);
	ASSERT_EQ(0, vfc2_feed(c->fd, BUFFER, s->buf, s->len));
	command = vt_config(_metadata, c->d, PCI_COMMAND);
	vt_config_set(_metadata, c->d, PCI_COMMAND,
		      command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	close(c->fd);
	c->fd = -1;
}

static void touch(struct __test_metadata *_metadata, struct client *c,
		  __u64 value)
{
	if (!c->m)
		return;
	vt_touch(_metadata, c->d, c->m, UNITS, value);
	ASSERT_EQ(0, c->m->reg_set(c->d, (__u32)value));
}

static void check(struct __test_metadata *_metadata, struct client *c,
		  __u64 value)
{
	vt_check_small(_metadata, c->d, c->m, UNITS, value);
}

/* A whole live migration of @a to @b, of a guest that goes on working. */
static void migrate(struct __test_metadata *_metadata, struct client *a,
		    struct client *b, __u64 value)
{
	touch(_metadata, a, value);
	save_setup(_metadata, a);
	iterate(_metadata, a);
	touch(_metadata, a, value + 1000);
	iterate(_metadata, a);
	touch(_metadata, a, value + 2000);
	vm_stops(_metadata, a, true);
	complete(_metadata, a);
	save_cleanup(_metadata, a);
	ASSERT_TRUE(v2_whole(&a->out));
	load(_metadata, b, &a->out);
	vm_runs(_metadata, b);
	check(_metadata, b, value + 2000);
	a->state = vfc2_get(a->d);
	vfc_stream_free(&a->out);
}

/* All of a guest that was paused when it had @value. */
static void save_paused(struct __test_metadata *_metadata, struct client *c,
			__u64 value)
{
	touch(_metadata, c, value);
	vm_stops(_metadata, c, false);
	save_setup(_metadata, c);
	ASSERT_EQ(-1, c->fd);
	complete(_metadata, c);
	save_cleanup(_metadata, c);
	ASSERT_TRUE(v2_whole(&c->out));
}

/* --- What users do ---------------------------------------------------- */

TEST_F(qemu10, V2_FSM_73_V2_DS_02_live_migration)
{
	migrate(_metadata, &self->a, &self->b, 7);
}

TEST_F(qemu10, V2_FSM_73_there_and_back)
{
	struct client *a = &self->a, *b = &self->b;
	int i;

	if (!self->t.two)
		SKIP(return, VT_NO_SECOND);
	for (i = 0; i < 10; i++) {
		migrate(_metadata, i % 2 ? b : a, i % 2 ? a : b, i);
		/* The one that was left is closed and made anew. */
		reset(_metadata, i % 2 ? b : a);
	}
}

TEST_F(qemu10, V2_FSM_73_paused_guest)
{
	struct client *a = &self->a, *b = &self->b;

	save_paused(_metadata, a, 5);
	load(_metadata, b, &a->out);
	/* It stays paused for as long as the user likes. */
	ASSERT_EQ(VFC2_RESUMING, vfc2_get(b->d));
	vm_runs(_metadata, b);
	check(_metadata, b, 5);
}

/* savevm, then the guest goes on; loadvm later. */
TEST_F(qemu10, V2_FSM_73_snapshot)
{
	struct client *a = &self->a;

	save_paused(_metadata, a, 5);
	vm_runs(_metadata, a);
	check(_metadata, a, 5);
	touch(_metadata, a, 6);
	vm_stops(_metadata, a, false);
	load(_metadata, a, &a->out);
	vm_runs(_metadata, a);
	check(_metadata, a, 5);
}

/* The user cancels at each of its points; the guest notices nothing. */
TEST_F(qemu10, V2_FSM_73_V2_FSM_69_cancel)
{
	struct client *a = &self->a;
	int point;

	for (point = 0; point < 5; point++) {
		touch(_metadata, a, 10 + point);
		save_part(_metadata, a, point);
		if (point >= 3)
			vm_stops(_metadata, a, true);
		if (point >= 4)
			complete(_metadata, a);
		if (point < 3)
			must_set(_metadata, a, VFC2_RUNNING);
		save_cleanup(_metadata, a);
		if (point >= 3)
			vm_runs(_metadata, a);
		check(_metadata, a, 10 + point);
		vfc_stream_free(&a->out);
	}
	migrate(_metadata, a, &self->b, 77);
}

/* --- What goes wrong -------------------------------------------------- */

/* The source is intact, and the next migration succeeds. */
static void next_succeeds(struct __test_metadata *_metadata, struct client *a,
			  struct client *b)
{
	vfc_stream_free(&a->out);
	ASSERT_EQ(-1, a->fd);
	ASSERT_EQ(VFC2_RUNNING, vfc2_get(a->d));
	migrate(_metadata, a, b, 4000);
}

/* A stream that ended early does not start the guest at the destination. */
static void part_is_refused(struct __test_metadata *_metadata, struct client *a,
			    struct client *b)
{
	if (a->d == b->d)
		return;
	load(_metadata, b, &a->out);
	ASSERT_EQ(-EINVAL, set_state(_metadata, b, VFC2_RUNNING_P2P));
	/* The reset that followed has to help. */
	ASSERT_EQ(VFC2_RUNNING, vfc2_get(b->d));
}

/* stop and cont in pre-copy: the session ends, and so does the migration. */
TEST_F(qemu10, V1_Q7_T8_V2_FD_06_stop_and_cont_in_precopy)
{
	struct client *a = &self->a;
	int part;

	for (part = 0; part < 3; part++) {
		touch(_metadata, a, 50 + part);
		save_part(_metadata, a, part);
		vm_stops(_metadata, a, true);
		vm_runs(_metadata, a);
		check(_metadata, a, 50 + part);
		/* The migration thread goes on, and finds out. */
		ASSERT_EQ(-ENODEV, save_block(_metadata, a));
		part_is_refused(_metadata, a, &self->b);
		save_cleanup(_metadata, a);
		check(_metadata, a, 50 + part);
		next_succeeds(_metadata, a, &self->b);
		reset(_metadata, a);
	}
}

TEST_F(qemu10, V1_Q7_T9_V2_FD_06_reboot_in_precopy)
{
	struct client *a = &self->a;
	int part;

	for (part = 0; part < 3; part++) {
		touch(_metadata, a, 50 + part);
		save_part(_metadata, a, part);
		reset(_metadata, a);
		ASSERT_EQ(-ENODEV, save_block(_metadata, a));
		part_is_refused(_metadata, a, &self->b);
		save_cleanup(_metadata, a);
		/* The guest that came up works. */
		touch(_metadata, a, 60);
		check(_metadata, a, 60);
		next_succeeds(_metadata, a, &self->b);
		reset(_metadata, a);
	}
}

/* It resets the device after a transition that failed. */
TEST_F(qemu10, V2_FSM_63_V2_FSM_71_reset_after_a_failure)
{
	struct client *a = &self->a, *b = &self->b;

	if (!vt_has_knob(a->d, "fail"))
		SKIP(return, VT_NO_KNOB);
	ASSERT_LT(0, vt_knob_set(a->d, "fail/save", "12 0 1"));
	ASSERT_EQ(-ENOMEM, set_state(_metadata, a, VFC2_PRE_COPY));
	next_succeeds(_metadata, a, b);
	reset(_metadata, a);
	vm_stops(_metadata, a, false);
	ASSERT_LT(0, vt_knob_set(a->d, "fail/save", "12 0 1"));
	ASSERT_EQ(-ENOMEM, set_state(_metadata, a, VFC2_STOP_COPY));
	next_succeeds(_metadata, a, b);
	reset(_metadata, a);
	ASSERT_LT(0, vt_knob_set(b->d, "fail/resume", "12 0 1"));
	reset(_metadata, b);
	ASSERT_EQ(-ENOMEM, set_state(_metadata, b, VFC2_RESUMING));
	next_succeeds(_metadata, a, b);
}

/* An internal error on the way, too, is left by a reset. */
TEST_F(qemu10, V2_FSM_58_internal_error)
{
	struct client *a = &self->a;

	if (!vt_has_error_knob(a->d))
		SKIP(return, VT_NO_KNOB);
	save_setup(_metadata, a);
	ASSERT_LT(0, save_block(_metadata, a));
	v2_reach(_metadata, a->d, VFC2_ERROR);
	ASSERT_EQ(-ENODEV, save_block(_metadata, a));
	ASSERT_EQ(-EIO, set_state(_metadata, a, VFC2_RUNNING));
	save_cleanup(_metadata, a);
	next_succeeds(_metadata, a, &self->b);
}

/* --- Two devices ------------------------------------------------------ */

/* Both are quiet towards each other before one of them stops. */
TEST_F(qemu10, V2_FSM_73_two_devices)
{
	struct client *c[2] = { &self->a, &self->b };
	struct vfc_stream s[2];
	int i;

	if (!self->t.two)
		SKIP(return, VT_NO_SECOND);
	for (i = 0; i < 2; i++) {
		touch(_metadata, c[i], 100 * i);
		save_setup(_metadata, c[i]);
	}
	for (i = 0; i < 2; i++)
		iterate(_metadata, c[i]);
	for (i = 0; i < 2; i++)
		touch(_metadata, c[i], 1000 + 100 * i);
	for (i = 0; i < 2; i++)
		must_set(_metadata, c[i], VFC2_PRE_COPY_P2P);
	for (i = 0; i < 2; i++)
		must_set(_metadata, c[i], VFC2_STOP_COPY);
	for (i = 0; i < 2; i++) {
		complete(_metadata, c[i]);
		save_cleanup(_metadata, c[i]);
		s[i] = c[i]->out;
		memset(&c[i]->out, 0, sizeof(c[i]->out));
	}
	/* Two others that are like them: these, the other way round. */
	for (i = 0; i < 2; i++)
		load(_metadata, c[i], &s[1 - i]);
	for (i = 0; i < 2; i++)
		must_set(_metadata, c[i], VFC2_RUNNING_P2P);
	for (i = 0; i < 2; i++)
		must_set(_metadata, c[i], VFC2_RUNNING);
	for (i = 0; i < 2; i++) {
		check(_metadata, c[i], 1000 + 100 * (1 - i));
		vfc_stream_free(&s[i]);
	}
}

TEST_HARNESS_MAIN
