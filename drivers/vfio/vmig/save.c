// SPDX-License-Identifier: GPL-2.0-only
/*
 * A saving session: from objects to bytes, in segments.
 *
 * Invariants: a staged segment does not change until it is acknowledged; what it
 * carries is remembered, so that it can be sent again if the device stops while
 * nobody can tell whether the client has it; the number of bytes that are
 * reported as pending comes from counters and is exact once the device stopped.
 *
 * Everything here is called with vmig_device.lock held.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "trace.h"
#include "vmig_int.h"

/**
 * vmig_save_new() - make a session, with everything it will ever need
 * @vmig: device
 *
 * Changes nothing of the device.
 *
 * Return: the session, or NULL if there is no memory.
 */
struct vmig_save *vmig_save_new(struct vmig_device *vmig)
{
	struct vmig_save *s;

	lockdep_assert_held(&vmig->lock);
	s = kvzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return NULL;
	s->vmig = vmig;
	guid_gen(&s->id);
	s->blobs = kvzalloc(vmig_blobs_size(vmig), GFP_KERNEL_ACCOUNT);
	if (!s->blobs)
		goto err_free;
	if (vmig_manifest_alloc(vmig, &s->manifest))
		goto err_blobs;
	return s;

err_blobs:
	kvfree(s->blobs);
err_free:
	kvfree(s);
	return NULL;
}

/**
 * vmig_save_free() - free a session
 * @s: session, or NULL
 */
void vmig_save_free(struct vmig_save *s)
{
	if (!s)
		return;
	vmig_manifest_free(s->vmig, &s->manifest);
	kvfree(s->blobs);
	kvfree(s);
}

/* Bytes of a blob that are sent: zeros at its end are not, but there is one. */
static u32 vmig_blob_len(const u8 *buf, u32 size)
{
	u32 len = size;

	while (len > 1 && !buf[len - 1])
		len--;
	return min_t(u32, round_up(len, sizeof(u64)), size);
}

/* Take the blobs' contents, one behind the other, and how long they are. */
static void vmig_save_blobs(struct vmig_device *vmig, u8 *buf, u32 *len)
{
	const struct vmig_config *cfg = vmig->cfg;
	unsigned int i;

	lockdep_assert_held(&vmig->lock);
	for (i = 0; i < cfg->nr_blobs; i++) {
		cfg->blobs[i].save(vmig, buf);
		len[i] = vmig_blob_len(buf, cfg->blobs[i].size);
		buf += cfg->blobs[i].size;
	}
}

/**
 * vmig_save_measure() - see how long the blobs of a stopped device are
 * @vmig: device, stopped and opened
 *
 * While a device runs this cannot be known; what it was before is near enough.
 *
 * Context: process; vmig_device.lock held.
 */
void vmig_save_measure(struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	memset(vmig->scratch, 0, vmig_blobs_size(vmig));
	vmig_save_blobs(vmig, vmig->scratch, vmig->blob_len);
}

/*
 * The client may or may not have the staged segment: send all that it carries
 * again. A stream is valid with and without it.
 */
static void vmig_save_doubt(struct vmig_save *s)
{
	const struct vmig_config *cfg = s->vmig->cfg;
	struct vmig_segment *seg = &s->segment;
	u32 i;

	for (i = 0; i < seg->nr_chunks; i++)
		vmig_mem_redirty(cfg->mems[seg->chunks[i].mem],
				 seg->chunks[i].index);
	if (!seg->header) {
		s->doubt = seg->first_seq;
		return;
	}
	/* It was the first one, so the session has to begin again. */
	vmig_manifest_clear(s->vmig, &s->manifest);
	s->sent_header = false;
	s->seq = 0;
}

/**
 * vmig_save_stop() - the device has stopped: take its state
 * @s: session
 *
 * Cannot fail. A staged segment stays staged.
 */
