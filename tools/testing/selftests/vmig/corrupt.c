// SPDX-License-Identifier: GPL-2.0-only
/*
 * STR: a stream is hostile input. Changed, moved, missing, doubled and foreign
 * bytes are refused, and a RESET makes the device good again.
 */
#include "vmig_test.h"

#include <sys/random.h>

#define UNITS	4
#define VALUE	31337
#define SECTION	65536

FIXTURE(corrupt) {
	struct vt t;
	struct vfc_dev *d;
	struct vmr_list l;
	__u64 section;
};

FIXTURE_VARIANT(corrupt) {
	bool mapped;
};

FIXTURE_VARIANT_ADD(corrupt, pwrite) { .mapped = false };
FIXTURE_VARIANT_ADD(corrupt, V1_DISC_11_mmap) { .mapped = true };

FIXTURE_SETUP(corrupt)
{
	struct vt *t = &self->t;

	vt_open_two(_metadata, t);
	/* Each of many streams has the driver clear a section that was mapped. */
	self->section = vfc_section(&t->a);
	if (vt_has_knob(&t->a, "section_size"))
		vt_resize_both(_metadata, t, SECTION, SECTION);
	vt_by_mmap(_metadata, t, variant->mapped);
	vt_small_stream(_metadata, &t->a, t->m, UNITS, VALUE, &t->s);
	self->d = t->two ? &t->b : &t->a;
	ASSERT_EQ(0, vmr_parse(&self->l, t->s.buf, t->s.len));
}

FIXTURE_TEARDOWN(corrupt)
{
	vmr_free(&self->l);
	vt_section_set_both(&self->t, self->section, self->section);
	vt_close(&self->t);
}

/* Feed @n bytes in one go to a device that was reset. */
static int feed(struct __test_metadata *_metadata, const struct vfc_dev *d,
		const void *buf, size_t n)
{
	int ret;

	ASSERT_EQ(4, vfc_set(d, VFC_RESUMING));
	ret = vfc_feed_all(d, &vt_way, buf, n, 0);
	return ret < 0 ? ret : 0;
}

/* It must not be accepted; the error of the commit, if that refused it. */
static int refused(struct __test_metadata *_metadata, const struct vfc_dev *d,
		   const void *buf, size_t n)
{
	int ret = feed(_metadata, d, buf, n);

	ASSERT_EQ(-EINVAL, vfc_set(d, VFC_RUNNING));
	ASSERT_EQ(VFC_RESUMING, vfc_get(d));
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(VFC_RUNNING, vfc_get(d));
	return ret;
}

static void still_good(struct __test_metadata *_metadata, struct vt *t,
		       const struct vfc_dev *d)
{
	vt_restore(_metadata, d, &t->s);
	vt_check_small(_metadata, d, t->m, UNITS, VALUE);
}

/* Change the byte at @at in some ways; the rest of the record follows it. */
static void change_byte(struct __test_metadata *_metadata, struct vt *t,
			const struct vfc_dev *d, size_t at, const __u8 *xors,
			unsigned int n)
{
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		t->s.buf[at] ^= xors[i];
		ret = refused(_metadata, d, t->s.buf, t->s.len);
		/* A type or flag of a later version may be called that. */
		ASSERT_TRUE(ret == 0 || ret == -EINVAL || ret == -EOPNOTSUPP)
			TH_LOG("byte %zu xor %x ret %d", at, xors[i], ret);
		t->s.buf[at] ^= xors[i];
	}
}

TEST_F_TIMEOUT(corrupt, STR_01_changed_headers, 120)
{
	static const __u8 xors[] = { 0x01, 0x80 };
	struct vfc_dev *d = self->d;
	size_t i, k;

	for (i = 0; i < self->l.n; i++)
		for (k = 0; k < sizeof(struct vmig_rec); k++)
			change_byte(_metadata, &self->t, d,
				    self->l.rec[i].off + k, xors, 2);
	still_good(_metadata, &self->t, d);
}

