// SPDX-License-Identifier: GPL-2.0-only
/*
 * accelwork: makes the mimic "accel" device work inside a guest, and proves
 * that what it did is right.
 *
 * Everything that is written, by the device, through the mapped BAR or to plain
 * memory, follows a rule that can be computed again: so after a migration the
 * same program finds a single lost, old or misplaced byte. Invariants:
 *  - every mode prints one line "MODE: key=value ..." at its end, with
 *    result=ok and exit status 0, or result=bad and 1 after at most MAX_REPORTS
 *    lines that begin with "MODE: bad" and say what differs and where;
 *  - modes that loop stop at SIGTERM or SIGINT, verify all once more, and then
 *    print their line; so "kill, wait, read the last line" is a full check;
 *  - a mode touches nothing outside the ranges it was given.
 *
 * crc32c comes from the kernel (AF_ALG), so that the program can be static and
 * needs no library.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/if_alg.h>
#include <linux/mimic_accel_guest.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAGE		MIMIC_ACCEL_PAGE_SIZE
#define MAX_REPORTS	16
#define MAX_BATCH	16
#define GOLDEN		0x9e3779b97f4a7c15ull

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct range {
	uint64_t off;
	uint64_t len;
};

struct options {
	const char *device;
	const char *status;
	uint64_t seed;
	uint64_t rounds;	/* 0: for ever */
	uint64_t rate;		/* stamps or pages per second, 0: no limit */
	uint64_t mib;
	unsigned int ring;
	struct range dev;
	struct range buf;
	bool keep;
};

struct device {
	int fd;
	struct mimic_accel_guest_info info;
	uint8_t *buf;
	uint8_t *mem;
};

static const char *mode;
static volatile sig_atomic_t stopping;
static unsigned long long bad;

/* --- Messages --- */

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	printf("%s: bad ", mode);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n%s: result=bad\n", mode);
	exit(1);
}

static void __attribute__((format(printf, 1, 2))) report(const char *fmt, ...)
{
	va_list ap;

	if (bad++ >= MAX_REPORTS)
		return;
	printf("%s: bad ", mode);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static int finish(void)
{
	printf(" bad=%llu result=%s\n", bad, bad ? "bad" : "ok");
	return bad ? 1 : 0;
}

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	/* without SA_RESTART: a wait in the driver ends too, and is repeated */
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

/* A file that has its first line as soon as it has its name. */
static int create_status(const char *name, const char *line, int n)
{
	char new[PATH_MAX];
	int fd;

	if (snprintf(new, sizeof(new), "%s.new", name) >= (int)sizeof(new))
		die("%s: the name is too long", name);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || pwrite(fd, line, n, 0) != n || rename(new, name))
		die("cannot write %s: %s", new, strerror(errno));
	return fd;
}

