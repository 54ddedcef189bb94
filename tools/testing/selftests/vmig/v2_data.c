// SPDX-License-Identifier: GPL-2.0-only
/*
 * V2-FD: the data file. Whatever the sizes, the calls, the threads and the
 * moment, each byte of a stream comes once and in order, errors take none, and a
 * file whose session is over says so and nothing else.
 */
#include "v2_test.h"

#include <linux/io_uring.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define UNITS	5
#define VALUE	90210

/* --- Sizes of reads and writes ---------------------------------------- */

FIXTURE(v2_pieces) {
	struct vt t;
};

FIXTURE_VARIANT(v2_pieces) {
	size_t read;
	size_t write;
};

FIXTURE_VARIANT_ADD(v2_pieces, byte_page) { 1, 4096 };
FIXTURE_VARIANT_ADD(v2_pieces, seven_byte) { 7, 1 };
FIXTURE_VARIANT_ADD(v2_pieces, page_seven) { 4096, 7 };
FIXTURE_VARIANT_ADD(v2_pieces, odd_odd) { 4099, 333 };
FIXTURE_VARIANT_ADD(v2_pieces, mib_mib) { 1 << 20, 1 << 20 };

FIXTURE_SETUP(v2_pieces)
{
	if (!v2_open_two(_metadata, &self->t))
		SKIP(return, V2_NO_PROTOCOL);
}

FIXTURE_TEARDOWN(v2_pieces)
{
	vt_close(&self->t);
}

static void fill(struct __test_metadata *_metadata, struct vt *t)
{
	if (!t->m)
		return;
	vt_touch(_metadata, &t->a, t->m, UNITS, VALUE);
	ASSERT_EQ(0, t->m->reg_set(&t->a, VALUE));
}

/* Let device a begin to save what it got from fill(); its data file. */
static int saves(struct __test_metadata *_metadata, struct vt *t, __u32 state)
{
	const struct vfc_dev *d = &t->a;

	fill(_metadata, t);
	return SET2(state);
}

/* All has come out of device a: make the destination ready to take it. */
static const struct vfc_dev *came_out(struct __test_metadata *_metadata,
				      struct vt *t)
{
	ASSERT_TRUE(v2_whole(&t->s));
	ASSERT_EQ(0, vfc2_set(&t->a, VFC2_STOP, NULL));
	ASSERT_EQ(0, vfc_reset(v2_dest(t)));
	return v2_dest(t);
}

/* The same, and begin; its data file. */
static int loads(struct __test_metadata *_metadata, struct vt *t)
{
	const struct vfc_dev *d = came_out(_metadata, t);

	return SET2(VFC2_RESUMING);
}

/* The destination has taken all of it, and has what fill() put. */
static void loaded(struct __test_metadata *_metadata, struct vt *t)
{
	const struct vfc_dev *d = v2_dest(t);

	SET2(VFC2_RUNNING);
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
}

/* The stream that came out of device a is whole, and what fill() made. */
static void arrives_by(struct __test_metadata *_metadata, struct vt *t,
		       size_t write)
{
	ASSERT_EQ(0, vfc2_load(came_out(_metadata, t), write, &t->s));
	loaded(_metadata, t);
}

static void arrives(struct __test_metadata *_metadata, struct vt *t)
{
	arrives_by(_metadata, t, 0);
}

TEST_F_TIMEOUT(v2_pieces, V2_FD_01_any_size, 60)
{
	fill(_metadata, &self->t);
	ASSERT_EQ(0, vfc2_save(&self->t.a, variant->read, &self->t.s));
	arrives_by(_metadata, &self->t, variant->write);
}

TEST_F_TIMEOUT(v2_pieces, V2_FD_01_V2_FD_04_by_way_of_precopy, 60)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = &self->t.a;
	int fd;

	if (self->t.m)
		vt_touch(_metadata, d, self->t.m, UNITS, 1);
	fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(-ENOMSG, vfc2_drain(fd, variant->read, s));
	fill(_metadata, &self->t);
	ASSERT_EQ(-1, SET2(VFC2_PRE_COPY_P2P));
	ASSERT_EQ(-ENOMSG, vfc2_drain(fd, variant->read, s));
	ASSERT_EQ(-1, SET2(VFC2_STOP_COPY));
	ASSERT_EQ(0, vfc2_drain(fd, variant->read, s));
	close(fd);
	arrives_by(_metadata, &self->t, variant->write);
}

/* --- Everything else -------------------------------------------------- */

FIXTURE(v2_data) {
	struct vt t;
	int fd;
};

FIXTURE_SETUP(v2_data)
{
	self->fd = -1;
	if (!v2_open_two(_metadata, &self->t))
		SKIP(return, V2_NO_PROTOCOL);
}

FIXTURE_TEARDOWN(v2_data)
{
	if (self->fd >= 0)
		close(self->fd);
	vt_close(&self->t);
}

/* Cut into two writes, or three with one byte in the middle, at @at. */
static void load_cut(struct __test_metadata *_metadata, struct vfc_dev *d,
		     const struct vfc_stream *s, size_t at, size_t gap)
{
	int fd;

	ASSERT_EQ(0, vfc_reset(d));
	fd = SET2(VFC2_RESUMING);
	if (at + gap > s->len)
		gap = s->len - at;
	ASSERT_EQ(at, v2_write(fd, s->buf, at));
	ASSERT_EQ(gap, v2_write(fd, s->buf + at, gap));
	ASSERT_EQ(s->len - at - gap, v2_write(fd, s->buf + at + gap,
					      s->len - at - gap));
	SET2(VFC2_RUNNING);
	close(fd);
}

TEST_F_TIMEOUT(v2_data, V2_FD_01_all_splits_of_records, 60)
{
	struct vfc_dev *d = v2_dest(&self->t);
	struct vfc_stream *s = &self->t.s;
	struct vmr_list l;
	size_t i, k, step;

	v2_small_stream(_metadata, &self->t.a, self->t.m, 1, VALUE, s);
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	for (i = 0; i < l.n; i++) {
		for (k = 0; k < l.rec[i].len; k += step) {
			step = l.rec[i].len < 512 || k < 64 ? 1 : 101;
			load_cut(_metadata, d, s, l.rec[i].off + k, i % 2);
		}
	}
	vt_check_small(_metadata, d, self->t.m, 1, VALUE);
	vmr_free(&l);
}

