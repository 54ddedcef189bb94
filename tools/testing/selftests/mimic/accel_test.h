/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device tests share: opening the device, its registers, guest memory
 * between guards, rings, and waiting with a deadline.
 *
 * Usage: PROGRAM [UUID [UUID2]], or VFIO_DEV=UUID VFIO_DEV2=UUID2 PROGRAM. UUID
 * is an mdev with the "accel" model; UUID2 another one of the same type.
 *
 * Macros that access the device expect a variable `d` (struct vfc_dev *) in
 * scope, and assert whole accesses. Nothing here waits for a fixed time and
 * hopes: what has to come is polled for until AT_DEADLINE_MS, which is far
 * beyond what the slowest machine needs.
 */
#ifndef ACCEL_TEST_H
#define ACCEL_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/pci_regs.h>

#include "kselftest_harness.h"
#include <linux/mimic_accel.h>
#include "vfio_client.h"
#include "vfio_model.h"
#include "vmig_records.h"

#define AT_EXIT_SKIP	4
#define AT_DEADLINE_MS	30000
#define AT_PAGE		4096u
#define AT_MIB		1048576u

#define AT_NO_SECOND	"no VFIO_DEV2"
#define AT_NO_KNOB	"no knob to make an internal error (debugfs)"
#define AT_NO_MIGRATION	"no migration region"

/* How often devices migrate to count interrupts: the environment may say it. */
#define AT_DEV05_MIGRATIONS	vfc_number("DEV05_MIGRATIONS", 500)
#define AT_DEV05_TIMEOUT	1800	/* for ten thousand */

/* Before main(): the harness of some kernels takes no arguments. */
static void __attribute__((constructor)) at_arguments(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] != '-')
		setenv("VFIO_DEV", argv[1], 1);
	if (argc > 2 && argv[2][0] != '-')
		setenv("VFIO_DEV2", argv[2], 1);
	if (!getenv("VFIO_DEV")) {
		printf("TAP version 13\n1..0 # SKIP no VFIO_DEV\n");
		exit(AT_EXIT_SKIP);
	}
}

/* --- Config space and registers --------------------------------------- */

#define AT_CFG		VFIO_PCI_CONFIG_REGION_INDEX
#define AT_REGS		MIMIC_ACCEL_BAR_REGS
#define AT_MEM		MIMIC_ACCEL_BAR_MEM
#define AT_MSIX		MIMIC_ACCEL_BAR_MSIX

#define AT_READ(region, off, type) ({					\
	type r_;							\
	ASSERT_EQ((ssize_t)sizeof(r_),					\
		  vfc_region_read(d, (region), (off), &r_, sizeof(r_)));\
	r_; })
#define AT_WRITE(region, off, type, val) do {				\
	type w_ = (val);						\
	ASSERT_EQ((ssize_t)sizeof(w_),					\
		  vfc_region_write(d, (region), (off), &w_, sizeof(w_)));\
	} while (0)

#define CFG8(off)	AT_READ(AT_CFG, off, __u8)
#define CFG16(off)	AT_READ(AT_CFG, off, __u16)
#define CFG32(off)	AT_READ(AT_CFG, off, __u32)
#define SETCFG8(off, v)	AT_WRITE(AT_CFG, off, __u8, v)
#define SETCFG16(off, v)	AT_WRITE(AT_CFG, off, __u16, v)
#define SETCFG32(off, v)	AT_WRITE(AT_CFG, off, __u32, v)

#define REG(off)	AT_READ(AT_REGS, off, __u32)
#define SETREG(off, v)	AT_WRITE(AT_REGS, off, __u32, v)
/* Two registers, of which reading the lower one latches the upper one. */
#define REG64(lo)	({ __u32 lo_ = REG(lo); lo_ | (__u64)REG((lo) + 4) << 32; })
#define SETREG64(lo, v)	do {						\
	__u64 v_ = (v);							\
	SETREG(lo, (__u32)v_);						\
	SETREG((lo) + 4, (__u32)(v_ >> 32));				\
	} while (0)
#define RING_REG(n, reg)	(MIMIC_ACCEL_RING(n) + MIMIC_ACCEL_RING_##reg)

/* Any number of bytes, all of them. */
#define READ_MEM(off, buf, n) do {					\
	ssize_t n_ = (n);						\
	ASSERT_EQ(n_, vfc_region_read(d, AT_MEM, (off), (buf), n_));	\
	} while (0)
