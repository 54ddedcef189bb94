// SPDX-License-Identifier: GPL-2.0-only
/*
 * The judge of version strings, as the migration_version attribute and the
 * stream's parser ask it (a newline at the end is the attribute's business:
 * here it is one more wrong byte).
 *
 * Each string is judged in memory of exactly its size, and beside a second
 * judge, which is made of the C library's regular expressions.
 */
#include "kselftest_harness.h"

#include <ctype.h>
#include <regex.h>

#include <linux/kernel.h>

#include "unit.h"
#include "version.h"

#define OWN	"mimic,accel,stream=1.1,memory=67108864,rings=2"

static const struct vmig_ident accel = {
	.vendor = "mimic",
	.model = "accel",
	.nr_params = 2,
	.params = {
		{ .name = "memory", .value = 67108864 },
		{ .name = "rings", .value = 2 },
	},
};

/* What the judge said. */
struct ruling {
	int ret;
	char field[32];
	char theirs[VMIG_VERSION_MAX + 1];
	char ours[32];
};

static struct ruling judge(struct __test_metadata *_metadata,
			   const struct vmig_ident *ident, const char *str,
			   size_t len)
{
	struct vmig_verdict v;
	struct ruling r = {};
	char *copy = malloc(len);

	memset(&v, 0xa5, sizeof(v));
	memcpy(copy, str, len);
	r.ret = vmig_version_judge(ident, copy, len, &v);
	ASSERT_EQ(0, memcmp(copy, str, len));
	if (r.ret) {
		ASSERT_LE((uintptr_t)copy, (uintptr_t)v.theirs);
		ASSERT_LE(v.theirs_len, copy + len - v.theirs);
		ASSERT_NE(NULL, memchr(v.ours, 0, sizeof(v.ours)));
		snprintf(r.field, sizeof(r.field), "%s", v.field);
		snprintf(r.theirs, sizeof(r.theirs), "%.*s", (int)v.theirs_len,
			 v.theirs);
		snprintf(r.ours, sizeof(r.ours), "%s", v.ours);
	}
	free(copy);
	return r;
}

static int verdict(struct __test_metadata *_metadata, const char *str, size_t len)
{
	return judge(_metadata, &accel, str, len).ret;
}

/*
 * The second judge.
 */
#define WORD	"[a-z0-9]+"
#define NUMBER	"(0|[1-9][0-9]*)"

static bool well_formed(const char *str, size_t len)
{
	static regex_t re;
	static bool made;
	const char *p;
	char *end;

	if (!made)
		made = !regcomp(&re, "^" WORD "," WORD ",stream=" NUMBER "[.]"
				NUMBER "(," WORD "=" NUMBER ")*$",
				REG_EXTENDED | REG_NOSUB);
	if (!made)
		abort();
	if (len >= VMIG_VERSION_MAX || strnlen(str, len) != len ||
	    regexec(&re, str, 0, NULL, 0))
		return false;
	for (p = str; *p; p++) {
		if (*p != '=' && *p != '.')
			continue;
		errno = 0;
		strtoull(p + 1, &end, 10);
		if (errno)
			return false;
	}
	return true;
}

static int expected(const struct vmig_ident *ident, const char *str, size_t len)
{
	char *copy, *rest, *word, *name;
	unsigned int i;
	int ret = 0;
	bool ours;

	copy = strndup(str, len);
	if (!well_formed(copy, strlen(copy) == len ? len : VMIG_VERSION_MAX)) {
		free(copy);
		return -EINVAL;
	}
	rest = copy;
	if (strcmp(strsep(&rest, ","), ident->vendor))
		ret = -EXDEV;
	if (strcmp(strsep(&rest, ","), ident->model) && !ret)
		ret = -EXDEV;
	word = strsep(&rest, ",") + strlen("stream=");
	if (!ret && (strtoull(word, &word, 10) != VMIG_STREAM_MAJOR ||
		     strtoull(word + 1, NULL, 10) > VMIG_STREAM_MINOR))
		ret = -EOPNOTSUPP;
	ours = !ret;
	for (i = 0; ours && (word = strsep(&rest, ",")); i++) {
		name = strsep(&word, "=");
		if (ret)
			continue;
		if (i >= ident->nr_params || strcmp(name, ident->params[i].name))
			ret = -EOPNOTSUPP;
		else if (strtoull(word, NULL, 10) != ident->params[i].value)
			ret = -EXDEV;
	}
	if (ours && i < ident->nr_params)
		ret = -EINVAL;
	free(copy);
	return ret;
}

