/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Programming interface of the mimic "accel" PCI device: what a guest driver
 * sees.
 *
 * BAR0  registers, 4 KiB, 32-bit, not prefetchable
 * BAR2  device memory, 64-bit, prefetchable; its size is MIMIC_ACCEL_MEM_SIZE_*
 * BAR4  MSI-X table at 0, pending bits at 0x800
 *
 * Registers are 32 bits wide, little endian, and accessed by aligned 4-byte
 * or 8-byte reads and writes (8 bytes are two registers, lower one first).
 * Any other access reads as all ones, and is ignored when it writes. A register
 * that is not listed reads zero and ignores writes. "Reset" is the value after
 * power-on, VFIO_DEVICE_RESET and a function-level reset.
 *
 * The device does nothing on its own while it is stopped (see the VFIO
 * migration protocol): registers that hold plain values can still be written,
 * doorbells and commands are ignored.
 */
#ifndef _UAPI_LINUX_MIMIC_ACCEL_H
#define _UAPI_LINUX_MIMIC_ACCEL_H

#include <linux/types.h>
#include "mimic.h"

/* Under MIMIC_PCI_VENDOR_ID, see mimic.h. */
#define MIMIC_ACCEL_PCI_DEVICE_ID	0xacc1

#define MIMIC_ACCEL_BAR_REGS		0
#define MIMIC_ACCEL_BAR_MEM		2
#define MIMIC_ACCEL_BAR_MSIX		4
#define MIMIC_ACCEL_REGS_SIZE		0x1000

#define MIMIC_ACCEL_NR_RINGS		2

/* MSI-X vectors: 0 for timer, stamp job and errors, 1 + n for ring n. */
#define MIMIC_ACCEL_VEC_MISC		0
#define MIMIC_ACCEL_VEC_RING(n)		(1 + (n))
#define MIMIC_ACCEL_NR_VECTORS		(1 + MIMIC_ACCEL_NR_RINGS)

/* --- Global registers ------------------------------------------------- */

/* RO. Always MIMIC_ACCEL_ID_VALUE. */
#define MIMIC_ACCEL_ID			0x000
#define MIMIC_ACCEL_ID_VALUE		0x4c434341	/* "ACCL" */

/* RO. Interface version, major in bits 31:16, minor in bits 15:0. */
#define MIMIC_ACCEL_VERSION		0x004
#define MIMIC_ACCEL_VERSION_VALUE	0x00010000

/* RO. Number of rings in bits 7:0, number of vectors in bits 15:8. */
#define MIMIC_ACCEL_CAPS		0x008

/* RW. Any 32-bit value; reset 0. No effect on the device. */
#define MIMIC_ACCEL_SCRATCH		0x00c

/*
 * Interrupt causes. INT_STATUS: read pending causes, write ones to clear
 * (reset 0). INT_MASK: a set bit keeps the cause from interrupting, the
 * cause stays pending (RW, reset 0: nothing masked).
 *
 * With MSI-X a message is sent on the cause's vector each time the cause
 * occurs while it is not masked, and once when a pending cause is unmasked.
 * Without MSI-X, INTx is asserted as long as (INT_STATUS & ~INT_MASK) != 0.
 */
#define MIMIC_ACCEL_INT_STATUS		0x010
#define MIMIC_ACCEL_INT_MASK		0x014
#define MIMIC_ACCEL_INT_TIMER		(1u << 0)	/* vector 0 */
#define MIMIC_ACCEL_INT_STAMP		(1u << 1)	/* vector 0: job stopped by an error */
#define MIMIC_ACCEL_INT_RING_ERROR	(1u << 2)	/* vector 0: a ring halted */
#define MIMIC_ACCEL_INT_RING(n)		(1u << (8 + (n)))	/* vector 1 + n */
#define MIMIC_ACCEL_INT_ALL		0x00000307u

/*
 * WO. Write a bit of INT_STATUS to make that cause occur (for tests of
 * interrupt delivery). Ignored while the device is stopped.
 */
#define MIMIC_ACCEL_INT_TRIGGER		0x018

/* RO. Size of the device memory in bytes. */
#define MIMIC_ACCEL_MEM_SIZE_LO		0x020
#define MIMIC_ACCEL_MEM_SIZE_HI		0x024

/*
 * RO. Free-running counter, microseconds during which the device ran since
 * reset; it does not advance while the device is stopped and goes on where it
 * was after a migration. Reading LO latches HI.
 */
#define MIMIC_ACCEL_TICK_LO		0x028
#define MIMIC_ACCEL_TICK_HI		0x02c

