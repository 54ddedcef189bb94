// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device dirty page logging: which guest memory the device has written.
 *
 * The client names ranges and the size of the pages to track, and takes the log
 * piece by piece. Invariants:
 *
 * - A page is marked after its data were written and in the same critical section
 *   of the model's lock, so that no report that comes too early can take its mark
 *   for good (V2-DL-16), and a device that is stopped has marked all that it
 *   wrote. A pin brings the memory that this takes, so it cannot fail.
 * - Memory is spent on blocks of pages that have a mark or may get one from a pin
 *   that is held just now, never on the length of a range (V2-DL-05). Whoever
 *   opened the device is charged for it.
 * - Marks go by being reported and by the end of the log, and by nothing else: not
 *   by a reset (V2-DL-20), nor when the memory is unmapped (V2-DL-22).
 * - Only pages inside of the ranges are marked, so that there is nothing that
 *   cannot be reported.
 *
 * Blocks are in a tree of their own links and not in an xarray, since to insert
 * one must not need memory.
 */
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/find.h>
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "mimic.h"
#include "mimic_compat.h"

#define MIMIC_LOG_MIN_SHIFT	12u
/* Above that, a mark would say too little to be worth its block's memory. */
#define MIMIC_LOG_MAX_SHIFT	21u
#define MIMIC_LOG_BLOCK_SHIFT	9u
#define MIMIC_LOG_BLOCK_PAGES	BIT(MIMIC_LOG_BLOCK_SHIFT)

/**
 * struct mimic_log_range - memory that is logged
 * @first: guest address of its first byte
 * @last: of its last byte
 */
struct mimic_log_range {
	u64 first;
	u64 last;
};

/**
 * struct mimic_log_block - marks of adjacent pages
 * @node: in mimic_log.blocks, or empty
 * @index: number of the block: guest address by bytes of a block
 * @held: a pin brought it and has not left yet; it frees the block if that is
 *	not in the tree then, and nobody else does before
 * @marks: one bit per page
 *
 * All of it is protected by mimic_log.lock while the block is in the tree, and
 * belongs to the pin that holds it otherwise.
 */
struct mimic_log_block {
	struct rb_node node;
	u64 index;
	bool held;
	DECLARE_BITMAP(marks, MIMIC_LOG_BLOCK_PAGES);
};

/**
 * struct mimic_log_piece - marks that were taken out of the log
 * @first: guest address of the first page
 * @last: of the last page's last byte
 * @shift: size of a page, as a power of two
 * @marks: one bit per page
 */
struct mimic_log_piece {
	u64 first;
	u64 last;
	unsigned int shift;
	DECLARE_BITMAP(marks, MIMIC_LOG_BLOCK_PAGES);
};

static struct mimic_log *vfio_to_log(struct vfio_device *vfio)
{
	return &container_of(vfio, struct mimic_vdev, vfio)->log;
}

/* --- Blocks -------------------------------------------------------------- */

static struct mimic_log_block *mimic_log_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct mimic_log_block, node);
}

static u64 mimic_log_index(const struct mimic_log *log, u64 iova)
{
	return iova >> (log->shift + MIMIC_LOG_BLOCK_SHIFT);
}

static int mimic_log_cmp(struct rb_node *node, const struct rb_node *other)
{
	u64 a = rb_entry(node, struct mimic_log_block, node)->index;
	u64 b = rb_entry(other, struct mimic_log_block, node)->index;

	return a < b ? -1 : a > b;
}

/* The first block from @index on, or NULL. */
static struct mimic_log_block *mimic_log_find(struct mimic_log *log, u64 index)
{
	struct rb_node *node = log->blocks.rb_node;
	struct mimic_log_block *block, *found = NULL;

	lockdep_assert_held(&log->lock);
	while (node) {
		block = mimic_log_entry(node);
		if (block->index < index) {
			node = node->rb_right;
		} else {
			found = block;
			node = node->rb_left;
		}
	}
	return found;
}

/* Take it out of the tree; free it unless that is left to a pin. */
static void mimic_log_remove(struct mimic_log *log,
			     struct mimic_log_block *block)
{
	lockdep_assert_held(&log->lock);
	rb_erase(&block->node, &log->blocks);
	RB_CLEAR_NODE(&block->node);
	bitmap_zero(block->marks, MIMIC_LOG_BLOCK_PAGES);
	if (!block->held)
		kfree(block);
}