/* Only our own string, and the same with an older minor, can be loaded. */
static bool compatible(const char *str, size_t len)
{
	char want[VMIG_VERSION_MAX];
	unsigned int minor;
	int n;

	for (minor = 0; minor <= VMIG_STREAM_MINOR; minor++) {
		n = snprintf(want, sizeof(want),
			     "mimic,accel,stream=%u.%u,memory=67108864,rings=2",
			     VMIG_STREAM_MAJOR, minor);
		if ((size_t)n == len && !memcmp(want, str, len))
			return true;
	}
	return false;
}

static void both(struct __test_metadata *_metadata, const char *str, size_t len)
{
	int ret = verdict(_metadata, str, len);

	ASSERT_EQ(compatible(str, len), !ret) {
		TH_LOG("'%.*s'", (int)len, str);
	}
	ASSERT_EQ(expected(&accel, str, len), ret) {
		TH_LOG("'%.*s'", (int)len, str);
	}
}

TEST(VER_02_VER_03_VER_16_own_string)
{
	char buf[VMIG_VERSION_MAX];
	char want[VMIG_VERSION_MAX];
	int len = vmig_version_print(&accel, buf, sizeof(buf)), i;

	snprintf(want, sizeof(want),
		 "mimic,accel,stream=%u.%u,memory=67108864,rings=2",
		 VMIG_STREAM_MAJOR, VMIG_STREAM_MINOR);
	ASSERT_STREQ(want, buf);
	ASSERT_EQ((int)strlen(buf), len);
	ASSERT_LT(len, VMIG_VERSION_MAX);
	for (i = 0; i < len; i++) {
		ASSERT_LE(0x21, buf[i]);
		ASSERT_GE(0x7e, buf[i]);
	}
	ASSERT_EQ(0, verdict(_metadata, buf, len));
}

TEST(VER_03_print_in_any_room)
{
	size_t len = strlen(OWN), size;
	char *buf;
	int ret;

	for (size = 0; size <= len + 2; size++) {
		buf = malloc(size);
		ret = vmig_version_print(&accel, buf, size);
		ASSERT_EQ(size <= len ? -ENOSPC : (int)len, ret) {
			TH_LOG("%zu bytes", size);
		}
		ASSERT_TRUE(!size || memchr(buf, 0, size));
		free(buf);
	}
}

static const char * const param_names[VMIG_MAX_PARAMS] = {
	"a", "memory", "0", "x9", "stream", "rings", "zz", "memory",
};

TEST(VER_04_VER_16_print_and_judge_agree)
{
	static const u64 values[] = {
		0, 1, 9, 10, 4096, U32_MAX, 1ull << 63, U64_MAX - 1, U64_MAX,
	};
	struct vmig_ident one = { .vendor = "v0", .model = "9m" }, other;
	char buf[VMIG_VERSION_MAX];
	unsigned int i, j, k;
	int len;

	for (i = 0; i <= VMIG_MAX_PARAMS; i++) {
		one.nr_params = i;
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			for (k = 0; k < i; k++) {
				one.params[k].name = param_names[k];
				one.params[k].value =
					values[(j + k) % ARRAY_SIZE(values)];
			}
			len = vmig_version_print(&one, buf, sizeof(buf));
			ASSERT_LT(0, len);
			ASSERT_EQ(0, judge(_metadata, &one, buf, len).ret);
			for (k = 0; k < i; k++) {
				other = one;
				other.params[k].value++;
				ASSERT_EQ(-EXDEV,
					  judge(_metadata, &other, buf, len).ret);
				other = one;
				other.params[k].name = "other";
				ASSERT_EQ(-EOPNOTSUPP,
					  judge(_metadata, &other, buf, len).ret);
			}
		}
	}
}