/* One line that another process can read at any time to see progress. */
static void write_status(const struct options *o, uint64_t rounds, uint64_t bytes)
{
	static int fd = -1;
	char line[64];
	int n;

	if (!o->status)
		return;
	n = snprintf(line, sizeof(line), "rounds=%-20" PRIu64 " bytes=%-20" PRIu64 "\n",
		     rounds, bytes);
	if (fd < 0)
		fd = create_status(o->status, line, n);
	else if (pwrite(fd, line, n, 0) != n)
		die("cannot write %s: %s", o->status, strerror(errno));
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

static void sleep_us(uint64_t us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

static void sleep_until(uint64_t due)
{
	uint64_t now = now_us();

	if (due > now)
		sleep_us(due - now);
}

/* --- Random numbers (splitmix64) and checksums --- */

static uint64_t rng;

static uint64_t rnd(void)
{
	uint64_t z = (rng += GOLDEN);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t rnd_below(uint64_t n)
{
	return n ? rnd() % n : 0;
}

static void rnd_fill(uint8_t *p, size_t len)
{
	uint64_t v;

	for (; len >= sizeof(v); p += sizeof(v), len -= sizeof(v)) {
		v = rnd();
		memcpy(p, &v, sizeof(v));
	}
	v = rnd();
	memcpy(p, &v, len);
}

static int crc_open(void)
{
	struct sockaddr_alg sa = {
		.salg_family = AF_ALG,
		.salg_type = "hash",
		.salg_name = "crc32c",
	};
	int fd, op;

	fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("no crc32c in the kernel: %s", strerror(errno));
	op = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (op < 0)
		die("crc32c: %s", strerror(errno));
	close(fd);
	return op;
}

static uint32_t crc32c(const void *data, size_t len)
{
	static int fd = -1;
	const uint8_t *p = data;
	uint8_t out[4];
	ssize_t n;

	if (fd < 0)
		fd = crc_open();
	do {
		n = send(fd, p, len, MSG_MORE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("crc32c: %s", strerror(errno));
		p += n;
		len -= n;
	} while (len);
	while (read(fd, out, sizeof(out)) != sizeof(out))
		if (errno != EINTR)
			die("crc32c: %s", strerror(errno));
	return out[0] | out[1] << 8 | out[2] << 16 | (uint32_t)out[3] << 24;
}

/* --- The device --- */

static void *map(int fd, uint64_t off, uint64_t len, const char *what)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);

	if (p == MAP_FAILED)
		die("cannot map the %s: %s", what, strerror(errno));
	return p;
}

/*
 * QEMU's emulated SVM leaves the type of a guest's last exception where Linux from
 * 6.14 on takes it for an event on its way, and ends a guest that accesses a
 * register first on this host, as after a migration. A program has such exceptions
 * when it starts. CPUID leaves the guest, which forgets them.
 */
static int device_ioctl(const struct device *d, unsigned long cmd, void *arg)
{
	unsigned int reg[4];

	__cpuid(0, reg[0], reg[1], reg[2], reg[3]);
	return ioctl(d->fd, cmd, arg);
}

static void device_open(struct device *d, const struct options *o)
{
	d->fd = open(o->device, O_RDWR | O_CLOEXEC);
	if (d->fd < 0)
		die("cannot open %s: %s", o->device, strerror(errno));
	if (device_ioctl(d, MIMIC_ACCEL_GUEST_INFO, &d->info))
		die("INFO: %s", strerror(errno));
	d->buf = map(d->fd, MIMIC_ACCEL_GUEST_MMAP_BUF, d->info.buf_size, "buffer");
	d->mem = map(d->fd, MIMIC_ACCEL_GUEST_MMAP_MEM, d->info.mem_size,
		     "device memory");
}

static void check_range(const struct range *r, uint64_t size, uint64_t align,
			const char *what)
{
	if (r->off > size || r->len > size - r->off || r->off % align ||
	    r->len % align)
		die("range %#" PRIx64 ":%#" PRIx64 " does not fit the %s of %#" PRIx64
		    " bytes", r->off, r->len, what, size);
}

static uint64_t submit(struct device *d, unsigned int ring,
		       const struct mimic_accel_guest_cmd *cmds, unsigned int nr)
{
	struct mimic_accel_guest_submit s = {
		.ring = ring,
		.nr = nr,
		.cmds = (uintptr_t)cmds,
	};

	while (device_ioctl(d, MIMIC_ACCEL_GUEST_SUBMIT, &s))
		if (errno != EINTR)
			die("SUBMIT: %s", strerror(errno));
	return s.first;
}

static void wait_for(struct device *d, unsigned int ring, uint64_t first,
		     struct mimic_accel_guest_result *res, unsigned int nr)
{
	struct mimic_accel_guest_wait w = {
		.ring = ring,
		.nr = nr,
		.first = first,
		.results = (uintptr_t)res,
	};

	while (device_ioctl(d, MIMIC_ACCEL_GUEST_WAIT, &w))
		if (errno != EINTR)
			die("WAIT for command %" PRIu64 ": %s", first, strerror(errno));
}

static void get_counters(struct device *d, struct mimic_accel_guest_counters *c)
{
	if (device_ioctl(d, MIMIC_ACCEL_GUEST_COUNTERS, c))
		die("COUNTERS: %s", strerror(errno));
}

static uint32_t get_reg(struct device *d, uint32_t off)
{
	struct mimic_accel_guest_reg r = { .off = off };

	if (device_ioctl(d, MIMIC_ACCEL_GUEST_REG, &r))
		die("REG %#x: %s", off, strerror(errno));
	return r.value;
}

/* --- run: commands against a model --- */

struct work {
	struct device *d;
	const struct options *o;
	uint8_t *dev;		/* model of the device range */
	uint8_t *buf;		/* model of the buffer range */
	struct mimic_accel_guest_cmd cmds[MAX_BATCH];
	struct mimic_accel_guest_result want[MAX_BATCH];
	uint64_t commands;
	uint64_t bytes;
	uint64_t refused;
};

static uint64_t pick_len(uint64_t max)
{
	static const uint64_t limits[] = { 16, 256, PAGE, 3 * PAGE, 65536 };
	uint64_t limit = limits[rnd_below(5)];

	if (rnd_below(64) == 0)
		limit = max;
	if (limit > max)
		limit = max;
	return 1 + rnd_below(limit);
}

static void fill(uint8_t *p, uint64_t len, uint64_t pattern)
{
	uint64_t i;

	for (i = 0; i < len; i++)
		p[i] = pattern >> (i % 8 * 8);
}

/* Commands that the device has to refuse without a change to anything. */
static void make_bad(struct work *w, struct mimic_accel_guest_cmd *c,
		     struct mimic_accel_guest_result *r)
{
	uint64_t size = w->d->info.mem_size;

	c->opcode = MIMIC_ACCEL_OP_COPY_D2D;
	c->len = 1 + rnd_below(65536);
	c->src = w->o->dev.off;
	switch (rnd_below(4)) {
	case 0:	/* overlap */
		c->dst = c->src + rnd_below(c->len);
		r->status = MIMIC_ACCEL_CPL_BAD_DESC;
		break;
	case 1:
		c->len = 0;
		c->dst = c->src;
		r->status = MIMIC_ACCEL_CPL_BAD_DESC;
		break;
	case 2:
		c->opcode = MIMIC_ACCEL_OP_FILL_D;
		c->dst = size + rnd_below(size);
		r->status = MIMIC_ACCEL_CPL_BAD_RANGE;
		break;
	default:	/* the end wraps around */
		c->opcode = MIMIC_ACCEL_OP_CRC_D;
		c->src = -(uint64_t)rnd_below(c->len);
		if (!c->src)
			c->src = size;
		r->status = MIMIC_ACCEL_CPL_BAD_RANGE;
	}
	w->refused++;
}

static void make_d2d(struct work *w, struct mimic_accel_guest_cmd *c)
{
	uint64_t size = w->o->dev.len, len = pick_len(size / 2);
	uint64_t low = rnd_below(size - 2 * len + 1);
	uint64_t high = low + len + rnd_below(size - low - 2 * len + 1);
	bool up = rnd_below(2);
	uint64_t src = up ? low : high, dst = up ? high : low;

	memcpy(w->dev + dst, w->dev + src, len);
	c->src = w->o->dev.off + src;
	c->dst = w->o->dev.off + dst;
	c->len = len;
}

/* A random command; the model does it at once, since a ring works in order. */
static void make_cmd(struct work *w, unsigned int i)
{
	struct mimic_accel_guest_cmd *c = &w->cmds[i];
	struct mimic_accel_guest_result *r = &w->want[i];
	uint64_t min = w->o->dev.len < w->o->buf.len ? w->o->dev.len : w->o->buf.len;
	uint64_t len, d, g;

	memset(c, 0, sizeof(*c));
	memset(r, 0, sizeof(*r));
	c->cookie = rnd();
	r->cookie = c->cookie;
	c->flags = rnd_below(4) ? 0 : MIMIC_ACCEL_DESC_IRQ;
	if (rnd_below(40) == 0) {
		make_bad(w, c, r);
		return;
	}
	len = pick_len(min < MIMIC_ACCEL_MAX_LEN ? min : MIMIC_ACCEL_MAX_LEN);
	d = rnd_below(w->o->dev.len - len + 1);
	g = rnd_below(w->o->buf.len - len + 1);
	c->opcode = 1 + rnd_below(MIMIC_ACCEL_OP_CRC_G);
	c->len = len;
	c->src = w->o->dev.off + d;
	c->dst = w->o->dev.off + d;
	switch (c->opcode) {
	case MIMIC_ACCEL_OP_COPY_G2D:
		c->src = w->o->buf.off + g;
		memcpy(w->dev + d, w->buf + g, len);
		break;
	case MIMIC_ACCEL_OP_COPY_D2G:
		c->dst = w->o->buf.off + g;
		memcpy(w->buf + g, w->dev + d, len);
		break;
	case MIMIC_ACCEL_OP_COPY_D2D:
		make_d2d(w, c);
		break;
	case MIMIC_ACCEL_OP_FILL_D:
		c->pattern = rnd();
		fill(w->dev + d, len, c->pattern);
		break;
	case MIMIC_ACCEL_OP_FILL_G:
		c->dst = w->o->buf.off + g;
		c->pattern = rnd();
		fill(w->buf + g, len, c->pattern);
		break;
	case MIMIC_ACCEL_OP_CRC_D:
		r->result = crc32c(w->dev + d, len);
		break;
	case MIMIC_ACCEL_OP_CRC_G:
		c->src = w->o->buf.off + g;
		r->result = crc32c(w->buf + g, len);
		break;
	}
	r->done = c->len;
	w->bytes += c->len;
}

/* The processor's own stores, to the buffer and through the mapped BAR. */
static void scribble(struct work *w)
{
	uint8_t tmp[512];
	uint64_t len = 1 + rnd_below(sizeof(tmp)), at;

	rnd_fill(tmp, len);
	at = rnd_below(w->o->buf.len - len + 1);
	memcpy(w->buf + at, tmp, len);
	memcpy(w->d->buf + w->o->buf.off + at, tmp, len);
	at = rnd_below(w->o->dev.len - len + 1);
	memcpy(w->dev + at, tmp, len);
	memcpy(w->d->mem + w->o->dev.off + at, tmp, len);
}

static void compare(const uint8_t *is, const uint8_t *want, uint64_t len,
		    uint64_t base, const char *what)
{
	uint64_t i, n = 0, first = 0;

	if (!memcmp(is, want, len))
		return;
	for (i = 0; i < len; i++)
		if (is[i] != want[i] && !n++)
			first = i;
	report("%s: %" PRIu64 " bytes differ, the first at %#" PRIx64
	       ": is %02x, should be %02x", what, n, base + first, is[first],
	       want[first]);
	if (!n)
		report("%s: differed at first, not when read again", what);
}

static void compare_dev(struct work *w)
{
	compare(w->d->mem + w->o->dev.off, w->dev, w->o->dev.len, w->o->dev.off,
		"device memory");
}

static void check_results(struct work *w, const struct mimic_accel_guest_result *is,
			  unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const struct mimic_accel_guest_result *want = &w->want[i];

		if (is[i].cookie != want->cookie || is[i].status != want->status ||
		    is[i].done != want->done || is[i].result != want->result)
			/* cookie, status, bytes done, result */
			report("op %u len %u: %#x %u %u %#x instead of %#x %u %u %#x",
			       w->cmds[i].opcode, w->cmds[i].len, is[i].cookie,
			       is[i].status, is[i].done, is[i].result, want->cookie,
			       want->status, want->done, want->result);
	}
}

static void run_round(struct work *w)
{
	struct mimic_accel_guest_result res[MAX_BATCH];
	unsigned int max = w->d->info.ring_size - 1;
	unsigned int i, nr = 1 + rnd_below(max < MAX_BATCH ? max : MAX_BATCH);
	uint64_t first;

	scribble(w);
	for (i = 0; i < nr; i++)
		make_cmd(w, i);
	first = submit(w->d, w->o->ring, w->cmds, nr);
	wait_for(w->d, w->o->ring, first, res, nr);
	check_results(w, res, nr);
	compare(w->d->buf + w->o->buf.off, w->buf, w->o->buf.len, w->o->buf.off,
		"buffer");
	w->commands += nr;
}

static void work_init(struct work *w)
{
	const struct options *o = w->o;

	check_range(&o->dev, w->d->info.mem_size, 1, "device memory");
	check_range(&o->buf, w->d->info.buf_size, 1, "buffer");
	if (o->dev.len < 2 * PAGE || o->buf.len < 2 * PAGE)
		die("run needs ranges of at least %d bytes", 2 * PAGE);
	w->dev = malloc(o->dev.len);
	w->buf = malloc(o->buf.len);
	if (!w->dev || !w->buf)
		die("no memory for the model");
	rnd_fill(w->dev, o->dev.len);
	rnd_fill(w->buf, o->buf.len);
	memcpy(w->d->mem + o->dev.off, w->dev, o->dev.len);
	memcpy(w->d->buf + o->buf.off, w->buf, o->buf.len);
}

static int mode_run(struct device *d, const struct options *o)
{
	struct work w = { .d = d, .o = o };
	struct mimic_accel_guest_counters c;
	uint64_t round;

	rng = o->seed;
	work_init(&w);
	for (round = 1; !stopping && !bad && (!o->rounds || round <= o->rounds); round++) {
		run_round(&w);
		if (round % 16 == 0)
			compare_dev(&w);
		write_status(o, round, w.bytes);
		if (o->rate)
			sleep_us(1000000 / o->rate);
	}
	compare_dev(&w);
	get_counters(d, &c);
	if (c.lost[o->ring])
		report("%llu completions without an interrupt",
		       (unsigned long long)c.lost[o->ring]);
	printf("run: seed=%" PRIu64 " rounds=%" PRIu64 " commands=%" PRIu64 " bytes=%" PRIu64
	       " refused=%" PRIu64 " irqs=%llu lost=%llu", o->seed, round - 1, w.commands,
	       w.bytes, w.refused,
	       (unsigned long long)c.irqs[MIMIC_ACCEL_VEC_RING(o->ring)],
	       (unsigned long long)c.lost[o->ring]);
	return finish();
}

/* --- Pages that describe themselves, written by the processor --- */

#define CHECK_MAGIC	0x4b434548434d494dull	/* "MIMCHECK" */
#define CHECK_WORDS	(PAGE / 8)

static uint64_t check_word(uint64_t seed, uint64_t page, uint64_t gen, unsigned int i)
{
	switch (i) {
	case 0:
		return CHECK_MAGIC;
	case 1:
		return page;
	case 2:
		return gen;
	default:
		return (gen * GOLDEN ^ page << 32 ^ seed) + i;
	}
}

static void check_write(uint64_t *p, uint64_t seed, uint64_t page, uint64_t gen)
{
	unsigned int i;

	for (i = 0; i < CHECK_WORDS; i++)
		((volatile uint64_t *)p)[i] = check_word(seed, page, gen, i);
}

static void check_verify(const uint64_t *p, uint64_t seed, uint64_t page, uint64_t gen)
{
	unsigned int i, n = 0, first = 0;
	uint64_t is = 0;

	for (i = 0; i < CHECK_WORDS; i++) {
		uint64_t v = ((const volatile uint64_t *)p)[i];

		if (v == check_word(seed, page, gen, i))
			continue;
		if (!n++) {
			first = i;
			is = v;
		}
	}
	if (n)
		report("page %" PRIu64 ": %u words are not of generation %" PRIu64
		       ", the first is word %u: %#" PRIx64 ", generation word %#" PRIx64,
		       page, n, gen, first, is, p[2]);
}

/*
 * Every page of a range is rewritten again and again, each time after a look
 * whether it still holds what was written last.
 */
static int check_loop(uint64_t *base, uint64_t pages, const struct options *o)
{
	uint64_t gen, page, done = 0, start = now_us();

	for (page = 0; page < pages; page++)
		check_write(base + page * CHECK_WORDS, o->seed, page, 1);
	for (gen = 2; !stopping && !bad && (!o->rounds || gen <= o->rounds + 1); gen++) {
		for (page = 0; page < pages; page++) {
			uint64_t *p = base + page * CHECK_WORDS;

			check_verify(p, o->seed, page, gen - 1);
			check_write(p, o->seed, page, gen);
			done++;
			if (o->rate && done % 16 == 0)
				sleep_until(start + done * 1000000 / o->rate);
		}
		write_status(o, gen - 1, done * PAGE);
	}
	for (page = 0; page < pages; page++)
		check_verify(base + page * CHECK_WORDS, o->seed, page, gen - 1);
	printf("%s: pages=%" PRIu64 " rounds=%" PRIu64 " bytes=%" PRIu64, mode, pages,
	       gen - 2, done * PAGE);
	return finish();
}

static int mode_bar_check(struct device *d, const struct options *o)
{
	check_range(&o->dev, d->info.mem_size, PAGE, "device memory");
	return check_loop((uint64_t *)(d->mem + o->dev.off), o->dev.len / PAGE, o);
}

static int mode_ram_check(const struct options *o)
{
	uint64_t len = o->mib << 20;
	void *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("no memory: %s", strerror(errno));
	return check_loop(p, len / PAGE, o);
}

/* --- Stamp job --- */

/* Zeros in all of a range, by the device, so that an unstamped page is known. */
static void zero_range(struct device *d, unsigned int ring, uint16_t opcode,
		       const struct range *r)
{
	uint64_t off, len;

	for (off = 0; off < r->len; off += len) {
		struct mimic_accel_guest_cmd c = { .opcode = opcode };
		struct mimic_accel_guest_result res;

		len = r->len - off;
		if (len > MIMIC_ACCEL_MAX_LEN)
			len = MIMIC_ACCEL_MAX_LEN;
		c.dst = r->off + off;
		c.len = len;
		wait_for(d, ring, submit(d, ring, &c, 1), &res, 1);
		if (res.status != MIMIC_ACCEL_CPL_OK)
			die("zeroing: status %u", res.status);
	}
}

static int mode_stamp_start(struct device *d, const struct options *o)
{
	struct mimic_accel_guest_stamp s = {
		.rate = o->rate,
		.flags = o->keep ? MIMIC_ACCEL_GUEST_STAMP_KEEP : 0,
		.dev_off = o->dev.off,
		.buf_off = o->buf.off,
		.dev_pages = o->dev.len / PAGE,
		.buf_pages = o->buf.len / PAGE,
	};

	check_range(&o->dev, d->info.mem_size, PAGE, "device memory");
	check_range(&o->buf, d->info.buf_size, PAGE, "buffer");
	if (!o->keep) {
		zero_range(d, o->ring, MIMIC_ACCEL_OP_FILL_D, &o->dev);
		zero_range(d, o->ring, MIMIC_ACCEL_OP_FILL_G, &o->buf);
	}
	if (device_ioctl(d, MIMIC_ACCEL_GUEST_STAMP_START, &s))
		die("STAMP_START: %s", strerror(errno));
	printf("stamp-start: rate=%u dev_pages=%u buf_pages=%u", s.rate, s.dev_pages,
	       s.buf_pages);
	return finish();
}

/* Number of the stamp that page @page of @pages holds after stamp @last; 0: none. */
static uint64_t stamp_of(uint64_t last, uint64_t page, uint64_t pages)
{
	return last > page ? last - (last - 1 - page) % pages : 0;
}

static unsigned int stamp_words_differ(const struct mimic_accel_stamp *is, uint64_t seq,
				       uint64_t addr)
{
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(is->fill); i++)
		if (is->fill[i] != seq * GOLDEN + addr + i)
			n++;
	return n;
}

