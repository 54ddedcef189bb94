/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The judge: can a stream from a source with this version string be loaded here?
 * Pure, so that the same source is tested in user space. The attribute and the
 * stream parser both ask it, so they cannot disagree.
 */
#ifndef _VMIG_VERSION_H
#define _VMIG_VERSION_H

#include <linux/vmig.h>

/**
 * struct vmig_verdict - why a string was refused
 * @field: name of the field that decided, or "syntax"
 * @theirs: its value in the string; not terminated
 * @theirs_len: bytes of @theirs
 * @ours: its value here
 */
struct vmig_verdict {
	const char *field;
	const char *theirs;
	unsigned int theirs_len;
	char ours[32];
};

int vmig_version_judge(const struct vmig_ident *ident, const char *str,
		       size_t len, struct vmig_verdict *verdict);

#endif /* _VMIG_VERSION_H */
