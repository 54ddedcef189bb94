/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a protocol test needs to know of a device model, and nothing else: how
 * to change its state, how to see that the state arrived, how to make it busy.
 *
 * A test works without an adapter (vfc_model_find() returns NULL) as far as it
 * can; what needs one is skipped. Calls return 0 or -errno. What a model cannot
 * do is NULL: those from start_noise to start_timer together, and map.
 */
#ifndef VFIO_MODEL_H
#define VFIO_MODEL_H

#include "vfio_client.h"

/* A unit of state that the device tracks on its own. */
#define VFC_UNIT	4096

/**
 * struct vfc_model - adapter for one model
 * @name: for messages
 * @vendor: PCI vendor id
 * @device: PCI device id
 * @units: number of units of dirtiable state
 * @touch: fill unit @i with a pattern made from @value, below 2^63; 0 clears it
 * @read_back: the value that fills unit @i; -EILSEQ if it is torn
 * @reg_set: store into a register that has no effect on the device
 * @reg_get: read it; 0 after reset
 * @ticks: a counter that runs while the device does
 * @start_noise: rewrite units 0 to @units - 1 round robin, @rate a second
 * @stop_noise: end that; @seq tells check_noise what was written
 * @noise_seq: how often noise wrote so far
 * @check_noise: do units 0 to @units - 1 hold what @seq says?
 * @start_dma: write @pages pages at guest address @iova round robin
 * @start_timer: interrupt on vector 0 every @us microseconds; 0: off
 * @trigger: interrupt once on vector 0
 * @irq_index: which interrupts those are
 * @map: map the first @units units, readable and writable
 */
struct vfc_model {
	const char *name;
	__u16 vendor;
	__u16 device;
	__u64 (*units)(const struct vfc_dev *d);
	int (*touch)(const struct vfc_dev *d, __u64 i, __u64 value);
	int (*read_back)(const struct vfc_dev *d, __u64 i, __u64 *value);
	int (*reg_set)(const struct vfc_dev *d, __u32 value);
	int (*reg_get)(const struct vfc_dev *d, __u32 *value);
	int (*ticks)(const struct vfc_dev *d, __u64 *value);
	int (*start_noise)(const struct vfc_dev *d, __u32 units,
			   __u32 rate);
	int (*stop_noise)(const struct vfc_dev *d, __u64 *seq);
	int (*noise_seq)(const struct vfc_dev *d, __u64 *seq);
	int (*check_noise)(const struct vfc_dev *d, __u32 units,
			   __u64 seq);
	int (*start_dma)(const struct vfc_dev *d, __u64 iova,
			 __u32 pages, __u32 rate);
	int (*start_timer)(const struct vfc_dev *d, __u32 us);
	int (*trigger)(const struct vfc_dev *d);
	__u32 irq_index;
	int (*map)(const struct vfc_dev *d, unsigned int units, __u8 **p);
};

/* The adapter for @d by its PCI ids, or NULL. */
const struct vfc_model *vfc_model_find(const struct vfc_dev *d);

/* Fill @buf with what touch() writes; is it such a pattern, and of what? */
void vfc_unit_fill(void *buf, __u64 value);
int vfc_unit_check(const void *buf, __u64 *value);

#endif /* VFIO_MODEL_H */