void vmig_save_stop(struct vmig_save *s)
{
	lockdep_assert_held(&s->vmig->lock);
	if (s->segment.len)
		vmig_save_doubt(s);
	vmig_save_blobs(s->vmig, s->blobs, s->blob_len);
	s->stopped = true;
}

static u64 vmig_save_deliverable(struct vmig_save *s)
{
	const struct vmig_config *cfg = s->vmig->cfg;
	unsigned int i;
	u64 bytes = 0;

	if (!s->sent_header)
		bytes += VMIG_LEN_SESSION;
	for (i = 0; i < cfg->nr_mems; i++)
		bytes += vmig_mem_pending(cfg->mems[i], VMIG_LEN_CHUNK(0));
	if (!s->stopped)
		return bytes;
	if (!s->sent_begin)
		bytes += VMIG_LEN_BEGIN;
	for (i = s->sent_blobs; i < cfg->nr_blobs; i++)
		bytes += VMIG_LEN_BLOB(s->blob_len[i]);
	if (!s->sent_end)
		bytes += VMIG_LEN_END;
	return bytes;
}

/**
 * vmig_save_pending() - how much there is to collect now
 * @s: session
 *
 * Source: migration-rules.rst, R3, R4.
 * Return: bytes, with those of the staged segment.
 */
u64 vmig_save_pending(struct vmig_save *s)
{
	lockdep_assert_held(&s->vmig->lock);
	return s->segment.len + vmig_save_deliverable(s);
}

/* Bytes that come once the device has stopped, whatever its memory holds. */
static u64 vmig_save_rest(struct vmig_device *vmig)
{
	u64 bytes = VMIG_LEN_BEGIN + VMIG_LEN_END;
	unsigned int i;

	if (vmig->run == VMIG_RUN_NONE)
		vmig_save_measure(vmig);
	for (i = 0; i < vmig->cfg->nr_blobs; i++)
		bytes += VMIG_LEN_BLOB(vmig->blob_len[i]);
	return bytes;
}

static u64 vmig_save_whole(struct vmig_device *vmig)
{
	const struct vmig_config *cfg = vmig->cfg;
	u64 bytes = VMIG_LEN_SESSION + vmig_save_rest(vmig);
	unsigned int i;

	for (i = 0; i < cfg->nr_mems; i++)
		bytes += vmig_mem_whole(cfg->mems[i], VMIG_LEN_CHUNK(0));
	return bytes;
}

/**
 * vmig_save_estimate() - what is to be collected if the device stopped now
 * @vmig: device
 *
 * From counters, in constant time. Exact if the device is stopped.
 *
 * Source: migration-rules.rst, V2-DS.
 * Return: bytes, not 0: what a saving session has not delivered, or all that a
 * new one would make.
 */
u64 vmig_save_estimate(struct vmig_device *vmig)
{
	const struct vmig_session *session = vmig->session;
	u64 bytes;

	lockdep_assert_held(&vmig->lock);
	if (!session || !session->save)
		return vmig_save_whole(vmig);
	bytes = vmig_save_pending(session->save);
	if (session->data)
		bytes += vmig_data_left(session->data);
	if (!session->save->stopped)
		bytes += vmig_save_rest(vmig);
	/* Nothing is left: but 0 is what clients take for "no migration". */
	return bytes ?: 1;
}

/* Where records go: a segment in memory that the client may be looking at. */
struct vmig_out {
	u8 *buf;
	size_t size;
	size_t len;
};

static bool vmig_out_fits(const struct vmig_out *out, size_t len)
{
	return len <= out->size - out->len;
}

static void vmig_out_add(struct vmig_out *out, const void *data, size_t len)
{
	memcpy(out->buf + out->len, data, len);
	out->len += len;
}

/*
 * Seal the record in s->rec, of whose payload the last @tail_len bytes are at
 * @tail, and copy it out. The checksum is of memory that nobody changes: the
 * client can write to a mapped segment.
 */
