/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Migration stream of the vmig engine, format 1.1.
 *
 * A stream is a sequence of records, the same bytes whichever protocol carries
 * them. Fields are little endian, nothing is padded, reserved fields are zero
 * and are checked. Documentation/stream-format.rst says which order of records
 * is valid; this header says what they look like.
 */
#ifndef _UAPI_LINUX_VMIG_STREAM_H
#define _UAPI_LINUX_VMIG_STREAM_H

#include <linux/types.h>

#define VMIG_STREAM_MAGIC	0x31474d4947494d56ull	/* "VMIGIMG1" */
#define VMIG_STREAM_MAJOR	1
#define VMIG_STREAM_MINOR	1

/* Device memory travels in chunks of this many bytes; the last may be shorter. */
#define VMIG_CHUNK_SHIFT	12
#define VMIG_CHUNK_SIZE		(1u << VMIG_CHUNK_SHIFT)

/* Longest version string, with its terminating zero. */
#define VMIG_VERSION_MAX	256
/* Longest blob. */
#define VMIG_BLOB_MAX		16384

enum vmig_rec_type {
	VMIG_REC_SESSION = 1,	/* begins a session, discards what came before */
	VMIG_REC_CHUNK = 2,	/* a chunk of memory, or a hole if it has no data */
	VMIG_REC_BEGIN = 3,	/* the device is stopped from here on */
	VMIG_REC_BLOB = 4,	/* state of one object, after BEGIN */
	VMIG_REC_END = 5,	/* the session is complete */
};

/* A reader that does not know the record's type may skip it. */
#define VMIG_REC_F_OPTIONAL	(1u << 0)

/**
 * struct vmig_rec - header of every record
 * @type: enum vmig_rec_type
 * @flags: VMIG_REC_F_*
 * @length: bytes of payload that follow
 * @seq: number of the record in its session, SESSION being 0
 * @reserved: zero
 * @crc: crc32c (init and final xor 0xffffffff) of this header with @crc zero,
 *	and of the payload
 */
struct vmig_rec {
	__le16 type;
	__le16 flags;
	__le32 length;
	__le64 seq;
	__le32 reserved;
	__le32 crc;
};

/**
 * struct vmig_rec_session - payload of SESSION
 * @magic: VMIG_STREAM_MAGIC
 * @major: VMIG_STREAM_MAJOR; another one is another format
 * @minor: minor of the writer. What a reader must know is in @version
 * @reserved: zero
 * @id: a random UUID, to tell sessions apart in traces
 * @version: the source's migration_version, without newline, zero filled. The
 *	reader judges it as it judges a string written to migration_version
 */
struct vmig_rec_session {
	__le64 magic;
	__le16 major;
	__le16 minor;
	__le32 reserved;
	__u8 id[16];
	__u8 version[VMIG_VERSION_MAX];
};

/**
 * struct vmig_rec_chunk - begin of the payload of CHUNK
 * @object: id of the memory object
 * @reserved: zero
 * @generation: how often the chunk was sent in this session, from 1
 * @index: which chunk of the object
 *
 * The chunk's bytes follow, all of them; or none, which means that the chunk
 * is a hole and reads as zeros.
 */
struct vmig_rec_chunk {
	__le16 object;
	__le16 reserved;
	__le32 generation;
	__le64 index;
};

/**
 * struct vmig_rec_begin - payload of BEGIN
 * @first_in_doubt: sequence number of the first record that the client may not
 *	have delivered; the records from there up to this one may be missing,
 *	and what they carried is sent again. This record's own number if none
 *	is in doubt
 */
struct vmig_rec_begin {
	__le64 first_in_doubt;
};

/**
 * struct vmig_rec_blob - begin of the payload of BLOB
 * @object: id of the object
 * @reserved: zero
 * @length: bytes that follow, at least 1. What the object has behind them is zeros
 *	and not sent (before 1.1 all of it was sent)
 */
struct vmig_rec_blob {
	__le16 object;
	__le16 reserved;
	__le32 length;
};

/**
 * struct vmig_manifest_entry - what both sides keep for each chunk
 * @generation: of the last CHUNK record for it, 0 if there was none
 * @crc: the crc of that record
 */
struct vmig_manifest_entry {
	__le32 generation;
	__le32 crc;
};

/**
 * struct vmig_rec_end - payload of END
 * @chunks: number of chunks with a generation other than 0
 * @blobs: number of BLOB records in the session
 * @manifest: crc32c over the manifest entries of all chunks of all memory
 *	objects in the order of their ids
 */
struct vmig_rec_end {
	__le64 chunks;
	__le32 blobs;
	__le32 manifest;
};

#endif /* _UAPI_LINUX_VMIG_STREAM_H */