TEST_F(v2_data, V2_FD_02_the_end_is_for_good)
{
	__u8 c;
	int i;

	self->fd = saves(_metadata, &self->t, VFC2_STOP_COPY);
	ASSERT_EQ(POLLIN, v2_revents(self->fd));
	while (v2_read(self->fd, &c, 1) == 1) {
		ASSERT_EQ(0, vfc_stream_add(&self->t.s, &c, 1));
		if (self->t.s.len % 1000 == 0)
			ASSERT_EQ(POLLIN, v2_revents(self->fd));
	}
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, v2_read(self->fd, &c, 1));
		ASSERT_EQ(POLLIN, v2_revents(self->fd));
	}
	arrives(_metadata, &self->t);
}

TEST_F_TIMEOUT(v2_data, V2_FD_03_no_early_end, 120)
{
	__u64 n = vfc_number("FD03_MIGRATIONS", 10000);
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream *s = &self->t.s;
	__u8 *buf = malloc(1 << 16);
	unsigned int seed = 1;
	ssize_t got;

	ASSERT_NE(NULL, buf);
	while (n--) {
		vfc_stream_free(s);
		if (self->t.m)
			vt_touch(_metadata, d, self->t.m, 1 + n % UNITS, n + 1);
		self->fd = SET2(VFC2_STOP_COPY);
		do {
			got = v2_read(self->fd, buf, 1 + rand_r(&seed) % 65536);
			ASSERT_LE(0, got);
			ASSERT_EQ(0, vfc_stream_add(s, buf, got));
		} while (got);
		ASSERT_TRUE(v2_whole(s));
		close(self->fd);
		SET2(VFC2_RUNNING);
	}
	self->fd = -1;
	free(buf);
}

/* --- Pre-copy --------------------------------------------------------- */

TEST_F(v2_data, V2_FD_04_nothing_now)
{
	static const __u32 states[] = { VFC2_PRE_COPY, VFC2_PRE_COPY_P2P };
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;
	__u8 buf[64];

	for (i = 0; i < 2; i++) {
		self->fd = SET2(states[i]);
		ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &self->t.s));
		for (k = 0; k < 100; k++) {
			ASSERT_EQ(-ENOMSG, v2_read(self->fd, buf, 1));
			ASSERT_EQ(0, v2_revents(self->fd));
		}
		if (vt_has(&self->t, 1)) {
			vt_touch(_metadata, d, self->t.m, 1, VALUE + i);
			ASSERT_EQ(POLLIN, v2_revents(self->fd));
			ASSERT_EQ(64, v2_read(self->fd, buf, 64));
		}
		close(self->fd);
		SET2(VFC2_RUNNING);
	}
	self->fd = -1;
}

TEST_F(v2_data, V2_FD_05_nothing_now_is_what_the_counters_say)
{
	static const size_t sizes[] = { 100, 4096, 1, 33333 };
	struct vfc_dev *d = &self->t.a;
	struct vfc2_precopy info = {};
	__u8 *buf = malloc(33333);
	unsigned int i, k;
	ssize_t n;

	ASSERT_NE(NULL, buf);
	for (k = 0; k < 4; k++) {
		self->fd = saves(_metadata, &self->t, VFC2_PRE_COPY);
		for (i = 0, n = 1; n > 0 && i < 100000; i++) {
			ASSERT_EQ(0, vfc2_precopy_info(self->fd, &info));
			n = v2_read(self->fd, buf, sizes[k]);
			ASSERT_EQ(!info.initial_bytes && !info.dirty_bytes,
				  n == -ENOMSG);
			if (n < 0 && i < 50000 && vt_has(&self->t, 1)) {
				vt_touch(_metadata, d, self->t.m, 1, i);
				i = 50000;
				n = 1;
			}
		}
		ASSERT_EQ(-ENOMSG, n);
		close(self->fd);
		SET2(VFC2_RUNNING);
	}
	self->fd = -1;
	free(buf);
}

/* --- Files that are over ---------------------------------------------- */

static const struct {
	__u32 in, to;
} leaves[] = {
	{ VFC2_PRE_COPY, VFC2_RUNNING },
	{ VFC2_PRE_COPY, VFC2_RUNNING_P2P },
	{ VFC2_PRE_COPY, VFC2_STOP },
	{ VFC2_PRE_COPY, VFC2_RESUMING },
	{ VFC2_PRE_COPY_P2P, VFC2_RUNNING },
	{ VFC2_PRE_COPY_P2P, VFC2_RUNNING_P2P },
	{ VFC2_PRE_COPY_P2P, VFC2_STOP },
	{ VFC2_PRE_COPY_P2P, VFC2_RESUMING },
	{ VFC2_STOP_COPY, VFC2_STOP },
	{ VFC2_STOP_COPY, VFC2_RUNNING },
	{ VFC2_STOP_COPY, VFC2_RUNNING_P2P },
	{ VFC2_STOP_COPY, VFC2_RESUMING },
	{ VFC2_RESUMING, VFC2_STOP },
	{ VFC2_RESUMING, VFC2_RUNNING },
	{ VFC2_RESUMING, VFC2_STOP_COPY },
	{ VFC2_RESUMING, VFC2_PRE_COPY },
	/* These stand for a reset and an internal error. */
	{ VFC2_PRE_COPY, VFC2_STATES }, { VFC2_PRE_COPY, VFC2_ERROR },
	{ VFC2_PRE_COPY_P2P, VFC2_STATES }, { VFC2_PRE_COPY_P2P, VFC2_ERROR },
	{ VFC2_STOP_COPY, VFC2_STATES }, { VFC2_STOP_COPY, VFC2_ERROR },
	{ VFC2_RESUMING, VFC2_STATES }, { VFC2_RESUMING, VFC2_ERROR },
};

static void leave(struct __test_metadata *_metadata, const struct vfc_dev *d,
		  __u32 to)
{
	bool error = to == VFC2_ERROR && vt_has_error_knob(d);

	if (error)
		v2_reach(_metadata, d, VFC2_ERROR);
	else if (to == VFC2_ERROR || to == VFC2_STATES)
		to = vfc_reset(d);
	else
		to = vfc2_set(d, to, NULL);
	ASSERT_EQ(0, to);
}

