/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the v2 protocol share: opening devices, the state machine as
 * the interface has it, and whole streams by the data file.
 *
 * The tables are those of the specification, not the driver's. The macros SET2
 * and GET2 expect a variable `d` (struct vfc_dev *) in scope.
 */
#ifndef VMIG_V2_TEST_H
#define VMIG_V2_TEST_H

#include "vmig_test.h"

#include <dirent.h>

#include "vfio_v2.h"

#define V2_NO_PROTOCOL	"this device does not offer the v2 protocol"
#define V2_NO_INFOV2	"this kernel has no PRECOPY_INFOv2"
#define V2_NO_FLAGS	"no debugfs file to choose the states"

/* --- Fixture ---------------------------------------------------------- */

/* False: @d does not offer v2. */
static inline bool v2_open_one(struct __test_metadata *_metadata,
			       struct vfc_dev *d, const char *uuid)
{
	__u64 flags;

	ASSERT_EQ(0, vfc_open(d, uuid));
	if (vfc2_flags(d, &flags) == -ENOTTY)
		return false;
	ASSERT_EQ(VFC2_RUNNING, vfc2_get(d));
	return true;
}

static inline bool v2_open(struct __test_metadata *_metadata, struct vt *t)
{
	if (!v2_open_one(_metadata, &t->a, getenv("VFIO_DEV")))
		return false;
	t->m = vfc_model_find(&t->a);
	return true;
}

/* The destination is t->b, or t->a again if there is no second device. */
static inline bool v2_open_two(struct __test_metadata *_metadata, struct vt *t)
{
	if (!v2_open(_metadata, t))
		return false;
	if (getenv("VFIO_DEV2"))
		t->two = v2_open_one(_metadata, &t->b, getenv("VFIO_DEV2"));
	return true;
}

static inline struct vfc_dev *v2_dest(struct vt *t)
{
	return t->two ? &t->b : &t->a;
}

/* --- Notation --------------------------------------------------------- */

#define GET2()	vfc2_get(d)
/* A state that must be granted; its data file or -1. */
#define SET2(v)	({							\
		__u32 state_ = (v);					\
		int fd_;						\
		ASSERT_EQ(0, vfc2_set(d, state_, &fd_));		\
		ASSERT_EQ(state_, vfc2_get(d));				\
		fd_; })
/* One that must be refused, and gives no file. */
#define REFUSED2(err, v) do {						\
		int fd_;						\
		ASSERT_EQ((err), vfc2_set(d, (v), &fd_));		\
		ASSERT_EQ(-1, fd_);					\
	} while (0)

/* Files that this process has open. */
static inline int v2_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return -errno;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* --- The state machine ------------------------------------------------ */

#define V2_STEPS	6	/* of the longest way */

/* STOP S, RUNNING R, STOP_COPY SC, RESUMING RS, P2P RP PP, PRE_COPY PC */
static const char * const v2_short[VFC2_STATES] = {
	"E", "S", "R", "SC", "RS", "RP", "PC", "PP",
};

/* The states of a table, in the order in which it has them. */
static const __u32 v2_order[] = {
	VFC2_STOP, VFC2_RUNNING, VFC2_STOP_COPY, VFC2_RESUMING,
	VFC2_RUNNING_P2P, VFC2_PRE_COPY, VFC2_PRE_COPY_P2P, VFC2_ERROR,
};

static const __u32 v2_seven[] = {
	VFC2_STOP, VFC2_RUNNING, VFC2_STOP_COPY, VFC2_RESUMING,
	VFC2_RUNNING_P2P, VFC2_PRE_COPY, VFC2_PRE_COPY_P2P,
};

/**
 * struct v2_table - what is granted to a device with some of the states
 * @flags: of VFC2_F_MIGRATION
 * @way: the states that are visited, in the order of v2_order; "+": and a data
 *	file is returned; "": nothing to do; NULL: refused
 */
