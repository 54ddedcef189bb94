// SPDX-License-Identifier: GPL-2.0-only
/*
 * VER: what needs more than a shell of the migration_version attribute:
 * offsets, partial reads, over-long writes, every prefix, concurrency.
 */
#include "vmig_test.h"

#include <ctype.h>
#include <limits.h>

FIXTURE(version) {
	struct vt t;
	char path[VFC_PATH + 32];
	char v[VMIG_VERSION_MAX + 1];	/* the string without newline */
	size_t n;
};

FIXTURE_VARIANT(version) {
	bool type;
};

FIXTURE_VARIANT_ADD(version, instance) { .type = false };
FIXTURE_VARIANT_ADD(version, type) { .type = true };

FIXTURE_SETUP(version)
{
	int n;

	vt_open_two(_metadata, &self->t);
	snprintf(self->path, sizeof(self->path),
		 "/sys/bus/mdev/devices/%s/%smigration_version",
		 self->t.a.uuid, variant->type ? "mdev_type/" : "");
	n = vfc_file_read(self->path, self->v, sizeof(self->v));
	ASSERT_LT(1, n);
	ASSERT_EQ('\n', self->v[n - 1]);
	self->v[n - 1] = '\0';
	self->n = n - 1;
}

FIXTURE_TEARDOWN(version)
{
	vt_close(&self->t);
}

/* One of the errors that a refusal may have; never one about capacity. */
static bool is_refusal(int ret)
{
	return ret == -EINVAL || ret == -EXDEV || ret == -EOPNOTSUPP;
}

static int put(const char *path, const void *buf, size_t n)
{
	return vfc_file_write(path, buf, n);
}

TEST_F(version, VER_01_same_everywhere)
{
	char type[VFC_PATH], path[VFC_PATH + 32], v[512];

	ASSERT_EQ(0, vfc_mdev_type(self->t.a.uuid, type));
	snprintf(path, sizeof(path), "%s/migration_version", type);
	ASSERT_EQ((int)self->n + 1, vfc_file_read(path, v, sizeof(v)));
	ASSERT_EQ(0, strncmp(self->v, v, self->n));
	if (!self->t.two)
		SKIP(return, VT_NO_SECOND);
	ASSERT_EQ((int)self->n + 1, vfc_mdev_version(self->t.b.uuid,
						     variant->type, v,
						     sizeof(v)));
	ASSERT_EQ(0, strncmp(self->v, v, self->n));	/* VER-16 */
}

TEST_F(version, VER_02_VER_03_VER_16_shape)
{
	const char *name;
	size_t i;

	ASSERT_GE(255, self->n + 1);
	for (i = 0; i < self->n; i++) {
		ASSERT_LE(0x21, self->v[i]);
		ASSERT_GE(0x7e, self->v[i]);
	}
	ASSERT_EQ(NULL, strstr(self->v, self->t.a.uuid));
	/* Vendor and model come first, whatever is between the two words. */
	for (name = self->t.m ? self->t.m->name : "", i = 0; name[i]; i++) {
		ASSERT_TRUE(name[i] == ' ' ? ispunct(self->v[i]) :
			    name[i] == self->v[i]);
	}
}

TEST_F(version, VER_04_own_string)
{
	ASSERT_EQ((int)self->n, put(self->path, self->v, self->n));
	if (!self->t.two)
		SKIP(return, VT_NO_SECOND);
	snprintf(self->path, sizeof(self->path),
		 "/sys/bus/mdev/devices/%s/%smigration_version",
		 self->t.b.uuid, variant->type ? "mdev_type/" : "");
	ASSERT_EQ((int)self->n, put(self->path, self->v, self->n));
}

TEST_F(version, VER_05_newline)
{
	static const struct {
		const char *before, *after;
		size_t n;
		bool ok;
	} cases[] = {
		{ "", "", 0, true },
		{ "", "\n", 1, true },
		{ "", "\n\n", 2, false },
		{ "", " ", 1, false },
		{ "", "\x20\n", 2, false },
		{ " ", "", 0, false },
		{ "\n", "", 0, false },
		{ "", "\0", 1, false },
		{ "", "\n\0", 2, false },
		{ "", "\0\n", 2, false },
		{ "", "\r\n", 2, false },
		{ "", "\t", 1, false },
	};
	char buf[512];
	unsigned int i;
	size_t n;
	int want;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		n = strlen(cases[i].before);
		memcpy(buf, cases[i].before, n);
		memcpy(buf + n, self->v, self->n);
		n += self->n;
		memcpy(buf + n, cases[i].after, cases[i].n);
		n += cases[i].n;
		want = -EINVAL;
		if (cases[i].ok)
			want = n;
		ASSERT_EQ(want, put(self->path, buf, n))
			TH_LOG("case %u", i);
	}
}