static void verify_stamp(const void *p, uint32_t where, uint32_t page, uint64_t seq,
			 uint64_t addr)
{
	static const uint8_t zeros[PAGE];
	struct mimic_accel_stamp is;
	unsigned int n;
	uint32_t crc;

	memcpy(&is, p, sizeof(is));
	if (!seq) {
		if (memcmp(&is, zeros, PAGE))
			report("where %u page %u: not zero, though never stamped", where,
			       page);
		return;
	}
	n = stamp_words_differ(&is, seq, addr);
	crc = crc32c(&is, offsetof(struct mimic_accel_stamp, crc));
	if (is.magic != MIMIC_ACCEL_STAMP_MAGIC || is.where != where ||
	    is.page != page || is.seq != seq || is.addr != addr || n ||
	    is.crc != crc || is.crc_inv != (uint32_t)~crc)
		/* magic, where, page, seq, addr, crc and its inverse */
		report("stamp %u/%u: %#llx %u %u %llu %#llx %#x %#x, %u words; %#jx %#jx %#x",
		       where, page, is.magic, is.where, is.page, is.seq, is.addr,
		       is.crc, is.crc_inv, n, (uintmax_t)seq, (uintmax_t)addr, crc);
}

static void stamp_ioctl(struct device *d, unsigned long cmd,
			struct mimic_accel_guest_stamp *s)
{
	if (device_ioctl(d, cmd, s))
		die("STAMP: %s", strerror(errno));
}