struct v2_table {
	__u64 flags;
	const char *way[VFC2_STATES][VFC2_STATES];
};

static const struct v2_table v2_tables[] = {
	{ 7, {
		{ "", "RP R", "SC +", "RS +", "RP", "RP R PC +", "RP PP +" },
		{ "RP S", "", "RP S SC +", "RP S RS +", "RP", "PC +",
		  "RP PP +" },
		{ "S", "S RP R", "", "S RS +", "S RP" },
		{ "S", "S RP R", "S SC +", "", "S RP", "S RP R PC +",
		  "S RP PP +" },
		{ "S", "R", "S SC +", "S RS +", "", "R PC +", "PP +" },
		{ "R RP S", "R", "PP SC", "R RP S RS +", "R RP", "", "PP" },
		{ "RP S", "RP R", "SC", "RP S RS +", "RP", "PC", "" },
	} },
	{ 5, {
		{ "", "R", "SC +", "RS +", NULL, "R PC +" },
		{ "S", "", "S SC +", "S RS +", NULL, "PC +" },
		{ "S", "S R", "", "S RS +" },
		{ "S", "S R", "S SC +", "", NULL, "S R PC +" },
		{ NULL },
		{ "R S", "R", "SC", "R S RS +", NULL, "" },
	} },
	{ 3, {
		{ "", "RP R", "SC +", "RS +", "RP" },
		{ "RP S", "", "RP S SC +", "RP S RS +", "RP" },
		{ "S", "S RP R", "", "S RS +", "S RP" },
		{ "S", "S RP R", "S SC +", "", "S RP" },
		{ "S", "R", "S SC +", "S RS +", "" },
	} },
	{ 1, {
		{ "", "R", "SC +", "RS +" },
		{ "S", "", "S SC +", "S RS +" },
		{ "S", "S R", "", "S RS +" },
		{ "S", "S R", "S SC +", "" },
	} },
};

static inline const char *v2_way(__u64 flags, __u32 from, __u32 to)
{
	unsigned int i, f = 0, t = 0;

	for (i = 0; i < VFC2_STATES; i++) {
		if (v2_order[i] == from)
			f = i;
		if (v2_order[i] == to)
			t = i;
	}
	for (i = 0; i < ARRAY_SIZE(v2_tables); i++)
		if (v2_tables[i].flags == flags)
			return v2_tables[i].way[f][t];
	return NULL;
}

/**
 * struct v2_path - a way, taken apart
 * @step: states that are visited, the last one being where it leads
 * @n: how many
 * @file: a data file is returned
 */
struct v2_path {
	__u32 step[V2_STEPS];
	unsigned int n;
	bool file;
};

static inline struct v2_path v2_path(const char *way)
{
	struct v2_path path = {};
	char text[64], *word, *more;
	__u32 i;

	snprintf(text, sizeof(text), "%s", way);
	for (word = strtok_r(text, " ", &more); word;
	     word = strtok_r(NULL, " ", &more)) {
		if (!strcmp(word, "+"))
			path.file = true;
		for (i = 0; i < VFC2_STATES; i++)
			if (!strcmp(word, v2_short[i]))
				path.step[path.n++] = i;
	}
	return path;
}

/* Has a device with @flags that state? */
static inline bool v2_has_state(__u64 flags, __u32 state)
{
	if (state == VFC2_RUNNING_P2P)
		return flags & VFC2_HAS_P2P;
	if (state == VFC2_PRE_COPY)
		return flags & VFC2_HAS_PRE_COPY;
	if (state == VFC2_PRE_COPY_P2P)
		return (flags & VFC2_HAS_P2P) && (flags & VFC2_HAS_PRE_COPY);
	return true;
}

static inline bool v2_runs(__u32 state)
{
	return state == VFC2_RUNNING || state == VFC2_RUNNING_P2P ||
		state == VFC2_PRE_COPY || state == VFC2_PRE_COPY_P2P;
}

