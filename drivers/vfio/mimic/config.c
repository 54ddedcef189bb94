// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI config space that the client sees: a type 0 header, power management,
 * PCI Express and MSI-X.
 *
 * All of it is an array of bytes and, for each, a mask of the bits that a write
 * changes; bits outside of the masks are what mimic_config_fill() made them, for
 * the life of the device, apart from the interrupt bit in STATUS, which is never
 * stored. So a stream may only differ in bits that the guest could have written.
 *
 * Whatever changes the bytes ends with mimic_config_apply(), which tells the rest
 * of the core what follows from them.
 *
 * mimic_config.lock is inside vmig_device.lock, and outside mimic_irqs.lock and
 * vmig_mem.lock.
 */
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "mimic.h"

/* Capabilities, in the order of the list. */
#define MIMIC_CAP_PM		0x40
#define MIMIC_CAP_EXP		0x50
#define MIMIC_CAP_MSIX		0x90

#define MIMIC_PM_CTRL		(MIMIC_CAP_PM + PCI_PM_CTRL)
#define MIMIC_PM_D0		0
#define MIMIC_PM_D3HOT		3
#define MIMIC_MSIX_FLAGS	(MIMIC_CAP_MSIX + PCI_MSIX_FLAGS)
#define MIMIC_LNKCTL		(MIMIC_CAP_EXP + PCI_EXP_LNKCTL)
/* The byte of the device control register that starts a function-level reset. */
#define MIMIC_FLR_BYTE		(MIMIC_CAP_EXP + PCI_EXP_DEVCTL + 1)
#define MIMIC_FLR_BIT		(PCI_EXP_DEVCTL_BCR_FLR >> 8)

/* Bytes of the pending bits in the MSI-X BAR: one 64-bit word. */
#define MIMIC_PBA_SIZE		8

/* --- Bytes and masks ---------------------------------------------------- */

static void mimic_put(u8 *bytes, unsigned int off, int size, u64 val)
{
	for (; size; size--, val >>= 8)
		bytes[off++] = val;
}

static u16 mimic_get16(const u8 *bytes, unsigned int off)
{
	return bytes[off] | bytes[off + 1] << 8;
}

/* A register: its value at power-on, and the bits that can be written. */
static void mimic_reg(struct mimic_config *cfg, unsigned int off, int size,
		      u64 val, u64 wmask)
{
	mimic_put(cfg->bytes, off, size, val);
	mimic_put(cfg->wmask, off, size, wmask);
}

/* A memory BAR; @width is 4 or 8 bytes, @size a power of two. */
static void mimic_bar(struct mimic_config *cfg, unsigned int index, int width,
		      u64 size, u32 flags)
{
	mimic_reg(cfg, PCI_BASE_ADDRESS_0 + 4 * index, width, flags, ~(size - 1));
}

