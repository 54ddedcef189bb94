// SPDX-License-Identifier: GPL-2.0-only
/*
 * A simulated PCI root bus with one device per parent.
 *
 * The devices have a config space and nothing else: no BAR, no interrupt, no
 * DMA. That is enough for mdev to hang instances on, and it is what lspci,
 * mdevctl and libvirt want to see, which accept a parent only on a real bus.
 *
 * The bus is alone in its domain, so that no address on it can collide with a
 * device of the machine. The domain is at most 0xffff, since longer ones break
 * tools that expect four digits. A slot is a parent, and has function 0 only.
 *
 * x86 only: there a root bus learns its domain from struct pci_sysdata.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/numa.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "mimic.h"

/* Tried first. Small numbers are the firmware's, so stay clear of them. */
#define MIMIC_DOMAIN_FIRST	0x4d49
#define MIMIC_DOMAIN_LAST	0xffff

/* Base class "processing accelerator", which has no sub-classes. */
#define MIMIC_PARENT_CLASS	0x120000

/**
 * struct mimic_slot - config space of a parent
 * @bytes: what reads return
 * @wmask: bits that writes change
 */
struct mimic_slot {
	u8 bytes[MIMIC_CFG_SIZE];
	u8 wmask[MIMIC_CFG_SIZE];
};

/**
 * struct mimic_bus - the bus
 * @lock: protects the content of @slots; raw as the PCI core's own, under which
 *	it is taken on kernels that have one around config accesses
 * @sysdata: tells x86 the domain
 * @busn: range of bus numbers, which is just 0
 * @bus: the root bus
 * @nr_slots: slots with a device, from 0 on
 * @slots: their config space
 */
static struct mimic_bus {
	raw_spinlock_t lock; /* protects the content of slots */
	struct pci_sysdata sysdata;
	struct resource busn;
	struct pci_bus *bus;
	unsigned int nr_slots;
	struct mimic_slot *slots;
} mimic_bus = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(mimic_bus.lock),
	.sysdata = { .node = NUMA_NO_NODE },
	.busn = { .name = "mimic bus", .flags = IORESOURCE_BUS },
};

/* The slot that an access goes to, or NULL if nothing answers there. */
static struct mimic_slot *mimic_slot_of(unsigned int devfn, int where, int size)
{
	if (PCI_FUNC(devfn) || PCI_SLOT(devfn) >= mimic_bus.nr_slots)
		return NULL;
	if (where < 0 || where > MIMIC_CFG_SIZE - size)
		return NULL;
	return &mimic_bus.slots[PCI_SLOT(devfn)];
}

static int mimic_pci_read(struct pci_bus *bus, unsigned int devfn, int where,
			  int size, u32 *val)
{
	struct mimic_slot *slot = mimic_slot_of(devfn, where, size);
	unsigned long flags;
	int i;

	if (!slot) {
		*val = ~0U;
		return PCIBIOS_DEVICE_NOT_FOUND;
	}
	*val = 0;
	raw_spin_lock_irqsave(&mimic_bus.lock, flags);
	for (i = 0; i < size; i++)
		*val |= (u32)slot->bytes[where + i] << (8 * i);
	raw_spin_unlock_irqrestore(&mimic_bus.lock, flags);
	return PCIBIOS_SUCCESSFUL;
}