static inline bool v2_saves(__u32 state)
{
	return state == VFC2_STOP_COPY || state == VFC2_PRE_COPY ||
		state == VFC2_PRE_COPY_P2P;
}

static inline bool v2_precopies(__u32 state)
{
	return state == VFC2_PRE_COPY || state == VFC2_PRE_COPY_P2P;
}

/* Bring a device in RUNNING to @state; its data file or -1. */
static inline int v2_reach(struct __test_metadata *_metadata,
			   const struct vfc_dev *d, __u32 state)
{
	if (state == VFC2_ERROR) {
		ASSERT_EQ(1, vt_knob_set(d, "internal_error", "1"));
		ASSERT_EQ(VFC2_ERROR, vfc2_get(d));
		return -1;
	}
	return SET2(state);
}

/* --- Steps that the driver took --------------------------------------- */

#define V2_TRACING	"/sys/kernel/tracing"
#define V2_TRACE	V2_TRACING "/instances/vmig-v2"

static inline bool v2_trace_put(const char *file, const char *text)
{
	char path[VFC_PATH];

	snprintf(path, sizeof(path), V2_TRACE "/%s", file);
	return vfc_file_write(path, text, strlen(text)) > 0;
}

/* Have each arc recorded; false: the driver has no such tracepoint. */
static inline bool v2_trace_open(void)
{
	if (access(V2_TRACING "/instances", F_OK))
		mount("none", V2_TRACING, "tracefs", 0, NULL);
	if (mkdir(V2_TRACE, 0700) && errno != EEXIST)
		return false;
	return v2_trace_put("events/vmig/vmig_state/enable", "1");
}

static inline void v2_trace_close(void)
{
	v2_trace_put("events/enable", "0");
	rmdir(V2_TRACE);
}