/*
 * Periodic timer. PERIOD in microseconds, RW, reset 0: off; 1 to 99 act as
 * 100. A write restarts the period. COUNT: RO, number of periods that have
 * passed since reset, modulo 2^32. MIMIC_ACCEL_INT_TIMER occurs when COUNT moves
 * on: once for each period, or once for several if the host was late.
 */
#define MIMIC_ACCEL_TIMER_PERIOD	0x030
#define MIMIC_ACCEL_TIMER_COUNT		0x034

/* RO. Accesses that the device had to ignore since reset, modulo 2^32. */
#define MIMIC_ACCEL_IGNORED		0x038

/* --- Command rings ---------------------------------------------------- */

#define MIMIC_ACCEL_RING(n)		(0x100 + 0x40 * (n))

/*
 * RW, reset 0. Guest (DMA) address of the descriptors, 64-byte aligned, and of
 * the completions, 32-byte aligned; entries; both arrays have SIZE entries, a
 * power of two from 2 to 1024. Writes are ignored while the ring is enabled.
 */
#define MIMIC_ACCEL_RING_DESC_LO	0x00
#define MIMIC_ACCEL_RING_DESC_HI	0x04
#define MIMIC_ACCEL_RING_CPL_LO		0x08
#define MIMIC_ACCEL_RING_CPL_HI		0x0c
#define MIMIC_ACCEL_RING_SIZE		0x10

/*
 * RW, reset 0. Setting ENABLE checks address and size (a bad one leaves the
 * ring disabled and counts in IGNORED) and sets HEAD and TAIL to 0. Clearing
 * it abandons what is queued and clears STATUS.
 */
#define MIMIC_ACCEL_RING_CTRL		0x14
#define MIMIC_ACCEL_RING_CTRL_ENABLE	(1u << 0)

/*
 * RW, reset 0. Doorbell: number of descriptors produced since ENABLE, modulo
 * 2^32; the descriptor numbered k is in slot k % SIZE. A value that claims
 * more than SIZE descriptors outstanding (TAIL - HEAD > SIZE) halts the ring.
 */
#define MIMIC_ACCEL_RING_TAIL		0x18

/* RO. Number of descriptors completed since ENABLE, modulo 2^32. */
#define MIMIC_ACCEL_RING_HEAD		0x1c

/* RO. */
#define MIMIC_ACCEL_RING_STATUS		0x20
#define MIMIC_ACCEL_RING_STATUS_ENABLED	(1u << 0)
#define MIMIC_ACCEL_RING_STATUS_BUSY	(1u << 1)	/* HEAD != TAIL */
/*
 * The ring stopped for good, because of a bad doorbell or since descriptors
 * cannot be read or completions cannot be written; clear ENABLE to leave.
 */
#define MIMIC_ACCEL_RING_STATUS_HALTED	(1u << 2)

/* RO. Completions with a status other than OK since reset, modulo 2^32. */
#define MIMIC_ACCEL_RING_ERRORS		0x24

/* --- Descriptors and completions, in guest memory --------------------- */

#define MIMIC_ACCEL_OP_NOP		0
#define MIMIC_ACCEL_OP_COPY_G2D		1	/* guest src to device dst */
#define MIMIC_ACCEL_OP_COPY_D2G		2	/* device src to guest dst */
#define MIMIC_ACCEL_OP_COPY_D2D		3	/* device to device, must not overlap */
#define MIMIC_ACCEL_OP_FILL_D		4	/* pattern to device dst */
#define MIMIC_ACCEL_OP_FILL_G		5	/* pattern to guest dst */
#define MIMIC_ACCEL_OP_CRC_D		6	/* crc32c of device src */
#define MIMIC_ACCEL_OP_CRC_G		7	/* crc32c of guest src */

/* Interrupt when this descriptor completes. */
#define MIMIC_ACCEL_DESC_IRQ		(1u << 0)

#define MIMIC_ACCEL_MAX_LEN		(16u << 20)

/**
 * struct mimic_accel_desc - one command
 * @opcode: MIMIC_ACCEL_OP_*
 * @flags: MIMIC_ACCEL_DESC_*; unknown bits are an error
 * @cookie: returned in the completion
 * @src: guest address or offset into the device memory, by @opcode
 * @dst: likewise
 * @len: bytes, 1 to MIMIC_ACCEL_MAX_LEN; any alignment
 * @reserved0: must be zero
 * @pattern: for FILL: 8 bytes repeated from @dst on, little endian, the last
 *	repetition cut at @len
 * @reserved: must be zero
 */
struct mimic_accel_desc {
	__le16 opcode;
	__le16 flags;
	__le32 cookie;
	__le64 src;
	__le64 dst;
	__le32 len;
	__le32 reserved0;
	__le64 pattern;
	__le64 reserved[3];
};