#define WRITE_MEM(off, buf, n) do {					\
	ssize_t n_ = (n);						\
	ASSERT_EQ(n_, vfc_region_write(d, AT_MEM, (off), (buf), n_));	\
	} while (0)

/* The condition must become true in time; nothing is assumed about when. */
#define AT_WAIT(cond) do {						\
	__u64 end_ = vfc_now_us() + AT_DEADLINE_MS * 1000ull;		\
	while (!(cond) && vfc_now_us() < end_)				\
		usleep(500);						\
	ASSERT_TRUE(cond)						\
		TH_LOG("not within %d ms: %s", AT_DEADLINE_MS, #cond);	\
	} while (0)

static inline __u64 at_region_size(const struct vfc_dev *d, __u32 index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	return ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info) ? 0 : info.size;
}

static inline __u64 at_region_offset(const struct vfc_dev *d, __u32 index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	return ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info) ? 0 : info.offset;
}

#define AT_ON	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

/* Offset of capability @id, 0 if there is none. */
static inline __u8 at_cap(struct __test_metadata *_metadata,
			  const struct vfc_dev *d, __u8 id)
{
	__u8 pos = CFG8(PCI_CAPABILITY_LIST);
	int left = 48;

	for (; pos && left; left--, pos = CFG8(pos + 1))
		if (CFG8(pos) == id)
			return pos;
	return 0;
}

/* Memory decode and bus mastering, which a reset takes away. */
static inline void at_enable(struct __test_metadata *_metadata,
			     const struct vfc_dev *d)
{
	SETCFG16(PCI_COMMAND, CFG16(PCI_COMMAND) | AT_ON);
}

static inline void at_enable_msix(struct __test_metadata *_metadata,
				  const struct vfc_dev *d, bool on)
{
	__u8 cap = at_cap(_metadata, d, PCI_CAP_ID_MSIX);
	__u16 flags = CFG16(cap + PCI_MSIX_FLAGS) & ~PCI_MSIX_FLAGS_ENABLE;

	SETCFG16(cap + PCI_MSIX_FLAGS, flags | (on ? PCI_MSIX_FLAGS_ENABLE : 0));
}

static inline void at_open(struct __test_metadata *_metadata, struct vfc_dev *d,
			   const char *variable)
{
	ASSERT_EQ(0, vfc_open(d, getenv(variable)));
	at_enable(_metadata, d);
	ASSERT_EQ(MIMIC_ACCEL_ID_VALUE, REG(MIMIC_ACCEL_ID));
}

/* Function-level reset, as a guest does it. */
static inline void at_flr(struct __test_metadata *_metadata,
			  const struct vfc_dev *d)
{
	__u8 cap = at_cap(_metadata, d, PCI_CAP_ID_EXP);

	SETCFG16(cap + PCI_EXP_DEVCTL,
		 CFG16(cap + PCI_EXP_DEVCTL) | PCI_EXP_DEVCTL_BCR_FLR);
}

/* --- Guest memory ----------------------------------------------------- */

#define AT_GUARD	65536
#define AT_CANARY	0xc5

/**
 * struct at_mem - memory that is mapped into the container, between guards
 * @p: first byte that is mapped
 * @iova: where
 * @size: bytes
 */
struct at_mem {
	__u8 *p;
	__u64 iova;
	size_t size;
};

#define AT_RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define AT_RO	VFIO_DMA_MAP_FLAG_READ

static inline void at_mem_alloc(struct __test_metadata *_metadata,
				struct at_mem *m, size_t size)
{
	__u8 *base = mmap(NULL, size + 2 * AT_GUARD, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, base);
	memset(base, AT_CANARY, AT_GUARD);
	memset(base + AT_GUARD + size, AT_CANARY, AT_GUARD);
	m->p = base + AT_GUARD;
	m->size = size;
}

static inline void at_mem_map(struct __test_metadata *_metadata,
			      const struct vfc_dev *d, struct at_mem *m,
			      __u64 iova, size_t size, __u32 flags)
{
	at_mem_alloc(_metadata, m, size);
	m->iova = iova;
	ASSERT_EQ(0, vfc_dma_map_as(d, m->p, iova, size, flags));
}

static inline bool at_all(const void *p, __u8 value, size_t n)
{
	const __u8 *b = p;

	return !n || (b[0] == value && !memcmp(b, b + 1, n - 1));
}