/* Fresh, or when half of the stream or all of it was moved. */
static void move_part(struct __test_metadata *_metadata, struct vt *t, int fd,
		      __u32 in, int part, bool must)
{
	struct vfc_stream s = {};
	__u8 buf[100];

	if (in == VFC2_RESUMING && (part == 2 || must)) {
		ASSERT_EQ(0, vfc2_feed(fd, 0, t->s.buf, t->s.len));
	} else if (in == VFC2_RESUMING && part) {
		ASSERT_EQ(0, vfc2_feed(fd, 0, t->s.buf, t->s.len / 2));
	} else if (part == 2) {
		ASSERT_EQ(in == VFC2_STOP_COPY ? 0 : -ENOMSG,
			  vfc2_drain(fd, 0, &s));
	} else if (part) {
		ASSERT_EQ(100, v2_read(fd, buf, 100));
	}
	vfc_stream_free(&s);
}

TEST_F_TIMEOUT(v2_data, V2_FD_06_leaving_ends_the_file, 60)
{
	struct vfc_dev *d = &self->t.a;
	unsigned int i, k;
	int part;

	v2_small_stream(_metadata, d, self->t.m, UNITS, VALUE, &self->t.s);
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		bool must = leaves[i].to < VFC2_STATES && leaves[i].to;

		for (part = 0; part < 3; part++) {
			ASSERT_EQ(0, vfc_reset(d));
			self->fd = SET2(leaves[i].in);
			move_part(_metadata, &self->t, self->fd, leaves[i].in,
				  part, must);
			leave(_metadata, d, leaves[i].to);
			for (k = 0; k < 3; k++)
				v2_dead(_metadata, self->fd,
					v2_saves(leaves[i].in));
			close(self->fd);
		}
	}
	self->fd = -1;
	ASSERT_EQ(0, vfc_reset(d));
	v2_migrates(_metadata, d);
}

TEST_F(v2_data, V2_FD_07_close_ends_the_file)
{
	static const __u32 in[] = {
		VFC2_PRE_COPY, VFC2_PRE_COPY_P2P, VFC2_STOP_COPY, VFC2_RESUMING,
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(in); i++) {
		self->fd = SET2(in[i]);
		vfc_close(d);
		v2_dead(_metadata, self->fd, v2_saves(in[i]));
		ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
		ASSERT_EQ(VFC2_RUNNING, GET2());
		v2_dead(_metadata, self->fd, v2_saves(in[i]));
		v2_migrates(_metadata, d);
		v2_dead(_metadata, self->fd, v2_saves(in[i]));
		close(self->fd);
	}
	self->fd = -1;
}

/* The name of the module whose driver the parent of @uuid has. */
static bool module_of(const char *uuid, char name[64])
{
	char path[VFC_PATH], link[VFC_PATH + 32], to[VFC_PATH];
	ssize_t n;

	if (vfc_mdev_parent(uuid, path))
		return false;
	snprintf(link, sizeof(link), "%s/driver/module", path);
	n = readlink(link, to, sizeof(to) - 1);
	if (n < 0)
		return false;
	to[n] = 0;
	snprintf(name, 64, "%.63s", strrchr(to, '/') + 1);
	return true;
}

TEST_F(v2_data, V2_FD_08_the_file_outlives_the_device)
{
	char type[VFC_PATH], uuid[VFC_UUID_LEN + 1], module[64];
	static const __u32 in[] = { VFC2_PRE_COPY, VFC2_STOP_COPY, VFC2_RESUMING };
	struct vfc_dev own;
	bool named = module_of(self->t.a.uuid, module);
	unsigned int i;

	ASSERT_EQ(0, vfc_mdev_type(self->t.a.uuid, type));
	for (i = 0; i < ARRAY_SIZE(in); i++) {
		ASSERT_EQ(0, vfc_uuid(uuid));
		ASSERT_EQ(0, vfc_mdev_create(type, uuid));
		ASSERT_EQ(0, vfc_open(&own, uuid));
		ASSERT_EQ(0, vfc2_set(&own, in[i], &self->fd));
		vfc_close(&own);
		ASSERT_EQ(0, vfc_mdev_remove(uuid));
		v2_dead(_metadata, self->fd, v2_saves(in[i]));
		if (i + 1 < ARRAY_SIZE(in))
			close(self->fd);
	}
	/* No device is open, so only the file can hold the module. */
	vt_close(&self->t);
	memset(&self->t, 0, sizeof(self->t));
	self->t.a.container = -1;
	self->t.a.group = -1;
	self->t.a.fd = -1;
	if (named) {
		ASSERT_EQ(-1, syscall(SYS_delete_module, module, O_NONBLOCK));
		ASSERT_TRUE(errno == EWOULDBLOCK || errno == EBUSY);
	}
	v2_dead(_metadata, self->fd, false);
}

TEST_F(v2_data, V2_FD_09_the_file_of_an_earlier_session)
{
	struct vfc_dev *d = &self->t.a;
	int first;

	first = saves(_metadata, &self->t, VFC2_PRE_COPY);
	SET2(VFC2_RUNNING);
	self->fd = SET2(VFC2_PRE_COPY);
	ASSERT_LE(0, self->fd);
	v2_dead(_metadata, first, true);
	ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &self->t.s));
	SET2(VFC2_STOP_COPY);
	v2_dead(_metadata, first, true);
	ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
	v2_dead(_metadata, first, true);
	close(first);
	arrives(_metadata, &self->t);
}

TEST_F(v2_data, V2_FD_10_closed_early)
{
	struct vfc_dev *d = &self->t.a;
	int files = v2_files(), i;

	for (i = 0; i < 20; i++) {
		self->fd = SET2(VFC2_PRE_COPY);
		ASSERT_LE(0, self->fd);
		close(self->fd);
		ASSERT_EQ(-1, SET2(VFC2_STOP_COPY));
		ASSERT_EQ(-1, SET2(VFC2_STOP));
		self->fd = SET2(VFC2_RESUMING);
		close(self->fd);
		REFUSED2(-EINVAL, VFC2_STOP);
		ASSERT_EQ(0, vfc_reset(d));
	}
	self->fd = -1;
	ASSERT_EQ(files, v2_files());
	v2_migrates(_metadata, d);
}

/* --- From pre-copy to stop-and-copy ----------------------------------- */

static void stop_after(struct __test_metadata *_metadata, struct vt *t, size_t k)
{
	struct vfc_dev *d = &t->a;
	int fd;

	vfc_stream_free(&t->s);
	ASSERT_EQ(0, vfc_reset(d));
	if (t->m)
		vt_touch(_metadata, d, t->m, UNITS, 1);
	fd = SET2(VFC2_PRE_COPY);
	if (k)
		v2_take(_metadata, fd, k, &t->s);
	fill(_metadata, t);
	ASSERT_EQ(-1, SET2(VFC2_STOP_COPY));
	ASSERT_EQ(0, vfc2_drain(fd, 0, &t->s));
	close(fd);
	arrives(_metadata, t);
}

