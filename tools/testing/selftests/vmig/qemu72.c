// SPDX-License-Identifier: GPL-2.0-only
/*
 * V1-Q7: the accesses of QEMU 7.2's migration client, read out of its sources,
 * as scripts. Data move by 8-byte accesses with a tail of 4, 2 and 1 where the
 * section is not mapped, and by memcpy where it is.
 *
 * A script is a list of words:
 *   map, unmap		the data section (nothing in the unmapped variant)
 *   state=N		R4(0) gives N
 *   set=N		W4(0, N), then nothing: QEMU reads only before it writes
 *   pending		R8(8), kept in P; pending=0 also asserts it
 *   data		R8(16) R8(24) and the data, added to the stream
 *   drain		[ data pending ] until P is 0
 *   offset, size	R8(16); R8(24), kept
 *   collect		the data of that size
 *   size?, collect?	likewise, but the size may be 0 and then nothing is
 *			collected; data that are gone break the stream
 *   never		close the device and open it again
 *   reset		VFIO_DEVICE_RESET
 *   config, irqs	as vfio_pci_load_config() does
 *   load		[ R8(16) data W8(24) ] over the stream
 *   to=b, to=a		go on at the destination, at the source
 *   touch, keep	change the device's state; remember it as the one to find
 *   check		the device has the state that was kept
 */
#include "vmig_test.h"

FIXTURE(qemu72) {
	struct vt t;
	struct vfc_dev *d;	/* whose turn it is */
	__u64 pending;
	__u64 size;
	__u64 value;		/* of the last touch */
	__u64 kept;		/* of the state that must arrive */
	unsigned int units;	/* that are touched */
	int event;
	bool broken;		/* the stream has less than was promised */
};

FIXTURE_VARIANT(qemu72) {
	struct vfc_io io;
};

FIXTURE_VARIANT_ADD(qemu72, trapped) { .io = { false, 8 } };
FIXTURE_VARIANT_ADD(qemu72, mapped) { .io = { true, 0 } };

FIXTURE_SETUP(qemu72)
{
	vt_open_two(_metadata, &self->t);
	self->d = &self->t.a;
	self->event = -1;
	/* Several segments, or few accesses. */
	self->units = variant->io.mmap ? 300 : 12;
}

FIXTURE_TEARDOWN(qemu72)
{
	vt_close(&self->t);
}

struct run {
	struct __test_metadata *_metadata;
	struct _test_data_qemu72 *self;
	const struct _fixture_variant_qemu72 *variant;
};

static void do_touch(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	struct vt *t = &r->self->t;

	r->self->value += 1000;
	if (!t->m)
		return;
	vt_touch(_metadata, r->self->d, t->m, r->self->units, r->self->value);
	ASSERT_EQ(0, t->m->reg_set(r->self->d, (__u32)r->self->value));
}

static void do_data(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;

	ASSERT_LE(0, vfc_save_segment(r->self->d, &r->variant->io,
				      &r->self->t.s));
}

static void do_collect(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	__u8 *buf = malloc(r->self->size);

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, vfc_collect(r->self->d, &r->variant->io, 0, buf,
				 r->self->size));
	ASSERT_EQ(0, vfc_stream_add(&r->self->t.s, buf, r->self->size));
	free(buf);
}

static void do_collect_maybe(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	const struct vfc_dev *d = r->self->d;
	size_t n = r->self->size;
	__u8 *buf = calloc(1, n + 1);
	int ret;

	ASSERT_NE(NULL, buf);
	if (n) {
		ret = vfc_collect(d, &r->variant->io, 0, buf, n);
		ASSERT_TRUE(ret == 0 || ret == -EINVAL);
		/* Gone: an error, or zeros in the mapping; no record is zero. */
		r->self->broken = ret || !buf[0];
		ASSERT_EQ(0, vfc_stream_add(&r->self->t.s, buf, n));
	}
	free(buf);
}

