// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adapters from device models to the protocol tests; another model is another
 * table here.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/mimic_accel.h>
#include <linux/mimic_probe.h>
#include <linux/pci_regs.h>

#include "vfio_model.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* --- Patterns --------------------------------------------------------- */

/*
 * Each 8-byte word is a function of value and position, so that a unit which
 * mixes two values is noticed. Value 0 is all zeros: a hole.
 */
static __u64 unit_word(__u64 value, unsigned int i)
{
	return value ? value * 0x9e3779b97f4a7c15ull + i * 0x100000001ull : 0;
}

void vfc_unit_fill(void *buf, __u64 value)
{
	__u64 words[VFC_UNIT / 8];
	unsigned int i;

	for (i = 0; i < VFC_UNIT / 8; i++)
		words[i] = unit_word(value, i);
	words[0] = value;
	memcpy(buf, words, sizeof(words));
}

int vfc_unit_check(const void *buf, __u64 *value)
{
	__u64 words[VFC_UNIT / 8];
	unsigned int i;

	memcpy(words, buf, sizeof(words));
	for (i = 1; i < VFC_UNIT / 8; i++)
		if (words[i] != unit_word(words[0], i))
			return -EILSEQ;
	*value = words[0];
	return 0;
}

/* --- Accesses --------------------------------------------------------- */

static int full(ssize_t ret, size_t n)
{
	return ret < 0 ? (int)ret : (size_t)ret == n ? 0 : -EIO;
}

/*
 * As after power-on the device decodes nothing and may not do DMA: let it,
 * before each access, since any reset takes that back.
 */
static int dev_enable(const struct vfc_dev *d)
{
	const __u16 want = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	__u16 cmd;
	int ret;

	ret = full(vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND,
				   &cmd, sizeof(cmd)), sizeof(cmd));
	if (ret || (cmd & want) == want)
		return ret;
	cmd |= want;
	return full(vfc_region_write(d, VFIO_PCI_CONFIG_REGION_INDEX,
				     PCI_COMMAND, &cmd, sizeof(cmd)),
		    sizeof(cmd));
}

/* One access to a BAR of an enabled device, whole or an error. */
static int dev_read(const struct vfc_dev *d, __u32 bar, __u64 off,
		    void *buf, size_t n)
{
	int ret = dev_enable(d);

	return ret ? ret : full(vfc_region_read(d, bar, off, buf, n), n);
}

static int dev_write(const struct vfc_dev *d, __u32 bar, __u64 off,
		     const void *buf, size_t n)
{
	int ret = dev_enable(d);

	return ret ? ret : full(vfc_region_write(d, bar, off, buf, n), n);
}

/* --- accel ------------------------------------------------------------ */

static int accel_get(const struct vfc_dev *d, __u32 reg, __u32 *val)
{
	return dev_read(d, MIMIC_ACCEL_BAR_REGS, reg, val, sizeof(*val));
}

static int accel_set(const struct vfc_dev *d, __u32 reg, __u32 val)
{
	return dev_write(d, MIMIC_ACCEL_BAR_REGS, reg, &val, sizeof(val));
}

/* Registers in pairs: LO latches HI. */
static int accel_get_pair(const struct vfc_dev *d, __u32 lo, __u64 *val)
{
	__u32 part[2];
	int ret = accel_get(d, lo, &part[0]);

	if (!ret)
		ret = accel_get(d, lo + 4, &part[1]);
	if (!ret)
		*val = part[0] | (__u64)part[1] << 32;
	return ret;
}

static __u64 accel_units(const struct vfc_dev *d)
{
	__u64 size;

	return accel_get_pair(d, MIMIC_ACCEL_MEM_SIZE_LO, &size) ? 0 :
		size / VFC_UNIT;
}

static int accel_touch(const struct vfc_dev *d, __u64 i, __u64 value)
{
	__u8 buf[VFC_UNIT];

	vfc_unit_fill(buf, value);
	return dev_write(d, MIMIC_ACCEL_BAR_MEM, i * VFC_UNIT, buf, sizeof(buf));
}

static int accel_read_back(const struct vfc_dev *d, __u64 i,
			   __u64 *value)
{
	__u8 buf[VFC_UNIT];
	int ret = dev_read(d, MIMIC_ACCEL_BAR_MEM, i * VFC_UNIT, buf,
			     sizeof(buf));

	return ret ? ret : vfc_unit_check(buf, value);
}

static int accel_reg_set(const struct vfc_dev *d, __u32 value)
{
	return accel_set(d, MIMIC_ACCEL_SCRATCH, value);
}

static int accel_reg_get(const struct vfc_dev *d, __u32 *value)
{
	return accel_get(d, MIMIC_ACCEL_SCRATCH, value);
}