static void stamp_stop(struct device *d, const struct options *o,
		       struct mimic_accel_guest_stamp *s)
{
	stamp_ioctl(d, MIMIC_ACCEL_GUEST_STAMP_STOP, s);
	if (s->running || s->status)
		report("the job: running %u, status %u", s->running, s->status);
	if (s->seq < o->rounds)
		report("only %llu stamps", s->seq);
}

static int mode_stamp_stop(struct device *d, const struct options *o)
{
	struct mimic_accel_guest_stamp s;

	stamp_stop(d, o, &s);
	printf("stamp-stop: seq=%llu running=%u", s.seq, s.running);
	return finish();
}

static int mode_stamp_verify(struct device *d, const struct options *o)
{
	struct mimic_accel_guest_stamp s, again;
	uint64_t off;
	uint32_t i;

	stamp_stop(d, o, &s);
	for (i = 0; i < s.dev_pages; i++) {
		off = s.dev_off + (uint64_t)i * PAGE;
		verify_stamp(d->mem + off, MIMIC_ACCEL_STAMP_IN_DEVICE, i,
			     stamp_of(s.seq, i, s.dev_pages), off);
	}
	for (i = 0; i < s.buf_pages; i++) {
		off = s.buf_off + (uint64_t)i * PAGE;
		verify_stamp(d->buf + off, MIMIC_ACCEL_STAMP_IN_GUEST, i,
			     stamp_of(s.seq, i, s.buf_pages), d->info.buf_addr + off);
	}
	stamp_ioctl(d, MIMIC_ACCEL_GUEST_STAMP_GET, &again);
	if (again.seq != s.seq)
		report("stamp %llu was written after the job had stopped at %llu",
		       again.seq, s.seq);
	printf("stamp-verify: seq=%llu rate=%u dev_pages=%u buf_pages=%u", s.seq, s.rate,
	       s.dev_pages, s.buf_pages);
	return finish();
}