TEST_F_TIMEOUT(corrupt, STR_01_changed_payloads, 120)
{
	static const __u8 flip[] = { 0x10 };
	static const __u8 all[] = { 0x01, 0xff };
	struct vfc_dev *d = self->d;
	size_t i, k, head = sizeof(struct vmig_rec);

	for (i = 0; i < self->l.n; i++) {
		const struct vmr *r = &self->l.rec[i];

		/* the fixed part of each payload, then samples */
		for (k = head; k < r->len && k < head + 16; k++)
			change_byte(_metadata, &self->t, d, r->off + k, all, 2);
		for (; k < r->len; k += r->len > 1000 ? 211 : 13)
			change_byte(_metadata, &self->t, d, r->off + k, flip,
				    1);
		change_byte(_metadata, &self->t, d, r->off + r->len - 1, all,
			    2);
	}
	still_good(_metadata, &self->t, d);
}

/*
 * Each bit of a small stream, and one bit at each of some places of another.
 * Other changes of one byte need no run: they are bursts of less than 32 bits,
 * which a crc32c always shows.
 */
TEST_F_TIMEOUT(corrupt, STR_01_every_bit_or_a_stride, 400)
{
	struct vfc_stream *s = &self->t.s;
	size_t at, step = vt_stride(s, 3000);
	struct vfc_dev *d = self->d;
	__u8 bits[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		bits[i] = 1 << i;
	for (at = 0; at < s->len; at += step)
		change_byte(_metadata, &self->t, d, at,
			    step == 1 ? bits : &bits[at / step % 8],
			    step == 1 ? 8 : 1);
	still_good(_metadata, &self->t, d);
}

/* All values of each byte of the first header, and of the fields behind it. */
TEST_F_TIMEOUT(corrupt, STR_01_all_values_of_the_first_header, 400)
{
	const size_t n = sizeof(struct vmig_rec) +
		offsetof(struct vmig_rec_session, id);
	struct vfc_dev *d = self->d;
	__u8 xors[255];
	unsigned int i;
	size_t at;

	for (i = 0; i < 255; i++)
		xors[i] = i + 1;
	for (at = 0; at < n; at++)
		change_byte(_metadata, &self->t, d, at, xors, 255);
	still_good(_metadata, &self->t, d);
}

/* A stream that ends too early is refused by every state write. */
TEST_F_TIMEOUT(corrupt, STR_02_V1_RES_14_every_truncation_or_a_stride, 240)
{
	static const __u32 to[] = { VFC_STOP, VFC_SAVING, VFC_PRECOPY,
				    VFC_RUNNING };
	struct vfc_stream *s = &self->t.s;
	size_t n, step = vt_stride(s, 1000);
	struct vfc_dev *d = self->d;
	unsigned int i;

	for (n = 0; n < s->len; n += step) {
		ASSERT_EQ(0, feed(_metadata, d, s->buf, n));
		for (i = 0; i < ARRAY_SIZE(to); i++)
			ASSERT_EQ(-EINVAL, vfc_set(d, to[i]))
				TH_LOG("%zu bytes to %u", n, to[i]);
		ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
		ASSERT_EQ(0, vfc_reset(d));
	}
	still_good(_metadata, &self->t, d);
}

/* The stream with the records of @order, in that order, as one buffer. */
static size_t arrange(const struct vfc_stream *s, const struct vmr_list *l,
		      const size_t *order, size_t n, __u8 *out)
{
	size_t i, len = 0;

	for (i = 0; i < n; i++) {
		memcpy(out + len, s->buf + l->rec[order[i]].off,
		       l->rec[order[i]].len);
		len += l->rec[order[i]].len;
	}
	return len;
}

static void identity(size_t *order, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		order[i] = i;
}

TEST_F(corrupt, STR_03_swapped)
{
	const struct vmr_list *l = &self->l;
	struct vfc_dev *d = self->d;
	__u8 *out = malloc(self->t.s.len);
	size_t order[l->n], i;

	ASSERT_NE(NULL, out);
	for (i = 0; i + 1 < l->n; i++) {
		identity(order, l->n);
		order[i] = i + 1;
		order[i + 1] = i;
		ASSERT_EQ(self->t.s.len, arrange(&self->t.s, l, order, l->n,
						 out));
		ASSERT_GT(0, refused(_metadata, d, out, self->t.s.len));
	}
	free(out);
	still_good(_metadata, &self->t, d);
}

TEST_F(corrupt, STR_03_dropped)
{
	const struct vmr_list *l = &self->l;
	struct vfc_dev *d = self->d;
	__u8 *out = malloc(self->t.s.len);
	size_t order[l->n], i, k, len;

	ASSERT_NE(NULL, out);
	for (i = 0; i < l->n; i++) {
		identity(order, l->n);
		for (k = i; k + 1 < l->n; k++)
			order[k] = k + 1;
		len = arrange(&self->t.s, l, order, l->n - 1, out);
		refused(_metadata, d, out, len);
	}
	free(out);
	still_good(_metadata, &self->t, d);
}

TEST_F(corrupt, STR_03_doubled)
{
	const struct vmr_list *l = &self->l;
	struct vfc_dev *d = self->d;
	__u8 *out = malloc(2 * self->t.s.len);
	size_t order[l->n + 1], i, k, len;

	ASSERT_NE(NULL, out);
	for (i = 0; i < l->n; i++) {
		identity(order, l->n);
		for (k = l->n; k > i; k--)
			order[k] = k - 1;
		len = arrange(&self->t.s, l, order, l->n + 1, out);
		if (i) {
			ASSERT_GT(0, refused(_metadata, d, out, len));
			continue;
		}
		/* A doubled session header starts the session again. */
		ASSERT_EQ(0, feed(_metadata, d, out, len));
		ASSERT_EQ(4, vfc_set(d, VFC_RUNNING));
		vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
		ASSERT_EQ(0, vfc_reset(d));
	}
	free(out);
}

TEST_F_TIMEOUT(corrupt, STR_03_shuffled, 60)
{
	const struct vmr_list *l = &self->l;
	struct vfc_dev *d = self->d;
	__u8 *out = malloc(self->t.s.len);
	size_t order[l->n], i, k, tmp;
	unsigned int rounds = self->t.s.len <= VT_SMALL_STREAM ? 2000 : 200;
	unsigned int round, seed = 5;
	bool same;

	ASSERT_NE(NULL, out);
	for (round = 0; round < rounds; round++) {
		identity(order, l->n);
		for (i = l->n - 1; i > 0; i--) {
			k = rand_r(&seed) % (i + 1);
			tmp = order[i];
			order[i] = order[k];
			order[k] = tmp;
		}
		for (same = true, i = 0; i < l->n; i++)
			same &= order[i] == i;
		arrange(&self->t.s, l, order, l->n, out);
		if (!same)
			refused(_metadata, d, out, self->t.s.len);
	}
	free(out);
	still_good(_metadata, &self->t, d);
}

TEST_F(corrupt, STR_04_trailing)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	const struct vmr *end = &self->l.rec[self->l.n - 1];
	__u8 *out = calloc(3, s->len);
	unsigned int v;

	ASSERT_NE(NULL, out);
	memcpy(out, s->buf, s->len);
	for (v = 0; v < 256; v += 51) {
		out[s->len] = v;
		refused(_metadata, d, out, s->len + 1);
	}
	memcpy(out + s->len, s->buf + end->off, end->len);
	ASSERT_GT(0, refused(_metadata, d, out, s->len + end->len));
	memset(out + s->len, 0, s->len);
	ASSERT_GT(0, refused(_metadata, d, out, 2 * s->len));
	/* A whole second session is fine; the first half of one is not. */
	memcpy(out + s->len, s->buf, s->len);
	ASSERT_EQ(0, refused(_metadata, d, out, s->len + s->len / 2));
	ASSERT_EQ(0, feed(_metadata, d, out, 2 * s->len));
	ASSERT_EQ(4, vfc_set(d, VFC_RUNNING));
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
	free(out);
}

