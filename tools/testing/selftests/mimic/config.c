// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space: a well-behaved PCI Express endpoint. What may be written is
 * tabulated here from the PCI specifications, for every byte; all the rest has
 * to be read-only.
 */
#include "accel_test.h"

#define CFG_SIZE	256

FIXTURE(config) {
	struct vfc_dev d;
	__u8 pm, exp, msix;
	__u8 rw[CFG_SIZE];
};

static void writable(__u8 *rw, unsigned int off, __u32 mask, int bytes)
{
	int i;

	for (i = 0; i < bytes; i++)
		rw[off + i] = mask >> (8 * i);
}

/*
 * Command: no I/O BAR, so no I/O decode. Cache line size is writable although
 * it means nothing in PCI Express; the latency timer is not. The payload is
 * fixed at 128 bytes, so that the field for it is, too.
 */
static void table(__u8 *rw, __u8 pm, __u8 exp, __u8 msix, __u64 mem)
{
	__u64 mem_mask = ~(mem - 1);

	memset(rw, 0, CFG_SIZE);
	writable(rw, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		 PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
		 PCI_COMMAND_INTX_DISABLE, 2);
	writable(rw, PCI_CACHE_LINE_SIZE, 0xff, 1);
	writable(rw, PCI_BASE_ADDRESS_0, 0xfffff000, 4);
	writable(rw, PCI_BASE_ADDRESS_2, (__u32)mem_mask, 4);
	writable(rw, PCI_BASE_ADDRESS_3, (__u32)(mem_mask >> 32), 4);
	writable(rw, PCI_BASE_ADDRESS_4, 0xfffff000, 4);
	writable(rw, PCI_INTERRUPT_LINE, 0xff, 1);
	writable(rw, pm + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK, 2);
	writable(rw, exp + PCI_EXP_DEVCTL,
		 PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
		 PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
		 PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
		 PCI_EXP_DEVCTL_READRQ, 2);
	writable(rw, exp + PCI_EXP_LNKCTL,
		 PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB |
		 PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES, 2);
	writable(rw, exp + PCI_EXP_DEVCTL2, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS, 2);
	writable(rw, msix + PCI_MSIX_FLAGS,
		 PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 2);
}

FIXTURE_SETUP(config)
{
	struct vfc_dev *d = &self->d;

	at_open(_metadata, d, "VFIO_DEV");
	self->pm = at_cap(_metadata, d, PCI_CAP_ID_PM);
	self->exp = at_cap(_metadata, d, PCI_CAP_ID_EXP);
	self->msix = at_cap(_metadata, d, PCI_CAP_ID_MSIX);
	ASSERT_LE(0x40, self->pm);
	ASSERT_LE(0x40, self->exp);
	ASSERT_LE(0x40, self->msix);
	table(self->rw, self->pm, self->exp, self->msix,
	      at_region_size(d, AT_MEM));
}

FIXTURE_TEARDOWN(config)
{
	vfc_close(&self->d);
}

/* The byte whose topmost bit starts a function-level reset. */
static bool is_flr(unsigned int exp, unsigned int off)
{
	return off == exp + PCI_EXP_DEVCTL + 1u;
}

static __u8 ones_for(unsigned int exp, unsigned int off)
{
	return is_flr(exp, off) ? 0x7f : 0xff;
}

TEST_F(config, ids_and_class)
{
	struct vfc_dev *d = &self->d;

	ASSERT_EQ(MIMIC_PCI_VENDOR_ID, CFG16(PCI_VENDOR_ID));
	ASSERT_EQ(MIMIC_ACCEL_PCI_DEVICE_ID, CFG16(PCI_DEVICE_ID));
	ASSERT_EQ(0x12, CFG8(PCI_CLASS_DEVICE + 1));	/* accelerator */
	ASSERT_EQ(PCI_HEADER_TYPE_NORMAL, CFG8(PCI_HEADER_TYPE));
	ASSERT_EQ(MIMIC_PCI_VENDOR_ID, CFG16(PCI_SUBSYSTEM_VENDOR_ID));
	ASSERT_EQ(1, CFG8(PCI_INTERRUPT_PIN));
	ASSERT_EQ(0, CFG8(PCI_BIST));
	ASSERT_EQ(0, CFG32(PCI_CARDBUS_CIS));
	ASSERT_EQ(CFG_SIZE, at_region_size(d, AT_CFG));
}