static int mode_stamp_seq(struct device *d)
{
	struct mimic_accel_guest_stamp s;

	stamp_ioctl(d, MIMIC_ACCEL_GUEST_STAMP_GET, &s);
	if (s.status)
		report("status %u", s.status);
	printf("stamp-seq: seq=%llu running=%u rate=%u", s.seq, s.running, s.rate);
	return finish();
}

/* --- Registers and interrupts --- */

static int mode_info(struct device *d)
{
	printf("info: version=%#x rings=%u ring_size=%u vectors=%u mem=%llu buf=%llu",
	       d->info.version, d->info.nr_rings, d->info.ring_size, d->info.nr_vectors,
	       d->info.mem_size, d->info.buf_size);
	return finish();
}

static const struct {
	const char *name;
	uint32_t off;
} regs[] = {
	{ "id", MIMIC_ACCEL_ID },
	{ "version", MIMIC_ACCEL_VERSION },
	{ "caps", MIMIC_ACCEL_CAPS },
	{ "scratch", MIMIC_ACCEL_SCRATCH },
	{ "int_status", MIMIC_ACCEL_INT_STATUS },
	{ "int_mask", MIMIC_ACCEL_INT_MASK },
	{ "mem_size_lo", MIMIC_ACCEL_MEM_SIZE_LO },
	{ "mem_size_hi", MIMIC_ACCEL_MEM_SIZE_HI },
	{ "tick_lo", MIMIC_ACCEL_TICK_LO },
	{ "tick_hi", MIMIC_ACCEL_TICK_HI },
	{ "timer_period", MIMIC_ACCEL_TIMER_PERIOD },
	{ "timer_count", MIMIC_ACCEL_TIMER_COUNT },
	{ "ignored", MIMIC_ACCEL_IGNORED },
	{ "stamp_ctrl", MIMIC_ACCEL_STAMP_CTRL },
	{ "stamp_rate", MIMIC_ACCEL_STAMP_RATE },
	{ "stamp_dev_pages", MIMIC_ACCEL_STAMP_DEV_PAGES },
	{ "stamp_guest_pages", MIMIC_ACCEL_STAMP_GUEST_PAGES },
	{ "stamp_seq_lo", MIMIC_ACCEL_STAMP_SEQ_LO },
	{ "stamp_seq_hi", MIMIC_ACCEL_STAMP_SEQ_HI },
	{ "stamp_status", MIMIC_ACCEL_STAMP_STATUS },
};