static int accel_ticks(const struct vfc_dev *d, __u64 *value)
{
	return accel_get_pair(d, MIMIC_ACCEL_TICK_LO, value);
}

static int accel_stamp(const struct vfc_dev *d, __u32 dev_pages,
		       __u32 guest_pages, __u64 iova, __u32 rate)
{
	const struct {
		__u32 reg, val;
	} set[] = {
		{ MIMIC_ACCEL_STAMP_CTRL, 0 },
		{ MIMIC_ACCEL_STAMP_RATE, rate },
		{ MIMIC_ACCEL_STAMP_DEV_LO, 0 },
		{ MIMIC_ACCEL_STAMP_DEV_HI, 0 },
		{ MIMIC_ACCEL_STAMP_DEV_PAGES, dev_pages },
		{ MIMIC_ACCEL_STAMP_GUEST_PAGES, guest_pages },
		{ MIMIC_ACCEL_STAMP_GUEST_LO, (__u32)iova },
		{ MIMIC_ACCEL_STAMP_GUEST_HI, (__u32)(iova >> 32) },
		{ MIMIC_ACCEL_STAMP_CTRL, MIMIC_ACCEL_STAMP_CTRL_RUN },
	};
	unsigned int i;
	__u32 ctrl;
	int ret;

	for (i = 0; i < ARRAY_SIZE(set); i++) {
		ret = accel_set(d, set[i].reg, set[i].val);
		if (ret)
			return ret;
	}
	ret = accel_get(d, MIMIC_ACCEL_STAMP_CTRL, &ctrl);
	if (ret)
		return ret;
	return ctrl & MIMIC_ACCEL_STAMP_CTRL_RUN ? 0 : -EINVAL;
}

static int accel_start_noise(const struct vfc_dev *d, __u32 units,
			     __u32 rate)
{
	return accel_stamp(d, units, 0, 0, rate);
}

static int accel_start_dma(const struct vfc_dev *d, __u64 iova,
			   __u32 pages, __u32 rate)
{
	return accel_stamp(d, 0, pages, iova, rate);
}

static int accel_noise_seq(const struct vfc_dev *d, __u64 *seq)
{
	return accel_get_pair(d, MIMIC_ACCEL_STAMP_SEQ_LO, seq);
}

static int accel_stop_noise(const struct vfc_dev *d, __u64 *seq)
{
	int ret = accel_set(d, MIMIC_ACCEL_STAMP_CTRL, 0);

	return ret ? ret : accel_noise_seq(d, seq);
}

static int accel_check_page(const struct vfc_dev *d, __u32 page,
			    __u64 seq)
{
	struct mimic_accel_stamp s;
	__u64 addr = (__u64)page * MIMIC_ACCEL_PAGE_SIZE;
	unsigned int i;
	int ret;

	ret = dev_read(d, MIMIC_ACCEL_BAR_MEM, addr, &s, sizeof(s));
	if (ret)
		return ret;
	if (s.magic != MIMIC_ACCEL_STAMP_MAGIC || s.page != page ||
	    s.where != MIMIC_ACCEL_STAMP_IN_DEVICE || s.seq != seq ||
	    s.addr != addr || s.crc != ~s.crc_inv)
		return -EILSEQ;
	for (i = 0; i < sizeof(s.fill) / 8; i++)
		if (s.fill[i] != seq * 0x9e3779b97f4a7c15ull + addr + i)
			return -EILSEQ;
	return 0;
}

/* Page p was last stamped by the largest s <= seq with (s - 1) % units == p. */
static int accel_check_noise(const struct vfc_dev *d, __u32 units,
			     __u64 seq)
{
	__u32 page;
	__u64 last;
	int ret;

	for (page = 0; page < units && page < seq; page++) {
		last = seq - (seq - 1 - page) % units;
		ret = accel_check_page(d, page, last);
		if (ret)
			return ret;
	}
	return 0;
}

static int accel_start_timer(const struct vfc_dev *d, __u32 us)
{
	return accel_set(d, MIMIC_ACCEL_TIMER_PERIOD, us);
}

static int accel_trigger(const struct vfc_dev *d)
{
	return accel_set(d, MIMIC_ACCEL_INT_TRIGGER, MIMIC_ACCEL_INT_TIMER);
}

static int accel_map(const struct vfc_dev *d, unsigned int units, __u8 **p)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = MIMIC_ACCEL_BAR_MEM,
	};
	void *map;
	int ret = dev_enable(d);

	if (ret)
		return ret;
	if (ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	map = mmap(NULL, units * VFC_UNIT, PROT_READ | PROT_WRITE, MAP_SHARED,
		   d->fd, info.offset);
	if (map == MAP_FAILED)
		return -errno;
	*p = map;
	return 0;
}