/* QEMU ends before the guest runs here: nothing of the stream stays. */
static void do_never(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	struct vfc_dev *d = r->self->d;
	const struct vfc_model *m = r->self->t.m;
	char uuid[VFC_UUID_LEN + 1];
	__u32 scratch;
	__u64 unit;

	strcpy(uuid, d->uuid);
	vfc_close(d);
	ASSERT_EQ(0, vfc_open(d, uuid));
	ASSERT_EQ(VFC_RUNNING, R4(VFC_STATE));
	if (!m)
		return;
	ASSERT_EQ(0, m->reg_get(d, &scratch));
	ASSERT_EQ(0, scratch);
	if (vt_units(d, m, 1)) {
		ASSERT_EQ(0, m->read_back(d, 0, &unit));
		ASSERT_EQ(0, unit);
	}
}

/* save_complete_precopy: a size of 0 would end its loop silently. */
static void do_drain(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	const struct vfc_dev *d = r->self->d;
	ssize_t n;

	while (r->self->pending) {
		n = vfc_save_segment(d, &r->variant->io, &r->self->t.s);
		ASSERT_LT(0, n);
		r->self->pending = R8(VFC_PENDING);
	}
}

static void do_load(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	const struct vfc_stream *s = &r->self->t.s;
	const __u8 *p = s->buf;
	size_t i;

	for (i = 0; i < s->nseg; p += s->seg[i++])
		ASSERT_EQ(8, vfc_feed(r->self->d, &r->variant->io, p,
				      s->seg[i]));
}

/* Command, BARs, MSI-X: after the data, still in RESUMING. */
static void do_config(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	const struct vfc_dev *d = r->self->d;
	__u16 command, old;
	__u32 bar[6], i, msix;

	ASSERT_EQ(2, vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX,
				     PCI_COMMAND, &old, 2));
	ASSERT_EQ(24, vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX,
				      PCI_BASE_ADDRESS_0, bar, 24));
	for (i = 0; i < 6; i++)
		ASSERT_EQ(4, vfc_region_write(d, VFIO_PCI_CONFIG_REGION_INDEX,
					      PCI_BASE_ADDRESS_0 + 4 * i,
					      &bar[i], 4));
	command = old | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	ASSERT_EQ(2, vfc_region_write(d, VFIO_PCI_CONFIG_REGION_INDEX,
				      PCI_COMMAND, &command, 2));
	ASSERT_EQ(2, vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX,
				     PCI_COMMAND, &old, 2));
	ASSERT_EQ(command, old);
	msix = vt_msix_flags(_metadata, d);
	if (msix)
		vt_config_set(_metadata, d, msix,
			      vt_config(_metadata, d, msix) |
			      PCI_MSIX_FLAGS_ENABLE);
}

static void do_irqs(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;

	if (!r->self->t.m)
		return;
	r->self->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, r->self->event);
	ASSERT_LE(0, vfc_irq_set(r->self->d, r->self->t.m->irq_index, 0, 1,
				 &r->self->event));
}

static void do_check(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	struct vt *t = &r->self->t;

	vt_check_small(_metadata, r->self->d, t->m, r->self->units, r->self->kept);
	if (r->self->event < 0)
		return;
	/* The interrupt that was set up in RESUMING arrives. */
	ASSERT_EQ(0, t->m->trigger(r->self->d));
	ASSERT_EQ(1, vfc_event_wait(r->self->event, 5000));
	close(r->self->event);
	r->self->event = -1;
}

static void do_map(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;

	if (r->variant->io.mmap)
		ASSERT_EQ(0, vfc_map(r->self->d));
}