static const struct {
	const char *name;
	uint32_t off;
} ring_regs[] = {
	{ "size", MIMIC_ACCEL_RING_SIZE },
	{ "ctrl", MIMIC_ACCEL_RING_CTRL },
	{ "tail", MIMIC_ACCEL_RING_TAIL },
	{ "head", MIMIC_ACCEL_RING_HEAD },
	{ "status", MIMIC_ACCEL_RING_STATUS },
	{ "errors", MIMIC_ACCEL_RING_ERRORS },
};

static int mode_regs(struct device *d)
{
	unsigned int i, n;

	printf("regs:");
	for (i = 0; i < ARRAY_SIZE(regs); i++)
		printf(" %s=%#x", regs[i].name, get_reg(d, regs[i].off));
	for (n = 0; n < d->info.nr_rings; n++)
		for (i = 0; i < ARRAY_SIZE(ring_regs); i++)
			printf(" ring%u_%s=%#x", n, ring_regs[i].name,
			       get_reg(d, MIMIC_ACCEL_RING(n) + ring_regs[i].off));
	return finish();
}

static int mode_counters(struct device *d)
{
	struct mimic_accel_guest_counters c;
	unsigned int i;

	get_counters(d, &c);
	printf("counters:");
	for (i = 0; i < MIMIC_ACCEL_NR_VECTORS; i++)
		printf(" irqs%u=%llu", i, c.irqs[i]);
	printf(" spurious=%llu timer=%llu stamp_errors=%llu ring_errors=%llu", c.spurious,
	       c.timer, c.stamp_errors, c.ring_errors);
	for (i = 0; i < MIMIC_ACCEL_NR_RINGS; i++) {
		printf(" submitted%u=%llu completed%u=%llu failed%u=%llu lost%u=%llu", i,
		       c.submitted[i], i, c.completed[i], i, c.failed[i], i, c.lost[i]);
		if (c.lost[i])
			bad++;
	}
	if (c.stamp_errors || c.ring_errors)
		bad++;
	return finish();
}

