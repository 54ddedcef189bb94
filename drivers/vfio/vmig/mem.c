// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracked device memory.
 *
 * Memory is a table of order-0 pages, one per chunk; a chunk without a page is a
 * hole and reads as zeros. In uniform memory, which cannot be mapped, a chunk is
 * one number instead of a page. Invariants, all under vmig_mem.lock:
 *
 *  - While changes are tracked, a chunk that is not dirty has no writable page
 *    table entry. The bit is set and the writable entry made in one critical
 *    section; the saver clears the bit and takes the entry away in one critical
 *    section, and copies after that. So a store is either in the copy, or has
 *    set the bit again.
 *  - Frozen memory has no writable entries at all; stores get SIGBUS.
 *  - Counters equal what a scan would find, so nobody ever scans.
 *
 * All mappings are in one address space of our own, since VFIO device files of
 * older kernels share theirs with the rest of the system. Pages are mapped by
 * PFN: get_user_pages() refuses such mappings, so no pin can go round the
 * write protection.
 */
#include <linux/anon_inodes.h>
#include <linux/bitmap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/poll.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#include <linux/xarray.h>

#include "vmig_int.h"
#include "vmig_compat.h"

static_assert(PAGE_SHIFT == VMIG_CHUNK_SHIFT);

#define VMIG_FS_MAGIC	0x564d4947

static struct vfsmount *vmig_mnt;

static int vmig_fs_init(struct fs_context *fc)
{
	return init_pseudo(fc, VMIG_FS_MAGIC) ? 0 : -ENOMEM;
}

/*
 * Never mounted by a user; it only carries the inodes of mappings. Without an
 * owner, since our own mount would pin the module for ever; files in it do.
 */
static struct file_system_type vmig_fs_type = {
	.name		= "vmig",
	.init_fs_context = vmig_fs_init,
	.kill_sb	= kill_anon_super,
};

/**
 * vmig_mem_setup() - prepare for mappings; once, when the module is loaded
 *
 * Return: 0 or a negative errno.
 */
int vmig_mem_setup(void)
{
	vmig_mnt = kern_mount(&vmig_fs_type);
	return PTR_ERR_OR_ZERO(vmig_mnt);
}

/**
 * vmig_mem_teardown() - undo vmig_mem_setup()
 */
void vmig_mem_teardown(void)
{
	kern_unmount(vmig_mnt);
}

/**
 * vmig_mem_init() - make a memory object, all holes
 * @mem: zeroed
 * @id: number of the object in the stream
 * @size: bytes; 0 is allowed
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL if @size is beyond what the tables can count, -ENOMEM.
 */
int vmig_mem_init(struct vmig_mem *mem, u16 id, u64 size)
{
	u64 chunks = DIV_ROUND_UP_ULL(size, VMIG_CHUNK_SIZE);

	if (size > U64_MAX - VMIG_CHUNK_SIZE || chunks > U32_MAX)
		return -EINVAL;
	mutex_init(&mem->lock);
	mem->id = id;
	mem->size = size;
	mem->nr_chunks = chunks;
	mem->pages = kvcalloc(chunks, sizeof(*mem->pages), GFP_KERNEL_ACCOUNT);
	mem->dirty = kvcalloc(BITS_TO_LONGS(chunks), sizeof(long),
			      GFP_KERNEL_ACCOUNT);
	mem->inode = alloc_anon_inode(vmig_mnt->mnt_sb);
	if (mem->pages && mem->dirty && !IS_ERR(mem->inode))
		return 0;

	if (!IS_ERR(mem->inode))
		iput(mem->inode);
	kvfree(mem->dirty);
	kvfree(mem->pages);
	return -ENOMEM;
}
EXPORT_SYMBOL_GPL(vmig_mem_init);

/**
 * vmig_mem_init_uniform() - make a memory object whose chunks are numbers
 * @mem: zeroed
 * @id: number of the object in the stream
 * @size: bytes, a multiple of VMIG_CHUNK_SIZE; 0 is allowed
 *
 * A chunk holds one 64-bit number, over and over, and costs 8 bytes of memory.
 * So a device can have more state to migrate than its host has memory. It is
 * changed by vmig_mem_fill() and vmig_mem_punch() only, and cannot be mapped.
 *
 * Context: process, may sleep.
 * Return: as vmig_mem_init(); -EINVAL also if @size is no multiple.
 */
