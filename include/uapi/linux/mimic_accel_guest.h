/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/mimic_accelN: what the guest driver of the mimic "accel" device offers
 * to user space.
 *
 * The driver owns one buffer in guest memory that the device can reach. User
 * space maps it, and names guest memory in commands by offsets into it; so it
 * can never make the device touch any other memory of the guest. Offsets,
 * lengths and enumerations are checked by the driver, never passed on.
 *
 * mmap offsets: MIMIC_ACCEL_GUEST_MMAP_BUF is the first byte of the buffer,
 * MIMIC_ACCEL_GUEST_MMAP_MEM the first byte of the device memory (BAR2).
 *
 * After the device is gone every call answers ENODEV and mapped device memory
 * raises SIGBUS; pages of the buffer that were used before stay, but no device
 * uses them.
 */
#ifndef _UAPI_LINUX_MIMIC_ACCEL_GUEST_H
#define _UAPI_LINUX_MIMIC_ACCEL_GUEST_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include "mimic_accel.h"

#define MIMIC_ACCEL_GUEST_MMAP_BUF	0x0ull
#define MIMIC_ACCEL_GUEST_MMAP_MEM	0x10000000000ull

/**
 * struct mimic_accel_guest_info - what there is
 * @version: MIMIC_ACCEL_VERSION as the device reports it
 * @nr_rings: rings
 * @ring_size: descriptors per ring; up to @ring_size - 1 may be outstanding
 * @nr_vectors: MSI-X vectors in use, 0 with INTx
 * @mem_size: bytes of device memory
 * @buf_size: bytes of the buffer
 * @buf_addr: guest (DMA) address of the buffer, as it is in stamps
 */
struct mimic_accel_guest_info {
	__u32 version;
	__u32 nr_rings;
	__u32 ring_size;
	__u32 nr_vectors;
	__u64 mem_size;
	__u64 buf_size;
	__u64 buf_addr;
};

/**
 * struct mimic_accel_guest_counters - since the driver was bound
 * @irqs: interrupts by vector (with INTx: by the cause's vector)
 * @spurious: INTx interrupts with no cause of this device
 * @timer: expirations of the timer that an interrupt reported; several that
 *	come close together are one
 * @stamp_errors: times that the stamp job stopped by an error
 * @ring_errors: times that a ring halted
 * @submitted: commands, by ring
 * @completed: commands, by ring
 * @failed: of the completed ones those with a status other than OK
 * @lost: completions, by ring, that no interrupt reported and that were found
 *	when the driver's timeout had passed
 */
struct mimic_accel_guest_counters {
	__u64 irqs[MIMIC_ACCEL_NR_VECTORS];
	__u64 spurious;
	__u64 timer;
	__u64 stamp_errors;
	__u64 ring_errors;
	__u64 submitted[MIMIC_ACCEL_NR_RINGS];
	__u64 completed[MIMIC_ACCEL_NR_RINGS];
	__u64 failed[MIMIC_ACCEL_NR_RINGS];
	__u64 lost[MIMIC_ACCEL_NR_RINGS];
};

/**
 * struct mimic_accel_guest_cmd - one command
 * @opcode: MIMIC_ACCEL_OP_*
 * @flags: MIMIC_ACCEL_DESC_*
 * @cookie: returned in the result
 * @src: offset into the buffer or the device memory, by @opcode
 * @dst: likewise
 * @len: bytes, 1 to MIMIC_ACCEL_MAX_LEN
 * @reserved: zero
 * @pattern: for FILL
 */
struct mimic_accel_guest_cmd {
	__u16 opcode;
	__u16 flags;
	__u32 cookie;
	__u64 src;
	__u64 dst;
	__u32 len;
	__u32 reserved;
	__u64 pattern;
};

/**
 * struct mimic_accel_guest_submit - put commands into a ring
 * @ring: which
 * @nr: number of commands, 1 to ring_size - 1; all are taken or none
 * @cmds: address of an array of struct mimic_accel_guest_cmd
 * @first: out: number of the first command; the others follow
 *
 * The first submission to a ring makes it the file's own until the file is
 * closed; others get EBUSY. The last command always interrupts. Sleeps while
 * there is no room. EINVAL: a malformed command or a range outside of the
 * buffer. Ranges of device memory are left to the device to judge.
 * EIO: the ring has halted. ETIMEDOUT: no room within the driver's timeout.
 */
struct mimic_accel_guest_submit {
	__u32 ring;
	__u32 nr;
	__u64 cmds;
	__u64 first;
};