/* Has nothing been written around it? */
static inline bool at_guards_ok(const struct at_mem *m)
{
	return !m->p || (at_all(m->p - AT_GUARD, AT_CANARY, AT_GUARD) &&
			 at_all(m->p + m->size, AT_CANARY, AT_GUARD));
}

static inline void at_mem_free(struct at_mem *m)
{
	if (m->p)
		munmap(m->p - AT_GUARD, m->size + 2 * AT_GUARD);
	m->p = NULL;
}

/* Bytes that differ at each place; @seed makes another sequence. */
static inline void at_fill(void *buf, size_t n, __u32 seed)
{
	__u8 *p = buf;
	size_t i;

	for (i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = seed >> 24;
	}
}

/* --- Rings ------------------------------------------------------------ */

#define AT_RING_IOVA	0x100000000ull
#define AT_MEM_IOVA	0x200000000ull
#define AT_HOLE_IOVA	0x700000000ull	/* nothing is mapped there */
#define AT_RING_MAX	1024
#define AT_DESC_BYTES	(AT_RING_MAX * sizeof(struct mimic_accel_desc))
#define AT_CPL_BYTES	(AT_RING_MAX * sizeof(struct mimic_accel_cpl))
#define AT_RING_BYTES	(AT_DESC_BYTES + AT_CPL_BYTES)

/**
 * struct at_ring - one command ring
 * @d: its device
 * @n: its number
 * @size: entries
 * @desc: descriptors
 * @cpl: completions
 * @iova: guest address of @desc; that of @cpl is AT_DESC_BYTES behind
 * @tail: descriptors produced since it was enabled
 */
struct at_ring {
	struct vfc_dev *d;
	unsigned int n;
	__u32 size;
	struct mimic_accel_desc *desc;
	struct mimic_accel_cpl *cpl;
	__u64 iova;
	__u32 tail;
};

/**
 * struct at - a device with memory and rings
 * @d: the device, enabled
 * @rings: memory of the rings
 * @mem: memory for data
 * @ring: the rings
 */
struct at {
	struct vfc_dev d;
	struct at_mem rings;
	struct at_mem mem;
	struct at_ring ring[MIMIC_ACCEL_NR_RINGS];
};

static inline void at_ring_setup(struct __test_metadata *_metadata,
				 struct at_ring *r, __u64 desc, __u64 cpl,
				 __u32 size)
{
	struct vfc_dev *d = r->d;

	SETREG(RING_REG(r->n, CTRL), 0);
	SETREG64(RING_REG(r->n, DESC_LO), desc);
	SETREG64(RING_REG(r->n, CPL_LO), cpl);
	SETREG(RING_REG(r->n, SIZE), size);
	SETREG(RING_REG(r->n, CTRL), MIMIC_ACCEL_RING_CTRL_ENABLE);
}

/* (Re)start a ring of @size entries in its own memory. */
static inline void at_ring_start(struct __test_metadata *_metadata,
				 struct at_ring *r, __u32 size)
{
	struct vfc_dev *d = r->d;

	SETREG(RING_REG(r->n, CTRL), 0);
	memset(r->desc, 0, AT_RING_BYTES);
	r->size = size;
	r->tail = 0;
	at_ring_setup(_metadata, r, r->iova, r->iova + AT_DESC_BYTES, size);
	ASSERT_EQ(MIMIC_ACCEL_RING_STATUS_ENABLED,
		  REG(RING_REG(r->n, STATUS)));
}

static inline void at_rings(struct __test_metadata *_metadata, struct at *t,
			    __u32 size)
{
	unsigned int n;

	at_mem_map(_metadata, &t->d, &t->rings, AT_RING_IOVA,
		   MIMIC_ACCEL_NR_RINGS * AT_RING_BYTES, AT_RW);
	for (n = 0; n < MIMIC_ACCEL_NR_RINGS; n++) {
		t->ring[n].d = &t->d;
		t->ring[n].n = n;
		t->ring[n].desc = (void *)(t->rings.p + n * AT_RING_BYTES);
		t->ring[n].cpl = (void *)(t->rings.p + n * AT_RING_BYTES +
					  AT_DESC_BYTES);
		t->ring[n].iova = t->rings.iova + n * AT_RING_BYTES;
		at_ring_start(_metadata, &t->ring[n], size);
	}
}