int vmig_mem_init_uniform(struct vmig_mem *mem, u16 id, u64 size)
{
	if (size & (VMIG_CHUNK_SIZE - 1))
		return -EINVAL;
	mem->uniform = true;
	return vmig_mem_init(mem, id, size);
}
EXPORT_SYMBOL_GPL(vmig_mem_init_uniform);

/**
 * vmig_mem_destroy() - free a memory object that nobody uses or maps
 * @mem: memory
 *
 * Context: process, may sleep.
 */
void vmig_mem_destroy(struct vmig_mem *mem)
{
	vmig_mem_empty(mem);
	iput(mem->inode);
	kvfree(mem->dirty);
	kvfree(mem->pages);
}
EXPORT_SYMBOL_GPL(vmig_mem_destroy);

/**
 * vmig_chunk_len() - bytes of a chunk
 * @mem: memory
 * @index: of the chunk
 *
 * Return: VMIG_CHUNK_SIZE, or less for the last chunk.
 */
u32 vmig_chunk_len(const struct vmig_mem *mem, unsigned long index)
{
	return min_t(u64, mem->size - ((u64)index << VMIG_CHUNK_SHIFT),
		     VMIG_CHUNK_SIZE);
}

static void vmig_mem_mark(struct vmig_mem *mem, unsigned long index)
{
	lockdep_assert_held(&mem->lock);
	if (!mem->tracking || __test_and_set_bit(index, mem->dirty))
		return;
	mem->nr_dirty++;
	if (!mem->pages[index])
		mem->nr_dirty_holes++;
	if (mem->nr_dirty == 1 && mem->wake)
		wake_up_interruptible_poll(mem->wake, EPOLLIN | EPOLLRDNORM);
}

static void vmig_mem_unmark(struct vmig_mem *mem, unsigned long index)
{
	lockdep_assert_held(&mem->lock);
	if (!__test_and_clear_bit(index, mem->dirty))
		return;
	mem->nr_dirty--;
	if (!mem->pages[index])
		mem->nr_dirty_holes--;
}

static void vmig_mem_put_page(struct vmig_mem *mem, unsigned long index,
			      struct page *page)
{
	lockdep_assert_held(&mem->lock);
	mem->pages[index] = page;
	mem->nr_pages++;
	if (test_bit(index, mem->dirty))
		mem->nr_dirty_holes--;
}

static struct page *vmig_mem_drop_page(struct vmig_mem *mem, unsigned long index)
{
	struct page *page = mem->pages[index];

	lockdep_assert_held(&mem->lock);
	mem->pages[index] = NULL;
	mem->nr_pages--;
	if (test_bit(index, mem->dirty))
		mem->nr_dirty_holes++;
	return page;
}

static void vmig_mem_free_page(struct vmig_mem *mem, struct page *page)
{
	if (!mem->uniform)
		__free_page(page);
}

static void vmig_mem_zap(struct vmig_mem *mem, unsigned long first,
			 unsigned long nr)
{
	lockdep_assert_held(&mem->lock);
	unmap_mapping_range(mem->inode->i_mapping,
			    (loff_t)first << VMIG_CHUNK_SHIFT,
			    (loff_t)nr << VMIG_CHUNK_SHIFT, 1);
}

/**
 * vmig_mem_charge() - from now on the caller pays for what is written
 * @mem: memory that nobody writes yet
 *
 * Much of it is first touched by threads of the device, which belong to nobody.
 *
 * Context: process. To be undone by vmig_mem_uncharge().
 */
void vmig_mem_charge(struct vmig_mem *mem)
{
	mem->memcg = get_mem_cgroup_from_mm(current->mm);
}

/**
 * vmig_mem_uncharge() - undo vmig_mem_charge()
 * @mem: memory that nobody writes any more
 */
void vmig_mem_uncharge(struct vmig_mem *mem)
{
	mem_cgroup_put(mem->memcg);
	mem->memcg = NULL;
}

static struct page *vmig_mem_new_page(struct mem_cgroup *memcg)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	set_active_memcg(old);
	return page;
}

/* Clean chunks in a gap that is cheaper to zap than to leave out: 2 MiB. */
#define VMIG_MEM_GAP		512ul

/*
 * The end of what is dirty from @first on, without a gap of many clean chunks:
 * that those have to be mapped again costs less than a call for each run.
 */
static unsigned long vmig_mem_cluster(struct vmig_mem *mem, unsigned long first)
{
	unsigned long end, next = first;

	do {
		end = find_next_zero_bit(mem->dirty, mem->nr_chunks, next);
		next = find_next_bit(mem->dirty, mem->nr_chunks, end);
	} while (next < mem->nr_chunks && next - end < VMIG_MEM_GAP);
	return end;
}