static unsigned int vector_of(uint32_t cause)
{
	unsigned int n;

	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++)
		if (cause == MIMIC_ACCEL_INT_RING(n))
			return MIMIC_ACCEL_VEC_RING(n);
	return MIMIC_ACCEL_VEC_MISC;
}

/* Does the vector's counter move on within ten seconds? */
static bool irq_arrives(struct device *d, unsigned int vector, uint64_t before)
{
	struct mimic_accel_guest_counters c;
	uint64_t end = now_us() + 10000000;

	do {
		get_counters(d, &c);
		if (c.irqs[vector] > before)
			return true;
		sleep_us(1000);
	} while (now_us() < end);
	return false;
}

static int mode_irqs(struct device *d)
{
	struct mimic_accel_guest_counters c;
	unsigned int arrived = 0;
	uint32_t cause, count;

	for (cause = 1; cause <= MIMIC_ACCEL_INT_ALL; cause <<= 1) {
		if (!(cause & MIMIC_ACCEL_INT_ALL))
			continue;
		get_counters(d, &c);
		if (device_ioctl(d, MIMIC_ACCEL_GUEST_TRIGGER, (void *)(uintptr_t)cause))
			die("TRIGGER: %s", strerror(errno));
		if (irq_arrives(d, vector_of(cause), c.irqs[vector_of(cause)]))
			arrived++;
		else
			report("cause %#x: no interrupt on vector %u", cause,
			       vector_of(cause));
	}
	count = get_reg(d, MIMIC_ACCEL_TIMER_COUNT);
	get_counters(d, &c);
	if (device_ioctl(d, MIMIC_ACCEL_GUEST_TIMER, (void *)10000ul))
		die("TIMER: %s", strerror(errno));
	if (!irq_arrives(d, MIMIC_ACCEL_VEC_MISC, c.irqs[MIMIC_ACCEL_VEC_MISC]))
		report("no interrupt by the timer");
	if (device_ioctl(d, MIMIC_ACCEL_GUEST_TIMER, NULL))
		die("TIMER: %s", strerror(errno));
	count = get_reg(d, MIMIC_ACCEL_TIMER_COUNT) - count;
	if (!count)
		report("the timer does not count");
	printf("irqs: causes=%u timer=%u", arrived, count);
	return finish();
}

/* --- Command line --- */