/* How the migration data of the kernel's sample mtty begin, since 6.7. */
static const struct {
	__u64 magic;
	__u32 major, minor, nr_ports, flags;
} mtty = { 0x7e9d09898c3e2c4e, 1, 0, 1, 0 };

TEST_F_TIMEOUT(corrupt, STR_05_foreign, 60)
{
	struct vfc_dev *d = self->d;
	size_t n = vfc_section(d), i;
	unsigned int round;
	__u8 *buf = calloc(1, n);

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(-EINVAL, refused(_metadata, d, buf, n));
	ASSERT_EQ(-EINVAL, refused(_metadata, d, buf, 4096));
	memset(buf, 0xff, n);
	ASSERT_EQ(-EINVAL, refused(_metadata, d, buf, n));
	for (round = 0; round < 20; round++) {
		for (i = 0; i < n; i += 65536)
			ASSERT_EQ(65536, getrandom(buf + i, 65536, 0));
		ASSERT_GT(0, refused(_metadata, d, buf, n));
		ASSERT_GT(0, refused(_metadata, d, buf, 4096));
	}
	/* the beginning of a tar file, and of an ELF file */
	memset(buf, 0, n);
	strcpy((char *)buf, "dir/");
	strcpy((char *)buf + 100, "0000755");
	memcpy(buf + 257, "ustar  ", 8);
	ASSERT_EQ(-EINVAL, refused(_metadata, d, buf, 10240));
	memcpy(buf, "\177ELF\2\1\1", 8);
	ASSERT_EQ(-EINVAL, refused(_metadata, d, buf, 10240));
	memset(buf, 0, n);
	memcpy(buf, &mtty, sizeof(mtty));
	ASSERT_EQ(-EINVAL, refused(_metadata, d, buf, sizeof(mtty)));
	ASSERT_EQ(-EINVAL, refused(_metadata, d, buf, 4096));
	free(buf);
	still_good(_metadata, &self->t, d);
}