/* As after power-on nothing decodes, and nobody does DMA. */
TEST_F(config, reset_values)
{
	struct vfc_dev *d = &self->d;

	ASSERT_EQ(0, vfc_reset(d));
	ASSERT_EQ(0, CFG16(PCI_COMMAND));
	ASSERT_EQ(PCI_STATUS_CAP_LIST, CFG16(PCI_STATUS));
	ASSERT_EQ(0, CFG8(PCI_CACHE_LINE_SIZE));
	ASSERT_EQ(0, CFG8(PCI_INTERRUPT_LINE));
	ASSERT_EQ(PCI_BASE_ADDRESS_MEM_TYPE_32, CFG32(PCI_BASE_ADDRESS_0));
	ASSERT_EQ(PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH,
		  CFG32(PCI_BASE_ADDRESS_2));
	ASSERT_EQ(0, CFG32(PCI_BASE_ADDRESS_3));
	ASSERT_EQ(0, CFG16(self->msix + PCI_MSIX_FLAGS) &
		  (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL));
	ASSERT_EQ(0, CFG16(self->pm + PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK);
	/* What the specification asks of the control register's reset value. */
	ASSERT_EQ(PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
		  PCI_EXP_DEVCTL_READRQ_512B,
		  CFG16(self->exp + PCI_EXP_DEVCTL));
}

TEST_F(config, capability_list_well_formed)
{
	static const struct {
		__u8 id, size;
	} sizes[] = {
		{ PCI_CAP_ID_PM, PCI_PM_SIZEOF },
		{ PCI_CAP_ID_EXP, PCI_CAP_EXP_ENDPOINT_SIZEOF_V2 },
		{ PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF },
	};
	struct vfc_dev *d = &self->d;
	__u8 used[CFG_SIZE] = {}, seen[256] = {};
	unsigned int i, k, n = 0, size;
	__u8 pos;

	ASSERT_TRUE(CFG16(PCI_STATUS) & PCI_STATUS_CAP_LIST);
	for (pos = CFG8(PCI_CAPABILITY_LIST); pos; pos = CFG8(pos + 1)) {
		ASSERT_LE(0x40, pos);
		ASSERT_EQ(0, pos & 3);
		ASSERT_GT(48, ++n);
		ASSERT_EQ(0, seen[CFG8(pos)]++);
		for (i = 0, size = 2; i < ARRAY_SIZE(sizes); i++)
			if (sizes[i].id == CFG8(pos))
				size = sizes[i].size;
		ASSERT_GE(CFG_SIZE, pos + size);
		for (k = 0; k < size; k++)
			ASSERT_EQ(0, used[pos + k]++);
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		ASSERT_EQ(1, seen[sizes[i].id]);
	/* Messages are by MSI-X alone. */
	ASSERT_EQ(0, seen[PCI_CAP_ID_MSI]);
}

TEST_F(config, capabilities_say_what_they_should)
{
	struct vfc_dev *d = &self->d;
	__u16 flags = CFG16(self->exp + PCI_EXP_FLAGS);
	__u32 lnk;

	ASSERT_EQ(3, CFG16(self->pm + PCI_PM_PMC) & PCI_PM_CAP_VER_MASK);
	ASSERT_EQ(0, CFG16(self->pm + PCI_PM_PMC) & PCI_PM_CAP_PME_MASK);
	ASSERT_TRUE(CFG16(self->pm + PCI_PM_CTRL) & PCI_PM_CTRL_NO_SOFT_RESET);
	ASSERT_EQ(2, flags & PCI_EXP_FLAGS_VERS);
	ASSERT_EQ(PCI_EXP_TYPE_ENDPOINT, (flags & PCI_EXP_FLAGS_TYPE) >> 4);
	ASSERT_TRUE(CFG32(self->exp + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR);
	ASSERT_TRUE(CFG32(self->exp + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_RBER);
	lnk = CFG32(self->exp + PCI_EXP_LNKCAP);
	ASSERT_EQ((lnk & PCI_EXP_LNKCAP_MLW) >> 4,
		  (CFG16(self->exp + PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_NLW) >> 4);
	ASSERT_EQ(MIMIC_ACCEL_NR_VECTORS - 1,
		  CFG16(self->msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE);
	ASSERT_EQ(AT_MSIX, CFG32(self->msix + PCI_MSIX_TABLE));
	ASSERT_EQ(0x800 | AT_MSIX, CFG32(self->msix + PCI_MSIX_PBA));
}

/*
 * Write ones and zeros to each byte. D1 and D2 do not exist, so that the byte
 * of the power state is written as a whole here, to D3hot and D0.
 */
TEST_F(config, write_mask_of_every_byte)
{
	struct vfc_dev *d = &self->d;
	__u8 old, ones, rw;
	unsigned int i;

	for (i = 0; i < CFG_SIZE; i++) {
		rw = self->rw[i];
		old = CFG8(i);
		ones = ones_for(self->exp, i);
		SETCFG8(i, ones);
		ASSERT_EQ((old & ~rw) | (ones & rw), CFG8(i))
			TH_LOG("offset %02x after ones", i);
		SETCFG8(i, 0);
		ASSERT_EQ(old & ~rw, CFG8(i))
			TH_LOG("offset %02x after zero", i);
		SETCFG8(i, old);
		ASSERT_EQ(old, CFG8(i));
	}
}

/* By words of 2 and 4 bytes at every offset, aligned or not. */
TEST_F(config, write_mask_unaligned)
{
	struct vfc_dev *d = &self->d;
	__u8 before[CFG_SIZE], data[4], now[4];
	unsigned int i, k, width;
	ssize_t n;

	ASSERT_EQ(CFG_SIZE, vfc_region_read(d, AT_CFG, 0, before, CFG_SIZE));
	for (width = 2; width <= 4; width += 2) {
		for (i = 0; i + width <= CFG_SIZE; i++) {
			for (k = 0; k < width; k++)
				data[k] = ones_for(self->exp, i + k);
			n = width;
			ASSERT_EQ(n, vfc_region_write(d, AT_CFG, i, data, n));
			ASSERT_EQ(n, vfc_region_read(d, AT_CFG, i, now, n));
			for (k = 0; k < width; k++)
				ASSERT_EQ((before[i + k] & ~self->rw[i + k]) |
					  (data[k] & self->rw[i + k]), now[k])
					TH_LOG("%u bytes at %02x", width, i);
			ASSERT_EQ(n, vfc_region_write(d, AT_CFG, i, before + i,
						      n));
		}
	}
	for (i = 0; i < CFG_SIZE; i++)
		ASSERT_EQ(before[i], CFG8(i));
}

TEST_F(config, reads_agree_at_any_width)
{
	struct vfc_dev *d = &self->d;
	__u8 all[CFG_SIZE], part[CFG_SIZE];
	unsigned int i;
	ssize_t n;

	ASSERT_EQ(CFG_SIZE, vfc_region_read(d, AT_CFG, 0, all, CFG_SIZE));
	for (i = 0; i < CFG_SIZE; i++) {
		for (n = 1; n <= 8 && i + n <= CFG_SIZE; n++) {
			ASSERT_EQ(n, vfc_region_read(d, AT_CFG, i, part, n));
			ASSERT_EQ(0, memcmp(all + i, part, n));
		}
	}
	/* At the end they are cut, and behind it there is nothing. */
	ASSERT_EQ(2, vfc_region_read(d, AT_CFG, CFG_SIZE - 2, part, 4));
	ASSERT_EQ(-EINVAL, vfc_region_read(d, AT_CFG, CFG_SIZE, part, 1));
	ASSERT_EQ(-EINVAL, vfc_region_write(d, AT_CFG, CFG_SIZE, part, 1));
	ASSERT_EQ(-EINVAL, vfc_region_read(d, AT_CFG, 1u << 30, part, 4));
}

TEST_F(config, whole_space_in_one_write)
{
	struct vfc_dev *d = &self->d;
	__u8 before[CFG_SIZE], data[CFG_SIZE], now[CFG_SIZE];
	unsigned int i;

	ASSERT_EQ(CFG_SIZE, vfc_region_read(d, AT_CFG, 0, before, CFG_SIZE));
	for (i = 0; i < CFG_SIZE; i++)
		data[i] = ones_for(self->exp, i);
	ASSERT_EQ(CFG_SIZE, vfc_region_write(d, AT_CFG, 0, data, CFG_SIZE));
	ASSERT_EQ(CFG_SIZE, vfc_region_read(d, AT_CFG, 0, now, CFG_SIZE));
	for (i = 0; i < CFG_SIZE; i++)
		ASSERT_EQ((before[i] & ~self->rw[i]) |
			  (data[i] & self->rw[i]), now[i])
			TH_LOG("offset %02x", i);
	ASSERT_EQ(CFG_SIZE, vfc_region_write(d, AT_CFG, 0, before, CFG_SIZE));
	ASSERT_EQ(CFG_SIZE, vfc_region_read(d, AT_CFG, 0, now, CFG_SIZE));
	ASSERT_EQ(0, memcmp(before, now, CFG_SIZE));
}

/* What firmware does: ones to the address, the size from what sticks. */
TEST_F(config, bar_sizing)
{
	struct vfc_dev *d = &self->d;
	__u64 size, mask, addr;
	__u32 lo;
	int i;

	for (i = 0; i < 6; i++) {
		unsigned int off = PCI_BASE_ADDRESS_0 + 4 * i;

		lo = CFG32(off);
		SETCFG32(off, 0xffffffff);
		mask = CFG32(off) & PCI_BASE_ADDRESS_MEM_MASK;
		size = at_region_size(d, i);
		if (!mask) {
			ASSERT_EQ(0, CFG32(off));
			ASSERT_EQ(0, size);
			continue;
		}
		ASSERT_EQ(0, lo & PCI_BASE_ADDRESS_SPACE_IO);
		if (lo & PCI_BASE_ADDRESS_MEM_TYPE_64) {
			SETCFG32(off + 4, 0xffffffff);
			mask |= (__u64)CFG32(off + 4) << 32;
			ASSERT_EQ(0, at_region_size(d, i + 1));
		} else {
			mask |= 0xffffffff00000000ull;
		}
		ASSERT_EQ(size, ~mask + 1);
		/* An address is kept, down to its alignment. */
		addr = 0x1234567800000000ull + size;
		SETCFG32(off, (__u32)addr);
		ASSERT_EQ((__u32)addr | (lo & 0xf), CFG32(off));
		if (lo & PCI_BASE_ADDRESS_MEM_TYPE_64) {
			SETCFG32(off + 4, (__u32)(addr >> 32));
			ASSERT_EQ((__u32)(addr >> 32), CFG32(off + 4));
			i++;
		}
	}
	ASSERT_EQ(MIMIC_ACCEL_REGS_SIZE, at_region_size(d, AT_REGS));
	ASSERT_EQ(4096, at_region_size(d, AT_MSIX));
	ASSERT_EQ(REG64(MIMIC_ACCEL_MEM_SIZE_LO), at_region_size(d, AT_MEM));
	SETCFG32(PCI_ROM_ADDRESS, 0xffffffff);
	ASSERT_EQ(0, CFG32(PCI_ROM_ADDRESS));
	ASSERT_EQ(0, at_region_size(d, VFIO_PCI_ROM_REGION_INDEX));
}

/* Where a BAR is does not matter to who has the device open. */
TEST_F(config, bar_addresses_have_no_effect)
{
	struct vfc_dev *d = &self->d;

	SETREG(MIMIC_ACCEL_SCRATCH, 77);
	SETCFG32(PCI_BASE_ADDRESS_0, 0xfebf0000);
	ASSERT_EQ(77, REG(MIMIC_ACCEL_SCRATCH));
	SETCFG32(PCI_BASE_ADDRESS_0, 0);
	ASSERT_EQ(77, REG(MIMIC_ACCEL_SCRATCH));
}

/* D3hot: config space only. D0 again: nothing was lost. D1, D2: no. */
TEST_F(config, power_states)
{
	struct vfc_dev *d = &self->d;
	__u32 off = self->pm + PCI_PM_CTRL;
	__u32 v;
	int s;

	SETREG(MIMIC_ACCEL_SCRATCH, 0x1234);
	WRITE_MEM(4096, "abcd", 4);
	for (s = 1; s <= 2; s++) {
		SETCFG16(off, (CFG16(off) & ~PCI_PM_CTRL_STATE_MASK) | s);
		ASSERT_EQ(0, CFG16(off) & PCI_PM_CTRL_STATE_MASK);
		ASSERT_EQ(0x1234, REG(MIMIC_ACCEL_SCRATCH));
	}
	SETCFG16(off, CFG16(off) | 3);
	ASSERT_EQ(3, CFG16(off) & PCI_PM_CTRL_STATE_MASK);
	ASSERT_EQ(-EIO, vfc_region_read(d, AT_REGS, MIMIC_ACCEL_ID, &v, 4));
	ASSERT_EQ(-EIO, vfc_region_write(d, AT_MEM, 0, &v, 4));
	ASSERT_EQ(MIMIC_PCI_VENDOR_ID, CFG16(PCI_VENDOR_ID));
	ASSERT_EQ(AT_ON, CFG16(PCI_COMMAND) & AT_ON);
	SETCFG16(off, CFG16(off) & ~PCI_PM_CTRL_STATE_MASK);
	ASSERT_EQ(0x1234, REG(MIMIC_ACCEL_SCRATCH));
	READ_MEM(4096, &v, 4);
	ASSERT_EQ(0, memcmp(&v, "abcd", 4));
}

/* DEV-02: config space answers in every state, and takes writes. */
TEST_F(config, DEV_02_config_space_in_every_state)
{
	static const __u32 states[] = { VFC_RUNNING, VFC_STOP, VFC_SAVING,
					VFC_STOP, VFC_RESUMING };
	struct vfc_dev *d = &self->d;
	unsigned int i;

	if (d->mig_index < 0)
		SKIP(return, AT_NO_MIGRATION);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		AT_STATE(states[i]);
		ASSERT_EQ(MIMIC_PCI_VENDOR_ID, CFG16(PCI_VENDOR_ID));
		SETCFG8(PCI_INTERRUPT_LINE, 0x40 + i);
		ASSERT_EQ(0x40 + i, CFG8(PCI_INTERRUPT_LINE));
		SETCFG16(self->msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
		at_enable(_metadata, d);
		AT_WRITE(AT_MSIX, 0, __u32, 0xfee00000 + 16 * i);
		ASSERT_EQ(0xfee00000 + 16 * i, AT_READ(AT_MSIX, 0, __u32));
	}
	ASSERT_EQ(0, vfc_reset(d));
}

TEST_HARNESS_MAIN
