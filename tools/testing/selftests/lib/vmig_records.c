// SPDX-License-Identifier: GPL-2.0-only
/*
 * A walker over the records of a vmig stream. The checksum is the kernel's own
 * (AF_ALG), so that there is no second implementation to keep right.
 */
#define _GNU_SOURCE	/* accept4() */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_alg.h>

#include "vmig_records.h"

int vmr_parse(struct vmr_list *l, const void *buf, size_t len)
{
	const __u8 *p = buf;
	struct vmr *rec;
	size_t off = 0;

	memset(l, 0, sizeof(*l));
	while (off < len) {
		rec = realloc(l->rec, (l->n + 1) * sizeof(*rec));
		if (!rec) {
			vmr_free(l);
			return -ENOMEM;
		}
		l->rec = rec;
		rec += l->n++;
		rec->off = off;
		if (len - off < sizeof(rec->head))
			goto bad;
		memcpy(&rec->head, p + off, sizeof(rec->head));
		if (len - off - sizeof(rec->head) < rec->head.length)
			goto bad;
		rec->len = sizeof(rec->head) + rec->head.length;
		off += rec->len;
	}
	return 0;
bad:
	vmr_free(l);
	return -EBADMSG;
}

void vmr_free(struct vmr_list *l)
{
	free(l->rec);
	memset(l, 0, sizeof(*l));
}

long vmr_find(const struct vmr_list *l, unsigned int type, size_t from)
{
	for (; from < l->n; from++)
		if (l->rec[from].head.type == type)
			return from;
	return -ENOENT;
}

size_t vmr_count(const struct vmr_list *l, unsigned int type)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		n += l->rec[i].head.type == type;
	return n;
}

/* A socket of the kernel's crc32c: or -errno. */
static int crc_socket(void)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG,
		.salg_type = "hash",
		.salg_name = "crc32c",
	};
	int tfm, op = -1;

	tfm = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (tfm < 0)
		return -errno;
	if (!bind(tfm, (struct sockaddr *)&addr, sizeof(addr)))
		op = accept4(tfm, NULL, NULL, SOCK_CLOEXEC);
	if (op < 0)
		op = -errno;
	close(tfm);
	return op;
}

/*
 * One socket for all sums of a thread: the kernel frees sockets a while after they
 * were closed, and tests that measure its memory would see them.
 */
int vmr_crc32c(const void *buf, size_t len, __u32 *crc)
{
	static __thread int op = -1;
	static __thread pid_t owner;

	if (op < 0 || owner != getpid()) {	/* a parent's is in use there */
		op = crc_socket();
		owner = getpid();
	}
	if (op < 0)
		return op;
	if (send(op, buf, len, 0) == (ssize_t)len &&
	    read(op, crc, sizeof(*crc)) == sizeof(*crc))
		return 0;
	close(op);
	op = -1;
	return -EIO;
}

__u32 vmr_crc32c_value(const void *buf, size_t len)
{
	__u32 crc;

	return vmr_crc32c(buf, len, &crc) ? 0 : crc;
}

int vmr_seal(void *rec, size_t len)
{
	struct vmig_rec head;
	__u32 crc;
	int ret;

	memcpy(&head, rec, sizeof(head));
	head.crc = 0;
	memcpy(rec, &head, sizeof(head));
	ret = vmr_crc32c(rec, len, &crc);
	if (ret)
		return ret;
	head.crc = crc;
	memcpy(rec, &head, sizeof(head));
	return 0;
}

int vmr_optional(void *rec, __u64 seq)
{
	const struct vmig_rec head = {
		.type = 77,
		.flags = VMIG_REC_F_OPTIONAL,
		.length = VMIG_BLOB_MAX,
		.seq = seq,
	};

	memset(rec, 0, VMR_OPTIONAL);
	memcpy(rec, &head, sizeof(head));
	return vmr_seal(rec, VMR_OPTIONAL);
}