#define NO_CRC	"the kernel offers no crc32c to programs (AF_ALG)"

static bool have_crc(void)
{
	__u32 crc;

	return !vmr_crc32c("x", 1, &crc);
}

/* --- Well-formed, but not to be accepted: the crc is right ------------ */

static struct vmig_rec_session *session(struct vfc_stream *s)
{
	return (void *)(s->buf + sizeof(struct vmig_rec));
}

static int reseal(struct vfc_stream *s, const struct vmr *r)
{
	return vmr_seal(s->buf + r->off, r->len);
}

TEST_F(corrupt, STR_06_newer_major)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;

	if (!have_crc())
		SKIP(return, NO_CRC);
	session(s)->major = VMIG_STREAM_MAJOR + 1;
	ASSERT_EQ(0, reseal(s, &self->l.rec[0]));
	ASSERT_EQ(-EOPNOTSUPP, refused(_metadata, d, s->buf, s->len));
}

/*
 * A minor as such is no reason to refuse: what a reader must know is in the
 * version string. An optional record of an unknown type is skipped; one that
 * is not optional is refused.
 */
TEST_F(corrupt, STR_06_newer_minor_and_optional_records)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	struct vmig_rec rec = { .type = 77, .length = 100, .seq = 1 };
	size_t first = self->l.rec[0].len, extra, at, i;
	struct vmig_rec head;
	__u8 *out;
	int ret;

	if (!have_crc())
		SKIP(return, NO_CRC);
	/*
	 * Without chunks: the manifest covers their records' crcs, and so the
	 * numbers that this test changes.
	 */
	vmr_free(&self->l);
	vfc_stream_free(s);
	vt_small_stream(_metadata, &self->t.a, NULL, 0, 0, s);
	ASSERT_EQ(0, vmr_parse(&self->l, s->buf, s->len));
	ASSERT_EQ(0, vmr_count(&self->l, VMIG_REC_CHUNK));

	extra = sizeof(rec) + rec.length;
	out = calloc(1, s->len + extra);
	ASSERT_NE(NULL, out);
	session(s)->minor = VMIG_STREAM_MINOR + 1;
	ASSERT_EQ(0, reseal(s, &self->l.rec[0]));
	memcpy(out, s->buf, first);
	memcpy(out + first, &rec, sizeof(rec));
	/* What follows has other numbers now. */
	for (i = 1; i < self->l.n; i++) {
		at = self->l.rec[i].off + extra;
		memcpy(out + at, s->buf + self->l.rec[i].off,
		       self->l.rec[i].len);
		memcpy(&head, out + at, sizeof(head));
		head.seq++;
		memcpy(out + at, &head, sizeof(head));
		if (head.type == VMIG_REC_BEGIN) {
			struct vmig_rec_begin begin = { head.seq };

			memcpy(out + at + sizeof(head), &begin, sizeof(begin));
		}
		ASSERT_EQ(0, vmr_seal(out + at, self->l.rec[i].len));
	}
	ASSERT_EQ(0, vmr_seal(out + first, extra));
	ret = refused(_metadata, d, out, s->len + extra);
	ASSERT_TRUE(ret == -EOPNOTSUPP || ret == -EINVAL);
	rec.flags = VMIG_REC_F_OPTIONAL;
	memcpy(out + first, &rec, sizeof(rec));
	ASSERT_EQ(0, vmr_seal(out + first, extra));
	ASSERT_EQ(0, feed(_metadata, d, out, s->len + extra));
	ASSERT_EQ(4, vfc_set(d, VFC_RUNNING));
	free(out);
}