TEST_F(version, VER_06_empty)
{
	ASSERT_EQ(0, put(self->path, "", 0));
	ASSERT_EQ(-EINVAL, put(self->path, "\n", 1));
	ASSERT_EQ(-EINVAL, put(self->path, "\0", 1));
	ASSERT_EQ(-EINVAL, put(self->path, " ", 1));
}

TEST_F(version, VER_07_prefixes)
{
	char buf[2 * VMIG_VERSION_MAX + 8];
	size_t i;
	int ret;

	for (i = 1; i < self->n; i++) {
		ret = put(self->path, self->v, i);
		ASSERT_TRUE(is_refusal(ret))
			TH_LOG("%zu bytes: ret %d", i, ret);
		memcpy(buf, self->v, i);
		buf[i] = '\n';
		ret = put(self->path, buf, i + 1);
		ASSERT_TRUE(is_refusal(ret));
	}
	snprintf(buf, sizeof(buf), "%sx", self->v);
	ASSERT_TRUE(is_refusal(put(self->path, buf, self->n + 1)));
	snprintf(buf, sizeof(buf), "x%s", self->v);
	ASSERT_TRUE(is_refusal(put(self->path, buf, self->n + 1)));
	snprintf(buf, sizeof(buf), "%s%s", self->v, self->v);
	ASSERT_TRUE(is_refusal(put(self->path, buf, 2 * self->n)));
}

/*
 * A changed character is another string. It may be that of a compatible
 * source; then the answer is a count, and only for digits.
 */
TEST_F(version, VER_07_changed)
{
	static const char other[] = "xX0159 =.-\n\x01\x7f\xc3";
	char buf[512];
	size_t i, k;
	int ret;

	for (i = 0; i < self->n; i++) {
		for (k = 0; k + 1 < sizeof(other); k++) {
			if (other[k] == self->v[i])
				continue;
			if (other[k] == '\n' && i + 1 == self->n)
				continue;	/* a prefix, seen above */
			memcpy(buf, self->v, self->n);
			buf[i] = other[k];
			ret = put(self->path, buf, self->n);
			ASSERT_TRUE(is_refusal(ret) ||
				    (ret == (int)self->n && isdigit(other[k]) &&
				     isdigit(self->v[i])))
				TH_LOG("byte %zu as %02x: %d", i,
				       (__u8)other[k], ret);
		}
		if (isalpha(self->v[i])) {	/* case matters */
			memcpy(buf, self->v, self->n);
			buf[i] ^= 0x20;
			ASSERT_TRUE(is_refusal(put(self->path, buf, self->n)));
		}
	}
}

TEST_F(version, VER_08_offsets)
{
	int fd = open(self->path, O_WRONLY);
	size_t k;

	ASSERT_LE(0, fd);
	/* The tail of it, and the whole of it, at an offset. */
	for (k = 1; k < self->n; k += 7) {
		ASSERT_EQ(-1, pwrite(fd, self->v + k, self->n - k, k));
		ASSERT_EQ(EINVAL, errno);
		ASSERT_EQ(-1, pwrite(fd, self->v, self->n, k));
		ASSERT_EQ(EINVAL, errno);
	}
	ASSERT_EQ((ssize_t)self->n, pwrite(fd, self->v, self->n, 0));
	ASSERT_EQ(4, lseek(fd, 4, SEEK_SET));
	ASSERT_EQ(-1, write(fd, self->v, self->n));
	ASSERT_EQ(EINVAL, errno);
	/* Two writes in a row: the second one is at an offset. */
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ASSERT_EQ((ssize_t)self->n, write(fd, self->v, self->n));
	ASSERT_EQ(-1, write(fd, self->v, self->n));
	ASSERT_EQ(EINVAL, errno);
	close(fd);
}

TEST_F(version, VER_09_over_long)
{
	static const size_t sizes[] = { 256, 257, 4095, 4096, 4097, 1 << 20 };
	char *buf = malloc(1 << 20);
	unsigned int i;
	int ret, want;

	ASSERT_NE(NULL, buf);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(buf, 'a', 1 << 20);
		memcpy(buf, self->v, self->n);
		want = sizes[i] < 4096 ? -EINVAL : -E2BIG;
		ret = put(self->path, buf, sizes[i]);
		ASSERT_EQ(want, ret)
			TH_LOG("%zu bytes", sizes[i]);
		memset(buf + self->n, '\n', (1 << 20) - self->n);
		ret = put(self->path, buf, sizes[i]);
		ASSERT_EQ(want, ret)
			TH_LOG("%zu bytes", sizes[i]);
	}
	free(buf);
}

