/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the engine share.
 *
 *   core.c	states, sessions, life cycle
 *   fsm.c	the table of arcs (pure)
 *   mem.c	tracked memory and its mappings
 *   save.c	objects to bytes
 *   resume.c	bytes to objects
 *   stream.c	records (pure)
 *   version.c	the judge (pure)
 *   v1.c	the v1 migration region
 *   v2.c	the v2 protocol and its data files
 *   debugfs.c	looking in, and making steps fail
 *
 * A protocol's front end asks for states and moves bytes; it never sees records
 * or objects.
 */
#ifndef _VMIG_INT_H
#define _VMIG_INT_H

#include <linux/list.h>
#include <linux/uuid.h>
#include <linux/vmig.h>

#include "fsm.h"
#include "stream.h"
#include "version.h"

/* Most chunks in one segment, so that a segment in doubt can be sent again. */
#define VMIG_SEGMENT_CHUNKS	2048

enum vmig_owner {
	VMIG_OWNER_V1,
	VMIG_OWNER_V2,
};

/* All optional states. */
#define VMIG_FLAGS	(VMIG_F_STOP_COPY | VMIG_F_P2P | VMIG_F_PRE_COPY)

/**
 * struct vmig_manifest - what has been sent or received of each chunk
 * @mem: one table per memory object, by chunk
 */
struct vmig_manifest {
	struct vmig_manifest_entry *mem[VMIG_MAX_MEMS];
};

/**
 * struct vmig_segment - a piece of the stream that a client collects
 * @len: bytes; 0 if nothing is staged
 * @sized: the client has read the size
 * @header: it carries the SESSION record
 * @first_seq: number of its first record
 * @nr_chunks: entries of @chunks
 * @chunks: which chunks it carries
 */
struct vmig_segment {
	u32 len;
	bool sized;
	bool header;
	u64 first_seq;
	u32 nr_chunks;
	struct {
		u32 mem;
		u32 index;
	} chunks[VMIG_SEGMENT_CHUNKS];
};

/**
 * struct vmig_save - a saving session
 * @vmig: device
 * @id: of the session
 * @seq: number of the next record
 * @stopped: the device is stopped and @blobs are valid
 * @sent_header: the SESSION record was made
 * @sent_begin: the BEGIN record was made
 * @sent_blobs: how many BLOB records were made
 * @blob_len: how much of each is sent
 * @sent_end: the END record was made
 * @doubt: for BEGIN; 0 if nothing is in doubt
 * @cursor: where to look for dirty chunks next, by memory
 * @manifest: what was sent
 * @blobs: the blobs' contents, one behind the other
 * @segment: the staged segment
 * @rec: the record in the making; private memory
 */
struct vmig_save {
	struct vmig_device *vmig;
	guid_t id;
	u64 seq;
	bool stopped;
	bool sent_header;
	bool sent_begin;
	bool sent_end;
	u32 sent_blobs;
	u32 blob_len[VMIG_MAX_BLOBS];
	u64 doubt;
	unsigned long cursor[VMIG_MAX_MEMS];
	struct vmig_manifest manifest;
	u8 *blobs;
	struct vmig_segment segment;
	u8 rec[VMIG_RECORD_MAX] __aligned(8);
};

/**
 * struct vmig_resume - a resuming session
 * @vmig: device
 * @nr_blobs: BLOB records in this session of the stream
 * @got: which blobs have come
 * @blobs: the blobs' contents, one behind the other
 * @manifest: what was received
 * @pages: reserve, so that parsing does not allocate
 * @nr_pages: how many are in @pages
 * @room: a page that is in use as the parser's room; or NULL
 * @parser: reads the stream
 */
struct vmig_resume {
	struct vmig_device *vmig;
	u32 nr_blobs;
	DECLARE_BITMAP(got, VMIG_MAX_BLOBS);
	u8 *blobs;
	struct vmig_manifest manifest;
	struct list_head pages;
	size_t nr_pages;
	struct page *room;
	struct vmig_parser parser;
};

/**
 * struct vmig_session - a data transfer
 * @owner: protocol that opened it
 * @data: data file, if that is v2; or NULL
 * @save: the saving session, or NULL
 * @resume: the resuming session, or NULL
 */