static void __attribute__((noreturn)) usage(FILE *out)
{
	fputs("usage: accelwork MODE [OPTION...]\n"
	      "  run           random commands, verified against a model (-s -n -r -p -d -g -S)\n"
	      "  bar-check     self-describing pages through the mapped BAR (-s -n -p -d -S)\n"
	      "  ram-check     self-describing pages in plain memory (-s -n -p -m -S)\n"
	      "  stamp-start   start the stamp job (-p -d -g -r -k)\n"
	      "  stamp-seq     how far it is\n"
	      "  stamp-stop    stop it; fewer than -n stamps are bad\n"
	      "  stamp-verify  stop it and verify every page; fewer than -n stamps are bad\n"
	      "  info, regs, counters, irqs\n"
	      "  -D FILE       device (/dev/mimic_accel0)\n"
	      "  -s SEED -n ROUNDS (0: until SIGTERM) -r RING -m MIB\n"
	      "  -p RATE       rounds, pages or stamps per second (0: no limit)\n"
	      "  -d OFF:LEN    range of device memory, bytes, suffix K or M\n"
	      "  -g OFF:LEN    range of the buffer\n"
	      "  -k            stamp-start: go on with the sequence number\n"
	      "  -S FILE       write progress to FILE\n", out);
	exit(out == stdout ? 0 : 2);
}

static uint64_t parse_number(const char *s, char **end)
{
	uint64_t v;

	errno = 0;
	v = strtoull(s, end, 0);
	if (*end == s || errno || *s == '-')
		die("'%s' is not a number", s);
	if (**end == 'K' || **end == 'M') {
		unsigned int shift = **end == 'K' ? 10 : 20;

		if (v > UINT64_MAX >> shift)
			die("'%s' is too large", s);
		v <<= shift;
		(*end)++;
	}
	return v;
}

static uint64_t number(const char *s)
{
	char *end;
	uint64_t v = parse_number(s, &end);

	if (*end)
		die("'%s' is not a number", s);
	return v;
}

static struct range parse_range(const char *s)
{
	struct range r;
	char *end;

	r.off = parse_number(s, &end);
	if (*end != ':')
		die("'%s' is not OFFSET:LENGTH", s);
	r.len = number(end + 1);
	return r;
}

static void parse(int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = getopt(argc, argv, "D:S:s:n:p:m:r:d:g:kh")) != -1) {
		switch (opt) {
		case 'D':
			o->device = optarg;
			break;
		case 'S':
			o->status = optarg;
			break;
		case 's':
			o->seed = number(optarg);
			break;
		case 'n':
			o->rounds = number(optarg);
			break;
		case 'p':
			o->rate = number(optarg);
			break;
		case 'm':
			o->mib = number(optarg);
			break;
		case 'r':
			o->ring = number(optarg);
			break;
		case 'd':
			o->dev = parse_range(optarg);
			break;
		case 'g':
			o->buf = parse_range(optarg);
			break;
		case 'k':
			o->keep = true;
			break;
		case 'h':
			usage(stdout);
		default:
			usage(stderr);
		}
	}
	if (optind != argc)
		usage(stderr);
	if (o->ring >= MIMIC_ACCEL_NR_RINGS)
		die("there are %d rings", MIMIC_ACCEL_NR_RINGS);
	if (!o->mib || o->mib > 1 << 20)
		die("-m is 1 to %d", 1 << 20);
	if (o->rate > 1000000)
		die("-p is at most 1000000");
}

static int with_device(const struct options *o)
{
	struct device d = {};

	device_open(&d, o);
	if (!strcmp(mode, "run"))
		return mode_run(&d, o);
	if (!strcmp(mode, "bar-check"))
		return mode_bar_check(&d, o);
	if (!strcmp(mode, "stamp-start"))
		return mode_stamp_start(&d, o);
	if (!strcmp(mode, "stamp-seq"))
		return mode_stamp_seq(&d);
	if (!strcmp(mode, "stamp-stop"))
		return mode_stamp_stop(&d, o);
	if (!strcmp(mode, "stamp-verify"))
		return mode_stamp_verify(&d, o);
	if (!strcmp(mode, "info"))
		return mode_info(&d);
	if (!strcmp(mode, "regs"))
		return mode_regs(&d);
	if (!strcmp(mode, "counters"))
		return mode_counters(&d);
	if (!strcmp(mode, "irqs"))
		return mode_irqs(&d);
	usage(stderr);
}

int main(int argc, char **argv)
{
	struct options o = {
		.device = "/dev/mimic_accel0",
		.seed = 1,
		.mib = 16,
		.dev = { 0, 1 << 20 },
		.buf = { 0, 256 << 10 },
	};

	if (argc < 2 || argv[1][0] == '-')
		usage(argc < 2 || strcmp(argv[1], "-h") ? stderr : stdout);
	mode = argv[1];
	parse(argc - 1, argv + 1, &o);
	catch_signals();
	if (!strcmp(mode, "ram-check"))
		return mode_ram_check(&o);
	return with_device(&o);
}