TEST_F(version, VER_10_partial_reads)
{
	int a = open(self->path, O_RDONLY), b = open(self->path, O_RDONLY);
	char got[512], c;
	size_t i;

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	for (i = 0; i < self->n; i++) {
		ASSERT_EQ(1, pread(a, &c, 1, i));
		ASSERT_EQ(self->v[i], c);
		ASSERT_EQ(1, read(b, &c, 1));
		ASSERT_EQ(self->v[i], c);
	}
	ASSERT_EQ(1, read(b, &c, 1));
	ASSERT_EQ('\n', c);
	ASSERT_EQ(0, read(b, &c, 1));
	ASSERT_EQ(0, pread(a, &c, 1, self->n + 1));
	ASSERT_EQ(0, pread(a, &c, 1, 100000));
	ASSERT_EQ((ssize_t)self->n + 1 - 5, pread(a, got, sizeof(got), 5));
	ASSERT_EQ(0, memcmp(got, self->v + 5, self->n - 5));
	close(a);
	close(b);
}

static int as_nobody(void *arg)
{
	const char *path = arg;

	if (setgid(65534) || setuid(65534))
		return 10;
	if (open(path, O_WRONLY) >= 0)
		return 11;
	if (errno != EACCES)
		return 12;
	if (open(path, O_RDWR) >= 0)
		return 13;
	return open(path, O_RDONLY) >= 0 ? 0 : 14;
}

TEST_F(version, VER_13_permissions)
{
	ASSERT_EQ(0, geteuid());
	ASSERT_EQ(0, vfc_in_child(as_nobody, self->path));
}

TEST_F(version, VER_14_no_side_effect)
{
	struct vfc_dev *d = &self->t.a;
	struct vfc_dev *to = self->t.two ? &self->t.b : d;
	struct vfc_stream *s = &self->t.s;
	unsigned int i, seed = 3;
	char buf[300];

	if (self->t.m) {
		vt_touch(_metadata, d, self->t.m, 300, 3);
		ASSERT_EQ(0, self->t.m->reg_set(d, 3));
	}
	SET(VFC_PRECOPY);
	while (R8(VFC_PENDING)) {
		R8(VFC_OFFSET);
		for (i = 0; i < 50; i++) {
			memcpy(buf, self->v, self->n);
			buf[rand_r(&seed) % self->n] ^= 1 << rand_r(&seed) % 7;
			put(self->path, buf, self->n);
			ASSERT_EQ((int)self->n, put(self->path, self->v,
						    self->n));
		}
		ASSERT_LT(0, vfc_save_segment(d, &vt_bulk, s));
		ASSERT_EQ(VFC_PRECOPY, R4(VFC_STATE));
	}
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
	vt_restore(_metadata, to, s);
	vt_check_small(_metadata, to, self->t.m, self->t.m ? 300 : 0, 3);
}

#define VER14_WRITES	100000	/* or what the environment has under this name */
#define VER14_TIMEOUT	900	/* for millions of them */

/* Writes strings, good and bad, to three files until it is told to stop. */
struct writer {
	char path[3][VFC_PATH + 32];
	const char *v;
	size_t n;
	bool stop;
	unsigned long writes;
	unsigned long wrong;
};

static void *write_strings(void *arg)
{
	struct writer *w = arg;
	unsigned int seed = 4, i;
	char buf[300];

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		const char *path = w->path[w->writes++ % 3];

		for (i = 0; i < sizeof(buf); i++)
			buf[i] = rand_r(&seed) >> 8;
		if (w->writes % 2)
			memcpy(buf, w->v, w->n);
		/* Only the whole of it is right. */
		if (w->writes % 4 == 1)
			w->wrong += put(path, buf, w->n) != (int)w->n;
		else
			w->wrong += !is_refusal(put(path, buf, 1 + rand_r(&seed) %
						    (w->n - 1)));
	}
	return NULL;
}

/* All that is saved of @from in pre-copy and after the stop, and restored. */
static void migrate(struct __test_metadata *_metadata, struct vt *t,
		    const struct vfc_dev *from, const struct vfc_dev *to,
		    struct vfc_stream *s)
{
	const struct vfc_dev *d = from;

