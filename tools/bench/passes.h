/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this machine can do at most: one pass over some memory at a time, copied
 * as the kernel copies, copied as a client copies, or checksummed. A migration
 * is compared with the sum of the passes that it cannot do without.
 *
 * Passes move data between memory and a window of the data section's size, the
 * kernel's by blocks of a chunk's size, as a session does, so that caches help as
 * much as there.
 */
#ifndef PASSES_H
#define PASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define PASS_BLOCK	4096u

typedef void (*copy_fn)(void *to, const void *from, size_t n);

/**
 * struct pass_result - how long each pass over the same bytes took, in ns
 * @bytes: how many those are
 * @kcopy_save: memory to window by blocks, as the kernel copies inside
 * @kcopy_resume: window to memory by blocks, likewise
 * @kcopy_read: window to memory in one go, as the kernel copies to user memory
 * @kcopy_write: memory to window in one go, as it copies from user memory
 * @ucopy_read: window to memory by the C library's memcpy()
 * @ucopy_write: memory to window, likewise
 * @kcrc: the kernel's crc32c over memory, by AF_ALG; 0 if there is none
 * @ucrc: crc32c by the processor's instruction, here; 0 if it has none
 * @crc: checksum, on which those agree that there are
 */
struct pass_result {
	__u64 bytes;
	__u64 kcopy_save;
	__u64 kcopy_resume;
	__u64 kcopy_read;
	__u64 kcopy_write;
	__u64 ucopy_read;
	__u64 ucopy_write;
	__u64 kcrc;
	__u64 ucrc;
	__u32 crc;
};

/**
 * struct passes - how passes are done here
 * @window: as large as the data section
 * @window_size: bytes of it
 * @kernel: how the kernel copies, inside and from and to user memory
 * @kernel_name: name of that
 * @alg: AF_ALG socket of crc32c, or -1
 * @driver: which crc32c the kernel uses
 */
struct passes {
	__u8 *window;
	size_t window_size;
	copy_fn kernel;
	const char *kernel_name;
	int alg;
	char driver[64];
};

__u64 pass_now_ns(void);
int passes_open(struct passes *p, size_t window_size);
void passes_close(struct passes *p);
/*
 * All passes over @n bytes of @mem, cut to whole windows; overwrites @mem. 0 or
 * -errno.
 */
int passes_run(struct passes *p, __u8 *mem, size_t n, struct pass_result *r);
/* @count system calls that move 8 bytes and do nothing else; ns, or 0. */
__u64 pass_syscalls(bool write, size_t count);

#endif /* PASSES_H */