TEST(VER_03_print_longest)
{
	static char word[VMIG_VERSION_MAX + 8];
	struct vmig_ident ident = { .vendor = "v", .model = word };
	char buf[VMIG_VERSION_MAX];
	int n, len;

	for (n = 1; n < VMIG_VERSION_MAX + 4; n++) {
		word[n - 1] = 'm';
		len = vmig_version_print(&ident, buf, sizeof(buf));
		if (strlen("v,,stream=1.1") + n < VMIG_VERSION_MAX) {
			ASSERT_EQ((int)strlen("v,,stream=1.1") + n, len);
			ASSERT_EQ(0, judge(_metadata, &ident, buf, len).ret);
		} else {
			ASSERT_EQ(-ENOSPC, len);
		}
	}
}

/* What the refusals say, for the line in the log. */
struct row {
	const char *str;
	int ret;
	const char *field;
	const char *theirs;
	const char *ours;
};

static void rows(struct __test_metadata *_metadata, const struct row *row,
		 size_t n)
{
	for (; n; row++, n--) {
		struct ruling r = judge(_metadata, &accel, row->str,
					strlen(row->str));

		EXPECT_EQ(row->ret, r.ret) TH_LOG("%s", row->str);
		EXPECT_EQ(row->ret, expected(&accel, row->str, strlen(row->str)));
		EXPECT_STREQ(row->field, r.field) TH_LOG("%s", row->str);
		EXPECT_STREQ(row->theirs ?: r.theirs, r.theirs) {
			TH_LOG("%s", row->str);
		}
		EXPECT_STREQ(row->ours ?: r.ours, r.ours) {
			TH_LOG("%s", row->str);
		}
	}
}

TEST(VER_04_another_device_is_EXDEV)
{
	static const struct row table[] = {
		{ "other,accel,stream=1.1,memory=67108864,rings=2", -EXDEV,
		  "vendor", "other", "mimic" },
		{ "mimi,accel,stream=1.1,memory=67108864,rings=2", -EXDEV,
		  "vendor", "mimi", "mimic" },
		{ "mimicc,accel,stream=1.1,memory=67108864,rings=2", -EXDEV,
		  "vendor", "mimicc", "mimic" },
		{ "mimic,probe,stream=1.1,memory=67108864,rings=2", -EXDEV,
		  "model", "probe", "accel" },
		{ "mimic,accel2,stream=1.1,memory=67108864,rings=2", -EXDEV,
		  "model", "accel2", "accel" },
		{ "mimic,accel,stream=1.1,memory=134217728,rings=2", -EXDEV,
		  "memory", "134217728", "67108864" },
		{ "mimic,accel,stream=1.1,memory=0,rings=2", -EXDEV,
		  "memory", "0", "67108864" },
		{ "mimic,accel,stream=1.1,memory=18446744073709551615,rings=2",
		  -EXDEV, "memory", "18446744073709551615", "67108864" },
		{ "mimic,accel,stream=1.1,memory=67108864,rings=3", -EXDEV,
		  "rings", "3", "2" },
		/* The first difference is the one that is told. */
		{ "mimic,accel,stream=1.1,memory=1,rings=3", -EXDEV,
		  "memory", "1", "67108864" },
		{ "other,probe,stream=9.9,memory=1,fish=3", -EXDEV,
		  "vendor", "other", "mimic" },
		/* Another device need not have our fields at all. */
		{ "other,thing,stream=1.1", -EXDEV, "vendor", "other", "mimic" },
		{ "mimic,probe,stream=1.1", -EXDEV, "model", "probe", "accel" },
	};

	rows(_metadata, table, ARRAY_SIZE(table));
}

