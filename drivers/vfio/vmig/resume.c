// SPDX-License-Identifier: GPL-2.0-only
/*
 * A resuming session: from bytes to objects.
 *
 * The bytes come from somebody who may wish us ill. Invariants: nothing that the
 * client or the guest can see changes before the stream is complete and valid;
 * all that is allocated is known before a byte is parsed and bounded by what the
 * device has (its memory once, 8 bytes per chunk, the blobs, one record); and
 * what remains to be done at the commit cannot fail.
 *
 * Received chunks go straight into the device's memory, which is empty, frozen
 * and hidden while this goes on: it reads as zeros. So the commit is to show it,
 * and giving up is to empty it.
 *
 * Everything here is called with vmig_device.lock held.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "trace.h"
#include "vmig_int.h"

static void vmig_resume_put_page(struct vmig_resume *r, struct page *page)
{
	if (!page)
		return;
	list_add(&page->lru, &r->pages);
	r->nr_pages++;
}

/*
 * The page of a short last chunk goes back to the reserve: the reserve counts
 * such chunks once for a memory, however often one feed begins a session.
 */
static void vmig_resume_empty_mem(struct vmig_resume *r, struct vmig_mem *mem)
{
	struct page *page = NULL;

	if (mem->size & (VMIG_CHUNK_SIZE - 1))
		vmig_mem_place(mem, mem->nr_chunks - 1, &page);
	vmig_resume_put_page(r, page);
	vmig_mem_empty(mem);
}

static void vmig_resume_empty(struct vmig_resume *r)
{
	const struct vmig_config *cfg = r->vmig->cfg;
	unsigned int i;

	for (i = 0; i < cfg->nr_mems; i++)
		vmig_resume_empty_mem(r, cfg->mems[i]);
	vmig_manifest_clear(r->vmig, &r->manifest);
	bitmap_zero(r->got, VMIG_MAX_BLOBS);
	r->nr_blobs = 0;
}

static int vmig_resume_session(void *ctx, const struct vmig_rec_session *session)
{
	struct vmig_resume *r = ctx;
	const char *version = session->version;
	size_t len = strnlen(version, VMIG_VERSION_MAX);
	int ret;

	if (memchr_inv(version + len, 0, VMIG_VERSION_MAX - len))
		return -EINVAL;
	ret = vmig_version_accept_stream(r->vmig, version, len);
	if (!ret)
		vmig_resume_empty(r);
	return ret;
}

static int vmig_resume_mem(struct vmig_resume *r, u16 id)
{
	const struct vmig_config *cfg = r->vmig->cfg;
	unsigned int i;

	for (i = 0; i < cfg->nr_mems; i++) {
		if (cfg->mems[i]->id == id)
			return i;
	}
	return -EINVAL;
}

static struct page *vmig_resume_get_page(struct vmig_resume *r)
{
	struct page *page;

	page = list_first_entry_or_null(&r->pages, struct page, lru);
	if (page) {
		list_del(&page->lru);
		r->nr_pages--;
	}
	return page;
}

/*
 * The parser collects a whole chunk in what is going to be a page of the device.
 * If the chunk is refused, the next one gets the same page.
 */
static void *vmig_resume_room(void *ctx)
{
	struct vmig_resume *r = ctx;

	if (!r->room)
		r->room = vmig_resume_get_page(r);
	return r->room ? page_address(r->room) : NULL;
}

/* A page with the data of a chunk: the room that they are in already, or a copy. */
static struct page *vmig_resume_page(struct vmig_resume *r, const void *data,
				     u32 len)
{
	struct page *page = r->room;

	if (page && data == page_address(page)) {
		r->room = NULL;
		return page;
	}
	page = vmig_resume_get_page(r);
	/* The reserve covers every chunk; be safe, not sorry. */
	if (WARN_ON_ONCE(!page))
		return NULL;
	memcpy_to_page(page, 0, data, len);
	/* Behind a short last chunk, mappings show the page's rest. */
	memzero_page(page, len, PAGE_SIZE - len);
	return page;
}