static void do_word(struct run *r, const char *w)
{
	struct __test_metadata *_metadata = r->_metadata;
	struct vfc_dev *d = r->self->d;

	if (!strncmp(w, "set=", 4)) {
		W4(VFC_STATE, atoi(w + 4));
	} else if (!strncmp(w, "state=", 6)) {
		ASSERT_EQ((__u32)atoi(w + 6), R4(VFC_STATE));
	} else if (!strcmp(w, "pending")) {
		r->self->pending = R8(VFC_PENDING);
	} else if (!strcmp(w, "pending=0")) {
		r->self->pending = R8(VFC_PENDING);
		ASSERT_EQ(0, r->self->pending);
	} else if (!strcmp(w, "offset")) {
		ASSERT_EQ(d->data_off, R8(VFC_OFFSET));
	} else if (!strcmp(w, "size")) {
		r->self->size = R8(VFC_SIZE);
		ASSERT_LT(0, r->self->size);
	} else if (!strcmp(w, "size?")) {
		r->self->size = R8(VFC_SIZE);
	} else if (!strcmp(w, "collect?")) {
		do_collect_maybe(r);
	} else if (!strcmp(w, "never")) {
		do_never(r);
	} else if (!strcmp(w, "reset")) {
		ASSERT_EQ(0, vfc_reset(d));
	} else if (!strcmp(w, "keep")) {
		r->self->kept = r->self->value;
	} else if (!strcmp(w, "data")) {
		do_data(r);
	} else if (!strcmp(w, "collect")) {
		do_collect(r);
	} else if (!strcmp(w, "drain")) {
		do_drain(r);
	} else if (!strcmp(w, "load")) {
		do_load(r);
	} else if (!strcmp(w, "config")) {
		do_config(r);
	} else if (!strcmp(w, "irqs")) {
		do_irqs(r);
	} else if (!strcmp(w, "touch")) {
		do_touch(r);
	} else if (!strcmp(w, "check")) {
		do_check(r);
	} else if (!strcmp(w, "map")) {
		do_map(r);
	} else if (!strcmp(w, "unmap")) {
		vfc_unmap(d);
	} else if (!strcmp(w, "to=b")) {
		r->self->d = r->self->t.two ? &r->self->t.b : &r->self->t.a;
		if (!r->self->t.two)
			ASSERT_EQ(0, vfc_reset(r->self->d));
	} else if (!strcmp(w, "to=a")) {
		r->self->d = &r->self->t.a;
	} else {
		ASSERT_STREQ("a word of the script", w);
	}
}

static void run_script(struct run *r, const char *script)
{
	struct __test_metadata *_metadata = r->_metadata;
	char *copy = strdup(script), *save = NULL, *w;
	unsigned int n = 0;

	ASSERT_NE(NULL, copy);
	for (w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		n++;
		do_word(r, w);
		if (!_metadata->passed)
			TH_LOG("word %u: %s", n, w);
	}
	free(copy);
}

static void trace(struct __test_metadata *_metadata,
		  struct _test_data_qemu72 *self,
		  const struct _fixture_variant_qemu72 *variant,
		  const char *script)
{
	struct run r = { _metadata, self, variant };

	if (variant->io.mmap && !self->t.a.area_size)
		SKIP(return, VT_NO_MMAP);
	run_script(&r, script);
}

/* What the rate limit leaves of an iteration, three times. */
#define POLL		"pending "
#define T1_BEGIN	"touch map state=1 set=3 "
#define T1_ITERATE	"pending pending offset size collect pending "
#define T1_VM_STOP	"keep state=3 set=2 "
#define T1_COMPLETE	"state=2 set=2 pending drain state=2 set=0 unmap "
#define LOAD		"state=1 set=4 load config irqs unmap state=4 set=1 check "
#define T2		"to=b map " LOAD

TEST_F_TIMEOUT(qemu72, V1_Q7_T1_V1_Q7_T2_live, 60)
{
	/* Several segments of a small section also by 8 bytes. */
	if (vfc_section(self->d) <= 65536 && self->units < 40)
		self->units = 40;
	trace(_metadata, self, variant,
	      T1_BEGIN T1_ITERATE T1_VM_STOP T1_COMPLETE T2);
}

/* Nothing was read in pre-copy: the rate limit, or RAM was not done. */
TEST_F_TIMEOUT(qemu72, V1_Q7_T1_V1_Q7_T2_live_unread, 60)
{
	trace(_metadata, self, variant,
	      T1_BEGIN POLL POLL POLL T1_VM_STOP T1_COMPLETE T2);
}

/* vm_stop comes between data and the read of pending, and later ones. */
TEST_F_TIMEOUT(qemu72, V1_Q7_T1_V1_Q7_T2_live_stop_before_ack, 60)
{
	trace(_metadata, self, variant,
	      T1_BEGIN "pending offset size collect " T1_VM_STOP T1_COMPLETE T2);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T1_V1_Q7_T2_live_stop_inside_segment, 60)
{
	trace(_metadata, self, variant,
	      T1_BEGIN "pending offset touch keep state=3 set=2 size collect pending "
	      T1_COMPLETE T2);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T1_V1_Q7_T2_live_changed, 60)
{
	trace(_metadata, self, variant,
	      T1_BEGIN T1_ITERATE "touch pending drain touch pending data "
	      T1_VM_STOP T1_COMPLETE T2);
}