/*
 * Length of the run of dirty chunks at @first, at most @max.
 */
static unsigned long vmig_mem_run(struct vmig_mem *mem, unsigned long first,
				  unsigned long max)
{
	unsigned long end = first + min(max, mem->nr_chunks - first);

	return find_next_zero_bit(mem->dirty, end, first) - first;
}

/**
 * vmig_mem_freeze() - let nothing change the memory any more
 * @mem: memory
 *
 * While changes are tracked only dirty chunks can be mapped writable, so only
 * those are touched.
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_freeze(struct vmig_mem *mem)
{
	unsigned long first = 0, nr;

	mutex_lock(&mem->lock);
	mem->frozen = true;
	if (!mem->tracking) {
		vmig_mem_zap(mem, 0, mem->nr_chunks);
	} else if (mem->nr_dirty) {
		for (;;) {
			first = find_next_bit(mem->dirty, mem->nr_chunks, first);
			if (first >= mem->nr_chunks)
				break;
			nr = vmig_mem_cluster(mem, first) - first;
			vmig_mem_zap(mem, first, nr);
			first += nr;
		}
	}
	mutex_unlock(&mem->lock);
}

/**
 * vmig_mem_thaw() - allow changes again
 * @mem: memory
 *
 * Holes that were read while frozen are mapped to the zero page, which must not
 * stay behind when such a chunk gets a page.
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_thaw(struct vmig_mem *mem)
{
	mutex_lock(&mem->lock);
	if (mem->zero_mapped)
		vmig_mem_zap(mem, 0, mem->nr_chunks);
	mem->zero_mapped = false;
	mem->frozen = false;
	mutex_unlock(&mem->lock);
}

/**
 * vmig_mem_empty() - make all of it holes
 * @mem: memory
 *
 * While changes are tracked, the chunks that lose their content become dirty.
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_empty(struct vmig_mem *mem)
{
	unsigned long i;

	mutex_lock(&mem->lock);
	vmig_mem_zap(mem, 0, mem->nr_chunks);
	for (i = 0; i < mem->nr_chunks && mem->nr_pages; i++) {
		if (!mem->pages[i])
			continue;
		vmig_mem_free_page(mem, vmig_mem_drop_page(mem, i));
		vmig_mem_mark(mem, i);
		cond_resched();
	}
	mutex_unlock(&mem->lock);
}

/**
 * vmig_mem_track() - begin to note changes; all that is there counts as changed
 * @mem: memory
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_track(struct vmig_mem *mem)
{
	unsigned long i, left;

	mutex_lock(&mem->lock);
	mem->tracking = true;
	left = mem->nr_pages;
	for (i = 0; i < mem->nr_chunks && left; i++) {
		if (!mem->pages[i])
			continue;
		vmig_mem_mark(mem, i);
		left--;
		cond_resched();
	}
	mutex_unlock(&mem->lock);
}

/**
 * vmig_mem_untrack() - stop noting changes
 * @mem: memory
 *
 * Entries that are read-only stay; a store makes them writable.
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_untrack(struct vmig_mem *mem)
{
	mutex_lock(&mem->lock);
	if (mem->nr_dirty)
		bitmap_zero(mem->dirty, mem->nr_chunks);
	mem->nr_dirty = 0;
	mem->nr_dirty_holes = 0;
	mem->tracking = false;
	mem->wake = NULL;
	mutex_unlock(&mem->lock);
}

/**
 * vmig_mem_wake() - say who is woken when the first chunk becomes dirty
 * @mem: memory; tracked, and until it is not
 * @wake: who
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_wake(struct vmig_mem *mem, struct wait_queue_head *wake)
{
	mutex_lock(&mem->lock);
	mem->wake = wake;
	mutex_unlock(&mem->lock);
}

/**
 * vmig_mem_block() - let mappings answer or not
 * @mem: memory
 * @blocked: accesses through mappings get SIGBUS; those by vmig_mem_read() and
 *	vmig_mem_write() are the caller's business
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_block(struct vmig_mem *mem, bool blocked)
{
	mutex_lock(&mem->lock);
	if (blocked && !mem->blocked)
		vmig_mem_zap(mem, 0, mem->nr_chunks);
	mem->blocked = blocked;
	mutex_unlock(&mem->lock);
}
EXPORT_SYMBOL_GPL(vmig_mem_block);

/**
 * vmig_mem_hide() - read as zeros while a resume fills the pages
 * @mem: memory; empty and frozen
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_hide(struct vmig_mem *mem)
{
	mutex_lock(&mem->lock);
	mem->hidden = true;
	mutex_unlock(&mem->lock);
}

/**
 * vmig_mem_reveal() - show what a resume has filled
 * @mem: memory; frozen
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_reveal(struct vmig_mem *mem)
{
	mutex_lock(&mem->lock);
	mem->hidden = false;
	/* Until now everything was mapped to the zero page. */
	vmig_mem_zap(mem, 0, mem->nr_chunks);
	mem->zero_mapped = false;
	mutex_unlock(&mem->lock);
}