TEST_F_TIMEOUT(v2_data, V2_FD_11_in_the_middle_of_a_record, 120)
{
	struct vfc_stream first = {};
	struct vmr_list l;
	size_t i, k, near;

	self->fd = saves(_metadata, &self->t, VFC2_PRE_COPY);
	ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &first));
	ASSERT_EQ(0, vmr_parse(&l, first.buf, first.len));
	for (i = 0; i < 3 && i < l.n; i++) {
		for (k = 0; k <= l.rec[i].len; k++) {
			near = k < l.rec[i].len - k ? k : l.rec[i].len - k;
			if (near <= 25 || (near < 100 && near % 8 == 0) ||
			    near % 311 == 0)
				stop_after(_metadata, &self->t,
					   l.rec[i].off + k);
		}
	}
	vmr_free(&l);
	vfc_stream_free(&first);
}

TEST_F(v2_data, V2_FD_12_nothing_or_all_was_read)
{
	struct vfc_stream first = {};

	self->fd = saves(_metadata, &self->t, VFC2_PRE_COPY);
	ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &first));
	stop_after(_metadata, &self->t, 0);
	stop_after(_metadata, &self->t, first.len);
	vfc_stream_free(&first);
}

/* --- Odd calls -------------------------------------------------------- */

TEST_F(v2_data, V2_FD_13_no_bytes)
{
	struct vfc_dev *d = &self->t.a;
	int i;

	self->fd = saves(_metadata, &self->t, VFC2_PRE_COPY);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, v2_read(self->fd, NULL, 0));
		v2_take(_metadata, self->fd, 10, &self->t.s);
	}
	ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &self->t.s));
	ASSERT_EQ(0, v2_read(self->fd, NULL, 0));
	ASSERT_EQ(-ENOMSG, v2_read(self->fd, &i, 1));
	SET2(VFC2_STOP_COPY);
	ASSERT_EQ(0, v2_read(self->fd, NULL, 0));
	ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
	arrives(_metadata, &self->t);
}

/* Two pages, of which the second cannot be accessed. */
static __u8 *half_mapped(void)
{
	__u8 *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	munmap(p + 4096, 4096);
	return p;
}

TEST_F(v2_data, V2_FD_14_faulting_reads_lose_nothing)
{
	__u8 *page = half_mapped();
	size_t room;
	ssize_t n;
	__u8 c;

	ASSERT_NE(NULL, page);
	self->fd = saves(_metadata, &self->t, VFC2_STOP_COPY);
	for (room = 1; room < 3000; room = room * 3 + 1) {
		ASSERT_EQ(-EFAULT, v2_read(self->fd, page + 4096, 100));
		ASSERT_EQ(-EFAULT, v2_read(self->fd, page + 6000, 8192));
		n = v2_read(self->fd, page + 4096 - room, 4000);
		if (!n)
			break;
		/* What is there, up to the page that is not. */
		ASSERT_LT(0, n);
		ASSERT_LE(n, room);
		ASSERT_EQ(0, vfc_stream_add(&self->t.s, page + 4096 - room, n));
	}
	while ((n = v2_read(self->fd, &c, 1)) == 1) {
		ASSERT_EQ(0, vfc_stream_add(&self->t.s, &c, 1));
		if (self->t.s.len % 100)
			continue;
		n = v2_read(self->fd, page + 4096, 1);
		ASSERT_TRUE(n == -EFAULT || n == 0);
	}
	ASSERT_EQ(0, n);
	arrives(_metadata, &self->t);
}

TEST_F(v2_data, V2_FD_14_faulting_writes_poison_nothing)
{
	struct vfc_dev *d = v2_dest(&self->t);
	struct vfc_stream *s = &self->t.s;
	__u8 *page = half_mapped();
	size_t at, room;
	ssize_t n;

	ASSERT_NE(NULL, page);
	v2_small_stream(_metadata, &self->t.a, self->t.m, UNITS, VALUE, s);
	self->fd = SET2(VFC2_RESUMING);
	for (at = 0; at < s->len; at += n) {
		ASSERT_EQ(-EFAULT, v2_write(self->fd, page + 4096, 100));
		room = s->len - at < 3000 ? s->len - at : 3000;
		memcpy(page + 4096 - room, s->buf + at, room);
		n = v2_write(self->fd, page + 4096 - room, room + 500);
		ASSERT_TRUE(n == -EFAULT || (n >= 0 && n <= (ssize_t)room));
		if (n > 0)
			continue;
		/* Nothing of it was taken: the same bytes again. */
		n = room;
		ASSERT_EQ(n, v2_write(self->fd, s->buf + at, n));
	}
	loaded(_metadata, &self->t);
}

TEST_F(v2_data, V2_FD_15_no_position)
{
	struct vfc_dev *d = &self->t.a;
	struct iovec v;
	int fd;
	__u8 c = 0;

	v.iov_base = &c;
	v.iov_len = 1;
	self->fd = saves(_metadata, &self->t, VFC2_PRE_COPY);
	ASSERT_EQ(-1, lseek(self->fd, 0, SEEK_SET));
	ASSERT_EQ(ESPIPE, errno);
	ASSERT_EQ(-1, lseek(self->fd, 0, SEEK_CUR));
	ASSERT_EQ(ESPIPE, errno);
	ASSERT_EQ(-1, pread(self->fd, &c, 1, 0));
	ASSERT_EQ(ESPIPE, errno);
	ASSERT_EQ(-1, preadv(self->fd, &v, 1, 0));
	ASSERT_EQ(ESPIPE, errno);
	ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &self->t.s));
	SET2(VFC2_STOP_COPY);
	ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
	arrives(_metadata, &self->t);
	ASSERT_EQ(0, vfc_reset(d));
	fd = SET2(VFC2_RESUMING);
	ASSERT_EQ(-1, lseek(fd, 0, SEEK_END));
	ASSERT_EQ(ESPIPE, errno);
	ASSERT_EQ(-1, pwrite(fd, &c, 1, 0));
	ASSERT_EQ(ESPIPE, errno);
	ASSERT_EQ(-1, pwritev(fd, &v, 1, 0));
	ASSERT_EQ(ESPIPE, errno);
	/* None of it was written. */
	ASSERT_EQ(0, vfc2_feed(fd, 0, self->t.s.buf, self->t.s.len));
	SET2(VFC2_RUNNING);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
	close(fd);
}

