// SPDX-License-Identifier: GPL-2.0-only
/*
 * STR-07: each stream that a release has written still loads, and the device is
 * then what it was. STR-12: whichever protocol brings it. VER-11: whether it loads
 * is what migration_version says.
 *
 * It is run in the folder with golden/, or GOLDEN names that: also one with streams
 * that other machines have saved, as ../matrix does.
 */
#include <errno.h>
#include <glob.h>

#include "../vmig/vmig_test.h"
#include "golden.h"
#include "vfio_v2.h"

FIXTURE(golden) {
	struct vt t;
	glob_t streams;
	char *want;
	__u8 *stream;
};

FIXTURE_SETUP(golden)
{
	const char *folder = getenv("GOLDEN");
	char pattern[256];

	vt_open(_metadata, &self->t);
	snprintf(pattern, sizeof(pattern), "%s/*/*.stream",
		 folder ? folder : "golden");
	ASSERT_EQ(0, glob(pattern, 0, NULL, &self->streams));
	self->want = malloc(GOLDEN_FILE_MAX);
	self->stream = malloc(GOLDEN_FILE_MAX);
	ASSERT_NE(NULL, self->want);
	ASSERT_NE(NULL, self->stream);
}

FIXTURE_TEARDOWN(golden)
{
	globfree(&self->streams);
	free(self->want);
	free(self->stream);
	vt_close(&self->t);
}

/*
 * Does a stream's version string fit the device? By the attribute of its type, which
 * can be asked before there is a device, and by its own: both say the same.
 */
static int judge(struct __test_metadata *_metadata, const struct vfc_dev *d,
		 const __u8 *stream, size_t n)
{
	char type[VFC_PATH], path[VFC_PATH + 32], version[256];
	int ret;

	ASSERT_EQ(0, golden_version(stream, n, version));
	ASSERT_EQ(0, vfc_mdev_type(d->uuid, type));
	snprintf(path, sizeof(path), "%s/migration_version", type);
	ret = vfc_file_write(path, version, strlen(version));
	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/migration_version",
		 d->uuid);
	ASSERT_EQ(ret, vfc_file_write(path, version, strlen(version)));
	return ret;
}

static int load_v1(struct __test_metadata *_metadata, const struct vfc_dev *d,
		   const __u8 *stream, size_t n)
{
	int ret;

	SET(VFC_RESUMING);
	ret = vfc_feed_all(d, &vt_bulk, stream, n, 0);
	if (ret < 0)
		return ret;
	return vfc_set(d, VFC_STOP);
}

static int load_v2(struct __test_metadata *_metadata, const struct vfc_dev *d,
		   const __u8 *stream, size_t n)
{
	int ret, fd;

	ASSERT_EQ(0, vfc2_set(d, VFC2_RESUMING, &fd));
	ret = vfc2_feed(fd, 0, stream, n);
	close(fd);
	if (ret < 0)
		return ret;
	return vfc2_set(d, VFC2_STOP, NULL);
}

/* Load it; 0, or what the first write that failed says. */
static int load(struct __test_metadata *_metadata, const struct vfc_dev *d,
		bool v2, const __u8 *stream, size_t n)
{
	int ret;

	ASSERT_EQ(0, vfc_reset(d));
	if (v2)
		ret = load_v2(_metadata, d, stream, n);
	else
		ret = load_v1(_metadata, d, stream, n);
	return ret < 0 ? ret : 0;
}

/* The file that belongs to a stream: same name, other ending. */
static const char *dump_of(const char *stream, char path[VFC_PATH])
{
	snprintf(path, VFC_PATH, "%.*s.dump", (int)strlen(stream) - 7, stream);
	return path;
}

/* Is the device what the stream's dump says? */
static void compare(struct __test_metadata *_metadata, const struct vfc_dev *d,
		    const char *path, char *want)
{
	__u16 command = PCI_COMMAND_MEMORY;
	char dump[VFC_PATH], *have;
	size_t size;
	ssize_t n;
	FILE *f;

	/* The dump was made with the BARs decoded, whatever the guest had. */
	ASSERT_EQ(2, vfc_region_write(d, VFIO_PCI_CONFIG_REGION_INDEX,
				      PCI_COMMAND, &command, 2));
	f = open_memstream(&have, &size);
	ASSERT_NE(NULL, f);
	ASSERT_EQ(0, golden_dump(d, f));
	ASSERT_EQ(0, fclose(f));
	n = golden_read(dump_of(path, dump), want, GOLDEN_FILE_MAX);
	ASSERT_LT(100, n);
	want[n] = '\0';
	ASSERT_STREQ(want, have);
	free(have);
}

/* It loads, is what it was, and runs; by both protocols. */
static void accepted(struct __test_metadata *_metadata, struct vfc_dev *d,
		     const char *path, const __u8 *stream, size_t n, char *want)
{
	int ret, v2;

	for (v2 = 0; v2 < 2; v2++) {
		ASSERT_EQ(0, load(_metadata, d, v2, stream, n))
			TH_LOG("%s by v%d", path, v2 + 1);
		compare(_metadata, d, path, want);
		ret = v2 ? vfc2_set(d, VFC2_RUNNING, NULL) :
			   vfc_set(d, VFC_RUNNING);
		ASSERT_LE(0, ret);
		vt_migrates(_metadata, d);
	}
}

/* The parser says what the judge said, by both protocols. */
static void refused(struct __test_metadata *_metadata, const struct vfc_dev *d,
		    const char *path, const __u8 *stream, size_t n, int verdict)
{
	int v2;

	for (v2 = 0; v2 < 2; v2++) {
		ASSERT_EQ(verdict, load(_metadata, d, v2, stream, n))
			TH_LOG("%s by v%d", path, v2 + 1);
	}
}

/* Those of other devices are refused, by the judge and by the parser alike. */
TEST_F_TIMEOUT(golden, STR_07_STR_12_VER_11_golden_streams, 60)
{
	struct vfc_dev *d = &self->t.a;
	char name[GOLDEN_NAME_MAX], file[GOLDEN_NAME_MAX + 16];
	unsigned int i, loaded = 0;
	ssize_t n;
	int ret;

	ASSERT_EQ(0, golden_name(d, name));
	snprintf(file, sizeof(file), "/%s.stream", name);
	for (i = 0; i < self->streams.gl_pathc; i++) {
		const char *path = self->streams.gl_pathv[i];
		bool ours = strstr(path, file);

		n = golden_read(path, self->stream, GOLDEN_FILE_MAX);
		ASSERT_LT(0, n);
		ret = judge(_metadata, d, self->stream, n);
		ASSERT_EQ(ours, ret > 0) TH_LOG("%s: %d", path, ret);
		if (ours)
			accepted(_metadata, d, path, self->stream, n, self->want);
		else
			refused(_metadata, d, path, self->stream, n, ret);
		loaded += ours;
	}
	ASSERT_LT(0, loaded) TH_LOG("no golden stream for %s", name);
	ASSERT_LT(loaded, i);
}

TEST_HARNESS_MAIN