/* A copy of @s with @more zeros at the end of BLOB record @rec, to be freed. */
static __u8 *pad_blob(struct __test_metadata *_metadata,
		      const struct vfc_stream *s, const struct vmr *rec,
		      size_t more)
{
	struct vmig_rec_blob blob;
	size_t end = rec->off + rec->len;
	struct vmig_rec head = rec->head;
	__u8 *out = calloc(1, s->len + more), *at;

	ASSERT_NE(NULL, out);
	memcpy(out, s->buf, end);
	memcpy(out + end + more, s->buf + end, s->len - end);
	at = out + rec->off;
	head.length += more;
	memcpy(at, &head, sizeof(head));
	memcpy(&blob, at + sizeof(head), sizeof(blob));
	blob.length += more;
	memcpy(at + sizeof(head), &blob, sizeof(blob));
	ASSERT_EQ(0, vmr_seal(at, rec->len + more));
	return out;
}

/* Bytes that a BLOB record has without data. */
#define BLOB_HEAD	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_blob))
/* The first object is config space and MSI-X table. */
#define CONFIG_SIZE	(256 + 4096)

/* Zeros at the end of an object need not be there; they may be, up to its size. */
TEST_F(corrupt, STR_07_STR_08_zeros_behind_a_blob)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	const struct vmr *rec;
	size_t more;
	__u8 *out;
	long r;

	if (!have_crc())
		SKIP(return, NO_CRC);
	r = vmr_find(&self->l, VMIG_REC_BLOB, 0);
	ASSERT_LE(0, r);
	rec = &self->l.rec[r];
	ASSERT_GT(BLOB_HEAD + CONFIG_SIZE, rec->len);
	more = BLOB_HEAD + CONFIG_SIZE - rec->len;
	out = pad_blob(_metadata, s, rec, more);
	ASSERT_EQ(0, feed(_metadata, d, out, s->len + more));
	ASSERT_EQ(4, vfc_set(d, VFC_RUNNING));
	vt_check_small(_metadata, d, self->t.m, UNITS, VALUE);
	free(out);
	out = pad_blob(_metadata, s, rec, more + 1);
	ASSERT_EQ(-EINVAL, refused(_metadata, d, out, s->len + more + 1));
	free(out);
	for (; r >= 0; r = vmr_find(&self->l, VMIG_REC_BLOB, r + 1)) {
		rec = &self->l.rec[r];
		more = BLOB_HEAD + VMIG_BLOB_MAX - rec->len;
		out = pad_blob(_metadata, s, rec, more);
		ASSERT_EQ(-EINVAL, refused(_metadata, d, out, s->len + more));
		free(out);
	}
	still_good(_metadata, &self->t, d);
}