/* What files of this kind cannot do. */
static void wrong_calls(struct __test_metadata *_metadata, int fd)
{
	void *p;

	ASSERT_EQ(-1, ftruncate(fd, 0));
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_EQ(MAP_FAILED, p);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_EQ(MAP_FAILED, p);
	ASSERT_EQ(-1, fallocate(fd, 0, 0, 4096));
	ASSERT_EQ(-1, fsync(fd));
	ASSERT_EQ(EINVAL, errno);
}

TEST_F(v2_data, V2_FD_16_wrong_direction)
{
	struct vfc_dev *d = &self->t.a;
	__u8 c = 0;

	self->fd = saves(_metadata, &self->t, VFC2_STOP_COPY);
	ASSERT_EQ(-EBADF, v2_write(self->fd, &c, 1));
	wrong_calls(_metadata, self->fd);
	ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
	close(self->fd);
	self->fd = -1;
	arrives(_metadata, &self->t);
	ASSERT_EQ(0, vfc_reset(d));
	self->fd = SET2(VFC2_RESUMING);
	ASSERT_EQ(-EBADF, v2_read(self->fd, &c, 1));
	wrong_calls(_metadata, self->fd);
	ASSERT_EQ(0, vfc2_feed(self->fd, 0, self->t.s.buf, self->t.s.len));
	SET2(VFC2_RUNNING);
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
}

/* --- Other ways to move bytes ----------------------------------------- */

/* All that is in the pipe. */
static void empty_pipe(struct __test_metadata *_metadata, int fd, size_t n,
		       struct vfc_stream *s)
{
	v2_take(_metadata, fd, n, s);
}

/*
 * Either there is no splice, and then it takes nothing, or it moves the same
 * bytes as read and write.
 */
TEST_F(v2_data, V2_FD_17_splice_out)
{
	struct vfc_dev *d = &self->t.a;
	int pipes[2];
	ssize_t n;

	ASSERT_EQ(0, pipe(pipes));
	self->fd = saves(_metadata, &self->t, VFC2_PRE_COPY);
	v2_take(_metadata, self->fd, 11, &self->t.s);
	for (;;) {
		n = splice(self->fd, NULL, pipes[1], NULL, 5000, 0);
		if (n <= 0)
			break;
		empty_pipe(_metadata, pipes[0], n, &self->t.s);
	}
	ASSERT_TRUE(n < 0 && (errno == EINVAL || errno == ENOMSG));
	SET2(VFC2_STOP_COPY);
	for (;;) {
		n = splice(self->fd, NULL, pipes[1], NULL, 5000, 0);
		if (n <= 0)
			break;
		empty_pipe(_metadata, pipes[0], n, &self->t.s);
	}
	ASSERT_TRUE(!n || errno == EINVAL);
	ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
	arrives(_metadata, &self->t);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(v2_data, V2_FD_17_splice_in)
{
	struct vfc_dev *d = v2_dest(&self->t);
	struct vfc_stream *s = &self->t.s;
	size_t at, n;
	ssize_t done;
	int pipes[2];

	v2_small_stream(_metadata, &self->t.a, self->t.m, UNITS, VALUE, s);
	ASSERT_EQ(0, pipe(pipes));
	self->fd = SET2(VFC2_RESUMING);
	for (at = 0; at < s->len; at += n) {
		n = s->len - at < 5000 ? s->len - at : 5000;
		ASSERT_EQ(n, v2_write(pipes[1], s->buf + at, n));
		done = splice(pipes[0], NULL, self->fd, NULL, n, 0);
		if (done < 0) {
			ASSERT_EQ(EINVAL, errno);
			/* Nothing was taken, on either side. */
			ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf + at,
					       s->len - at));
			break;
		}
		ASSERT_EQ(n, done);
	}
	loaded(_metadata, &self->t);
	close(pipes[0]);
	close(pipes[1]);
}

/* From file to file, by way of a file in memory. */
TEST_F(v2_data, V2_FD_17_sendfile)
{
	int mem = memfd_create("stream", MFD_CLOEXEC);
	ssize_t n, total = 0;
	off_t at = 0;

	ASSERT_LE(0, mem);
	self->fd = saves(_metadata, &self->t, VFC2_STOP_COPY);
	while ((n = sendfile(mem, self->fd, NULL, 7777)) > 0)
		total += n;
	ASSERT_TRUE(!n || errno == EINVAL);
	if (n) {
		ASSERT_EQ(0, total);
		ASSERT_EQ(0, vfc2_drain(self->fd, 0, &self->t.s));
		ASSERT_EQ(self->t.s.len, v2_write(mem, self->t.s.buf,
						  self->t.s.len));
		total = self->t.s.len;
	} else {
		ASSERT_EQ(0, lseek(mem, 0, SEEK_SET));
		v2_take(_metadata, mem, total, &self->t.s);
	}
	close(self->fd);
	self->fd = loads(_metadata, &self->t);
	while (at < total && (n = sendfile(self->fd, mem, &at, 6666)) > 0)
		;
	if (n < 0) {
		ASSERT_EQ(EINVAL, errno);
		ASSERT_EQ(0, vfc2_feed(self->fd, 0, self->t.s.buf, total));
	}
	loaded(_metadata, &self->t);
	close(mem);
}

TEST_F(v2_data, V2_FD_18_vectors)
{
	struct vfc_stream *s = &self->t.s;
	__u8 one[13], two[1000];
	struct iovec v[] = { { one, 13 }, { two, 1000 } };
	size_t at;
	ssize_t n;

	self->fd = saves(_metadata, &self->t, VFC2_STOP_COPY);
	while ((n = readv(self->fd, v, 2)) > 0) {
		ASSERT_EQ(0, vfc_stream_add(s, one, n < 13 ? n : 13));
		if (n > 13)
			ASSERT_EQ(0, vfc_stream_add(s, two, n - 13));
	}
	ASSERT_EQ(0, n);
	close(self->fd);
	self->fd = loads(_metadata, &self->t);
	for (at = 0; at < s->len; at += n) {
		v[0].iov_base = s->buf + at;
		v[0].iov_len = s->len - at < 99 ? s->len - at : 99;
		v[1].iov_base = s->buf + at + v[0].iov_len;
		v[1].iov_len = s->len - at - v[0].iov_len;
		if (v[1].iov_len > 4000)
			v[1].iov_len = 4000;
		n = writev(self->fd, v, 2);
		ASSERT_EQ(v[0].iov_len + v[1].iov_len, n);
	}
	loaded(_metadata, &self->t);
}