static void mimic_fill_header(struct mimic_config *cfg,
			      const struct mimic_model *model)
{
	mimic_reg(cfg, PCI_VENDOR_ID, 2, MIMIC_PCI_VENDOR_ID, 0);
	mimic_reg(cfg, PCI_DEVICE_ID, 2, model->pci_device, 0);
	mimic_reg(cfg, PCI_COMMAND, 2, 0,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
		  PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	mimic_reg(cfg, PCI_STATUS, 2, PCI_STATUS_CAP_LIST, 0);
	mimic_reg(cfg, PCI_CLASS_REVISION, 4,
		  model->pci_class << 8 | model->pci_revision, 0);
	mimic_reg(cfg, PCI_CACHE_LINE_SIZE, 1, 0, 0xff);
	mimic_reg(cfg, PCI_SUBSYSTEM_VENDOR_ID, 2, MIMIC_PCI_VENDOR_ID, 0);
	mimic_reg(cfg, PCI_SUBSYSTEM_ID, 2, model->pci_device, 0);
	mimic_reg(cfg, PCI_CAPABILITY_LIST, 1, MIMIC_CAP_PM, 0);
	mimic_reg(cfg, PCI_INTERRUPT_LINE, 1, 0, 0xff);
	mimic_reg(cfg, PCI_INTERRUPT_PIN, 1, 1, 0);	/* INTA */
}

static void mimic_fill_bars(struct mimic_config *cfg,
			    const struct mimic_type *type)
{
	mimic_bar(cfg, MIMIC_BAR_REGS, 4, type->model->regs_size,
		  PCI_BASE_ADDRESS_MEM_TYPE_32);
	if (type->share->parts)
		mimic_bar(cfg, MIMIC_BAR_MEM, 8, type->mem_size,
			  PCI_BASE_ADDRESS_MEM_TYPE_64 |
			  PCI_BASE_ADDRESS_MEM_PREFETCH);
	mimic_bar(cfg, MIMIC_BAR_MSIX, 4, MIMIC_MSIX_BAR_SIZE,
		  PCI_BASE_ADDRESS_MEM_TYPE_32);
}

/* D0 and D3hot, between which nothing gets lost; no power management events. */
static void mimic_fill_pm(struct mimic_config *cfg)
{
	mimic_reg(cfg, MIMIC_CAP_PM, 2, PCI_CAP_ID_PM | MIMIC_CAP_EXP << 8, 0);
	mimic_reg(cfg, MIMIC_CAP_PM + PCI_PM_PMC, 2, 3, 0);
	mimic_reg(cfg, MIMIC_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET,
		  PCI_PM_CTRL_STATE_MASK);
}

/*
 * An endpoint of version 2 with function-level reset on a link of one lane, the
 * slowest there is. Payloads are of 128 bytes, so that their size is fixed; the
 * control bits that have no effect in software can be written, as in hardware.
 */
static void mimic_fill_exp(struct mimic_config *cfg)
{
	unsigned int cap = MIMIC_CAP_EXP;

	mimic_reg(cfg, cap, 2, PCI_CAP_ID_EXP | MIMIC_CAP_MSIX << 8, 0);
	mimic_reg(cfg, cap + PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ENDPOINT << 4, 0);
	mimic_reg(cfg, cap + PCI_EXP_DEVCAP, 4,
		  PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR, 0);
	mimic_reg(cfg, cap + PCI_EXP_DEVCTL, 2,
		  PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
		  PCI_EXP_DEVCTL_READRQ_512B,
		  PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
		  PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
		  PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
		  PCI_EXP_DEVCTL_READRQ);
	mimic_reg(cfg, cap + PCI_EXP_LNKCAP, 4,
		  PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4, 0);
	mimic_reg(cfg, MIMIC_LNKCTL, 2, 0,
		  PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB |
		  PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
	mimic_reg(cfg, cap + PCI_EXP_LNKSTA, 2,
		  PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1 |
		  PCI_EXP_LNKSTA_SLC, 0);
	mimic_reg(cfg, cap + PCI_EXP_DEVCAP2, 4, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS, 0);
	mimic_reg(cfg, cap + PCI_EXP_DEVCTL2, 2, 0, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
	mimic_reg(cfg, cap + PCI_EXP_LNKCAP2, 4, PCI_EXP_LNKCAP2_SLS_2_5GB, 0);
}

static void mimic_fill_msix(struct mimic_config *cfg,
			    const struct mimic_model *model)
{
	unsigned int cap = MIMIC_CAP_MSIX, i;

	mimic_reg(cfg, cap, 2, PCI_CAP_ID_MSIX, 0);
	mimic_reg(cfg, MIMIC_MSIX_FLAGS, 2, model->nr_vectors - 1,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	mimic_reg(cfg, cap + PCI_MSIX_TABLE, 4, MIMIC_BAR_MSIX, 0);
	mimic_reg(cfg, cap + PCI_MSIX_PBA, 4, MIMIC_MSIX_PBA | MIMIC_BAR_MSIX, 0);

	memset(cfg->msix_table, 0, sizeof(cfg->msix_table));
	for (i = 0; i < model->nr_vectors; i++)
		mimic_put(cfg->msix_table,
			  i * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL,
			  4, PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

/* Everything to power-on. */
static void mimic_config_fill(struct mimic_vdev *v)
{
	struct mimic_config *cfg = &v->cfg;

	lockdep_assert_held(&cfg->lock);
	BUILD_BUG_ON(MIMIC_CAP_PM + PCI_PM_SIZEOF > MIMIC_CAP_EXP);
	BUILD_BUG_ON(MIMIC_CAP_EXP + PCI_CAP_EXP_ENDPOINT_SIZEOF_V2 >
		     MIMIC_CAP_MSIX);
	BUILD_BUG_ON(MIMIC_MAX_VECTORS * PCI_MSIX_ENTRY_SIZE > MIMIC_MSIX_PBA);
	memset(cfg->bytes, 0, sizeof(cfg->bytes));
	memset(cfg->wmask, 0, sizeof(cfg->wmask));
	bitmap_zero(cfg->by_client, MIMIC_CFG_SIZE);
	mimic_fill_header(cfg, v->model);
	mimic_fill_bars(cfg, v->type);
	mimic_fill_pm(cfg);
	mimic_fill_exp(cfg);
	mimic_fill_msix(cfg, v->model);
}

/* In D3hot a function answers to its config space alone. */
static void mimic_config_apply(struct mimic_vdev *v)
{
	struct mimic_config *cfg = &v->cfg;
	u16 command = mimic_get16(cfg->bytes, PCI_COMMAND);
	u16 msix = mimic_get16(cfg->bytes, MIMIC_MSIX_FLAGS);
	bool on = !(cfg->bytes[MIMIC_PM_CTRL] & PCI_PM_CTRL_STATE_MASK);

	lockdep_assert_held(&cfg->lock);
	WRITE_ONCE(v->bus_master, on && (command & PCI_COMMAND_MASTER));
	WRITE_ONCE(v->mem_decode, on && (command & PCI_COMMAND_MEMORY));
	vmig_mem_block(&v->mem, !v->mem_decode);
	mimic_irq_set_config(v, command & PCI_COMMAND_INTX_DISABLE,
			     msix & PCI_MSIX_FLAGS_ENABLE);
}

/* --- Access ------------------------------------------------------------- */

static bool mimic_fits(u32 off, size_t len, u32 size)
{
	return len <= size && off <= size - len;
}

/**
 * mimic_config_init() - make the config space of a new device
 * @v: device that nobody uses yet, with its interrupts initialized
 *
 * Context: process.
 */
void mimic_config_init(struct mimic_vdev *v)
{
	mutex_init(&v->cfg.lock);
	mimic_config_reset(v, false);
}

/**
 * mimic_config_reset() - put the config space to power-on
 * @v: stopped device
 * @function: the guest resets the function, which leaves alone what belongs to
 *	the link
 *
 * Context: process. Takes mimic_config.lock and mimic_irqs.lock.
 */
void mimic_config_reset(struct mimic_vdev *v, bool function)
{
	struct mimic_config *cfg = &v->cfg;
	u16 link;

	mutex_lock(&cfg->lock);
	link = mimic_get16(cfg->bytes, MIMIC_LNKCTL);
	mimic_config_fill(v);
	if (function)
		mimic_put(cfg->bytes, MIMIC_LNKCTL, 2, link);
	mimic_config_apply(v);
	mutex_unlock(&cfg->lock);
}

/**
 * mimic_config_read() - read config space
 * @v: device
 * @off: first byte
 * @buf: gets the bytes
 * @len: how many, of any alignment
 *
 * Context: process. Takes mimic_config.lock and mimic_irqs.lock.
 * Return: 0, or -EINVAL if it ends behind the config space.
 */
int mimic_config_read(struct mimic_vdev *v, u32 off, void *buf, size_t len)
{
	struct mimic_config *cfg = &v->cfg;
	u8 *out = buf;

	if (!mimic_fits(off, len, MIMIC_CFG_SIZE))
		return -EINVAL;
	off = array_index_nospec(off, MIMIC_CFG_SIZE);
	mutex_lock(&cfg->lock);
	memcpy(out, &cfg->bytes[off], len);
	mutex_unlock(&cfg->lock);
	if (off <= PCI_STATUS && PCI_STATUS - off < len && mimic_irq_intx_level(v))
		out[PCI_STATUS - off] |= PCI_STATUS_INTERRUPT;
	return 0;
}

/* D1 and D2 do not exist; a write of them changes nothing. */
static bool mimic_is_power_state(u8 pm_ctrl)
{
	u8 state = pm_ctrl & PCI_PM_CTRL_STATE_MASK;

	return state == MIMIC_PM_D0 || state == MIMIC_PM_D3HOT;
}

static void mimic_write_byte(struct mimic_config *cfg, unsigned int off, u8 val)
{
	u8 mask = cfg->wmask[off];

	lockdep_assert_held(&cfg->lock);
	if (off == MIMIC_PM_CTRL && !mimic_is_power_state(val))
		return;
	cfg->bytes[off] = (cfg->bytes[off] & ~mask) | (val & mask);
}

/**
 * mimic_config_write() - write config space
 * @v: device
 * @off: first byte
 * @buf: the bytes
 * @len: how many, of any alignment
 *
 * Resets the function if this starts a function-level reset, after all of it is
 * written. A stopped device is not reset.
 *
 * Context: process, may sleep; no lock held. Takes vmig_device.lock,
 * mimic_config.lock and mimic_irqs.lock.
 * Return: 0, or -EINVAL if it ends behind the config space.
 */
int mimic_config_write(struct mimic_vdev *v, u32 off, const void *buf, size_t len)
{
	struct mimic_config *cfg = &v->cfg;
	const u8 *in = buf;
	size_t i;

	if (!mimic_fits(off, len, MIMIC_CFG_SIZE))
		return -EINVAL;
	off = array_index_nospec(off, MIMIC_CFG_SIZE);
	mutex_lock(&cfg->lock);
	for (i = 0; i < len; i++)
		mimic_write_byte(cfg, off + i, in[i]);
	bitmap_set(cfg->by_client, off, len);
	mimic_config_apply(v);
	mutex_unlock(&cfg->lock);

	if (off <= MIMIC_FLR_BYTE && MIMIC_FLR_BYTE - off < len &&
	    (in[MIMIC_FLR_BYTE - off] & MIMIC_FLR_BIT))
		vmig_function_reset(&v->vmig);
	return 0;
}

/* Bits of the MSI-X BAR that a write changes: the entries that exist. */
static u8 mimic_msix_wmask(struct mimic_vdev *v, unsigned int off)
{
	if (off >= v->model->nr_vectors * PCI_MSIX_ENTRY_SIZE)
		return 0;
	switch (off % PCI_MSIX_ENTRY_SIZE) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		return 0xfc;
	case PCI_MSIX_ENTRY_VECTOR_CTRL:
		return PCI_MSIX_ENTRY_CTRL_MASKBIT;
	case PCI_MSIX_ENTRY_VECTOR_CTRL + 1 ... PCI_MSIX_ENTRY_SIZE - 1:
		return 0;
	default:
		return 0xff;
	}
}

/**
 * mimic_config_msix_read() - read the MSI-X BAR
 * @v: device
 * @off: first byte
 * @buf: gets the bytes
 * @len: how many, of any alignment
 *
 * Context: process. Takes mimic_config.lock and mimic_irqs.lock.
 * Return: 0, or -EINVAL if it ends behind the BAR.
 */
int mimic_config_msix_read(struct mimic_vdev *v, u32 off, void *buf, size_t len)
{
	struct mimic_config *cfg = &v->cfg;
	u8 pba[MIMIC_PBA_SIZE];
	u8 *out = buf;
	u32 i;

	if (!mimic_fits(off, len, MIMIC_MSIX_BAR_SIZE))
		return -EINVAL;
	off = array_index_nospec(off, MIMIC_MSIX_BAR_SIZE);
	mutex_lock(&cfg->lock);
	memcpy(out, &cfg->msix_table[off], len);
	mutex_unlock(&cfg->lock);

	mimic_put(pba, 0, MIMIC_PBA_SIZE, mimic_irq_pending(v));
	for (i = 0; i < MIMIC_PBA_SIZE; i++)
		if (MIMIC_MSIX_PBA + i >= off && MIMIC_MSIX_PBA + i - off < len)
			out[MIMIC_MSIX_PBA + i - off] = pba[i];
	return 0;
}

/**
 * mimic_config_msix_write() - write the MSI-X BAR
 * @v: device
 * @off: first byte
 * @buf: the bytes
 * @len: how many, of any alignment
 *
 * The table is storage: whoever delivers the interrupts to the guest looks at
 * its addresses and masks. Pending bits cannot be written.
 *
 * Context: process. Takes mimic_config.lock.
 * Return: 0, or -EINVAL if it ends behind the BAR.
 */
int mimic_config_msix_write(struct mimic_vdev *v, u32 off, const void *buf,
			    size_t len)
{
	struct mimic_config *cfg = &v->cfg;
	const u8 *in = buf;
	size_t i;

	if (!mimic_fits(off, len, MIMIC_MSIX_BAR_SIZE))
		return -EINVAL;
	off = array_index_nospec(off, MIMIC_MSIX_BAR_SIZE);
	mutex_lock(&cfg->lock);
	for (i = 0; i < len; i++) {
		u8 *byte = &cfg->msix_table[off + i];
		u8 mask = mimic_msix_wmask(v, off + i);

		*byte = (*byte & ~mask) | (in[i] & mask);
	}
	mutex_unlock(&cfg->lock);
	return 0;
}

/* --- State: the bytes of the config space, then those of the MSI-X BAR --- */

/**
 * mimic_config_resuming() - a resume begins
 * @v: device at power-on
 *
 * What the client writes from now on stands: mimic_config_load() keeps it.
 *
 * Context: process. Takes mimic_config.lock.
 */
void mimic_config_resuming(struct mimic_vdev *v)
{
	mutex_lock(&v->cfg.lock);
	bitmap_zero(v->cfg.by_client, MIMIC_CFG_SIZE);
	mutex_unlock(&v->cfg.lock);
}

/**
 * mimic_config_save() - write the state
 * @v: device
 * @buf: MIMIC_CONFIG_STATE_SIZE bytes
 *
 * Context: process. Takes mimic_config.lock.
 */
void mimic_config_save(struct mimic_vdev *v, void *buf)
{
	struct mimic_config *cfg = &v->cfg;

	mutex_lock(&cfg->lock);
	memcpy(buf, cfg->bytes, MIMIC_CFG_SIZE);
	memcpy(buf + MIMIC_CFG_SIZE, cfg->msix_table, MIMIC_MSIX_BAR_SIZE);
	mutex_unlock(&cfg->lock);
}

/* Bits that nobody can write must be as ours are. */
static bool mimic_config_is_ours(struct mimic_config *cfg, const u8 *bytes)
{
	unsigned int i;

	lockdep_assert_held(&cfg->lock);
	for (i = 0; i < MIMIC_CFG_SIZE; i++)
		if ((bytes[i] ^ cfg->bytes[i]) & ~cfg->wmask[i])
			return false;
	return mimic_is_power_state(bytes[MIMIC_PM_CTRL]);
}

/**
 * mimic_config_check() - whether a state can be taken
 * @v: device
 * @buf: MIMIC_CONFIG_STATE_SIZE bytes from anybody
 *
 * Context: process. Takes mimic_config.lock.
 * Return: 0 or -EINVAL.
 */
int mimic_config_check(struct mimic_vdev *v, const void *buf)
{
	const u8 *table = buf + MIMIC_CFG_SIZE;
	unsigned int i;
	bool ours;

	mutex_lock(&v->cfg.lock);
	ours = mimic_config_is_ours(&v->cfg, buf);
	mutex_unlock(&v->cfg.lock);
	if (!ours)
		return -EINVAL;
	for (i = 0; i < MIMIC_MSIX_BAR_SIZE; i++)
		if (table[i] & ~mimic_msix_wmask(v, i))
			return -EINVAL;
	return 0;
}

/**
 * mimic_config_load() - take a state
 * @v: stopped device
 * @buf: what mimic_config_check() has accepted
 *
 * Bytes that the client wrote since mimic_config_resuming() stay.
 *
 * Context: process. Takes mimic_config.lock and mimic_irqs.lock.
 */
void mimic_config_load(struct mimic_vdev *v, const void *buf)
{
	struct mimic_config *cfg = &v->cfg;
	const u8 *bytes = buf;
	unsigned int i;

	mutex_lock(&cfg->lock);
	for_each_clear_bit(i, cfg->by_client, MIMIC_CFG_SIZE)
		mimic_write_byte(cfg, i, bytes[i]);
	memcpy(cfg->msix_table, bytes + MIMIC_CFG_SIZE, MIMIC_MSIX_BAR_SIZE);
	mimic_config_apply(v);
	mutex_unlock(&cfg->lock);
}
