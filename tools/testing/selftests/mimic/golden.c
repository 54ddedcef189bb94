// SPDX-License-Identifier: GPL-2.0-only
/*
 * STR-07: each stream that a release has written still loads, and the device is
 * then what it was. VER-11: whether it loads is what migration_version says.
 *
 * It is run in the folder with golden/, or GOLDEN names that.
 */
#include <errno.h>
#include <glob.h>

#include "../vmig/vmig_test.h"
#include "golden.h"

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

/* Does a stream's version string fit the device, by its own attribute? */
static int judge(struct __test_metadata *_metadata, const struct vfc_dev *d,
		 const __u8 *stream, size_t n)
{
	const struct vmig_rec_session *rec;
	char path[VFC_PATH], version[257];
	struct vmr_list l;

	ASSERT_EQ(0, vmr_parse(&l, stream, n));
	rec = (const void *)(stream + l.rec[0].off + sizeof(struct vmig_rec));
	snprintf(version, sizeof(version), "%.255s", rec->version);
	vmr_free(&l);
	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/migration_version",
		 d->uuid);
	return vfc_file_write(path, version, strlen(version));
}

/* Load it; 0, or what the first write that failed says. */
static int load(struct __test_metadata *_metadata, const struct vfc_dev *d,
		const __u8 *stream, size_t n)
{
	int ret;

	ASSERT_EQ(0, vfc_reset(d));
	SET(VFC_RESUMING);
	ret = vfc_feed_all(d, &vt_bulk, stream, n, 0);
	if (ret < 0)
		return ret;
	ret = vfc_set(d, VFC_STOP);
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

/* Those of other devices are refused, by the judge and by the parser alike. */
TEST_F_TIMEOUT(golden, STR_07_VER_11_golden_streams, 60)
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
		if (!ours) {
			ASSERT_EQ(ret, load(_metadata, d, self->stream, n));
			continue;
		}
		ASSERT_EQ(0, load(_metadata, d, self->stream, n));
		compare(_metadata, d, path, self->want);
		/* And it runs. */
		SET(VFC_RUNNING);
		vt_migrates(_metadata, d);
		loaded++;
	}
	ASSERT_LT(0, loaded) TH_LOG("no golden stream for %s", name);
	ASSERT_LT(loaded, i);
}

TEST_HARNESS_MAIN