TEST(VER_04_something_newer_is_EOPNOTSUPP)
{
	static const struct row table[] = {
		{ "mimic,accel,stream=2.0,memory=67108864,rings=2", -EOPNOTSUPP,
		  "stream", "2.0", NULL },
		{ "mimic,accel,stream=0.0,memory=67108864,rings=2", -EOPNOTSUPP,
		  "stream", "0.0", NULL },
		{ "mimic,accel,stream=1.999,memory=67108864,rings=2",
		  -EOPNOTSUPP, "stream", "1.999", NULL },
		{ "mimic,accel,stream=4294967297.0,memory=67108864,rings=2",
		  -EOPNOTSUPP, "stream", "4294967297.0", NULL },
		{ "mimic,accel,stream=1.4294967296,memory=67108864,rings=2",
		  -EOPNOTSUPP, "stream", "1.4294967296", NULL },
		{ OWN ",turbo=1", -EOPNOTSUPP, "feature", "turbo",
		  "no such field" },
		{ OWN ",rings=2", -EOPNOTSUPP, "feature", "rings",
		  "no such field" },
		{ "mimic,accel,stream=1.1,memory=67108864,queues=2",
		  -EOPNOTSUPP, "feature", "queues", "rings" },
		{ "mimic,accel,stream=1.1,rings=2,memory=67108864",
		  -EOPNOTSUPP, "feature", "rings", "memory" },
		{ "mimic,accel,stream=1.1,memory=67108864,ring=2",
		  -EOPNOTSUPP, "feature", "ring", "rings" },
		{ "mimic,accel,stream=1.1,turbo=1,memory=67108864,rings=2",
		  -EOPNOTSUPP, "feature", "turbo", "memory" },
		{ "mimic,accel,stream=2.0", -EOPNOTSUPP, "stream", "2.0", NULL },
		{ "mimic,accel,stream=2.0,memory=1,rings=2", -EOPNOTSUPP,
		  "stream", "2.0", NULL },
	};
	char newer[32];

	rows(_metadata, table, ARRAY_SIZE(table));
	snprintf(newer, sizeof(newer), "mimic,accel,stream=%u.%u",
		 VMIG_STREAM_MAJOR, VMIG_STREAM_MINOR + 1);
	EXPECT_EQ(-EOPNOTSUPP, verdict(_metadata, newer, strlen(newer)));
}

TEST(VER_04_VER_07_malformed_is_EINVAL)
{
	static const struct row table[] = {
		{ "mimic", -EINVAL, "syntax", "", NULL },
		{ "mimic,", -EINVAL, "syntax", "", NULL },
		{ ",accel,stream=1.1", -EINVAL, "syntax", NULL, NULL },
		{ "mimic,,stream=1.1", -EINVAL, "syntax", NULL, NULL },
		{ "mimic accel stream=1.1", -EINVAL, "syntax", NULL, NULL },
		{ "Mimic,accel,stream=1.1,memory=67108864,rings=2", -EINVAL,
		  "syntax", "Mimic,accel,stream=1.1,memory=67108864,rings=2", NULL },
		{ "mimic,Accel,stream=1.1,memory=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,Stream=1.0,memory=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,stream=1,memory=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,stream=1.,memory=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,stream=.0,memory=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,stream=1.1.0,memory=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,stream,memory=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,memory=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,stream=1.1", -EINVAL, "syntax", "", NULL },
		{ "mimic,accel,stream=1.1,memory=67108864", -EINVAL,
		  "syntax", "", NULL },
		{ "mimic,accel,stream=1.1,memory=,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,stream=1.1,=67108864,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ "mimic,accel,stream=1.1,,rings=2", -EINVAL,
		  "syntax", NULL, NULL },
		{ OWN ",", -EINVAL, "syntax", "", NULL },
		{ OWN ",turbo", -EINVAL, "syntax", NULL, NULL },
		{ OWN "=2", -EINVAL, "syntax", NULL, NULL },
		/* Malformed wins over different, wherever it is. */
		{ "other,accel,stream=1.1,memory=67108864,rings=", -EINVAL,
		  "syntax", "", NULL },
		{ "mimic,accel,stream=2.0,memory=67108864,rings=2 ", -EINVAL,
		  "syntax", " ", NULL },
		{ "mimic,accel,stream=1.1,memory=1,turbo", -EINVAL,
		  "syntax", NULL, NULL },
	};

	rows(_metadata, table, ARRAY_SIZE(table));
}

