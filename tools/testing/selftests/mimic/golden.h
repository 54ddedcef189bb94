/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Golden streams: streams that a release has written, and what a device is after
 * one of them was loaded, as text. They are in golden/MAJOR.MINOR/, two files
 * each, and are never made anew: they are the promise that what was once written
 * can be read. See golden/README.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdarg.h>
#include <stdio.h>

#include <linux/mimic_accel.h>
#include <linux/mimic_probe.h>
#include <linux/pci_regs.h>

#include "vfio_client.h"
#include "vfio_model.h"
#include "vmig_records.h"

#define GOLDEN_NAME_MAX	96
#define GOLDEN_FILE_MAX	0x100000

/*
 * The file name of a device's golden streams: its version string without vendor
 * and stream, "accel-memory=33554432-rings=2". 0 or -errno.
 */
static inline int golden_name(const struct vfc_dev *d, char name[GOLDEN_NAME_MAX])
{
	char version[256], *p, *save;
	int ret = vfc_mdev_version(d->uuid, false, version, sizeof(version));

	if (ret < 0)
		return ret;
	name[0] = '\0';
	version[strcspn(version, "\n")] = '\0';
	for (p = strtok_r(version, ",", &save); p;
	     p = strtok_r(NULL, ",", &save)) {
		if (p == version || !strncmp(p, "stream=", 7))
			continue;
		snprintf(name + strlen(name), GOLDEN_NAME_MAX - strlen(name),
			 "%s%s", name[0] ? "-" : "", p);
	}
	return 0;
}

/* Read a file whole. Its length or -errno. */
static inline ssize_t golden_read(const char *path, void *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return -errno;
	n = fread(buf, 1, size, f);
	fclose(f);
	return n == size ? -EFBIG : (ssize_t)n;
}

/* The version string that a stream begins with. 0 or -errno. */
static inline int golden_version(const void *stream, size_t n, char version[256])
{
	const struct vmig_rec_session *rec;
	struct vmr_list l;
	int ret;

	ret = vmr_parse(&l, stream, n);
	if (ret)
		return ret;
	rec = stream + l.rec[0].off + sizeof(struct vmig_rec);
	snprintf(version, 256, "%.255s", rec->version);
	vmr_free(&l);
	return 0;
}

static inline int golden_dump_region(const struct vfc_dev *d, FILE *f,
				     const char *name, __u32 index, __u32 size)
{
	__u32 off, val;

	for (off = 0; off < size; off += 4) {
		if (vfc_region_read(d, index, off, &val, 4) != 4)
			return -EIO;
		if (val)
			fprintf(f, "%s %03x %08x\n", name, off, val);
	}
	return 0;
}

/* A unit with something in it: its crc32c. */
static inline int golden_dump_unit(FILE *f, __u64 i, const void *buf, size_t n)
{
	const __u8 *p = buf;
	__u32 crc;
	int ret;

	if (!p[0] && !memcmp(p, p + 1, n - 1))
		return 0;
	ret = vmr_crc32c(buf, n, &crc);
	if (!ret)
		fprintf(f, "unit %llu %08x\n", (unsigned long long)i, crc);
	return ret;
}

static inline int golden_dump_memory(const struct vfc_dev *d, FILE *f)
{
	static __u8 buf[64 * VFC_UNIT];
	ssize_t n, at;
	__u64 off;
	int ret;

	for (off = 0;; off += n) {
		n = vfc_region_read(d, MIMIC_ACCEL_BAR_MEM, off, buf,
				    sizeof(buf));
		if (n == -EINVAL)	/* its end */
			return 0;
		if (n <= 0)
			return -EIO;
		for (at = 0; at < n; at += VFC_UNIT) {
			ret = golden_dump_unit(f, (off + at) / VFC_UNIT,
					       buf + at, VFC_UNIT);
			if (ret)
				return ret;
		}
	}
}

static inline int golden_probe(const struct vfc_dev *d, bool write, __u32 reg,
			       void *val, ssize_t n)
{
	ssize_t ret;

	if (write)
		ret = vfc_region_write(d, MIMIC_PROBE_BAR_REGS, reg, val, n);
	else
		ret = vfc_region_read(d, MIMIC_PROBE_BAR_REGS, reg, val, n);
	return ret == n ? 0 : -EIO;
}

static inline int golden_dump_probe_unit(const struct vfc_dev *d, FILE *f,
					 __u32 i)
{
	__u32 command = MIMIC_PROBE_READ, status;
	__u64 value;

	if (golden_probe(d, true, MIMIC_PROBE_FIRST, &i, 4) ||
	    golden_probe(d, true, MIMIC_PROBE_COMMAND, &command, 4) ||
	    golden_probe(d, false, MIMIC_PROBE_STATUS, &status, 4) ||
	    golden_probe(d, false, MIMIC_PROBE_VALUE_LO, &value, 8) ||
	    status != MIMIC_PROBE_OK)
		return -EIO;
	if (value)
		fprintf(f, "unit %u %llx\n", i, (unsigned long long)value);
	return 0;
}

static inline int golden_dump_state(const struct vfc_dev *d, FILE *f)
{
	int ret = 0;
	__u64 size;
	__u32 i;

	if (golden_probe(d, false, MIMIC_PROBE_SIZE_LO, &size, 8))
		return -EIO;
	for (i = 0; (__u64)i * VFC_UNIT < size && !ret; i++)
		ret = golden_dump_probe_unit(d, f, i);
	return ret;
}

/*
 * All that a client can see of a stopped device, as text: config space, MSI-X
 * table, registers, memory or state. 0 or -errno.
 */
static inline int golden_dump(const struct vfc_dev *d, FILE *f)
{
	__u16 id[2];
	int ret;

	fprintf(f, "# SPDX-%s: GPL-2.0-only\n", "License-Identifier");
	ret = golden_dump_region(d, f, "config", VFIO_PCI_CONFIG_REGION_INDEX, 256);
	if (!ret)
		ret = golden_dump_region(d, f, "msix", 4, 4096);
	if (!ret)
		ret = golden_dump_region(d, f, "reg", 0, 4096);
	if (ret)
		return ret;
	if (vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX, 0, id, 4) != 4)
		return -EIO;
	if (id[1] == MIMIC_PROBE_PCI_DEVICE_ID)
		return golden_dump_state(d, f);
	return golden_dump_memory(d, f);
}

#endif /* GOLDEN_H */