/**
 * struct mimic_accel_guest_result - of one command
 * @cookie: as in the command
 * @status: MIMIC_ACCEL_CPL_*
 * @done: bytes processed
 * @result: crc32c
 */
struct mimic_accel_guest_result {
	__u32 cookie;
	__u32 status;
	__u32 done;
	__u32 result;
};

/**
 * struct mimic_accel_guest_wait - sleep until commands are complete
 * @ring: which; the file's own
 * @nr: number of commands, 1 to ring_size - 1
 * @first: number of the first
 * @results: address of an array of struct mimic_accel_guest_result, or 0
 *
 * ETIMEDOUT: not complete within the driver's timeout; may be called again.
 * ESTALE: ring_size or more commands were submitted since. EIO: the ring
 * halted before. EINVAL: no such commands were submitted.
 */
struct mimic_accel_guest_wait {
	__u32 ring;
	__u32 nr;
	__u64 first;
	__u64 results;
};

/**
 * struct mimic_accel_guest_stamp - the stamp job
 * @rate: stamps per second
 * @flags: MIMIC_ACCEL_GUEST_STAMP_*
 * @dev_off: byte offset of the device range, a multiple of 4 KiB
 * @buf_off: byte offset in the buffer, a multiple of 4 KiB
 * @dev_pages: pages of the device range, may be 0
 * @buf_pages: pages in the buffer, may be 0
 * @seq: out: number of the last stamp that was written
 * @status: out: MIMIC_ACCEL_CPL_* of the write that stopped the job
 * @running: out: 1 if the job runs
 */
struct mimic_accel_guest_stamp {
	__u32 rate;
	__u32 flags;
	__u64 dev_off;
	__u64 buf_off;
	__u32 dev_pages;
	__u32 buf_pages;
	__u64 seq;
	__u32 status;
	__u32 running;
};

/* Go on with the last sequence number. */
#define MIMIC_ACCEL_GUEST_STAMP_KEEP	(1u << 0)

/**
 * struct mimic_accel_guest_reg - read a register
 * @off: offset, a multiple of 4 below MIMIC_ACCEL_REGS_SIZE
 * @value: out
 */
struct mimic_accel_guest_reg {
	__u32 off;
	__u32 value;
};

#define MIMIC_ACCEL_GUEST_IOC	0xac

#define MIMIC_ACCEL_GUEST_INFO \
	_IOR(MIMIC_ACCEL_GUEST_IOC, 0, struct mimic_accel_guest_info)
#define MIMIC_ACCEL_GUEST_COUNTERS \
	_IOR(MIMIC_ACCEL_GUEST_IOC, 1, struct mimic_accel_guest_counters)
#define MIMIC_ACCEL_GUEST_SUBMIT \
	_IOWR(MIMIC_ACCEL_GUEST_IOC, 2, struct mimic_accel_guest_submit)
#define MIMIC_ACCEL_GUEST_WAIT \
	_IOW(MIMIC_ACCEL_GUEST_IOC, 3, struct mimic_accel_guest_wait)
/* Set up and start the stamp job; EBUSY while it runs. */
#define MIMIC_ACCEL_GUEST_STAMP_START \
	_IOW(MIMIC_ACCEL_GUEST_IOC, 4, struct mimic_accel_guest_stamp)
/* Stop the stamp job and say what it was and did. */
#define MIMIC_ACCEL_GUEST_STAMP_STOP \
	_IOR(MIMIC_ACCEL_GUEST_IOC, 5, struct mimic_accel_guest_stamp)
/* Say what the stamp job is and did so far. */
#define MIMIC_ACCEL_GUEST_STAMP_GET \
	_IOR(MIMIC_ACCEL_GUEST_IOC, 6, struct mimic_accel_guest_stamp)
#define MIMIC_ACCEL_GUEST_REG \
	_IOWR(MIMIC_ACCEL_GUEST_IOC, 7, struct mimic_accel_guest_reg)
/* The argument is the timer's period in microseconds, 0: off. */
#define MIMIC_ACCEL_GUEST_TIMER \
	_IO(MIMIC_ACCEL_GUEST_IOC, 8)
/* The argument is a set of MIMIC_ACCEL_INT_* to make occur. */
#define MIMIC_ACCEL_GUEST_TRIGGER \
	_IO(MIMIC_ACCEL_GUEST_IOC, 9)

#endif /* _UAPI_LINUX_MIMIC_ACCEL_GUEST_H */