/**
 * struct ring - an io_uring for one request at a time
 * @fd: of the ring
 * @p: what the kernel made of it
 * @sq: mapped submission ring
 * @cq: mapped completion ring
 * @sqe: mapped entries
 */
struct ring {
	int fd;
	struct io_uring_params p;
	__u8 *sq;
	__u8 *cq;
	struct io_uring_sqe *sqe;
};

static bool ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 1, &r->p);
	if (r->fd < 0)
		return false;
	r->sq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		     IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		     IORING_OFF_CQ_RING);
	r->sqe = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		      IORING_OFF_SQES);
	return r->sq != MAP_FAILED && r->cq != MAP_FAILED &&
		(void *)r->sqe != MAP_FAILED;
}

/* One IORING_OP_READ or _WRITE; its result, or -ECOMM if there is none. */
static int ring_move(struct ring *r, int op, int fd, void *buf, unsigned int n)
{
	__u32 *tail = (__u32 *)(r->sq + r->p.sq_off.tail);
	__u32 *array = (__u32 *)(r->sq + r->p.sq_off.array);
	__u32 *mask = (__u32 *)(r->cq + r->p.cq_off.ring_mask);
	__u32 *head = (__u32 *)(r->cq + r->p.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(r->cq + r->p.cq_off.cqes);
	int ret;

	memset(r->sqe, 0, sizeof(*r->sqe));
	r->sqe->opcode = op;
	r->sqe->fd = fd;
	r->sqe->addr = (unsigned long)buf;
	r->sqe->len = n;
	r->sqe->off = -1;
	array[*tail & *(__u32 *)(r->sq + r->p.sq_off.ring_mask)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -ECOMM;
	ret = cqes[*head & *mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return ret;
}

TEST_F(v2_data, V2_FD_18_io_uring)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = &self->t.a;
	struct ring r;
	__u8 buf[3000];
	size_t at;
	int n;

	if (!ring_open(&r))
		SKIP(return, "no io_uring");
	self->fd = saves(_metadata, &self->t, VFC2_PRE_COPY);
	/* It may wait for a file to be ready, so ask only while it is. */
	while (v2_revents(self->fd) & POLLIN) {
		n = ring_move(&r, IORING_OP_READ, self->fd, buf, 3000);
		ASSERT_LT(0, n);
		ASSERT_EQ(0, vfc_stream_add(s, buf, n));
	}
	SET2(VFC2_STOP_COPY);
	while ((n = ring_move(&r, IORING_OP_READ, self->fd, buf, 3000)) > 0)
		ASSERT_EQ(0, vfc_stream_add(s, buf, n));
	ASSERT_EQ(0, n);
	close(self->fd);
	self->fd = loads(_metadata, &self->t);
	for (at = 0; at < s->len; at += n) {
		n = s->len - at < 2500 ? s->len - at : 2500;
		ASSERT_EQ(n, ring_move(&r, IORING_OP_WRITE, self->fd,
				       s->buf + at, n));
	}
	loaded(_metadata, &self->t);
	close(r.fd);
}

/* --- Several readers -------------------------------------------------- */

#define PIECE	509
#define PIECES	200

/**
 * struct reader - a thread that reads what it can get
 * @fd: data file
 * @n: pieces that it got
 * @len: of each
 * @buf: their bytes
 * @last: what ended it
 */
struct reader {
	int fd;
	unsigned int n;
	ssize_t len[PIECES];
	__u8 buf[PIECES][PIECE];
	ssize_t last;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;

	do {
		r->last = v2_read(r->fd, r->buf[r->n], PIECE);
		r->len[r->n] = r->last;
	} while (r->last > 0 && ++r->n < PIECES);
	return NULL;
}

/* Put together @n readers' pieces so that they make up @want from @at on. */
static bool pieces_make(struct reader *r, unsigned int n,
			const struct vfc_stream *want, size_t at)
{
	unsigned int next[8] = {}, i;
	ssize_t len;
	bool found = true;

	/* A reader's own pieces are in order, so only the next of each can fit. */
	while (found && at < want->len) {
		for (found = false, i = 0; i < n && !found; i++) {
			if (next[i] == r[i].n)
				continue;
			len = r[i].len[next[i]];
			found = at + len <= want->len &&
				!memcmp(want->buf + at, r[i].buf[next[i]], len);
			if (!found)
				continue;
			next[i]++;
			at += len;
		}
	}
	for (i = 0; i < n; i++)
		found = found && next[i] == r[i].n;
	return found;
}

/* The state does not change in STOP, so that two streams of it are alike. */
TEST_F_TIMEOUT(v2_data, V2_FD_19_several_readers, 60)
{
	__u64 rounds = vfc_number("FD19_ROUNDS", 20);
	struct reader *r = calloc(4, sizeof(*r));
	struct vfc_dev *d = &self->t.a;
	struct vfc_stream one = {};
	pthread_t thread[4];
	unsigned int i;

	ASSERT_NE(NULL, r);
	fill(_metadata, &self->t);
	SET2(VFC2_STOP);
	while (rounds--) {
		vfc_stream_free(&one);
		vfc_stream_free(&self->t.s);
		ASSERT_EQ(0, vfc2_save(d, 0, &self->t.s));
		SET2(VFC2_STOP);
		self->fd = SET2(VFC2_STOP_COPY);
		v2_take(_metadata, self->fd, V2_SESSION, &one);
		memset(r, 0, 4 * sizeof(*r));
		for (i = 0; i < 4; i++) {
			r[i].fd = self->fd;
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, read_all,
						    &r[i]));
		}
		for (i = 0; i < 4; i++) {
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
			ASSERT_EQ(0, r[i].last);
		}
		ASSERT_TRUE(pieces_make(r, 4, &self->t.s, V2_SESSION));
		close(self->fd);
		SET2(VFC2_STOP);
	}
	self->fd = -1;
	vfc_stream_free(&one);
	free(r);
}

/* Pass @fd through a socket, as another process would get it. */
static int passed(int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char c = 0;
	struct iovec v = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &v, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int pair[2], got = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -1;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(int));
	if (sendmsg(pair[0], &msg, 0) == 1 && recvmsg(pair[1], &msg, 0) == 1)
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	close(pair[0]);
	close(pair[1]);
	return got;
}

/* 50 bytes that a child reads from @fd. */
static ssize_t by_child(int fd, __u8 buf[50])
{
	int pipes[2];
	ssize_t n;
	pid_t pid;

	if (pipe(pipes))
		return -errno;
	pid = fork();
	if (!pid) {
		n = read(fd, buf, 50);
		_exit(n != 50 || write(pipes[1], buf, 50) != 50);
	}
	close(pipes[1]);
	n = v2_read(pipes[0], buf, 50);
	close(pipes[0]);
	waitpid(pid, NULL, 0);
	return n;
}