static inline void v2_trace_clear(void)
{
	int fd = open(V2_TRACE "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

/*
 * The arcs of @uuid since the last clear, each of which has to begin where the
 * one before it ended; false if one does not, or there are too many.
 */
static inline bool v2_trace_path(const char *uuid, __u32 from,
				 struct v2_path *path)
{
	FILE *f = fopen(V2_TRACE "/trace", "re");
	char line[1024], name[64], *text;
	unsigned int before, after;
	bool good = f;

	memset(path, 0, sizeof(*path));
	while (f && fgets(line, sizeof(line), f)) {
		text = strstr(line, "vmig_state: ");
		if (line[0] == '#' || !text)
			continue;
		if (sscanf(text, "vmig_state: %63s %u -> %u", name, &before,
			   &after) != 3) {
			good = false;
			continue;
		}
		if (strcmp(name, uuid))
			continue;
		good = good && before == from && path->n < V2_STEPS;
		if (good)
			path->step[path->n++] = after;
		from = after;
	}
	if (f)
		fclose(f);
	return good;
}

/* --- The data file ---------------------------------------------------- */

static inline int v2_revents(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

/* One read; its count or -errno. */
static inline ssize_t v2_read(int fd, void *buf, size_t n)
{
	ssize_t ret = read(fd, buf, n);

	return ret < 0 ? -errno : ret;
}

static inline ssize_t v2_write(int fd, const void *buf, size_t n)
{
	ssize_t ret = write(fd, buf, n);

	return ret < 0 ? -errno : ret;
}

/* The session of @fd is over, whatever the device does now. */
static inline void v2_dead(struct __test_metadata *_metadata, int fd, bool saves)
{
	struct vfc2_precopy info = {};
	int ret, mask = POLLERR | POLLHUP | (saves ? POLLIN : POLLOUT);
	__u8 c = 0;

	ret = saves ? v2_read(fd, &c, 1) : v2_write(fd, &c, 1);
	ASSERT_EQ(-ENODEV, ret);
	ASSERT_EQ(mask, v2_revents(fd) & mask);
	ret = vfc2_precopy_info(fd, &info);
	/* A file that loads does not know that one, alive or dead. */
	ASSERT_TRUE(ret == -ENODEV || (!saves && ret == -ENOTTY))
		TH_LOG("%d", ret);
}

/* Exactly @n bytes more into @s. */
static inline void v2_take(struct __test_metadata *_metadata, int fd, size_t n,
			   struct vfc_stream *s)
{
	__u8 buf[4096];
	ssize_t got;

	for (; n; n -= got) {
		got = v2_read(fd, buf, n < sizeof(buf) ? n : sizeof(buf));
		ASSERT_LT(0, got);
		ASSERT_EQ(0, vfc_stream_add(s, buf, got));
	}
}

/* Is @s a whole session: records up to END? */
static inline bool v2_whole(const struct vfc_stream *s)
{
	struct vmr_list l = {};
	bool whole = !vmr_parse(&l, s->buf, s->len) && l.n &&
		l.rec[0].head.type == VMIG_REC_SESSION &&
		l.rec[l.n - 1].head.type == VMIG_REC_END &&
		vmr_count(&l, VMIG_REC_END) == 1;

	vmr_free(&l);
	return whole;
}

/* Bytes of the record with which a stream begins. */
#define V2_SESSION	(sizeof(struct vmig_rec) + sizeof(struct vmig_rec_session))

/* --- Whole streams ---------------------------------------------------- */

/* As vt_small_stream(). */
static inline void v2_small_stream(struct __test_metadata *_metadata,
				   const struct vfc_dev *d,
				   const struct vfc_model *m, unsigned int n,
				   __u64 value, struct vfc_stream *s)
{
	ASSERT_EQ(0, vfc_reset(d));
	if (m) {
		vt_touch(_metadata, d, m, n, value);
		ASSERT_EQ(0, m->reg_set(d, (__u32)value));
	}
	ASSERT_EQ(0, vfc2_save(d, 0, s));
	ASSERT_TRUE(v2_whole(s));
	ASSERT_EQ(0, vfc_reset(d));
}

/* Restore @s into @d from any state, and leave @d in RUNNING. */
static inline void v2_restore(struct __test_metadata *_metadata,
			      const struct vfc_dev *d,
			      const struct vfc_stream *s)
{
	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, vfc2_load(d, 0, s));
	SET2(VFC2_RUNNING);
}

/* Restore @s: it has what v2_small_stream() put. */
static inline void v2_restores(struct __test_metadata *_metadata, struct vt *t,
			       const struct vfc_stream *s, unsigned int n,
			       __u64 value)
{
	v2_restore(_metadata, v2_dest(t), s);
	vt_check_small(_metadata, v2_dest(t), t->m, n, value);
}

/* From RUNNING: a whole migration of @d into itself by way of RESET. */
static inline void v2_migrates(struct __test_metadata *_metadata,
			       const struct vfc_dev *d)
{
	struct vfc_stream s = {};
	int fd;

	ASSERT_EQ(VFC2_RUNNING, vfc2_get(d));
	fd = SET2(VFC2_PRE_COPY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(-ENOMSG, vfc2_drain(fd, 0, &s));
	ASSERT_EQ(-1, SET2(VFC2_STOP_COPY));
	ASSERT_EQ(0, vfc2_drain(fd, 0, &s));
	close(fd);
	SET2(VFC2_STOP);
	v2_restore(_metadata, d, &s);
	vfc_stream_free(&s);
}

/* --- What a device offers --------------------------------------------- */

/*
 * Text for a file of the device that can be written only while it is closed, then
 * open it again. 0 or -errno; for use in a teardown, see vt_section_set().
 */
static inline int v2_reopen_with(struct vfc_dev *d, const char *uuid,
				 const char *path, const char *text)
{
	int ret, opened;

	vfc_close(d);
	ret = vfc_file_write(path, text, strlen(text));
	opened = vfc_open(d, uuid);
	return ret < 0 ? ret : opened;
}

#endif /* VMIG_V2_TEST_H */