/**
 * vmig_mem_take() - take a run of changed chunks to send them
 * @mem: memory; tracked
 * @cursor: where to begin to look; moved behind the run
 * @max: most chunks to take, not 0
 * @first: gets the first chunk's index
 *
 * The chunks are clean when this returns, and not mapped writable: whatever is
 * stored from now on makes them dirty again. So copy after this, never before.
 *
 * Context: process. Takes vmig_mem.lock.
 * Return: number of chunks, 0 if nothing is dirty.
 */
unsigned long vmig_mem_take(struct vmig_mem *mem, unsigned long *cursor,
			    unsigned long max, unsigned long *first)
{
	unsigned long i, nr = 0;

	mutex_lock(&mem->lock);
	if (!mem->nr_dirty)
		goto out;
	i = find_next_bit(mem->dirty, mem->nr_chunks, *cursor);
	if (i >= mem->nr_chunks)
		i = find_first_bit(mem->dirty, mem->nr_chunks);
	nr = vmig_mem_run(mem, i, max);
	*first = i;
	*cursor = i + nr;
	/* Frozen memory has no writable entries. */
	if (!mem->frozen)
		vmig_mem_zap(mem, i, nr);
	for (; i < *cursor; i++)
		vmig_mem_unmark(mem, i);
out:
	mutex_unlock(&mem->lock);
	return nr;
}

/* Bytes of a chunk that is no hole; @in and @len are inside. */
static void vmig_mem_get(struct vmig_mem *mem, unsigned long index, void *buf,
			 size_t in, size_t len)
{
	struct page *page = mem->pages[index];
	__le64 word;

	lockdep_assert_held(&mem->lock);
	if (!mem->uniform) {
		memcpy_from_page(buf, page, in, len);
		return;
	}
	word = cpu_to_le64(xa_to_value(page));
	for (; len; len--, in++, buf++)
		*(u8 *)buf = ((u8 *)&word)[in % sizeof(word)];
}

/**
 * vmig_mem_snapshot() - get the bytes of a chunk that was taken
 * @mem: memory
 * @index: of the chunk
 * @buf: room for vmig_chunk_len() bytes
 *
 * Memory that may change meanwhile is copied to @buf, and so is uniform memory;
 * frozen memory is not.
 *
 * Context: process. Takes vmig_mem.lock.
 * Return: vmig_chunk_len() bytes, in @buf or where nobody changes them until the
 * memory is thawed; NULL if the chunk is a hole.
 */
const void *vmig_mem_snapshot(struct vmig_mem *mem, unsigned long index,
			      void *buf)
{
	const void *data = NULL;
	struct page *page;

	mutex_lock(&mem->lock);
	page = mem->pages[index];
	if (page && mem->frozen && !mem->uniform) {
		data = page_address(page);
	} else if (page) {
		vmig_mem_get(mem, index, buf, 0, vmig_chunk_len(mem, index));
		data = buf;
	}
	mutex_unlock(&mem->lock);
	return data;
}

/**
 * vmig_mem_redirty() - a chunk has to be sent again
 * @mem: memory
 * @index: of the chunk
 *
 * Context: process. Takes vmig_mem.lock.
 */
void vmig_mem_redirty(struct vmig_mem *mem, unsigned long index)
{
	mutex_lock(&mem->lock);
	vmig_mem_mark(mem, index);
	mutex_unlock(&mem->lock);
}

/*
 * What counters of chunks say too much: what the last one lacks, if it is no hole.
 */
static u32 vmig_mem_lacks(struct vmig_mem *mem)
{
	unsigned long last = mem->nr_chunks - 1;

	lockdep_assert_held(&mem->lock);
	/* Memory without any page may have no chunk either. */
	if (!mem->nr_pages || !mem->pages[last])
		return 0;
	return VMIG_CHUNK_SIZE - vmig_chunk_len(mem, last);
}