/* Set @n bytes at @at of record @r to @v, seal it, and see it refused. */
static void hostile(struct __test_metadata *_metadata, struct vt *t,
		    const struct vfc_dev *d, const struct vmr *r, size_t at,
		    const void *v, size_t n)
{
	__u8 *copy = malloc(t->s.len);

	ASSERT_NE(NULL, copy);
	memcpy(copy, t->s.buf, t->s.len);
	memcpy(copy + r->off + at, v, n);
	ASSERT_NE(0, memcmp(copy, t->s.buf, t->s.len));
	ASSERT_EQ(0, vmr_seal(copy + r->off, r->len));
	ASSERT_GT(0, refused(_metadata, d, copy, t->s.len))
		TH_LOG("record type %u offset %zu was not refused at once",
		       r->head.type, at);
	free(copy);
}

/* Payload fields of which no other value is right. */
static const struct {
	unsigned int type;
	size_t at;
	size_t size;
	__u64 value;
} wrong[] = {
	{ VMIG_REC_SESSION, offsetof(struct vmig_rec_session, reserved), 4, 1 },
	{ VMIG_REC_SESSION, offsetof(struct vmig_rec_session, major), 2, 0 },
	{ VMIG_REC_SESSION, offsetof(struct vmig_rec_session, version), 1, 0 },
	{ VMIG_REC_SESSION, sizeof(struct vmig_rec_session) - 1, 1, 1 },
	{ VMIG_REC_BEGIN, offsetof(struct vmig_rec_begin, first_in_doubt), 8,
	  ~0ull },
	{ VMIG_REC_BEGIN, offsetof(struct vmig_rec_begin, first_in_doubt), 8,
	  1ull << 63 },
	{ VMIG_REC_BEGIN, offsetof(struct vmig_rec_begin, first_in_doubt), 8,
	  1ull << 32 },
	{ VMIG_REC_BEGIN, offsetof(struct vmig_rec_begin, first_in_doubt), 8,
	  255 },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, object), 2, 0xffff },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, reserved), 2, 1 },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, generation), 4, 0 },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, generation), 4, 2 },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, index), 8, ~0ull },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, index), 8,
	  1ull << 63 },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, index), 8,
	  1ull << 52 },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, index), 8, 0x10000 },
	{ VMIG_REC_CHUNK, offsetof(struct vmig_rec_chunk, index), 8, 8192 },
	{ VMIG_REC_BLOB, offsetof(struct vmig_rec_blob, object), 2, 0xffff },
	{ VMIG_REC_BLOB, offsetof(struct vmig_rec_blob, reserved), 2, 1 },
	{ VMIG_REC_BLOB, offsetof(struct vmig_rec_blob, length), 4, 0 },
	{ VMIG_REC_BLOB, offsetof(struct vmig_rec_blob, length), 4, ~0u },
	{ VMIG_REC_END, offsetof(struct vmig_rec_end, chunks), 8, 1000 },
	{ VMIG_REC_END, offsetof(struct vmig_rec_end, blobs), 4, 0 },
	{ VMIG_REC_END, offsetof(struct vmig_rec_end, blobs), 4, 77 },
	{ VMIG_REC_END, offsetof(struct vmig_rec_end, manifest), 4, 0x1234567 },
};

TEST_F_TIMEOUT(corrupt, STR_08_hostile_fields, 60)
{
	const size_t head = sizeof(struct vmig_rec);
	struct vfc_dev *d = self->d;
	const struct vmr *r;
	unsigned int i;
	size_t k;

	if (!have_crc())
		SKIP(return, NO_CRC);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		for (k = 0; k < self->l.n; k++) {
			r = &self->l.rec[k];
			if (r->head.type != wrong[i].type)
				continue;
			hostile(_metadata, &self->t, d, r, head + wrong[i].at,
				&wrong[i].value, wrong[i].size);
		}
	}
	still_good(_metadata, &self->t, d);
}