static int mimic_pci_write(struct pci_bus *bus, unsigned int devfn, int where,
			   int size, u32 val)
{
	struct mimic_slot *slot = mimic_slot_of(devfn, where, size);
	unsigned long flags;
	int i;

	if (!slot)
		return PCIBIOS_DEVICE_NOT_FOUND;
	raw_spin_lock_irqsave(&mimic_bus.lock, flags);
	for (i = 0; i < size; i++) {
		u8 *byte = &slot->bytes[where + i];
		u8 mask = slot->wmask[where + i];

		*byte = (*byte & ~mask) | ((val >> (8 * i)) & mask);
	}
	raw_spin_unlock_irqrestore(&mimic_bus.lock, flags);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops mimic_pci_ops = {
	.read	= mimic_pci_read,
	.write	= mimic_pci_write,
};

static void mimic_slot_put(u8 *bytes, unsigned int off, int size, u32 val)
{
	for (; size; size--, val >>= 8)
		bytes[off++] = val;
}

static void mimic_slot_init(struct mimic_slot *slot, unsigned int sku)
{
	mimic_slot_put(slot->bytes, PCI_VENDOR_ID, 2, MIMIC_PCI_VENDOR_ID);
	mimic_slot_put(slot->bytes, PCI_DEVICE_ID, 2, MIMIC_SKU_DEVICE_ID(sku));
	mimic_slot_put(slot->bytes, PCI_CLASS_REVISION, 4,
		       MIMIC_PARENT_CLASS << 8);
	mimic_slot_put(slot->bytes, PCI_SUBSYSTEM_VENDOR_ID, 2,
		       MIMIC_PCI_VENDOR_ID);
	mimic_slot_put(slot->bytes, PCI_SUBSYSTEM_ID, 2,
		       MIMIC_SKU_DEVICE_ID(sku));
	mimic_slot_put(slot->wmask, PCI_COMMAND, 2,
		       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		       PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
		       PCI_COMMAND_INTX_DISABLE);
	mimic_slot_put(slot->wmask, PCI_CACHE_LINE_SIZE, 1, 0xff);
	mimic_slot_put(slot->wmask, PCI_LATENCY_TIMER, 1, 0xff);
	mimic_slot_put(slot->wmask, PCI_INTERRUPT_LINE, 1, 0xff);
}

/* Every third parent is of SKU B (1), all others are of SKU A (0). */
static unsigned int mimic_slot_sku(unsigned int slot)
{
	return slot % 3 == 2;
}

static bool mimic_domain_is_used(int domain)
{
	struct pci_bus *bus = NULL;

	while ((bus = pci_find_next_bus(bus)))
		if (pci_domain_nr(bus) == domain)
			return true;
	return false;
}

static int mimic_find_domain(void)
{
	int domain;

	for (domain = MIMIC_DOMAIN_FIRST; domain <= MIMIC_DOMAIN_LAST; domain++)
		if (!mimic_domain_is_used(domain))
			return domain;
	return -EBUSY;
}

/* The caller has locked out other changes to the tree of PCI devices. */
static int mimic_bus_scan(void)
{
	LIST_HEAD(resources);
	int domain;

	domain = mimic_find_domain();
	if (domain < 0)
		return domain;
	mimic_bus.sysdata.domain = domain;
	pci_add_resource(&resources, &mimic_bus.busn);
	mimic_bus.bus = pci_scan_root_bus(NULL, 0, &mimic_pci_ops,
					  &mimic_bus.sysdata, &resources);
	if (!mimic_bus.bus) {
		pci_free_resource_list(&resources);
		return -ENOMEM;
	}
	pci_bus_add_devices(mimic_bus.bus);
	return 0;
}

/**
 * mimic_bus_init() - plug the parents in
 * @nr_parents: how many, 1 to MIMIC_MAX_PARENTS
 *
 * The PCI driver binds to them before this returns.
 *
 * Context: process, may sleep.
 * Return: 0, -ENOMEM, or -EBUSY if no PCI domain is free.
 */
int mimic_bus_init(unsigned int nr_parents)
{
	unsigned int i;
	int ret;

	BUILD_BUG_ON(PCI_SLOT(~0U) + 1 < MIMIC_MAX_PARENTS);
	mimic_bus.slots = kcalloc(nr_parents, sizeof(*mimic_bus.slots),
				  GFP_KERNEL);
	if (!mimic_bus.slots)
		return -ENOMEM;
	for (i = 0; i < nr_parents; i++)
		mimic_slot_init(&mimic_bus.slots[i], mimic_slot_sku(i));
	mimic_bus.nr_slots = nr_parents;

	pci_lock_rescan_remove();
	ret = mimic_bus_scan();
	pci_unlock_rescan_remove();
	if (ret)
		kfree(mimic_bus.slots);
	return ret;
}

/**
 * mimic_bus_exit() - unplug the parents
 *
 * Context: process, may sleep. Unbinds the driver from each of them, which
 * removes their instances.
 */
void mimic_bus_exit(void)
{
	pci_lock_rescan_remove();
	pci_stop_root_bus(mimic_bus.bus);
	pci_remove_root_bus(mimic_bus.bus);
	pci_unlock_rescan_remove();
	kfree(mimic_bus.slots);
}