/**
 * vmig_mem_pending() - bytes of stream that the changed chunks make
 * @mem: memory
 * @header: bytes of a record without data
 *
 * Context: process. Takes vmig_mem.lock.
 * Return: bytes, from counters; exact while the memory is frozen.
 */
u64 vmig_mem_pending(struct vmig_mem *mem, u32 header)
{
	u64 bytes;

	mutex_lock(&mem->lock);
	bytes = (u64)mem->nr_dirty * header +
		((u64)(mem->nr_dirty - mem->nr_dirty_holes) << VMIG_CHUNK_SHIFT);
	if (mem->nr_dirty && test_bit(mem->nr_chunks - 1, mem->dirty))
		bytes -= vmig_mem_lacks(mem);
	mutex_unlock(&mem->lock);
	return bytes;
}

/**
 * vmig_mem_whole() - bytes of stream that all of the memory makes
 * @mem: memory
 * @header: bytes of a record without data
 *
 * Context: process. Takes vmig_mem.lock.
 * Return: bytes, from counters; exact while the memory is frozen.
 */
u64 vmig_mem_whole(struct vmig_mem *mem, u32 header)
{
	u64 bytes;

	mutex_lock(&mem->lock);
	bytes = (u64)mem->nr_pages * (header + VMIG_CHUNK_SIZE) - vmig_mem_lacks(mem);
	mutex_unlock(&mem->lock);
	return bytes;
}

/**
 * vmig_mem_idle() - is nothing left to be sent
 * @mem: memory
 *
 * Context: process. Takes vmig_mem.lock.
 * Return: true if no chunk is dirty.
 */
bool vmig_mem_idle(struct vmig_mem *mem)
{
	bool idle;

	mutex_lock(&mem->lock);
	idle = !mem->nr_dirty;
	mutex_unlock(&mem->lock);
	return idle;
}

/*
 * Make a chunk of uniform memory this number, or a hole. Numbers are what fits in
 * an entry of an xarray, since a table entry has to be told from a page.
 */
static int vmig_mem_set_number(struct vmig_mem *mem, unsigned long index, u64 value)
{
	lockdep_assert_held(&mem->lock);
	if (value > LONG_MAX)
		return -EINVAL;
	if (mem->pages[index])
		vmig_mem_drop_page(mem, index);
	if (value)
		vmig_mem_put_page(mem, index, xa_mk_value(value));
	return 0;
}

static int vmig_mem_place_number(struct vmig_mem *mem, unsigned long index,
				 struct page *page)
{
	const void *data;
	__le64 word;

	if (!page)
		return vmig_mem_set_number(mem, index, 0);
	data = page_address(page);
	/* Equal to itself, shifted by a word: nothing but that word. */
	memcpy(&word, data, sizeof(word));
	if (memcmp(data, data + sizeof(word), VMIG_CHUNK_SIZE - sizeof(word)))
		return -EINVAL;
	return vmig_mem_set_number(mem, index, le64_to_cpu(word));
}

static void vmig_mem_swap_page(struct vmig_mem *mem, unsigned long index,
			       struct page **page)
{
	struct page *old = NULL;

	lockdep_assert_held(&mem->lock);
	if (mem->pages[index])
		old = vmig_mem_drop_page(mem, index);
	if (*page)
		vmig_mem_put_page(mem, index, *page);
	*page = old;
}

/**
 * vmig_mem_place() - put a received chunk into hidden memory
 * @mem: memory; hidden
 * @index: of the chunk
 * @page: the chunk, with zeros behind a short one, in a page of alloc_page(); or
 *	NULL for a hole. Set to what is left to the caller: the page that was the
 *	chunk before, or NULL; of uniform memory, the page that it was
 *
 * Context: process. Takes vmig_mem.lock.
 * Return: 0; -EINVAL, with nothing changed, if the memory is uniform and the
 * chunk is not.
 */
int vmig_mem_place(struct vmig_mem *mem, unsigned long index, struct page **page)
{
	int ret = 0;

	mutex_lock(&mem->lock);
	if (mem->uniform)
		ret = vmig_mem_place_number(mem, index, *page);
	else
		vmig_mem_swap_page(mem, index, page);
	mutex_unlock(&mem->lock);
	return ret;
}

static bool vmig_mem_in_range(const struct vmig_mem *mem, u64 off, size_t len)
{
	return off <= mem->size && len <= mem->size - off;
}