static u32 vmig_emit_split(struct vmig_save *s, struct vmig_out *out,
			   enum vmig_rec_type type, u32 length,
			   const void *tail, u32 tail_len)
{
	u32 crc = vmig_seal_split(s->rec, type, s->seq++, length, tail, tail_len);

	vmig_out_add(out, s->rec, sizeof(struct vmig_rec) + length - tail_len);
	if (tail_len)
		vmig_out_add(out, tail, tail_len);
	return crc;
}

static u32 vmig_emit(struct vmig_save *s, struct vmig_out *out,
		     enum vmig_rec_type type, u32 length)
{
	return vmig_emit_split(s, out, type, length, NULL, 0);
}

static void *vmig_payload(struct vmig_save *s, size_t len)
{
	void *payload = s->rec + sizeof(struct vmig_rec);

	return memset(payload, 0, len);
}

static void vmig_emit_header(struct vmig_save *s, struct vmig_out *out)
{
	struct vmig_rec_session *rec = vmig_payload(s, sizeof(*rec));

	rec->magic = cpu_to_le64(VMIG_STREAM_MAGIC);
	rec->major = cpu_to_le16(VMIG_STREAM_MAJOR);
	rec->minor = cpu_to_le16(VMIG_STREAM_MINOR);
	memcpy(rec->id, &s->id, sizeof(rec->id));
	vmig_version_print(s->vmig->cfg->ident, rec->version,
			   sizeof(rec->version));
	vmig_emit(s, out, VMIG_REC_SESSION, sizeof(*rec));
	s->sent_header = true;
	s->segment.header = true;
}

static void vmig_emit_begin(struct vmig_save *s, struct vmig_out *out)
{
	struct vmig_rec_begin *rec = vmig_payload(s, sizeof(*rec));

	rec->first_in_doubt = cpu_to_le64(s->doubt ?: s->seq);
	vmig_emit(s, out, VMIG_REC_BEGIN, sizeof(*rec));
	s->sent_begin = true;
}

static void vmig_emit_blob(struct vmig_save *s, struct vmig_out *out)
{
	const struct vmig_blob *blob = s->vmig->cfg->blobs;
	struct vmig_rec_blob *rec;
	const u8 *from = s->blobs;
	u32 len = s->blob_len[s->sent_blobs];
	u32 i;

	for (i = 0; i < s->sent_blobs; i++, blob++)
		from += blob->size;
	rec = vmig_payload(s, sizeof(*rec));
	rec->object = cpu_to_le16(blob->id);
	rec->length = cpu_to_le32(len);
	memcpy(rec + 1, from, len);
	vmig_emit(s, out, VMIG_REC_BLOB, sizeof(*rec) + len);
	s->sent_blobs++;
}

static void vmig_emit_end(struct vmig_save *s, struct vmig_out *out)
{
	struct vmig_rec_end *rec = vmig_payload(s, sizeof(*rec));

	vmig_manifest_sum(s->vmig, &s->manifest, rec);
	rec->blobs = cpu_to_le32(s->sent_blobs);
	vmig_emit(s, out, VMIG_REC_END, sizeof(*rec));
	s->sent_end = true;
}

static void vmig_emit_chunk(struct vmig_save *s, struct vmig_out *out,
			    u32 m, unsigned long index)
{
	struct vmig_mem *mem = s->vmig->cfg->mems[m];
	struct vmig_manifest_entry *entry = &s->manifest.mem[m][index];
	struct vmig_rec_chunk *rec = vmig_payload(s, sizeof(*rec));
	struct vmig_segment *seg = &s->segment;
	const void *data;
	u32 len, crc;

	le32_add_cpu(&entry->generation, 1);
	rec->object = cpu_to_le16(mem->id);
	rec->generation = entry->generation;
	rec->index = cpu_to_le64(index);
	data = vmig_mem_snapshot(mem, index, rec + 1);
	len = data ? vmig_chunk_len(mem, index) : 0;
	crc = vmig_emit_split(s, out, VMIG_REC_CHUNK, sizeof(*rec) + len, data,
			      len);
	entry->crc = cpu_to_le32(crc);
	seg->chunks[seg->nr_chunks].mem = m;
	seg->chunks[seg->nr_chunks].index = index;
	seg->nr_chunks++;
}