#define MIMIC_ACCEL_CPL_OK		0
#define MIMIC_ACCEL_CPL_BAD_DESC	1	/* opcode, flags, length, reserved or overlap */
#define MIMIC_ACCEL_CPL_BAD_RANGE	2	/* outside the device memory */
#define MIMIC_ACCEL_CPL_DMA_FAULT	3	/* guest memory cannot be reached */
#define MIMIC_ACCEL_CPL_NO_MEMORY	4	/* the host could not back the device memory */

/**
 * struct mimic_accel_cpl - result of one command
 * @seq: number of the descriptor since ENABLE plus 1, modulo 2^32; the last
 *	field that is written, so that a poller sees whole completions
 * @cookie: as in the descriptor
 * @status: MIMIC_ACCEL_CPL_*
 * @reserved: zero
 * @done: bytes processed before an error, else the descriptor's length
 * @result: crc32c (init and final xor 0xffffffff) for CRC, else 0
 * @pad: zero
 *
 * The completion of descriptor k is in slot k % SIZE.
 */
struct mimic_accel_cpl {
	__le32 seq;
	__le32 cookie;
	__le16 status;
	__le16 reserved;
	__le32 done;
	__le32 result;
	__le32 pad[3];
};

/* --- Stamp job -------------------------------------------------------- */

/*
 * Writes self-describing pages, round robin, at a set rate, into a range of
 * the device memory and into a guest buffer. Stamp number s (from 1) goes to
 * page (s - 1) % DEV_PAGES of the device range and to page
 * (s - 1) % GUEST_PAGES of the guest buffer. So whoever stops the job and
 * reads SEQ knows exactly what every page has to hold.
 */
#define MIMIC_ACCEL_STAMP_CTRL		0x200	/* RW, reset 0 */
#define MIMIC_ACCEL_STAMP_CTRL_RUN	(1u << 0)
/*
 * Setting RUN checks the parameters (bad ones leave it clear and count in
 * IGNORED) and sets SEQ to 0 unless KEEP is written with it. Once a write that
 * clears RUN has returned, no page is written any more. KEEP reads as zero.
 */
#define MIMIC_ACCEL_STAMP_CTRL_KEEP	(1u << 1)
/* RW, reset 0. Stamps per second, 1 to 1000000. Writes ignored while RUN. */
#define MIMIC_ACCEL_STAMP_RATE		0x204
/* RW, reset 0. Byte offset of the device range, 4 KiB aligned; and pages (may be 0). */
#define MIMIC_ACCEL_STAMP_DEV_LO	0x208
#define MIMIC_ACCEL_STAMP_DEV_HI	0x20c
#define MIMIC_ACCEL_STAMP_DEV_PAGES	0x210
/* RW, reset 0. Pages of the guest buffer (may be 0), its address, 4 KiB aligned. */
#define MIMIC_ACCEL_STAMP_GUEST_PAGES	0x214
#define MIMIC_ACCEL_STAMP_GUEST_LO	0x218
#define MIMIC_ACCEL_STAMP_GUEST_HI	0x21c
/* RO, reset 0. Number of the last stamp that was written; reading LO latches HI. */
#define MIMIC_ACCEL_STAMP_SEQ_LO	0x220
#define MIMIC_ACCEL_STAMP_SEQ_HI	0x224
/* RO. Status of the write that stopped the job: MIMIC_ACCEL_CPL_*; 0 while it is fine. */
#define MIMIC_ACCEL_STAMP_STATUS	0x228

#define MIMIC_ACCEL_PAGE_SIZE		4096
#define MIMIC_ACCEL_STAMP_MAGIC		0x504d545343494d4dull	/* "MMICSTMP" */
#define MIMIC_ACCEL_STAMP_IN_DEVICE	0
#define MIMIC_ACCEL_STAMP_IN_GUEST	1

/**
 * struct mimic_accel_stamp - what one stamped page holds (4096 bytes)
 * @magic: MIMIC_ACCEL_STAMP_MAGIC
 * @where: MIMIC_ACCEL_STAMP_IN_*
 * @page: index of the page in its range
 * @seq: stamp number
 * @addr: byte offset in the device memory, or guest address
 * @fill: word i holds seq * 0x9e3779b97f4a7c15 + addr + i, modulo 2^64
 * @crc: crc32c of all bytes before it
 * @crc_inv: ~@crc
 */
struct mimic_accel_stamp {
	__le64 magic;
	__le32 where;
	__le32 page;
	__le64 seq;
	__le64 addr;
	__le64 fill[507];
	__le32 crc;
	__le32 crc_inv;
};

#endif /* _UAPI_LINUX_MIMIC_ACCEL_H */