/**
 * vmig_mem_read() - read device memory
 * @mem: memory
 * @off: byte offset
 * @buf: kernel memory
 * @len: bytes; 0 is allowed
 *
 * Context: process. Takes vmig_mem.lock, a chunk at a time: a write that goes on
 * meanwhile may be seen in part.
 * Return: 0, or -EINVAL if the range is not inside the memory.
 */
int vmig_mem_read(struct vmig_mem *mem, u64 off, void *buf, size_t len)
{
	if (!vmig_mem_in_range(mem, off, len))
		return -EINVAL;
	while (len) {
		unsigned long index = off >> VMIG_CHUNK_SHIFT;
		size_t in = offset_in_page(off), n = min(len, PAGE_SIZE - in);
		struct page *page;

		mutex_lock(&mem->lock);
		page = mem->hidden ? NULL : mem->pages[index];
		if (page)
			vmig_mem_get(mem, index, buf, in, n);
		else
			memset(buf, 0, n);
		mutex_unlock(&mem->lock);
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(vmig_mem_read);

/*
 * The page of a chunk that is about to change. @fresh is a page to use if there
 * is none yet.
 */
static struct page *vmig_mem_own(struct vmig_mem *mem, unsigned long index,
				 struct page **fresh)
{
	lockdep_assert_held(&mem->lock);
	if (!mem->pages[index] && *fresh) {
		vmig_mem_put_page(mem, index, *fresh);
		*fresh = NULL;
	}
	return mem->pages[index];
}

/*
 * Without the lock this is a guess. Who is wrong with it looks again: a page that
 * was missing when it was looked at may only be reported as lack of memory if
 * there is none.
 */
static bool vmig_mem_wants_page(struct vmig_mem *mem, unsigned long index)
{
	return !READ_ONCE(mem->pages[index]) && !READ_ONCE(mem->frozen);
}

/* -EAGAIN if the chunk needs a page, and there is no @fresh one. */
static int vmig_mem_store(struct vmig_mem *mem, unsigned long index, size_t in,
			  const void *buf, size_t n, struct page **fresh)
{
	struct page *page;

	lockdep_assert_held(&mem->lock);
	if (mem->frozen)
		return -EIO;
	page = vmig_mem_own(mem, index, fresh);
	if (!page)
		return -EAGAIN;
	memcpy_to_page(page, in, buf, n);
	vmig_mem_mark(mem, index);
	return 0;
}

static int vmig_mem_write_chunk(struct vmig_mem *mem, unsigned long index,
				size_t in, const void *buf, size_t n)
{
	struct page *fresh = NULL;
	int ret;

	do {
		if (vmig_mem_wants_page(mem, index)) {
			fresh = vmig_mem_new_page(mem->memcg);
			if (!fresh)
				return -ENOMEM;
		}
		mutex_lock(&mem->lock);
		ret = vmig_mem_store(mem, index, in, buf, n, &fresh);
		mutex_unlock(&mem->lock);
		if (fresh)
			__free_page(fresh);
		fresh = NULL;
	} while (ret == -EAGAIN);
	return ret;
}

/**
 * vmig_mem_write() - write device memory
 * @mem: memory
 * @off: byte offset
 * @buf: kernel memory
 * @len: bytes; 0 is allowed
 *
 * Context: process, may sleep. Takes vmig_mem.lock, a chunk at a time.
 * Return: 0; -EINVAL if the range is not inside the memory, or the memory is
 * uniform; -EIO if the device is stopped and the memory may not change; -ENOMEM.
 * Chunks before the one that failed have been written.
 */
int vmig_mem_write(struct vmig_mem *mem, u64 off, const void *buf, size_t len)
{
	int ret = 0;

	if (mem->uniform || !vmig_mem_in_range(mem, off, len))
		return -EINVAL;
	while (len && !ret) {
		size_t in = offset_in_page(off), n = min(len, PAGE_SIZE - in);

		ret = vmig_mem_write_chunk(mem, off >> VMIG_CHUNK_SHIFT, in, buf, n);
		buf += n;
		off += n;
		len -= n;
	}
	return ret;
}
EXPORT_SYMBOL_GPL(vmig_mem_write);

/**
 * vmig_mem_fill() - fill a chunk of uniform memory
 * @mem: memory; uniform
 * @index: of the chunk
 * @value: number to repeat, up to LONG_MAX; 0 makes it a hole
 *
 * Context: process. Takes vmig_mem.lock.
 * Return: 0; -EINVAL if there is no such chunk, the number is too large, or the
 * memory is not uniform; -EIO if the device is stopped.
 */
int vmig_mem_fill(struct vmig_mem *mem, u64 index, u64 value)
{
	int ret = -EIO;

	if (!mem->uniform || index >= mem->nr_chunks)
		return -EINVAL;
	index = array_index_nospec(index, mem->nr_chunks);
	mutex_lock(&mem->lock);
	if (!mem->frozen)
		ret = vmig_mem_set_number(mem, index, value);
	if (!ret)
		vmig_mem_mark(mem, index);
	mutex_unlock(&mem->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(vmig_mem_fill);

/**
 * vmig_mem_punch() - make a chunk a hole
 * @mem: memory
 * @index: of the chunk
 *
 * Context: process. Takes vmig_mem.lock.
 * Return: 0; -EINVAL if there is no such chunk; -EIO if the device is stopped.
 */
int vmig_mem_punch(struct vmig_mem *mem, u64 index)
{
	int ret = -EIO;

	if (index >= mem->nr_chunks)
		return -EINVAL;
	index = array_index_nospec(index, mem->nr_chunks);
	mutex_lock(&mem->lock);
	if (mem->frozen)
		goto out;
	ret = 0;
	if (!mem->pages[index])
		goto out;
	vmig_mem_zap(mem, index, 1);
	vmig_mem_free_page(mem, vmig_mem_drop_page(mem, index));
	vmig_mem_mark(mem, index);
out:
	mutex_unlock(&mem->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(vmig_mem_punch);

static pgprot_t vmig_mem_prot(const struct vm_area_struct *vma, bool writable)
{
	unsigned long flags = vma->vm_flags;

	/* A private writable mapping is what the kernel write-protects. */
	return vm_get_page_prot(writable ? flags : flags & ~VM_SHARED);
}

static vm_fault_t vmig_mem_map_frozen(struct vmig_mem *mem, struct vm_fault *vmf,
				      unsigned long index, bool write)
{
	struct page *page = mem->hidden ? NULL : mem->pages[index];

	lockdep_assert_held(&mem->lock);
	if (write)
		return VM_FAULT_SIGBUS;
	mem->zero_mapped |= !page;
	page = page ?: ZERO_PAGE(vmf->address);
	return vmf_insert_pfn_prot(vmf->vma, vmf->address, page_to_pfn(page),
				   vmig_mem_prot(vmf->vma, false));
}

/*
 * KVM faults for its guest, and not as a user. It does not come back for a store
 * where it has found a read-only entry: it emulates the instruction, or gives up
 * on the guest if it cannot. So it gets a writable entry at once, and a chunk
 * that a guest only reads in pre-copy is sent again.
 */
static bool vmig_mem_is_remote(const struct vm_fault *vmf)
{
	return !(vmf->flags & FAULT_FLAG_USER);
}

static vm_fault_t vmig_mem_map(struct vmig_mem *mem, struct vm_fault *vmf,
			       unsigned long index, bool write,
			       struct page **fresh)
{
	struct page *page;
	bool writable;

	lockdep_assert_held(&mem->lock);
	if (mem->blocked)
		return VM_FAULT_SIGBUS;
	if (mem->frozen)
		return vmig_mem_map_frozen(mem, vmf, index, write);
	page = vmig_mem_own(mem, index, fresh);
	if (!page)
		return VM_FAULT_NOPAGE;
	if (write || vmig_mem_is_remote(vmf))
		vmig_mem_mark(mem, index);
	writable = !mem->tracking || test_bit(index, mem->dirty);
	return vmf_insert_pfn_prot(vmf->vma, vmf->address, page_to_pfn(page),
				   vmig_mem_prot(vmf->vma, writable));
}

/*
 * After such a fault KVM looks for the entry, and if the saver has taken it away
 * in between, it gives up on the guest: EFAULT from KVM_RUN. Only if the fault gave
 * the mmap lock up, it begins anew, until it finds one; and so does type1.
 */
static vm_fault_t vmig_mem_fault_end(struct vm_fault *vmf, vm_fault_t ret)
{
	if (ret != VM_FAULT_NOPAGE || !vmig_mem_is_remote(vmf) ||
	    !fault_flag_allow_retry_first(vmf->flags) ||
	    (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) ||
	    !vmig_fault_has_mmap_lock(vmf))
		return ret;
	mmap_read_unlock(vmf->vma->vm_mm);
	return VM_FAULT_RETRY;
}

/* A fault may be taken by a thread of KVM's for the one who has it mapped. */
static struct page *vmig_mem_fault_page(struct vm_area_struct *vma)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(vma->vm_mm);
	struct page *page = vmig_mem_new_page(memcg);

	mem_cgroup_put(memcg);
	return page;
}

static vm_fault_t vmig_mem_fault(struct vm_fault *vmf)
{
	struct vmig_mem *mem = vmf->vma->vm_private_data;
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	unsigned long index = vmf->pgoff;
	struct page *fresh = NULL;
	vm_fault_t ret;

	if (index >= mem->nr_chunks)
		return VM_FAULT_SIGBUS;
	if (vmig_mem_wants_page(mem, index)) {
		fresh = vmig_mem_fault_page(vmf->vma);
		if (!fresh)
			return VM_FAULT_OOM;
	}
	mutex_lock(&mem->lock);
	ret = vmig_mem_map(mem, vmf, index, write, &fresh);
	mutex_unlock(&mem->lock);
	if (fresh)
		__free_page(fresh);
	return vmig_mem_fault_end(vmf, ret);
}

/*
 * A store to an entry that is there and read-only. The kernel could make it
 * writable for us after we return, but between our mark and that the saver may
 * have taken the chunk and a reader may have put the same entry back. So do it
 * here, under the lock: take the old entry away and put the new one in.
 */
static vm_fault_t vmig_mem_mkwrite(struct vm_fault *vmf)
{
	struct vmig_mem *mem = vmf->vma->vm_private_data;
	unsigned long index = vmf->pgoff;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct page *none = NULL;

	mutex_lock(&mem->lock);
	if (mem->frozen || mem->blocked || index >= mem->nr_chunks)
		goto out;
	vmig_mem_zap(mem, index, 1);
	/* If its page has gone meanwhile: fault again and get one. */
	ret = vmig_mem_map(mem, vmf, index, true, &none);
out:
	mutex_unlock(&mem->lock);
	return ret;
}

static const struct vm_operations_struct vmig_mem_vm_ops = {
	.fault		= vmig_mem_fault,
	.pfn_mkwrite	= vmig_mem_mkwrite,
};

/* The file behind a mapping; it keeps the VFIO device open. */
static int vmig_map_release(struct inode *inode, struct file *file)
{
	fput(file->private_data);
	return 0;
}

static const struct file_operations vmig_map_fops = {
	.owner		= THIS_MODULE,
	.release	= vmig_map_release,
};

static struct file *vmig_map_file(struct vmig_mem *mem, struct file *device)
{
	struct file *file;

	/* alloc_file_pseudo() takes neither; the last fput() drops both. */
	__module_get(vmig_map_fops.owner);
	ihold(mem->inode);
	file = alloc_file_pseudo(mem->inode, vmig_mnt, "vmig-mem", O_RDWR,
				 &vmig_map_fops);
	if (IS_ERR(file)) {
		iput(mem->inode);
		module_put(vmig_map_fops.owner);
		return file;
	}
	file->private_data = get_file(device);
	return file;
}

/**
 * vmig_mem_mmap() - map device memory into a process
 * @mem: memory
 * @vma: mapping of the VFIO device file, shared
 * @off: byte offset in the memory, page aligned
 *
 * The mapping keeps the VFIO device open. Its file is replaced by one of the
 * engine's, so that vma->vm_file is not the device file any more.
 *
 * Context: the driver's mmap op.
 * Source: migration-rules.rst, V1-DISC-10, DEV-06.
 * Return: 0; -EINVAL for a private or misplaced mapping, or uniform memory;
 * -ENOMEM.
 */
int vmig_mem_mmap(struct vmig_mem *mem, struct vm_area_struct *vma, u64 off)
{
	u64 len = vma->vm_end - vma->vm_start;
	struct file *file;

	if (mem->uniform || !(vma->vm_flags & VM_SHARED) ||
	    !IS_ALIGNED(off, PAGE_SIZE) || off > mem->size ||
	    len > PAGE_ALIGN(mem->size) - off)
		return -EINVAL;
	file = vmig_map_file(mem, vma->vm_file);
	if (IS_ERR(file))
		return PTR_ERR(file);

	/* Takes a reference on the file for the mapping. */
	vma_set_file(vma, file);
	fput(file);
	vma->vm_pgoff = off >> PAGE_SHIFT;
	vma->vm_private_data = mem;
	vma->vm_ops = &vmig_mem_vm_ops;
	vmig_vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}
EXPORT_SYMBOL_GPL(vmig_mem_mmap);