TEST(VER_07_numbers_have_one_spelling)
{
	static const char * const wrong[] = {
		"", "067108864", "00", "+67108864", "-1", "0x4000000",
		"67108864.0", "6.7e7", " 67108864", "67108864 ", "64M", "67_108864",
		"18446744073709551616", "18446744073709551617",
		"18446744073776660480",	/* 2^64 + 67108864 */
		"20000000000000000000", "99999999999999999999",
		"184467440737095516150", "340282366920938463463374607431835320320",
	};
	static const char * const right[] = {
		"0", "1", "9", "10", "18446744073709551615",
		"18446744073709551609", "9999999999999999999",
	};
	char buf[VMIG_VERSION_MAX];
	size_t i;
	int len;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		len = snprintf(buf, sizeof(buf),
			       "mimic,accel,stream=1.1,memory=%s,rings=2",
			       wrong[i]);
		EXPECT_EQ(-EINVAL, verdict(_metadata, buf, len)) {
			TH_LOG("%s", buf);
		}
		len = snprintf(buf, sizeof(buf),
			       "mimic,accel,stream=%s.0,memory=67108864,rings=2",
			       wrong[i]);
		EXPECT_EQ(-EINVAL, verdict(_metadata, buf, len)) {
			TH_LOG("%s", buf);
		}
		len = snprintf(buf, sizeof(buf),
			       "mimic,accel,stream=1.%s,memory=67108864,rings=2",
			       wrong[i]);
		EXPECT_EQ(-EINVAL, verdict(_metadata, buf, len)) {
			TH_LOG("%s", buf);
		}
	}
	for (i = 0; i < ARRAY_SIZE(right); i++) {
		len = snprintf(buf, sizeof(buf),
			       "mimic,accel,stream=1.1,memory=%s,rings=2",
			       right[i]);
		EXPECT_EQ(-EXDEV, verdict(_metadata, buf, len)) {
			TH_LOG("%s", buf);
		}
	}
}

TEST(VER_05_white_space_and_zeros_around_it)
{
	static const char * const with[] = {
		"%s\n", "%s\n\n", "%s ", " %s", "%s\t", "%s\r\n", "\n%s", "%s,",
		"%sx", "x %s", "\xef\xbb\xbf%s",
	};
	char buf[VMIG_VERSION_MAX];
	size_t i;
	int len;

	for (i = 0; i < ARRAY_SIZE(with); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		len = snprintf(buf, sizeof(buf), with[i], OWN);
#pragma GCC diagnostic pop
		EXPECT_EQ(-EINVAL, verdict(_metadata, buf, len)) {
			TH_LOG("%s", buf);
		}
	}
	EXPECT_EQ(-EINVAL, verdict(_metadata, OWN, sizeof(OWN)));
	EXPECT_EQ(0, verdict(_metadata, OWN, sizeof(OWN) - 1));
}

TEST(VER_06_empty)
{
	EXPECT_EQ(-EINVAL, verdict(_metadata, "", 0));
	EXPECT_EQ(-EINVAL, verdict(_metadata, "\n", 1));
	EXPECT_EQ(-EINVAL, verdict(_metadata, "\0", 1));
	EXPECT_EQ(-EINVAL, verdict(_metadata, "\0\0\0\0", 4));
}

TEST(VER_07_every_prefix_and_suffix)
{
	size_t len = strlen(OWN), n;

	for (n = 0; n < len; n++) {
		both(_metadata, OWN, n);
		both(_metadata, OWN + len - n, n);
	}
	for (n = 0; n < len; n++)
		ASSERT_EQ(-EINVAL, verdict(_metadata, OWN, n));
}

TEST(VER_07_every_character_changed)
{
	char buf[] = OWN;
	size_t len = strlen(OWN), i;
	unsigned int x;

	for (i = 0; i < len; i++) {
		for (x = 1; x < 256; x++) {
			buf[i] = OWN[i] ^ x;
			both(_metadata, buf, len);
		}
		buf[i] = OWN[i];
	}
}

TEST(VER_07_every_character_left_out_doubled_or_put_in)
{
	size_t len = strlen(OWN), i;
	char buf[sizeof(OWN) + 1];
	unsigned int c;

	for (i = 0; i < len; i++) {
		memcpy(buf, OWN, i);
		memcpy(buf + i, OWN + i + 1, len - i - 1);
		buf[len - 1] = 0;
		both(_metadata, buf, len - 1);
	}
	for (i = 0; i <= len; i++) {
		memcpy(buf, OWN, i);
		memcpy(buf + i + 1, OWN + i, len - i);
		buf[len + 1] = 0;
		for (c = 0; c < 256; c++) {
			buf[i] = c;
			both(_metadata, buf, len + 1);
		}
	}
}