TEST_F(v2_data, V2_FD_20_copies_share_the_position)
{
	struct vfc_stream *s = &self->t.s;
	int copy, sent, i;
	__u8 buf[50];

	self->fd = saves(_metadata, &self->t, VFC2_STOP_COPY);
	copy = dup(self->fd);
	sent = passed(self->fd);
	ASSERT_LE(0, copy);
	ASSERT_LE(0, sent);
	for (i = 0; i < 3; i++) {
		v2_take(_metadata, self->fd, 31, s);
		v2_take(_metadata, copy, 32, s);
		ASSERT_EQ(50, by_child(self->fd, buf));
		ASSERT_EQ(0, vfc_stream_add(s, buf, 50));
		v2_take(_metadata, sent, 33, s);
	}
	/* The file lives as long as one of them. */
	close(self->fd);
	close(copy);
	self->fd = sent;
	ASSERT_EQ(0, vfc2_drain(self->fd, 0, s));
	arrives(_metadata, &self->t);
}

/* --- Waiting ---------------------------------------------------------- */

/**
 * struct waiter - a thread that waits for a file
 * @fd: of which
 * @tid: of the thread, once it runs
 * @revents: what poll() said
 * @ret: and what it returned
 * @woken: time when it did
 */
struct waiter {
	int fd;
	pid_t tid;
	int revents;
	int ret;
	__u64 woken;
	pthread_t thread;
};

static void *wait_for(void *arg)
{
	struct waiter *w = arg;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	w->ret = poll(&p, 1, 20000);
	w->woken = vfc_now_us();
	w->revents = p.revents;
	return NULL;
}

/* Until it sleeps. */
static bool waits(const struct waiter *w)
{
	char path[VFC_PATH], text[512], *p;
	int i;

	for (i = 0; i < 5000; i++, usleep(1000)) {
		pid_t tid = __atomic_load_n(&w->tid, __ATOMIC_ACQUIRE);

		if (!tid)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
		if (vfc_file_read(path, text, sizeof(text)) < 0)
			return false;
		p = strrchr(text, ')');
		if (p && p[2] == 'S')
			return true;
	}
	return false;
}

enum event { DIRTY, STOP_COPY, LEAVE, RESET, ERROR, CLOSE, EVENTS };

static void happen(struct __test_metadata *_metadata, struct vt *t,
		   enum event event)
{
	struct vfc_dev *d = &t->a;

	switch (event) {
	case DIRTY:
		vt_touch(_metadata, d, t->m, 1, VALUE);
		break;
	case STOP_COPY:
		SET2(VFC2_STOP_COPY);
		break;
	case LEAVE:
		SET2(VFC2_RUNNING);
		break;
	case RESET:
		ASSERT_EQ(0, vfc_reset(d));
		break;
	case ERROR:
		v2_reach(_metadata, d, VFC2_ERROR);
		break;
	default:
		vfc_close(d);
	}
}

TEST_F_TIMEOUT(v2_data, V2_FD_21_waiters_are_woken, 120)
{
	struct vfc_dev *d = &self->t.a;
	enum event event;
	__u64 when;

	for (event = DIRTY; event < EVENTS; event++) {
		struct waiter w = {};

		if ((event == DIRTY && !vt_has(&self->t, 1)) ||
		    (event == ERROR && !vt_has_error_knob(d)))
			continue;
		self->fd = SET2(VFC2_PRE_COPY);
		ASSERT_EQ(-ENOMSG, vfc2_drain(self->fd, 0, &self->t.s));
		w.fd = self->fd;
		ASSERT_EQ(0, pthread_create(&w.thread, NULL, wait_for, &w));
		ASSERT_TRUE(waits(&w));
		when = vfc_now_us();
		happen(_metadata, &self->t, event);
		ASSERT_EQ(0, pthread_join(w.thread, NULL));
		ASSERT_EQ(1, w.ret)
			TH_LOG("event %d", event);
		/* 100 ms, and what a busy host may take to run a thread. */
		ASSERT_GT(2000000, w.woken - when);
		if (event == DIRTY || event == STOP_COPY) {
			ASSERT_EQ(POLLIN, w.revents);
		} else {
			ASSERT_EQ(POLLERR | POLLHUP,
				  w.revents & (POLLERR | POLLHUP));
		}
		close(self->fd);
		if (event == CLOSE)
			ASSERT_EQ(0, vfc_open(d, getenv("VFIO_DEV")));
		ASSERT_EQ(0, vfc_reset(d));
	}
	self->fd = -1;
}

static void nothing(int sig)
{
	(void)sig;
}

/* With signals all the time and O_NONBLOCK, as if there were neither. */
TEST_F_TIMEOUT(v2_data, V2_FD_22_no_wait_no_interruption, 60)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = {};
	struct sigaction sa = { .sa_handler = nothing };
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = &self->t.a;
	int ret;

	fill(_metadata, &self->t);
	if (self->t.m)
		vt_touch(_metadata, d, self->t.m, 200, VALUE);
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	self->fd = SET2(VFC2_PRE_COPY);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	ret = vfc2_drain(self->fd, 0, s);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	ASSERT_EQ(-ENOMSG, ret);
	SET2(VFC2_STOP_COPY);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	ret = vfc2_drain(self->fd, 0, s);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	ASSERT_EQ(0, ret);
	close(self->fd);
	self->fd = loads(_metadata, &self->t);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	ret = vfc2_feed(self->fd, 0, s->buf, s->len);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
	ASSERT_EQ(0, ret);
	SET2(VFC2_RUNNING);
	vt_check_small(_metadata, d, self->t.m, 200, VALUE);
}

/* --- Writes that are refused ------------------------------------------ */

