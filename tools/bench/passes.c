// SPDX-License-Identifier: GPL-2.0-only
/*
 * Passes over memory: see passes.h for what they stand for.
 *
 * The kernel copies with string instructions; the same are used here, because an
 * emulator may make them far slower than the C library's vector code. The
 * kernel's own checksum is asked for by AF_ALG, which hands pages of this
 * process to it without copying them. Kernels of 7.x do not offer it unless
 * crypto.af_alg_restrict is 0; there the processor's instruction stands for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_alg.h>

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

#include "passes.h"

__u64 pass_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* --- Copies ----------------------------------------------------------- */

static void copy_libc(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
}

#ifdef __x86_64__
static void copy_movsb(void *to, const void *from, size_t n)
{
	asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (n) : : "memory");
}

static void copy_movsq(void *to, const void *from, size_t n)
{
	n /= 8;
	asm volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (n) : : "memory");
}
#else
#define copy_movsb copy_libc
#define copy_movsq copy_libc
#endif

/* One side of a copy: @size bytes, used over and over. */
struct side {
	__u8 *buf;
	size_t size;
};

static __u64 pass_copy(copy_fn copy, struct side to, struct side from,
		       size_t step, size_t n)
{
	__u64 start = pass_now_ns();
	size_t off;

	for (off = 0; off + step <= n; off += step)
		copy(to.buf + off % to.size, from.buf + off % from.size, step);
	return pass_now_ns() - start;
}

static void passes_copy(struct passes *p, __u8 *mem, size_t n,
			struct pass_result *r)
{
	const struct side window = { p->window, p->window_size };
	const struct side memory = { mem, n };
	copy_fn kcopy = p->kernel;
	size_t all = p->window_size < n ? p->window_size : n;

	r->kcopy_save = pass_copy(kcopy, window, memory, PASS_BLOCK, n);
	r->kcopy_read = pass_copy(kcopy, memory, window, all, n);
	r->ucopy_read = pass_copy(copy_libc, memory, window, all, n);
	r->ucopy_write = pass_copy(copy_libc, window, memory, all, n);
	r->kcopy_write = pass_copy(kcopy, window, memory, all, n);
	r->kcopy_resume = pass_copy(kcopy, memory, window, PASS_BLOCK, n);
}

/* --- Checksums -------------------------------------------------------- */

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static __u32 crc_instruction(const __u8 *buf, size_t n)
{
	__u64 crc = ~0u;
	__u64 word;

	for (; n >= sizeof(word); n -= sizeof(word), buf += sizeof(word)) {
		memcpy(&word, buf, sizeof(word));
		crc = _mm_crc32_u64(crc, word);
	}
	while (n--)
		crc = _mm_crc32_u8(crc, *buf++);
	return ~(__u32)crc;
}

static bool crc_have_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
static __u32 crc_instruction(const __u8 *buf, size_t n)
{
	return 0;
}

static bool crc_have_instruction(void)
{
	return false;
}
#endif

static int crc_kernel(struct passes *p, const __u8 *buf, size_t n, __u32 *crc)
{
	size_t step = 16 * 4096;	/* what AF_ALG takes in one go */
	ssize_t ret;
	__le32 sum;

	for (; n; n -= ret, buf += ret) {
		ret = send(p->alg, buf, n < step ? n : step,
			   n > step ? MSG_MORE : 0);
		if (ret <= 0)
			return ret ? -errno : -EIO;
	}
	if (read(p->alg, &sum, sizeof(sum)) != sizeof(sum))
		return -errno;
	*crc = sum;
	return 0;
}

static int passes_crc(struct passes *p, const __u8 *mem, size_t n,
		      struct pass_result *r)
{
	__u64 start = pass_now_ns();
	__u32 crc;
	int ret;

	if (p->alg >= 0) {
		ret = crc_kernel(p, mem, n, &r->crc);
		if (ret)
			return ret;
		r->kcrc = pass_now_ns() - start;
	}
	if (!crc_have_instruction())
		return 0;
	start = pass_now_ns();
	crc = crc_instruction(mem, n);
	r->ucrc = pass_now_ns() - start;
	if (p->alg >= 0 && crc != r->crc)
		return -EILSEQ;
	r->crc = crc;
	return 0;
}

static int alg_open(void)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG,
		.salg_type = "hash",
		.salg_name = "crc32c",
	};
	int sock, fd = -1;

	sock = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -1;
	if (!bind(sock, (struct sockaddr *)&addr, sizeof(addr)))
		fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
	close(sock);
	return fd;
}

/* --- What there is ---------------------------------------------------- */

/* Is @word in a line of /proc/cpuinfo that begins with "flags"? */
static bool cpu_flag(const char *word)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	bool found = false;
	char *line = NULL, *p, *save;
	size_t size = 0;

	while (f && !found && getline(&line, &size, f) > 0) {
		if (strncmp(line, "flags", 5))
			continue;
		for (p = strtok_r(line, " \t\n", &save); p && !found;
		     p = strtok_r(NULL, " \t\n", &save))
			found = !strcmp(p, word);
		break;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* The crc32c of the highest priority in /proc/crypto. */
static void crc_driver(char *driver, size_t size)
{
	FILE *f = fopen("/proc/crypto", "re");
	char line[256], name[64] = "", candidate[64] = "";
	int priority, best = -1;

	snprintf(driver, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "name : %63s", name) == 1 ||
		    sscanf(line, "driver : %63s", candidate) == 1)
			continue;
		if (sscanf(line, "priority : %d", &priority) == 1 &&
		    !strcmp(name, "crc32c") && priority > best) {
			best = priority;
			snprintf(driver, size, "%s", candidate);
		}
	}
	if (f)
		fclose(f);
}

/* The kernel chooses by the processor's flags, not by which is faster. */
static void passes_choose(struct passes *p)
{
	p->kernel = cpu_flag("erms") ? copy_movsb : copy_movsq;
	p->kernel_name = p->kernel == copy_movsb ? "rep movsb" : "rep movsq";
}

int passes_open(struct passes *p, size_t window_size)
{
	p->window_size = window_size;
	p->window = aligned_alloc(4096, window_size);
	if (!p->window)
		return -ENOMEM;
	memset(p->window, 1, window_size);
	passes_choose(p);
	p->alg = alg_open();
	crc_driver(p->driver, sizeof(p->driver));
	/* A limit without the checksum would be none. */
	return p->alg >= 0 || crc_have_instruction() ? 0 : -EOPNOTSUPP;
}

void passes_close(struct passes *p)
{
	if (p->alg >= 0)
		close(p->alg);
	free(p->window);
}

int passes_run(struct passes *p, __u8 *mem, size_t n, struct pass_result *r)
{
	memset(r, 0, sizeof(*r));
	n -= n % p->window_size;
	r->bytes = n;
	passes_copy(p, mem, n, r);
	return passes_crc(p, mem, n, r);
}

__u64 pass_syscalls(bool write, size_t count)
{
	int fd = open(write ? "/dev/null" : "/dev/zero", O_RDWR | O_CLOEXEC);
	__u64 start = pass_now_ns(), word = 0;
	ssize_t ret = fd < 0 ? -1 : 8;
	size_t i;

	for (i = 0; i < count && ret == 8; i++)
		ret = write ? pwrite(fd, &word, 8, 0) : pread(fd, &word, 8, 0);
	if (fd >= 0)
		close(fd);
	return ret == 8 ? pass_now_ns() - start : 0;
}