TEST(VER_07_fields_left_out_doubled_or_exchanged)
{
	static const char * const field[] = {
		"mimic", "accel", "stream=1.1", "memory=67108864", "rings=2",
	};
	char buf[VMIG_VERSION_MAX];
	unsigned int code, rest, len;

	/* Every sequence of up to 6 of them; 0 is the end. */
	for (code = 0; code < 6 * 6 * 6 * 6 * 6 * 6; code++) {
		len = 0;
		for (rest = code; rest; rest /= 6) {
			if (!(rest % 6))
				break;
			len += snprintf(buf + len, sizeof(buf) - len, "%s%s",
					len ? "," : "", field[rest % 6 - 1]);
		}
		both(_metadata, buf, len);
	}
}

TEST(VER_05_VER_07_zeros_inside)
{
	char buf[sizeof(OWN) + 1];
	size_t len = strlen(OWN), i;

	for (i = 0; i < len; i++) {
		strcpy(buf, OWN);
		buf[i] = 0;
		EXPECT_EQ(-EINVAL, verdict(_metadata, buf, len));
	}
	for (i = 0; i <= len; i++) {
		memcpy(buf, OWN, i);
		buf[i] = 0;
		memcpy(buf + i + 1, OWN + i, len - i);
		EXPECT_EQ(-EINVAL, verdict(_metadata, buf, len + 1));
	}
}

TEST(VER_03_VER_09_overlong)
{
	static const char tail[] = ",accel,stream=1.1,memory=67108864,rings=2";
	size_t size = 1 << 20, len;
	char *buf = malloc(size);
	struct ruling r;

	memset(buf, 'm', size);
	/* Well-formed strings of every length around the limit. */
	for (len = VMIG_VERSION_MAX - 8; len < VMIG_VERSION_MAX + 8; len++) {
		memset(buf, 'm', len);
		memcpy(buf + len - strlen(tail), tail, strlen(tail));
		r = judge(_metadata, &accel, buf, len);
		if (len < VMIG_VERSION_MAX) {
			EXPECT_EQ(-EXDEV, r.ret) TH_LOG("%zu bytes", len);
			EXPECT_STREQ("vendor", r.field);
		} else {
			EXPECT_EQ(-EINVAL, r.ret) TH_LOG("%zu bytes", len);
			EXPECT_STREQ("syntax", r.field);
		}
	}
	/* Ours, and something behind it. */
	memcpy(buf, OWN, strlen(OWN));
	memset(buf + strlen(OWN), '0', size - strlen(OWN));
	for (len = 4095; len <= 4097; len++)
		EXPECT_EQ(-EINVAL, verdict(_metadata, buf, len));
	EXPECT_EQ(-EINVAL, verdict(_metadata, buf, size));
	memset(buf, 0, size);
	memcpy(buf, OWN, strlen(OWN));
	EXPECT_EQ(-EINVAL, verdict(_metadata, buf, VMIG_VERSION_MAX));
	EXPECT_EQ(-EINVAL, verdict(_metadata, buf, VMIG_VERSION_MAX - 1));
	EXPECT_EQ(-EINVAL, verdict(_metadata, buf, size));
	free(buf);
}

/* Strings that are nearly right, by chance: both judges must agree. */
TEST(VER_07_random_strings)
{
	static const char * const part[] = {
		"mimic", "accel", "stream=", "1.0", "memory=", "67108864", "rings=",
		"2", ",", ",", ",", ",", "=", ".", "0", "1", "9", "other", "x", "A",
		" ", "\n", "18446744073709551615", "18446744073709551616", "memory",
		"stream=1.1", "memory=67108864", "rings=2", "mimic,accel,",
		"mimic,accel,stream=1.1,memory=67108864", OWN,
	};
	u32 seed = unit_seed(), round;
	char buf[4 * VMIG_VERSION_MAX];
	struct unit_dice d;
	time_t end = 0;
	unsigned int n;
	size_t len;

	TH_LOG("UNIT_SEED=%u", seed);
	for (round = 0; round % 256 || unit_more(&end, 2); round++) {
		d = unit_dice(seed, round);
		len = 0;
		for (n = unit_below(&d, 12); n; n--)
			len += snprintf(buf + len, sizeof(buf) - len, "%s",
					part[unit_below(&d, ARRAY_SIZE(part))]);
		if (len && !unit_below(&d, 8))
			buf[unit_below(&d, len)] = unit_below(&d, 256);
		both(_metadata, buf, len);
	}
	TH_LOG("%u strings", round);
}

TEST_HARNESS_MAIN