TEST_F(v2_data, V2_FD_23_a_bad_record_in_the_middle)
{
	struct vfc_dev *d = v2_dest(&self->t);
	struct vfc_stream *s = &self->t.s;
	struct vmr_list l;
	size_t at;
	__u8 c = 0;

	v2_small_stream(_metadata, &self->t.a, self->t.m, 256, VALUE, s);
	ASSERT_EQ(0, vmr_parse(&l, s->buf, s->len));
	at = l.rec[l.n / 2].off;
	self->fd = SET2(VFC2_RESUMING);
	s->buf[at + 30] ^= 1;
	/* All of it, or none. */
	ASSERT_EQ(-EINVAL, v2_write(self->fd, s->buf, s->len));
	s->buf[at + 30] ^= 1;
	ASSERT_EQ(-EINVAL, v2_write(self->fd, s->buf, s->len));
	ASSERT_EQ(-EINVAL, v2_write(self->fd, s->buf + at, s->len - at));
	ASSERT_EQ(-EINVAL, v2_write(self->fd, &c, 1));
	REFUSED2(-EINVAL, VFC2_STOP);
	REFUSED2(-EINVAL, VFC2_RUNNING);
	ASSERT_EQ(VFC2_RESUMING, GET2());
	ASSERT_EQ(-EINVAL, v2_write(self->fd, &c, 1));
	v2_restore(_metadata, d, s);
	vt_check_small(_metadata, d, self->t.m, 256, VALUE);
	vmr_free(&l);
}

#define HUGE	0x7fffffff

TEST_F_TIMEOUT(v2_data, V2_FD_24_two_gigabytes, 60)
{
	struct vfc_dev *d = v2_dest(&self->t);
	struct vfc_stream *s = &self->t.s;
	__u8 *huge;
	ssize_t n;
	int i;

	v2_small_stream(_metadata, &self->t.a, self->t.m, 1, VALUE, s);
	huge = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, huge);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vfc_reset(d));
		self->fd = SET2(VFC2_RESUMING);
		n = v2_write(self->fd, huge, HUGE);
		ASSERT_TRUE(n == -EINVAL || n == -EFBIG)
			TH_LOG("%zd", n);
		REFUSED2(-EINVAL, VFC2_STOP);
		close(self->fd);
		/* The second time behind a good begin. */
		memcpy(huge, s->buf, V2_SESSION);
	}
	self->fd = -1;
	munmap(huge, HUGE);
	v2_restore(_metadata, d, s);
}

TEST_F(v2_data, V2_FD_25_V1_PRE_09_behind_the_end)
{
	struct vfc_dev *d = v2_dest(&self->t);
	struct vfc_stream *s = &self->t.s;
	int i;

	v2_small_stream(_metadata, &self->t.a, self->t.m, UNITS, VALUE, s);
	/* No bytes are no error, anywhere. */
	self->fd = SET2(VFC2_RESUMING);
	ASSERT_EQ(0, v2_write(self->fd, NULL, 0));
	ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf, s->len));
	ASSERT_EQ(0, v2_write(self->fd, NULL, 0));
	/* A second session counts instead of the first. */
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vfc2_feed(self->fd, 1000, s->buf, s->len));
	loaded(_metadata, &self->t);
	close(self->fd);
	/* Bytes of anything else do not. */
	self->fd = SET2(VFC2_RESUMING);
	ASSERT_EQ(0, vfc2_feed(self->fd, 0, s->buf, s->len));
	ASSERT_EQ(-EINVAL, vfc2_feed(self->fd, 0, s->buf + V2_SESSION,
				     s->len - V2_SESSION));
	REFUSED2(-EINVAL, VFC2_STOP);
	ASSERT_EQ(0, vfc_reset(d));
}

/* --- While the stream is read ----------------------------------------- */

struct fuzz {
	const struct vfc_dev *d;
	const struct vfc_model *m;
	bool end;
	unsigned int n;
};

/* Stores to everything that a stopped device may take or ignore. */
static void *fuzz_regions(void *arg)
{
	struct fuzz *f = arg;
	unsigned int seed = 7;
	__u64 value;

	while (!__atomic_load_n(&f->end, __ATOMIC_ACQUIRE)) {
		f->m->reg_set(f->d, rand_r(&seed));
		f->m->touch(f->d, rand_r(&seed) % UNITS, rand_r(&seed));
		f->m->ticks(f->d, &value);
		f->m->trigger(f->d);
		__atomic_fetch_add(&f->n, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

TEST_F(v2_data, V2_FD_26_DEV_03_stores_while_it_is_read)
{
	struct vfc_dev *d = &self->t.a;
	struct fuzz f = { .d = d, .m = self->t.m };
	unsigned int before;
	pthread_t thread;
	__u8 buf[97];
	ssize_t n;

	if (!self->t.m)
		SKIP(return, VT_NO_MODEL);
	self->fd = saves(_metadata, &self->t, VFC2_STOP_COPY);
	ASSERT_EQ(0, pthread_create(&thread, NULL, fuzz_regions, &f));
	do {
		n = v2_read(self->fd, buf, sizeof(buf));
		ASSERT_LE(0, n);
		ASSERT_EQ(0, vfc_stream_add(&self->t.s, buf, n));
		/* Let it come to something in between. */
		before = __atomic_load_n(&f.n, __ATOMIC_ACQUIRE);
		while (self->t.s.len < 30 * sizeof(buf) &&
		       before == __atomic_load_n(&f.n, __ATOMIC_ACQUIRE))
			usleep(10);
	} while (n);
	__atomic_store_n(&f.end, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_LT(0, f.n);
	arrives(_metadata, &self->t);
}

/* --- Ioctls ----------------------------------------------------------- */

static void unknown_ioctls(struct __test_metadata *_metadata, int fd)
{
	static const unsigned int sizes[] = { 0, 1, 4, 8, 24, 4096 };
	unsigned int nr, dir, i;
	__u8 buf[4096] = {};

	for (nr = 0; nr < 256; nr++) {
		for (dir = 0; dir < 4; dir++) {
			for (i = 0; i < ARRAY_SIZE(sizes); i++) {
				unsigned int cmd = _IOC(dir, VFIO_TYPE, nr,
							sizes[i]);

				if (cmd == VFC2_PRECOPY_INFO)
					continue;
				ASSERT_EQ(-1, ioctl(fd, cmd, buf));
				ASSERT_EQ(ENOTTY, errno);
			}
		}
	}
}

TEST_F(v2_data, V2_FD_27_V2_FD_06_unknown_ioctls)
{
	static const __u32 in[] = {
		VFC2_PRE_COPY, VFC2_PRE_COPY_P2P, VFC2_STOP_COPY, VFC2_RESUMING,
	};
	struct vfc_dev *d = &self->t.a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(in); i++) {
		self->fd = SET2(in[i]);
		unknown_ioctls(_metadata, self->fd);
		ASSERT_EQ(0, vfc_reset(d));
		unknown_ioctls(_metadata, self->fd);
		close(self->fd);
	}
	self->fd = -1;
}

TEST_HARNESS_MAIN