/* --- probe ------------------------------------------------------------ */

static int probe_get(const struct vfc_dev *d, __u32 reg, __u32 *val)
{
	return dev_read(d, MIMIC_PROBE_BAR_REGS, reg, val, sizeof(*val));
}

static int probe_set(const struct vfc_dev *d, __u32 reg, __u32 val)
{
	return dev_write(d, MIMIC_PROBE_BAR_REGS, reg, &val, sizeof(val));
}

static int probe_get_pair(const struct vfc_dev *d, __u32 lo, __u64 *val)
{
	return dev_read(d, MIMIC_PROBE_BAR_REGS, lo, val, sizeof(*val));
}

static int probe_set_pair(const struct vfc_dev *d, __u32 lo, __u64 val)
{
	return dev_write(d, MIMIC_PROBE_BAR_REGS, lo, &val, sizeof(val));
}

static int probe_command(const struct vfc_dev *d, __u32 command)
{
	__u32 status;
	int ret = probe_set(d, MIMIC_PROBE_COMMAND, command);

	if (!ret)
		ret = probe_get(d, MIMIC_PROBE_STATUS, &status);
	if (ret)
		return ret;
	switch (status) {
	case MIMIC_PROBE_OK:
		return 0;
	case MIMIC_PROBE_MIXED:
		return -EILSEQ;
	default:
		return -EIO;
	}
}

static __u64 probe_units(const struct vfc_dev *d)
{
	__u64 size;

	return probe_get_pair(d, MIMIC_PROBE_SIZE_LO, &size) ? 0 :
		size / VFC_UNIT;
}

static int probe_touch(const struct vfc_dev *d, __u64 i, __u64 value)
{
	int ret = probe_set(d, MIMIC_PROBE_FIRST, (__u32)i);

	if (!ret)
		ret = probe_set_pair(d, MIMIC_PROBE_VALUE_LO, value);
	return ret ? ret : probe_command(d, MIMIC_PROBE_FILL);
}

static int probe_read_back(const struct vfc_dev *d, __u64 i, __u64 *value)
{
	int ret = probe_set(d, MIMIC_PROBE_FIRST, (__u32)i);

	if (!ret)
		ret = probe_command(d, MIMIC_PROBE_READ);
	return ret ? ret : probe_get_pair(d, MIMIC_PROBE_VALUE_LO, value);
}

static int probe_reg_set(const struct vfc_dev *d, __u32 value)
{
	return probe_set(d, MIMIC_PROBE_SCRATCH, value);
}

static int probe_reg_get(const struct vfc_dev *d, __u32 *value)
{
	return probe_get(d, MIMIC_PROBE_SCRATCH, value);
}

static int probe_ticks(const struct vfc_dev *d, __u64 *value)
{
	return probe_get_pair(d, MIMIC_PROBE_TICK_LO, value);
}

static int probe_trigger(const struct vfc_dev *d)
{
	return probe_set(d, MIMIC_PROBE_TRIGGER, 1);
}

static const struct vfc_model models[] = {
	{
		.name = "mimic accel",
		.vendor = MIMIC_PCI_VENDOR_ID,
		.device = MIMIC_ACCEL_PCI_DEVICE_ID,
		.units = accel_units,
		.touch = accel_touch,
		.read_back = accel_read_back,
		.reg_set = accel_reg_set,
		.reg_get = accel_reg_get,
		.ticks = accel_ticks,
		.start_noise = accel_start_noise,
		.stop_noise = accel_stop_noise,
		.noise_seq = accel_noise_seq,
		.check_noise = accel_check_noise,
		.start_dma = accel_start_dma,
		.start_timer = accel_start_timer,
		.trigger = accel_trigger,
		.irq_index = VFIO_PCI_MSIX_IRQ_INDEX,
		.map = accel_map,
	}, {
		.name = "mimic probe",
		.vendor = MIMIC_PCI_VENDOR_ID,
		.device = MIMIC_PROBE_PCI_DEVICE_ID,
		.units = probe_units,
		.touch = probe_touch,
		.read_back = probe_read_back,
		.reg_set = probe_reg_set,
		.reg_get = probe_reg_get,
		.ticks = probe_ticks,
		.trigger = probe_trigger,
		.irq_index = VFIO_PCI_MSIX_IRQ_INDEX,
	},
};

const struct vfc_model *vfc_model_find(const struct vfc_dev *d)
{
	__u16 id[2];
	unsigned int i;

	if (vfc_region_read(d, VFIO_PCI_CONFIG_REGION_INDEX, 0, id, 4) != 4)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(models); i++)
		if (models[i].vendor == id[0] && models[i].device == id[1])
			return &models[i];
	return NULL;
}