/* Are all of the bytes inside of one range? */
static bool mimic_log_covers(const struct mimic_log *log, u64 first, u64 last)
{
	unsigned int low = 0, high = log->nr_ranges, middle;

	lockdep_assert_held(&log->lock);
	while (low < high) {
		middle = (low + high) / 2;
		if (log->ranges[middle].last < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low < log->nr_ranges && log->ranges[low].first <= first &&
	       last <= log->ranges[low].last;
}

/* --- For the DMA side ----------------------------------------------------- */

/**
 * mimic_log_prepare() - get what it takes to mark the page of a pin
 * @v: device, opened
 * @pin: not pinned yet; its members for the log are set
 *
 * Context: kernel thread or worker; may sleep.
 * Return: 0, or -ENOMEM.
 */
int mimic_log_prepare(struct mimic_vdev *v, struct mimic_pin *pin)
{
	struct mem_cgroup *old;

	pin->log = &v->log;
	pin->block = NULL;
	if (!v->vfio.log_ops)
		return 0;
	old = set_active_memcg(v->log.memcg);
	pin->block = kzalloc(sizeof(*pin->block), GFP_KERNEL_ACCOUNT);
	set_active_memcg(old);
	if (!pin->block)
		return -ENOMEM;
	RB_CLEAR_NODE(&pin->block->node);
	pin->block->held = true;
	return 0;
}

/**
 * mimic_log_mark() - note that a page was written
 * @pin: of the page, to which the data have been written
 *
 * Does nothing where there is no log, or the page is not in it. A log that is
 * started meanwhile either gets the mark or is older than the data.
 *
 * Context: any but interrupts; does not sleep. The caller is in the critical
 * section in which the data were written.
 */
void mimic_log_mark(struct mimic_pin *pin)
{
	struct mimic_log *log = pin->log;
	struct mimic_log_block *block = pin->block;
	struct rb_node *found;

	if (!block)
		return;
	spin_lock(&log->lock);
	if (log->on && mimic_log_covers(log, pin->iova, pin->iova)) {
		if (RB_EMPTY_NODE(&block->node)) {
			block->index = mimic_log_index(log, pin->iova);
			found = rb_find_add(&block->node, &log->blocks,
					    mimic_log_cmp);
			if (found)
				block = mimic_log_entry(found);
		}
		__set_bit((pin->iova >> log->shift) % MIMIC_LOG_BLOCK_PAGES,
			  block->marks);
	}
	spin_unlock(&log->lock);
}

/**
 * mimic_log_leave() - undo mimic_log_prepare()
 * @pin: no longer pinned; marks that it made stay
 *
 * Context: any but interrupts; does not sleep.
 */
void mimic_log_leave(struct mimic_pin *pin)
{
	struct mimic_log *log = pin->log;
	struct mimic_log_block *block = pin->block;

	if (!block)
		return;
	spin_lock(&log->lock);
	block->held = false;
	if (RB_EMPTY_NODE(&block->node))
		kfree(block);
	else if (bitmap_empty(block->marks, MIMIC_LOG_BLOCK_PAGES))
		mimic_log_remove(log, block);
	spin_unlock(&log->lock);
}

/* --- Start and stop ------------------------------------------------------- */

/*
 * The size to track for the one that was asked for: the next lower one that there
 * is. 0 if it is none.
 */
static unsigned int mimic_log_shift(u64 page_size)
{
	if (!is_power_of_2(page_size))
		return 0;
	return clamp_t(unsigned int, ilog2(page_size), MIMIC_LOG_MIN_SHIFT,
		       MIMIC_LOG_MAX_SHIFT);
}

/*
 * Not all that VFIO lets pass is a range: one of no bytes ends before it begins,
 * or, at address 0, with the last address there is, which no other can reach.
 */
static bool mimic_log_range_ok(const struct interval_tree_node *in, u64 size)
{
	return in->start <= in->last && in->last != ULONG_MAX &&
	       IS_ALIGNED(in->start, size) && IS_ALIGNED(in->last + 1, size);
}

/*
 * Copy the ranges, in order; neighbours become one, since a report may go over
 * the border. How many there are then, or -EINVAL.
 */
static int mimic_log_take_ranges(struct mimic_log_range *ranges,
				 struct rb_root_cached *root, u32 nnodes,
				 u64 size)
{
	struct interval_tree_node *in;
	struct rb_node *node;
	u32 n = 0, seen = 0;

	for (node = rb_first_cached(root); node; node = rb_next(node)) {
		in = rb_entry(node, struct interval_tree_node, rb);
		if (seen++ == nnodes || !mimic_log_range_ok(in, size))
			return -EINVAL;
		if (n && ranges[n - 1].last + 1 == in->start) {
			ranges[n - 1].last = in->last;
			continue;
		}
		ranges[n].first = in->start;
		ranges[n++].last = in->last;
	}
	return n ?: -EINVAL;
}

static int mimic_log_begin(struct mimic_log *log, struct mimic_log_range *ranges,
			   unsigned int nr_ranges, unsigned int shift)
{
	int ret = 0;

	lockdep_assert_held(&log->gate);
	spin_lock(&log->lock);
	if (log->on) {
		ret = -EBUSY;
	} else {
		log->shift = shift;
		log->ranges = ranges;
		log->nr_ranges = nr_ranges;
		log->on = true;
	}
	spin_unlock(&log->lock);
	return ret;
}

/*
 * VFIO_DEVICE_FEATURE_DMA_LOGGING_START (V2-DL-01 to 06). Nothing has begun if it
 * fails, and a log that was there goes on.
 */
static int mimic_log_start(struct vfio_device *vfio, struct rb_root_cached *root,
			   u32 nnodes, u64 *page_size)
{
	struct mimic_log *log = vfio_to_log(vfio);
	unsigned int shift = mimic_log_shift(*page_size);
	struct mimic_log_range *ranges;
	int ret;

	if (!shift)
		return -EINVAL;
	ranges = kvmalloc_array(nnodes, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	if (!ranges)
		return -ENOMEM;
	ret = mimic_log_take_ranges(ranges, root, nnodes, 1ULL << shift);
	if (ret > 0) {
		mutex_lock(&log->gate);
		ret = mimic_log_begin(log, ranges, ret, shift);
		mutex_unlock(&log->gate);
	}
	if (ret) {
		kvfree(ranges);
		return ret;
	}
	*page_size = 1ULL << shift;
	return 0;
}

static bool mimic_log_remove_first(struct mimic_log *log)
{
	struct mimic_log_block *block;

	spin_lock(&log->lock);
	block = mimic_log_entry(rb_first(&log->blocks));
	if (block)
		mimic_log_remove(log, block);
	spin_unlock(&log->lock);
	return block;
}

/* End the log, if there is one. May sleep. */
static void mimic_log_end(struct mimic_log *log)
{
	struct mimic_log_range *ranges;

	mutex_lock(&log->gate);
	spin_lock(&log->lock);
	log->on = false;
	ranges = log->ranges;
	log->ranges = NULL;
	log->nr_ranges = 0;
	spin_unlock(&log->lock);
	while (mimic_log_remove_first(log))
		cond_resched();
	mutex_unlock(&log->gate);
	kvfree(ranges);
}

/* VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP; nothing to stop is no error (V2-DL-07). */
static int mimic_log_stop(struct vfio_device *vfio)
{
	mimic_log_end(vfio_to_log(vfio));
	return 0;
}

/* --- Report --------------------------------------------------------------- */

/*
 * Move the marks of @block from byte @first to byte @last into @piece. A page of
 * which the range has only a part keeps its mark: the rest of it has not been
 * reported.
 */
static void mimic_log_cut(const struct mimic_log *log,
			  struct mimic_log_block *block, u64 first, u64 last,
			  struct mimic_log_piece *piece)
{
	u64 size = 1ULL << log->shift, page;
	unsigned int i;

	lockdep_assert_held(&log->lock);
	piece->shift = log->shift;
	piece->first = block->index << (log->shift + MIMIC_LOG_BLOCK_SHIFT);
	piece->last = piece->first + (size << MIMIC_LOG_BLOCK_SHIFT) - 1;
	bitmap_zero(piece->marks, MIMIC_LOG_BLOCK_PAGES);
	for_each_set_bit(i, block->marks, MIMIC_LOG_BLOCK_PAGES) {
		page = piece->first + i * size;
		if (page > last || page + size - 1 < first)
			continue;
		__set_bit(i, piece->marks);
		if (page >= first && page + size - 1 <= last)
			__clear_bit(i, block->marks);
	}
}

/*
 * Take the next block's marks from byte @from of a report of @first to @last. 1 if
 * there was a block, 0 if there is none left, -EINVAL if the report is not of
 * memory that is logged.
 */
static int mimic_log_take(struct mimic_log *log, u64 first, u64 from, u64 last,
			  struct mimic_log_piece *piece)
{
	struct mimic_log_block *block;
	int ret = 0;

	spin_lock(&log->lock);
	if (!log->on || !mimic_log_covers(log, first, last)) {
		ret = -EINVAL;
		goto out;
	}
	block = mimic_log_find(log, mimic_log_index(log, from));
	if (!block || block->index > mimic_log_index(log, last))
		goto out;
	mimic_log_cut(log, block, first, last, piece);
	if (!block->held && bitmap_empty(block->marks, MIMIC_LOG_BLOCK_PAGES))
		mimic_log_remove(log, block);
	ret = 1;
out:
	spin_unlock(&log->lock);
	return ret;
}

/* VFIO wants nothing outside of the report's range. */
static void mimic_log_put(const struct mimic_log_piece *piece, u64 first, u64 last,
			  struct iova_bitmap *dirty)
{
	unsigned long begin, end;
	u64 from, to;

	for_each_set_bitrange(begin, end, piece->marks, MIMIC_LOG_BLOCK_PAGES) {
		from = max(piece->first + ((u64)begin << piece->shift), first);
		to = min(piece->first + ((u64)end << piece->shift) - 1, last);
		iova_bitmap_set(dirty, from, to - from + 1);
	}
}

/*
 * VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, or the part of it for which the kernel
 * has the client's bitmap at hand. Nothing can fail between taking a mark and
 * putting it there (V2-DL-17), which may wait for user space, and so has no lock.
 */
static int mimic_log_read_and_clear(struct vfio_device *vfio,
				    unsigned long iova, unsigned long length,
				    struct iova_bitmap *dirty)
{
	struct mimic_log *log = vfio_to_log(vfio);
	u64 last = iova + length - 1, from = iova;
	struct mimic_log_piece piece;
	int ret;

	if (!length || last < iova)
		return -EINVAL;
	for (;;) {
		ret = mimic_log_take(log, iova, from, last, &piece);
		if (ret <= 0)
			return ret;
		mimic_log_put(&piece, iova, last, dirty);
		if (piece.last >= last)
			return 0;
		from = piece.last + 1;
		cond_resched();
	}
}

static const struct vfio_log_ops mimic_log_ops = {
	.log_start		= mimic_log_start,
	.log_stop		= mimic_log_stop,
	.log_read_and_clear	= mimic_log_read_and_clear,
};

/* --- Life cycle ----------------------------------------------------------- */

/**
 * mimic_log_init() - offer the log to clients, where the kernel serves it
 * @v: device that is not registered yet (LIFE-06)
 *
 * Context: any.
 */
void mimic_log_init(struct mimic_vdev *v)
{
	mutex_init(&v->log.gate);
	spin_lock_init(&v->log.lock);
	v->log.blocks = RB_ROOT;
	if (MIMIC_SERVES_LOG)
		v->vfio.log_ops = &mimic_log_ops;
}

/**
 * mimic_log_open() - from now on the calling process pays for the log
 * @v: device that is being opened
 *
 * Context: process, of the client.
 */
void mimic_log_open(struct mimic_vdev *v)
{
	v->log.memcg = get_mem_cgroup_from_mm(current->mm);
}

/**
 * mimic_log_close() - end the log, and undo mimic_log_open()
 * @v: device that was closed by its last client; no pin is held, and none comes
 *
 * Context: process, may sleep.
 */
void mimic_log_close(struct mimic_vdev *v)
{
	mimic_log_end(&v->log);
	mem_cgroup_put(v->log.memcg);
	v->log.memcg = NULL;
}