/* -S, and quit: the last two accesses of T2 never come. */
TEST_F_TIMEOUT(qemu72, V1_Q7_T2_never_run, 60)
{
	trace(_metadata, self, variant,
	      T1_BEGIN T1_ITERATE T1_VM_STOP T1_COMPLETE
	      "to=b map state=1 set=4 load config irqs unmap state=4 never");
}

#define T3_STOP		"touch keep state=1 set=0 "
#define T3_COMPLETE	"state=2 set=2 pending=0 set=0 unmap "

TEST_F_TIMEOUT(qemu72, V1_Q7_T3_paused, 60)
{
	trace(_metadata, self, variant,
	      T3_STOP "map state=0 set=2 pending drain " T3_COMPLETE T2);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T4_cancel_in_precopy, 60)
{
	trace(_metadata, self, variant,
	      T1_BEGIN T1_ITERATE "state=3 set=1 unmap state=1 keep check "
	      T1_BEGIN "state=3 set=1 unmap keep check");
}

#define T5_FAILED	"state=2 set=1 state=1 set=1 unmap check "

TEST_F_TIMEOUT(qemu72, V1_Q7_T5_cancel_after_stop, 60)
{
	trace(_metadata, self, variant,
	      T1_BEGIN T1_ITERATE T1_VM_STOP "state=2 set=2 pending data "
	      T5_FAILED
	      T1_BEGIN T1_VM_STOP T1_COMPLETE "state=0 set=1 state=1 set=1 check");
}

#define T6_AGAIN	"state=2 set=2 pending=0 state=2 set=0 "
#define T6_SAVE		"state=1 set=2 state=2 set=2 pending drain " T6_AGAIN

TEST_F_TIMEOUT(qemu72, V1_Q7_T6_savevm, 60)
{
	trace(_metadata, self, variant,
	      "touch keep map " T6_SAVE "unmap state=0 set=1 check");
}

#define T7_RESET	"state=1 set=0 reset "

TEST_F_TIMEOUT(qemu72, V1_Q7_T7_loadvm, 60)
{
	trace(_metadata, self, variant,
	      "touch keep map " T6_SAVE "state=0 set=1 touch " T7_RESET LOAD);
}

/*
 * `stop` and `cont` in pre-copy: one stream with the begin of one session and
 * all of another.
 */
#define TWICE_STOP	"touch keep state=1 set=0 "
#define TWICE_COMPLETE	"set=2 pending drain state=2 set=0 unmap "
#define T8_CONT		"set=1 pending=0 touch pending=0 "
#define T8(before, between)						\
	T1_BEGIN before "set=2 " between T8_CONT TWICE_STOP "state=0 "	\
	TWICE_COMPLETE T2

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_stop_cont_at_entry, 60)
{
	trace(_metadata, self, variant, T8("", ""));
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_stop_cont_after_pending, 60)
{
	trace(_metadata, self, variant, T8("pending ", "pending "));
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_stop_cont_after_offset, 60)
{
	trace(_metadata, self, variant, T8("pending offset ", "size collect pending "));
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_stop_cont_after_size, 60)
{
	trace(_metadata, self, variant, T8("pending offset size ", "collect pending "));
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_stop_cont_after_data, 60)
{
	trace(_metadata, self, variant, T8("pending offset size collect ", "pending "));
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_stop_cont_after_ack, 60)
{
	trace(_metadata, self, variant, T8(T1_ITERATE, ""));
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_stop_cont_all_delivered, 60)
{
	trace(_metadata, self, variant, T8("pending drain ", "pending drain "));
}

/* Guest reboot in pre-copy: RESET, and the same stream goes on. */
#define T9_REST	"reset pending=0 pending=0 " TWICE_STOP TWICE_COMPLETE T2