/* Header fields of each record, with a right crc. */
TEST_F_TIMEOUT(corrupt, STR_08_hostile_headers, 60)
{
	struct vfc_dev *d = self->d;
	__u16 type = 999, flags = 0x8000;
	__u32 one = 1;
	__u64 seq;
	size_t i;

	if (!have_crc())
		SKIP(return, NO_CRC);
	for (i = 0; i < self->l.n; i++) {
		const struct vmr *r = &self->l.rec[i];

		hostile(_metadata, &self->t, d, r,
			offsetof(struct vmig_rec, type), &type, 2);
		hostile(_metadata, &self->t, d, r,
			offsetof(struct vmig_rec, flags), &flags, 2);
		hostile(_metadata, &self->t, d, r,
			offsetof(struct vmig_rec, reserved), &one, 4);
		seq = r->head.seq + 1;
		hostile(_metadata, &self->t, d, r,
			offsetof(struct vmig_rec, seq), &seq, 8);
		seq = ~0ull;
		hostile(_metadata, &self->t, d, r,
			offsetof(struct vmig_rec, seq), &seq, 8);
	}
	still_good(_metadata, &self->t, d);
}

/* Blob contents are the model's: any may be accepted, none may hurt. */
TEST_F_TIMEOUT(corrupt, STR_08_hostile_blobs, 60)
{
	static const __u8 values[] = { 0xff, 0x80, 0x00, 0x01 };
	const size_t head = sizeof(struct vmig_rec) +
		sizeof(struct vmig_rec_blob);
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	unsigned int accepted = 0, turned = 0, v = 0;
	size_t i, at, step;
	__u8 old;

	if (!have_crc())
		SKIP(return, NO_CRC);
	for (i = 0; i < self->l.n; i++) {
		const struct vmr *r = &self->l.rec[i];

		if (r->head.type != VMIG_REC_BLOB)
			continue;
		step = 1 + r->len / 200;
		for (at = head; at < r->len; at += step) {
			old = s->buf[r->off + at];
			s->buf[r->off + at] = values[v++ % 4];
			ASSERT_EQ(0, reseal(s, r));
			if (!feed(_metadata, d, s->buf, s->len) &&
			    vfc_set(d, VFC_RUNNING) == 4) {
				accepted++;
				SET(VFC_SAVING);
				ASSERT_LT(0, R8(VFC_SIZE));
			} else {
				turned++;
				ASSERT_EQ(VFC_RESUMING, R4(VFC_STATE));
			}
			ASSERT_EQ(0, vfc_reset(d));
			s->buf[r->off + at] = old;
			ASSERT_EQ(0, reseal(s, r));
		}
	}
	ASSERT_LT(0, accepted + turned);
	TH_LOG("%u accepted, %u refused", accepted, turned);
	still_good(_metadata, &self->t, d);
}

/* Another geometry in the version string: refused as the attribute does. */
TEST_F(corrupt, STR_05_VER_11_stream_of_another_kind)
{
	struct vfc_stream *s = &self->t.s;
	struct vfc_dev *d = self->d;
	char version[VMIG_VERSION_MAX], path[VFC_PATH];
	size_t i, n;
	int by_file, by_stream;

	if (!have_crc())
		SKIP(return, NO_CRC);
	ASSERT_LT(0, vfc_mdev_version(d->uuid, false, version,
				      sizeof(version)));
	n = strcspn(version, "\n");
	version[n] = '\0';
	ASSERT_EQ(0, strcmp(version, (char *)session(s)->version));
	snprintf(path, sizeof(path),
		 "/sys/bus/mdev/devices/%s/migration_version", d->uuid);
	for (i = 0; i < n; i++) {
		char old = version[i];

		version[i] = old >= '0' && old < '9' ? old + 1 :
			old == '9' ? '0' : old == 'x' ? 'y' : 'x';
		by_file = vfc_file_write(path, version, n);
		memset(session(s)->version, 0, VMIG_VERSION_MAX);
		memcpy(session(s)->version, version, n);
		ASSERT_EQ(0, reseal(s, &self->l.rec[0]));
		if (by_file > 0) {
			ASSERT_EQ(0, feed(_metadata, d, s->buf, s->len));
			ASSERT_EQ(4, vfc_set(d, VFC_RUNNING));
			ASSERT_EQ(0, vfc_reset(d));
		} else {
			by_stream = refused(_metadata, d, s->buf, s->len);
			ASSERT_EQ(by_file, by_stream)
				TH_LOG("'%s'", version);
		}
		version[i] = old;
	}
}

TEST_HARNESS_MAIN