static int vmig_resume_place(struct vmig_resume *r, struct vmig_mem *mem,
			     unsigned long index, const void *data, u32 len)
{
	struct page *page = NULL;
	int ret;

	if (len) {
		page = vmig_resume_page(r, data, len);
		if (!page)
			return -ENOMEM;
	}
	ret = vmig_mem_place(mem, index, &page);
	vmig_resume_put_page(r, page);
	return ret;
}

static int vmig_resume_chunk(void *ctx, const struct vmig_rec_chunk *chunk,
			     const void *data, u32 len, u32 crc)
{
	struct vmig_resume *r = ctx;
	u64 index = le64_to_cpu(chunk->index);
	struct vmig_manifest_entry *entry;
	struct vmig_mem *mem;
	int m, ret;

	m = vmig_resume_mem(r, le16_to_cpu(chunk->object));
	if (m < 0)
		return m;
	mem = r->vmig->cfg->mems[m];
	if (index >= mem->nr_chunks)
		return -EINVAL;
	index = array_index_nospec(index, mem->nr_chunks);
	if (len && len != vmig_chunk_len(mem, index))
		return -EINVAL;
	entry = &r->manifest.mem[m][index];
	if (le32_to_cpu(chunk->generation) <= le32_to_cpu(entry->generation))
		return -EINVAL;

	ret = vmig_resume_place(r, mem, index, data, len);
	if (ret)
		return ret;
	entry->generation = chunk->generation;
	entry->crc = cpu_to_le32(crc);
	return 0;
}

static int vmig_resume_blob(void *ctx, u16 object, const void *data, u32 len)
{
	struct vmig_resume *r = ctx;
	const struct vmig_config *cfg = r->vmig->cfg;
	u8 *to = r->blobs;
	unsigned int i;
	int ret;

	for (i = 0; i < cfg->nr_blobs && cfg->blobs[i].id != object; i++)
		to += cfg->blobs[i].size;
	if (i == cfg->nr_blobs || len > cfg->blobs[i].size ||
	    test_bit(i, r->got))
		return -EINVAL;
	memcpy(to, data, len);
	memset(to + len, 0, cfg->blobs[i].size - len);
	ret = cfg->blobs[i].check(r->vmig, to);
	if (ret)
		return ret;
	__set_bit(i, r->got);
	r->nr_blobs++;
	return 0;
}

static int vmig_resume_end(void *ctx, const struct vmig_rec_end *end)
{
	struct vmig_resume *r = ctx;
	struct vmig_rec_end have;

	vmig_manifest_sum(r->vmig, &r->manifest, &have);
	if (r->nr_blobs != r->vmig->cfg->nr_blobs ||
	    le32_to_cpu(end->blobs) != r->nr_blobs ||
	    end->chunks != have.chunks || end->manifest != have.manifest)
		return -EINVAL;
	return 0;
}

static const struct vmig_sink vmig_resume_sink = {
	.session = vmig_resume_session,
	.room	 = vmig_resume_room,
	.chunk	 = vmig_resume_chunk,
	.blob	 = vmig_resume_blob,
	.end	 = vmig_resume_end,
};

/**
 * vmig_resume_new() - make a session
 * @vmig: device
 *
 * Changes nothing of the device.
 *
 * Return: the session, or NULL if there is no memory.
 */
struct vmig_resume *vmig_resume_new(struct vmig_device *vmig)
{
	struct vmig_resume *r;

	lockdep_assert_held(&vmig->lock);
	r = kvzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	if (!r)
		return NULL;
	r->vmig = vmig;
	INIT_LIST_HEAD(&r->pages);
	r->blobs = kvzalloc(vmig_blobs_size(vmig), GFP_KERNEL_ACCOUNT);
	if (!r->blobs)
		goto err_free;
	if (vmig_manifest_alloc(vmig, &r->manifest))
		goto err_blobs;
	vmig_parser_init(&r->parser, &vmig_resume_sink, r);
	return r;

err_blobs:
	kvfree(r->blobs);
err_free:
	kvfree(r);
	return NULL;
}