TEST_F_TIMEOUT(qemu72, V1_Q7_T9_reboot_at_entry, 60)
{
	trace(_metadata, self, variant, T1_BEGIN T9_REST);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T9_reboot_after_pending, 60)
{
	trace(_metadata, self, variant, T1_BEGIN "pending " T9_REST);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T9_reboot_after_offset, 60)
{
	trace(_metadata, self, variant, T1_BEGIN "pending offset " T9_REST);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T9_reboot_after_size, 60)
{
	trace(_metadata, self, variant, T1_BEGIN "pending offset size " T9_REST);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T9_reboot_after_data, 60)
{
	trace(_metadata, self, variant, T1_BEGIN "pending offset size collect " T9_REST);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T9_reboot_after_ack, 60)
{
	trace(_metadata, self, variant, T1_BEGIN T1_ITERATE T9_REST);
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T9_reboot_all_delivered, 60)
{
	trace(_metadata, self, variant, T1_BEGIN "pending drain " T9_REST);
}

/*
 * The iteration is the migration thread's, `stop`, `cont` and reboot are not:
 * they come between any two of its accesses, which go on.
 */
static const char * const iteration[] = {
	"pending ", "offset ", "size? ", "collect? ", "pending ",
};

#define POINTS	(ARRAY_SIZE(iteration) + 1)	/* before each, and behind */
#define SCRIPT	1024

/* One iteration with @first before access @i and @second before access @j. */
static void interleave(char script[SCRIPT], const char *first, size_t i,
		       const char *second, size_t j)
{
	size_t k, n = 0;

	for (k = 0; k < POINTS; k++)
		n += snprintf(script + n, SCRIPT - n, "%s%s%s",
			      k == i ? first : "", k == j ? second : "",
			      k + 1 < POINTS ? iteration[k] : "");
}

/* A stream that lacks promised bytes: refused, and the source can go again. */
static void after_broken(struct run *r)
{
	struct __test_metadata *_metadata = r->_metadata;
	const struct vfc_dev *d;

	run_script(r, "state=1 touch pending=0 unmap to=b");
	d = r->self->d;
	SET(VFC_RESUMING);
	ASSERT_GT(0, vfc_feed_all(d, &vt_bulk, r->self->t.s.buf,
				  r->self->t.s.len, 0));
	ASSERT_EQ(0, vfc_reset(d));
	vfc_stream_free(&r->self->t.s);
	if (!r->self->t.two)
		return;
	run_script(r, "to=a " T1_BEGIN T1_ITERATE T1_VM_STOP T1_COMPLETE T2);
}

static void one_interleaving(struct run *r, const char *words, bool broken)
{
	struct __test_metadata *_metadata = r->_metadata;
	struct vt *t = &r->self->t;

	vfc_stream_free(&t->s);
	ASSERT_EQ(0, vfc_reset(&t->a));
	if (t->two)
		ASSERT_EQ(0, vfc_reset(&t->b));
	r->self->broken = false;
	run_script(r, "to=a " T1_BEGIN);
	run_script(r, words);
	ASSERT_EQ(broken, r->self->broken)
		TH_LOG("%s", words);
	if (broken)
		after_broken(r);
	else
		run_script(r, "pending=0 touch pending=0 " TWICE_STOP
			   TWICE_COMPLETE T2);
}

/*
 * Between the size and the data the session must not end, but for a client that
 * has the section mapped: what was staged stays there when the guest goes on.
 */
#define BEFORE_DATA	3

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_any_interleaving, 120)
{
	struct run r = { _metadata, self, variant };
	char words[SCRIPT];
	size_t i, j;

	if (variant->io.mmap && !self->t.a.area_size)
		SKIP(return, VT_NO_MMAP);
	self->units = 5;
	for (i = 0; i < POINTS; i++) {
		for (j = i; j < POINTS; j++) {
			interleave(words, "set=2 ", i, "set=1 ", j);
			one_interleaving(&r, words, j == BEFORE_DATA &&
					 !variant->io.mmap);
		}
	}
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T9_any_interleaving, 120)
{
	struct run r = { _metadata, self, variant };
	char words[SCRIPT];
	size_t i;

	if (variant->io.mmap && !self->t.a.area_size)
		SKIP(return, VT_NO_MMAP);
	self->units = 5;
	for (i = 0; i < POINTS; i++) {
		interleave(words, "reset ", i, "", POINTS);
		one_interleaving(&r, words, i == BEFORE_DATA);
	}
}

