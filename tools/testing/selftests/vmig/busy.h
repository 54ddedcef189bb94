/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device at work, for the tests of what stops it: a timer that interrupts, and
 * stores to the client's memory.
 *
 * The device models that can do this have vt_works(); only vt_ticks() works with
 * any.
 */
#ifndef VMIG_BUSY_H
#define VMIG_BUSY_H

#include "vmig_test.h"

#define VT_DMA_IOVA	0x100000
#define VT_DMA_PAGES	4
#define VT_DMA_BYTES	(VT_DMA_PAGES * 4096)

/* It ticks if, and only if, it @runs. */
static inline void vt_ticks(struct __test_metadata *_metadata,
			    const struct vfc_dev *d, const struct vfc_model *m,
			    bool runs)
{
	__u64 before, after;
	unsigned int i;

	if (!m)
		return;
	ASSERT_EQ(0, m->ticks(d, &before));
	after = before;
	for (i = 0; i < (runs ? 5000 : 5) && after == before; i++) {
		usleep(100);
		ASSERT_EQ(0, m->ticks(d, &after));
	}
	ASSERT_EQ(runs, after > before);
}

/* A nonblocking eventfd on vector 0 of the model's interrupt, or -errno. */
static inline int vt_bind_event(const struct vfc_dev *d,
				const struct vfc_model *m)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = vfc_irq_set(d, m->irq_index, 0, 1, &fd);
	if (ret >= 0)
		return fd;
	close(fd);
	return ret;
}

/* Timer at 1 kHz and stores to the client's memory: everything moves. */
static inline void vt_make_busy(struct __test_metadata *_metadata,
				struct vfc_dev *d, const struct vfc_model *m,
				void **dma, int *event)
{
	__u64 seq, first;
	int i;

	*dma = mmap(NULL, VT_DMA_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, *dma);
	ASSERT_EQ(0, vfc_dma_map(d, *dma, VT_DMA_IOVA, VT_DMA_BYTES));
	*event = vt_bind_event(d, m);
	ASSERT_LE(0, *event);
	ASSERT_EQ(0, m->start_timer(d, 1000));
	ASSERT_EQ(0, m->start_dma(d, VT_DMA_IOVA, VT_DMA_PAGES, 2000));
	ASSERT_LT(0, vfc_event_wait(*event, 5000));
	/* Until it has really stored something. */
	ASSERT_EQ(0, m->noise_seq(d, &first));
	for (i = 0, seq = first; seq == first && i < 5000; i++) {
		vfc_sleep_ms(1);
		ASSERT_EQ(0, m->noise_seq(d, &seq));
	}
	ASSERT_NE(first, seq);
}

/* Called right after the stop returned; watches for @ms. */
static inline void vt_check_quiet(struct __test_metadata *_metadata,
				  struct vfc_dev *d, const struct vfc_model *m,
				  void *dma, int event, int ms)
{
	__u8 *copy = malloc(VT_DMA_BYTES);
	__u64 ticks, now, seq, seq_now;

	ASSERT_NE(NULL, copy);
	memcpy(copy, dma, VT_DMA_BYTES);
	ASSERT_EQ(0, m->ticks(d, &ticks));
	ASSERT_EQ(0, m->noise_seq(d, &seq));
	vfc_event_take(event);	/* what came before the stop returned */
	ASSERT_EQ(0, vfc_event_wait(event, ms));
	ASSERT_EQ(0, m->ticks(d, &now));
	ASSERT_EQ(ticks, now);
	ASSERT_EQ(0, m->noise_seq(d, &seq_now));
	ASSERT_EQ(seq, seq_now);
	ASSERT_EQ(0, memcmp(copy, dma, VT_DMA_BYTES));
	free(copy);
}

#endif /* VMIG_BUSY_H */