/* Returns false if something of this memory did not fit. */
static bool vmig_emit_mem(struct vmig_save *s, struct vmig_out *out, u32 m)
{
	struct vmig_mem *mem = s->vmig->cfg->mems[m];
	unsigned long first, nr;
	size_t room;

	for (;;) {
		/* Holes need less: they leave room for another round. */
		room = min_t(size_t, (out->size - out->len) /
			     VMIG_LEN_CHUNK(VMIG_CHUNK_SIZE),
			     VMIG_SEGMENT_CHUNKS - s->segment.nr_chunks);
		if (!room)
			return vmig_mem_idle(mem);
		nr = vmig_mem_take(mem, &s->cursor[m], room, &first);
		if (!nr)
			return true;
		while (nr--)
			vmig_emit_chunk(s, out, m, first++);
	}
}

static bool vmig_emit_memory(struct vmig_save *s, struct vmig_out *out)
{
	u32 m;

	for (m = 0; m < s->vmig->cfg->nr_mems; m++) {
		if (!vmig_emit_mem(s, out, m))
			return false;
	}
	return true;
}

static void vmig_emit_all(struct vmig_save *s, struct vmig_out *out)
{
	const struct vmig_config *cfg = s->vmig->cfg;

	if (!s->sent_header)
		vmig_emit_header(s, out);
	if (s->stopped && !s->sent_begin) {
		if (!vmig_out_fits(out, VMIG_LEN_BEGIN))
			return;
		vmig_emit_begin(s, out);
	}
	if (!vmig_emit_memory(s, out) || !s->stopped)
		return;
	while (s->sent_blobs < cfg->nr_blobs) {
		u32 len = s->blob_len[s->sent_blobs];

		if (!vmig_out_fits(out, VMIG_LEN_BLOB(len)))
			return;
		vmig_emit_blob(s, out);
	}
	if (!s->sent_end && vmig_out_fits(out, VMIG_LEN_END))
		vmig_emit_end(s, out);
}

/**
 * vmig_save_stage() - make the next segment, unless one is staged
 * @s: session
 * @buf: where the segment goes
 * @size: bytes of @buf, enough for the largest record
 *
 * Source: migration-rules.rst, R1.
 * Return: bytes of the staged segment; 0 if there is nothing to collect now; a
 * negative errno from vmig_fault().
 */
int vmig_save_stage(struct vmig_save *s, void *buf, size_t size)
{
	struct vmig_out out = { .buf = buf, .size = size };
	struct vmig_segment *seg = &s->segment;
	int ret;

	lockdep_assert_held(&s->vmig->lock);
	if (seg->len)
		return seg->len;
	ret = vmig_fault(s->vmig, VMIG_STEP_STAGE);
	if (ret)
		return ret;
	seg->first_seq = s->seq;
	seg->header = false;
	seg->sized = false;
	seg->nr_chunks = 0;
	vmig_emit_all(s, &out);
	seg->len = out.len;
	if (!out.len)
		return 0;
	s->vmig->stats.segments++;
	s->vmig->stats.bytes += out.len;
	trace_vmig_stage(s->vmig, seg->first_seq, out.len);
	return seg->len;
}

/**
 * vmig_save_ack() - the client has collected the staged segment
 * @s: session
 */
void vmig_save_ack(struct vmig_save *s)
{
	struct vmig_stats *stats = &s->vmig->stats;

	lockdep_assert_held(&s->vmig->lock);
	stats->acked_segments++;
	stats->acked_bytes += s->segment.len;
	trace_vmig_ack(s->vmig, s->segment.len);
	s->segment.len = 0;
	s->segment.sized = false;
}