/* Iterations in a thread of their own. */
struct iterator {
	const struct vfc_dev *d;
	const struct vfc_io *io;
	bool stop;
	unsigned long segments;
	int bad;		/* an error that no interleaving explains */
};

static void *iterate(void *arg)
{
	struct iterator *it = arg;
	struct vfc_stream s = {};
	__u64 pending;
	ssize_t ret;

	while (!__atomic_load_n(&it->stop, __ATOMIC_ACQUIRE)) {
		ret = vfc_r8(it->d, VFC_PENDING, &pending);
		if (ret == 8 && pending)
			ret = vfc_save_segment(it->d, it->io, &s);
		it->segments += ret > 8;
		if (ret < 0 && ret != -EINVAL)
			it->bad = ret;
		vfc_stream_free(&s);
	}
	return NULL;
}

TEST_F_TIMEOUT(qemu72, V1_Q7_T8_by_another_thread, 60)
{
	struct run r = { _metadata, self, variant };
	struct iterator it = { &self->t.a, &variant->io, false, 0, 0 };
	struct vfc_dev *d = &self->t.a;
	pthread_t thread;
	int i;

	if (variant->io.mmap && !d->area_size)
		SKIP(return, VT_NO_MMAP);
	/* Little enough that whole segments arrive between two writes. */
	self->units = 1;
	run_script(&r, "touch map ");
	ASSERT_EQ(0, pthread_create(&thread, NULL, iterate, &it));
	for (i = 0; i < 50; i++) {
		SET(VFC_PRECOPY);
		vfc_sleep_ms(20);
		SET(VFC_SAVING);
		vfc_sleep_ms(1);
		SET(VFC_RUNNING);
	}
	__atomic_store_n(&it.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, it.bad);
	ASSERT_LT(0, it.segments);
	run_script(&r, TWICE_STOP TWICE_COMPLETE T2);
}

/* QEMU's condition for migrating at all; no data section is involved. */
FIXTURE(qemu72_gate) {
	struct vt t;
};

FIXTURE_SETUP(qemu72_gate)
{
	vt_open(_metadata, &self->t);
}

FIXTURE_TEARDOWN(qemu72_gate)
{
	vt_close(&self->t);
}

TEST_F(qemu72_gate, V1_Q7_T11_container_tracks_dirty_pages)
{
	ASSERT_TRUE(vfc_dirty_capable(&self->t.a));
	ASSERT_EQ(0, vfc_dirty_start(&self->t.a));
	ASSERT_EQ(0, vfc_dirty_stop(&self->t.a));
}

/* Pages that the device stores to are reported, and no page twice as clean. */
TEST_F(qemu72_gate, V1_Q7_T11_device_writes_are_reported)
{
	struct vfc_dev *d = &self->t.a;
	const struct vfc_model *m = self->t.m;
	__u64 bitmap = 0, seq, size = 16 * 4096;
	unsigned int i;
	__u8 *p;

	if (!vt_works(self->t.m))
		SKIP(return, VT_NO_WORK);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, vfc_dma_map(d, p, 0x100000, size));
	ASSERT_EQ(0, vfc_dirty_start(d));
	/* pages 4 to 11 */
	ASSERT_EQ(0, m->start_dma(d, 0x104000, 8, 2000));
	for (i = 0, seq = 0; seq < 8 && i < 5000; i++) {
		vfc_sleep_ms(1);
		ASSERT_EQ(0, m->noise_seq(d, &seq));
	}
	ASSERT_LE(8, seq);
	SET(VFC_STOP);
	ASSERT_EQ(0, vfc_dirty_get(d, 0x100000, size, &bitmap));
	/* Those that were written at least; QEMU's pins may report more. */
	ASSERT_EQ(0xff0, bitmap & 0xff0);
	for (i = 4; i < 12; i++)
		ASSERT_NE(0, p[i * 4096]);
	ASSERT_EQ(0, vfc_dirty_stop(d));
}

TEST_HARNESS_MAIN