	vfc_stream_free(s);
	ASSERT_EQ(0, vfc_reset(d));
	vt_touch(_metadata, d, t->m, 20, 3);
	ASSERT_EQ(0, t->m->reg_set(d, 3));
	SET(VFC_PRECOPY);
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
	ASSERT_EQ(VFC_PRECOPY, R4(VFC_STATE));
	SET(VFC_SAVING);
	ASSERT_EQ(0, vfc_drain(d, &vt_bulk, s));
	ASSERT_EQ(VFC_SAVING, R4(VFC_STATE));
	vt_restore(_metadata, to, s);
	vt_check_small(_metadata, to, t->m, 20, 3);
}

/*
 * Writes to the files of source, destination and type while devices migrate:
 * the streams have the same length, and carry the same, as without.
 */
TEST_F_TIMEOUT(version, VER_14_during_migrations, VER14_TIMEOUT)
{
	__u64 want = vfc_number("VER14_WRITES", VER14_WRITES), begin;
	struct writer w = { .v = self->v, .n = self->n };
	struct vt *t = &self->t;
	char type[VFC_PATH];
	unsigned int rounds = 0;
	pthread_t thread;
	size_t len;

	if (!t->m)
		SKIP(return, VT_NO_MODEL);
	if (!t->two)
		SKIP(return, VT_NO_SECOND);
	migrate(_metadata, t, &t->a, &t->b, &t->s);
	len = t->s.len;
	ASSERT_EQ(0, vfc_mdev_type(t->a.uuid, type));
	snprintf(w.path[0], sizeof(w.path[0]),
		 "/sys/bus/mdev/devices/%s/migration_version", t->a.uuid);
	snprintf(w.path[1], sizeof(w.path[1]),
		 "/sys/bus/mdev/devices/%s/migration_version", t->b.uuid);
	snprintf(w.path[2], sizeof(w.path[2]), "%s/migration_version", type);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_strings, &w));
	begin = vfc_now_us();
	for (; __atomic_load_n(&w.writes, __ATOMIC_RELAXED) < want; rounds++) {
		migrate(_metadata, t, &t->a, &t->b, &t->s);
		ASSERT_EQ(len, t->s.len);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_LT(0, rounds);
	ASSERT_LE(want, w.writes);
	ASSERT_EQ(0, w.wrong);
	TH_LOG("%u migrations, %lu writes in %llu ms", rounds, w.writes,
	       (vfc_now_us() - begin) / 1000);
}

struct judge {
	const char *path;
	const char *v;
	size_t n;
	int bad;
};

static void *judge_thread(void *arg)
{
	struct judge *j = arg;
	char buf[VMIG_VERSION_MAX + 1];
	int i, ret;

	for (i = 0; i < 300; i++) {
		ret = put(j->path, j->v, j->n);
		j->bad += ret != (int)j->n;
		ret = put(j->path, j->v, j->n - 1);
		j->bad += !is_refusal(ret);
		ret = vfc_file_read(j->path, buf, sizeof(buf));
		j->bad += ret != (int)j->n + 1 || memcmp(buf, j->v, j->n);
	}
	return NULL;
}

TEST_F(version, VER_10_VER_14_concurrent)
{
	struct judge j[4];
	pthread_t thread[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(j); i++) {
		j[i] = (struct judge){ self->path, self->v, self->n, 0 };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, judge_thread,
					    &j[i]));
	}
	for (i = 0; i < ARRAY_SIZE(j); i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		ASSERT_EQ(0, j[i].bad);
	}
}

/* Another size of the same parent: never compatible, and it says EXDEV. */
TEST_F(version, VER_04_another_geometry)
{
	char type[VFC_PATH], other[VFC_PATH + 64], v[VMIG_VERSION_MAX + 1];
	static const char * const parts[] = { "_1", "_2", "_4", "_8" };
	unsigned int i, seen = 0;
	char *p;
	int n;

	ASSERT_EQ(0, vfc_mdev_type(self->t.a.uuid, type));
	p = strrchr(type, '_');
	ASSERT_NE(NULL, p);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!strcmp(p, parts[i]))
			continue;
		snprintf(other, sizeof(other), "%.*s%s/migration_version",
			 (int)(p - type), type, parts[i]);
		n = vfc_file_read(other, v, sizeof(v));
		if (n < 0)
			continue;
		seen++;
		ASSERT_NE(0, strncmp(v, self->v, n));
		ASSERT_EQ(-EXDEV, put(self->path, v, n));
		ASSERT_EQ(-EXDEV, put(other, self->v, self->n));
		ASSERT_EQ(n, put(other, v, n));
	}
	if (!seen)
		SKIP(return, "no other type on this parent");
}

TEST_HARNESS_MAIN