static inline void at_setup(struct __test_metadata *_metadata, struct at *t,
			    size_t mem)
{
	at_open(_metadata, &t->d, "VFIO_DEV");
	at_rings(_metadata, t, 64);
	if (mem)
		at_mem_map(_metadata, &t->d, &t->mem, AT_MEM_IOVA, mem, AT_RW);
}

/* The device must not have written outside of what it was given. */
static inline void at_close(struct __test_metadata *_metadata, struct at *t)
{
	vfc_close(&t->d);
	EXPECT_TRUE(at_guards_ok(&t->rings));
	EXPECT_TRUE(at_guards_ok(&t->mem));
	at_mem_free(&t->rings);
	at_mem_free(&t->mem);
}

/* Put a descriptor into the next slot; its number is returned. */
static inline __u32 at_put(struct at_ring *r,
			   const struct mimic_accel_desc *desc)
{
	r->desc[r->tail & (r->size - 1)] = *desc;
	return r->tail++;
}

static inline void at_bell(struct __test_metadata *_metadata, struct at_ring *r)
{
	struct vfc_dev *d = r->d;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	SETREG(RING_REG(r->n, TAIL), r->tail);
}

/* Has descriptor @k been completed? */
static inline bool at_done(const struct at_ring *r, __u32 k)
{
	return __atomic_load_n(&r->cpl[k & (r->size - 1)].seq,
			       __ATOMIC_ACQUIRE) == k + 1;
}

static inline void at_wait(struct __test_metadata *_metadata, struct at_ring *r,
			   __u32 k)
{
	AT_WAIT(at_done(r, k));
}

/* Run one descriptor; its completion, after checks of what is always so. */
static inline struct mimic_accel_cpl at_run(struct __test_metadata *_metadata,
					    struct at_ring *r,
					    const struct mimic_accel_desc *desc)
{
	struct vfc_dev *d = r->d;
	struct mimic_accel_cpl c;
	__u32 k = at_put(r, desc);

	at_bell(_metadata, r);
	at_wait(_metadata, r, k);
	c = r->cpl[k & (r->size - 1)];
	ASSERT_EQ(desc->cookie, c.cookie);
	ASSERT_EQ(0, c.reserved);
	ASSERT_TRUE(at_all(c.pad, 0, sizeof(c.pad)));
	ASSERT_EQ(k + 1, REG(RING_REG(r->n, HEAD)));
	return c;
}

/* Run it; all of it must have been done. The result is returned. */
static inline __u32 at_ok(struct __test_metadata *_metadata, struct at_ring *r,
			  const struct mimic_accel_desc *desc)
{
	struct mimic_accel_cpl c = at_run(_metadata, r, desc);

	ASSERT_EQ(MIMIC_ACCEL_CPL_OK, c.status);
	ASSERT_EQ(desc->len, c.done);
	return c.result;
}

/* Run it; it must fail so, after @done bytes at most. */
static inline __u32 at_fails(struct __test_metadata *_metadata,
			     struct at_ring *r,
			     const struct mimic_accel_desc *desc, __u16 status,
			     __u32 done)
{
	struct mimic_accel_cpl c = at_run(_metadata, r, desc);

	ASSERT_EQ(status, c.status);
	ASSERT_GE(done, c.done);
	ASSERT_EQ(0, c.result);
	return c.done;
}

static inline struct mimic_accel_desc at_desc(__u16 opcode, __u64 src, __u64 dst,
					      __u32 len)
{
	static __u32 cookie = 0x1000;

	return (struct mimic_accel_desc){
		.opcode = opcode,
		.cookie = ++cookie,
		.src = src,
		.dst = dst,
		.len = len,
	};
}

#define NOP()		at_desc(MIMIC_ACCEL_OP_NOP, 0, 0, 1)

static inline struct mimic_accel_desc at_irq(struct mimic_accel_desc desc)
{
	desc.flags |= MIMIC_ACCEL_DESC_IRQ;
	return desc;
}

static inline struct mimic_accel_desc at_pattern(struct mimic_accel_desc desc,
						 __u64 pattern)
{
	desc.pattern = pattern;
	return desc;
}

/* --- Stamp job -------------------------------------------------------- */

/**
 * struct at_job - parameters of the stamp job
 * @dev: byte offset of the device range
 * @dev_pages: its pages
 * @guest: address of the guest buffer
 * @guest_pages: its pages
 * @rate: stamps per second
 */
struct at_job {
	__u64 dev;
	__u64 guest;
	__u32 dev_pages;
	__u32 guest_pages;
	__u32 rate;
};