/**
 * vmig_resume_free() - free a session
 * @r: session, or NULL
 *
 * What it has put into the device's memory stays there.
 */
void vmig_resume_free(struct vmig_resume *r)
{
	struct page *page;

	if (!r)
		return;
	vmig_resume_put_page(r, r->room);
	while ((page = vmig_resume_get_page(r)))
		__free_page(page);
	vmig_manifest_free(r->vmig, &r->manifest);
	kvfree(r->blobs);
	kvfree(r);
}

/**
 * vmig_resume_reserve() - allocate what parsing some bytes may need
 * @r: session
 * @len: bytes that are about to be fed, already bounded by the caller
 *
 * This comes before a byte is looked at, so that it can simply be tried again.
 *
 * Return: 0; -ENOMEM, or what vmig_fault() says, with nothing changed that matters.
 */
int vmig_resume_reserve(struct vmig_resume *r, size_t len)
{
	size_t want = vmig_parser_max_chunks(&r->parser, len);
	int ret;

	lockdep_assert_held(&r->vmig->lock);
	ret = vmig_fault(r->vmig, VMIG_STEP_RESERVE);
	if (ret)
		return ret;
	/* Short last chunks; a room; and one that is put before one is reused. */
	want += r->vmig->cfg->nr_mems + 2;
	while (r->nr_pages < want) {
		/* Not zeroed: a chunk fills it, or vmig_resume_page() the rest. */
		struct page *page = alloc_page(GFP_KERNEL_ACCOUNT);

		if (!page)
			return -ENOMEM;
		vmig_resume_put_page(r, page);
	}
	return 0;
}

/**
 * vmig_resume_feed() - take some bytes of the stream
 * @r: session, with vmig_resume_reserve() done for @len
 * @buf: bytes, in memory that may be shared with the client
 * @len: how many
 *
 * Return: 0; a negative errno if the stream is refused, for good.
 */
int vmig_resume_feed(struct vmig_resume *r, const void *buf, size_t len)
{
	bool refused = r->parser.refused;
	int ret;

	lockdep_assert_held(&r->vmig->lock);
	ret = vmig_fault(r->vmig, VMIG_STEP_PARSE);
	if (ret) {
		vmig_resume_poison(r);
		return ret;
	}
	ret = vmig_parser_feed(&r->parser, buf, len);
	r->vmig->stats.refusals += !refused && ret;
	if (!ret) {
		r->vmig->stats.segments++;
		r->vmig->stats.bytes += len;
	}
	trace_vmig_feed(r->vmig, len, ret);
	return ret;
}

/**
 * vmig_resume_poison() - refuse the stream for good
 * @r: session
 */
void vmig_resume_poison(struct vmig_resume *r)
{
	lockdep_assert_held(&r->vmig->lock);
	r->vmig->stats.refusals += !r->parser.refused;
	r->parser.refused = true;
}

/**
 * vmig_resume_refused() - is the stream refused for good
 * @r: session
 *
 * Return: true if no bytes are taken any more.
 */
bool vmig_resume_refused(const struct vmig_resume *r)
{
	return r->parser.refused;
}

/**
 * vmig_resume_complete() - can the session be committed
 * @r: session
 *
 * Return: true if the stream is complete and was accepted.
 */
bool vmig_resume_complete(const struct vmig_resume *r)
{
	return vmig_parser_complete(&r->parser);
}

/**
 * vmig_resume_commit() - let the device have the state that was received
 * @r: complete session
 *
 * Cannot fail.
 */
void vmig_resume_commit(struct vmig_resume *r)
{
	const struct vmig_config *cfg = r->vmig->cfg;
	const u8 *from = r->blobs;
	unsigned int i;

	lockdep_assert_held(&r->vmig->lock);
	for (i = 0; i < cfg->nr_blobs; i++) {
		cfg->blobs[i].commit(r->vmig, from);
		from += cfg->blobs[i].size;
	}
	for (i = 0; i < cfg->nr_mems; i++)
		vmig_mem_reveal(cfg->mems[i]);
}