struct vmig_session {
	enum vmig_owner owner;
	struct vmig_data *data;
	struct vmig_save *save;
	struct vmig_resume *resume;
};

/* core.c */
int vmig_set_state(struct vmig_device *vmig, enum vmig_state target,
		   enum vmig_owner owner, struct vmig_data *data);
bool vmig_starts_session(struct vmig_device *vmig, enum vmig_state target);
int vmig_set_flags(struct vmig_device *vmig, u64 flags);
int vmig_manifest_alloc(struct vmig_device *vmig, struct vmig_manifest *m);
void vmig_manifest_clear(struct vmig_device *vmig, struct vmig_manifest *m);
void vmig_manifest_free(struct vmig_device *vmig, struct vmig_manifest *m);
void vmig_manifest_sum(struct vmig_device *vmig, struct vmig_manifest *m,
		       struct vmig_rec_end *end);
size_t vmig_blobs_size(const struct vmig_device *vmig);
int vmig_version_accept_stream(struct vmig_device *vmig, const char *buf,
			       size_t len);
int vmig_set_section_size(struct vmig_device *vmig, u64 size);
int vmig_fault(struct vmig_device *vmig, enum vmig_step step);
void vmig_section_clear(struct vmig_device *vmig);

/* mem.c */
int vmig_mem_setup(void);
void vmig_mem_teardown(void);
void vmig_mem_charge(struct vmig_mem *mem);
void vmig_mem_uncharge(struct vmig_mem *mem);
void vmig_mem_freeze(struct vmig_mem *mem);
void vmig_mem_thaw(struct vmig_mem *mem);
void vmig_mem_empty(struct vmig_mem *mem);
void vmig_mem_track(struct vmig_mem *mem);
void vmig_mem_untrack(struct vmig_mem *mem);
void vmig_mem_wake(struct vmig_mem *mem, struct wait_queue_head *wake);
u64 vmig_mem_whole(struct vmig_mem *mem, u32 header);
void vmig_mem_hide(struct vmig_mem *mem);
void vmig_mem_reveal(struct vmig_mem *mem);
unsigned long vmig_mem_take(struct vmig_mem *mem, unsigned long *cursor,
			    unsigned long max, unsigned long *first);
const void *vmig_mem_snapshot(struct vmig_mem *mem, unsigned long index,
			      void *buf);
void vmig_mem_redirty(struct vmig_mem *mem, unsigned long index);
u64 vmig_mem_pending(struct vmig_mem *mem, u32 header);
bool vmig_mem_idle(struct vmig_mem *mem);
int vmig_mem_place(struct vmig_mem *mem, unsigned long index,
		   struct page **page);
u32 vmig_chunk_len(const struct vmig_mem *mem, unsigned long index);

/* save.c */
struct vmig_save *vmig_save_new(struct vmig_device *vmig);
void vmig_save_free(struct vmig_save *s);
void vmig_save_stop(struct vmig_save *s);
u64 vmig_save_pending(struct vmig_save *s);
void vmig_save_measure(struct vmig_device *vmig);
u64 vmig_save_estimate(struct vmig_device *vmig);
int vmig_save_stage(struct vmig_save *s, void *buf, size_t size);
void vmig_save_ack(struct vmig_save *s);

/* resume.c */
struct vmig_resume *vmig_resume_new(struct vmig_device *vmig);
void vmig_resume_free(struct vmig_resume *r);
int vmig_resume_reserve(struct vmig_resume *r, size_t len);
int vmig_resume_feed(struct vmig_resume *r, const void *buf, size_t len);
void vmig_resume_poison(struct vmig_resume *r);
bool vmig_resume_refused(const struct vmig_resume *r);
bool vmig_resume_complete(const struct vmig_resume *r);
void vmig_resume_commit(struct vmig_resume *r);

/* v2.c */
void vmig_data_bind(struct vmig_data *data, struct vmig_session *session);
void vmig_data_wake(struct vmig_data *data);
void vmig_data_end(struct vmig_data *data);
size_t vmig_data_left(const struct vmig_data *data);
void vmig_data_sync(void);

#endif /* _VMIG_INT_H */
