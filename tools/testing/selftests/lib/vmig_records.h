/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walker over the records of a vmig stream, for tests that look into a
 * stream or take it apart. It reads what include/uapi/linux/vmig_stream.h
 * says and judges nothing but lengths.
 */
#ifndef VMIG_RECORDS_H
#define VMIG_RECORDS_H

#include <stddef.h>
#include <linux/types.h>

#include <linux/vmig_stream.h>

/**
 * struct vmr - one record of a stream
 * @off: its first byte
 * @len: with its header
 * @head: its header
 */
struct vmr {
	size_t off;
	size_t len;
	struct vmig_rec head;
};

/**
 * struct vmr_list - all records of a stream
 * @rec: in the stream's order
 * @n: how many
 */
struct vmr_list {
	struct vmr *rec;
	size_t n;
};

/* Cut @len bytes into records. 0, -ENOMEM, or -EBADMSG if they do not fit. */
int vmr_parse(struct vmr_list *l, const void *buf, size_t len);
void vmr_free(struct vmr_list *l);
/* Index of the first record of @type at or after @from, or -ENOENT. */
long vmr_find(const struct vmr_list *l, unsigned int type, size_t from);
/* Number of records of @type. */
size_t vmr_count(const struct vmr_list *l, unsigned int type);

/* The kernel's crc32c, or -errno if it does not offer it to programs. */
int vmr_crc32c(const void *buf, size_t len, __u32 *crc);
/* The same for who knows that it does; 0 if it does not. */
__u32 vmr_crc32c_value(const void *buf, size_t len);
/* Make the crc of the record of @len bytes at @rec right again. */
int vmr_seal(void *rec, size_t len);

/* Bytes of the largest record that there can be. */
#define VMR_OPTIONAL	(sizeof(struct vmig_rec) + VMIG_BLOB_MAX)
/* One of these, number @seq, that a reader does not know and may skip. */
int vmr_optional(void *rec, __u64 seq);

#endif /* VMIG_RECORDS_H */