static inline void at_job_set(struct __test_metadata *_metadata,
			      struct vfc_dev *d, const struct at_job *j)
{
	SETREG64(MIMIC_ACCEL_STAMP_DEV_LO, j->dev);
	SETREG(MIMIC_ACCEL_STAMP_DEV_PAGES, j->dev_pages);
	SETREG64(MIMIC_ACCEL_STAMP_GUEST_LO, j->guest);
	SETREG(MIMIC_ACCEL_STAMP_GUEST_PAGES, j->guest_pages);
	SETREG(MIMIC_ACCEL_STAMP_RATE, j->rate);
}

/* Start a job that may have come to a page that it cannot write before we look. */
static inline void at_job_begin(struct __test_metadata *_metadata,
				struct vfc_dev *d, const struct at_job *j)
{
	at_job_set(_metadata, d, j);
	SETREG(MIMIC_ACCEL_STAMP_CTRL, MIMIC_ACCEL_STAMP_CTRL_RUN);
}

/* Start a job that runs until it is told to end. */
static inline void at_job_start(struct __test_metadata *_metadata,
				struct vfc_dev *d, const struct at_job *j)
{
	at_job_begin(_metadata, d, j);
	ASSERT_EQ(MIMIC_ACCEL_STAMP_CTRL_RUN, REG(MIMIC_ACCEL_STAMP_CTRL));
}

/* --- Interrupts ------------------------------------------------------- */

static inline int at_eventfd(struct __test_metadata *_metadata)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	ASSERT_LE(0, fd);
	return fd;
}

/* One VFIO_DEVICE_SET_IRQS; @data may be NULL. */
static inline int at_irqs(const struct vfc_dev *d, __u32 flags, __u32 index,
			  __u32 start, __u32 count, const void *data, size_t size)
{
	union {
		struct vfio_irq_set set;
		__u8 bytes[sizeof(struct vfio_irq_set) + 256];
	} arg = {
		.set.argsz = sizeof(arg.set) + size,
		.set.flags = flags,
		.set.index = index,
		.set.start = start,
		.set.count = count,
	};

	if (size)
		memcpy(arg.set.data, data, size);
	return ioctl(d->fd, VFIO_DEVICE_SET_IRQS, &arg.set) ? -errno : 0;
}

/* MSI-X with a fresh eventfd for each vector. */
static inline void at_msix(struct __test_metadata *_metadata,
			   const struct vfc_dev *d,
			   int32_t fds[MIMIC_ACCEL_NR_VECTORS])
{
	unsigned int i;

	for (i = 0; i < MIMIC_ACCEL_NR_VECTORS; i++)
		fds[i] = at_eventfd(_metadata);
	at_enable_msix(_metadata, d, true);
	ASSERT_EQ(0, vfc_irq_set(d, VFIO_PCI_MSIX_IRQ_INDEX, 0,
				 MIMIC_ACCEL_NR_VECTORS, fds));
}

/* The debug knob that makes an internal error. */
static inline int at_make_error(const struct vfc_dev *d)
{
	char path[VFC_PATH];

	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/mimic/%s/internal_error", d->uuid);
	return vfc_file_write(path, "1", 1);
}

/* --- Mapped memory that may fault ------------------------------------- */

static sigjmp_buf at_fault_env;
static volatile sig_atomic_t at_fault_signal;

static inline void at_fault_handler(int sig)
{
	at_fault_signal = sig;
	siglongjmp(at_fault_env, 1);
}

/* Load from, or store to, *@p: 0, or the signal that this raised. */
static inline int at_touch(volatile __u8 *p, bool store, __u8 value)
{
	struct sigaction sa = { .sa_handler = at_fault_handler }, bus, segv;

	at_fault_signal = 0;
	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	if (!sigsetjmp(at_fault_env, 1)) {
		if (store)
			*p = value;
		else
			(void)*p;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return at_fault_signal;
}

static inline int at_load_fault(void *p)
{
	return at_touch(p, false, 0);
}

static inline int at_store_fault(void *p, __u8 value)
{
	return at_touch(p, true, value);
}

/* --- States of the v1 region ------------------------------------------ */

#define AT_STATE(s) do {						\
	int s_ = (s);							\
	ASSERT_EQ(4, vfc_set(d, s_));					\
	ASSERT_EQ(s_, vfc_get(d));					\
	} while (0)

#endif /* ACCEL_TEST_H */
