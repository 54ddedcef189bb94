/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mimic: simulated PCI parents and the mediated devices on them.
 *
 *   main.c    module parameters, registration order
 *   bus.c     the simulated root bus and its PCI devices (config space only)
 *   parent.c  pci_driver of the parents: SKUs, types, capacity
 *   sysfs.c   migration_version on types and devices
 *   vdev.c    the mdev driver and the VFIO device: open, regions, ioctls
 *   config.c  PCI config space that the client sees
 *   irq.c     INTx, MSI-X, ERR and REQ by what SET_IRQS set up
 *   dma.c     access to guest memory
 *   log.c     which guest memory was written
 *   models/   the device models
 *
 * A model knows registers, memory, DMA and interrupts. It never sees a
 * migration: it is told what it may do (set_run), and gives and takes its
 * register state as one block.
 */
#ifndef _MIMIC_H
#define _MIMIC_H

#include <linux/eventfd.h>
#include <linux/mdev.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/vfio.h>
#include <linux/vmig.h>
#include <uapi/linux/mimic.h>

#define MIMIC_NAME		"mimic"
#define MIMIC_CFG_SIZE		256
#define MIMIC_MAX_PARENTS	32
#define MIMIC_MAX_VECTORS	32
#define MIMIC_MSIX_BAR_SIZE	4096
#define MIMIC_MSIX_PBA		0x800

/* BARs of every model. */
#define MIMIC_BAR_REGS		0
#define MIMIC_BAR_MEM		2	/* 64 bits: BAR 3 is its upper half */
#define MIMIC_BAR_MSIX		4

/* Region offsets in the device file: the region's index is in the high bits. */
#define MIMIC_REGION_SHIFT	40
#define MIMIC_REGION_MASK	((1ULL << MIMIC_REGION_SHIFT) - 1)
#define MIMIC_REGION_MIGRATION	VFIO_PCI_NUM_REGIONS
#define MIMIC_NR_REGIONS	(VFIO_PCI_NUM_REGIONS + 1)

/* Ids of the objects in the stream, see vmig.h. */
#define MIMIC_OBJ_CONFIG	1	/* config space and MSI-X table */
#define MIMIC_OBJ_IRQ		2	/* interrupts that wait for delivery */
#define MIMIC_OBJ_MODEL		3	/* the model's registers */
#define MIMIC_OBJ_MEM		16	/* device memory */

struct mimic_vdev;

/**
 * struct mimic_share - a type that each parent has of a model
 * @suffix: end of the type's name, behind the model's
 * @title: for people, behind the model's name and what follows from the below
 * @parts: an instance has one of so many equal parts of the parent's memory, as
 *	device memory in BAR2; 0: it has @state instead
 * @state: bytes of state that no BAR shows, and only the model can change
 * @uniform: that state is uniform memory, see vmig_mem_init_uniform()
 * @section_size: bytes of the v1 data section, as in struct vmig_config
 * @migratable: instances can migrate
 */
struct mimic_share {
	const char *suffix;
	const char *title;
	unsigned int parts;
	u64 state;
	bool uniform;
	u32 section_size;
	bool migratable;
};

/**
 * struct mimic_model - a device model
 * @name: part of type names and of the version string
 * @nr_shares: entries of @shares
 * @shares: the types of it that each parent has
 * @pci_device: PCI device id that the guest sees, under MIMIC_PCI_VENDOR_ID
 * @pci_revision: PCI revision id
 * @pci_class: 24-bit PCI class code
 * @nr_vectors: MSI-X vectors, 1 to MIMIC_MAX_VECTORS
 * @regs_size: bytes of BAR0, a power of two, at least 4096
 * @state_size: bytes of @save's block, up to VMIG_BLOB_MAX
 * @nr_params: entries of @params
 * @params: goes into the version string, behind what the core puts there
 * @init: Mandatory. Allocate what the model keeps per device (mimic_vdev.priv)
 *	and put it to power-on. Process context, nobody uses the device yet.
 *	0 or a negative errno.
 * @fini: Mandatory. Undo @init; the device is stopped for good. May wait for
 *	the model's workers, whose DMA targets are gone.
 * @set_run: Mandatory. See struct vmig_ops: must not fail, must not wait for
 *	user space, and has drained what it forbids when it returns.
 * @flush: Mandatory. Wait until no worker of the model is in a mimic_dma_*()
 *	call. The device is stopped, and stays so; called when the last client
 *	closes it, before guest memory goes away. May wait for user space. No lock
 *	held.
 * @reset: Mandatory. Registers to power-on. Runs under VMIG_RUN_NONE. INTx and
 *	pending messages are cleared by the core.
 * @read: Mandatory. Read the 32-bit register at @off (a multiple of 4 below
 *	@regs_size). Process context, no lock held, also while stopped.
 * @write: Mandatory. Likewise.
 * @ignored: Mandatory. An access was ignored by the core: count it.
 * @save: Mandatory. Write the register state, @state_size bytes, fixed little
 *	endian layout, to a zeroed buffer. The device is stopped. Cannot fail.
 * @check: Mandatory. 0 if @load could take the block, else -EINVAL. Changes
 *	nothing; the block comes from a hostile writer, and after @load every
 *	invariant of the model must hold.
 * @load: Mandatory. Take a block that @check has accepted; the device is at
 *	power-on and stopped. Cannot fail.
 *
 * @set_run, @reset, @save, @check and @load are called with vmig_device.lock
 * held.
 */
struct mimic_model {
	const char *name;
	unsigned int nr_shares;
	const struct mimic_share *shares;
	u16 pci_device;
	u8 pci_revision;
	u32 pci_class;
	unsigned int nr_vectors;
	u32 regs_size;
	u32 state_size;
	unsigned int nr_params;
	struct vmig_param params[4];
	int (*init)(struct mimic_vdev *v);
	void (*fini)(struct mimic_vdev *v);
	void (*set_run)(struct mimic_vdev *v, enum vmig_run run);
	void (*flush)(struct mimic_vdev *v);
	void (*reset)(struct mimic_vdev *v);
	u32 (*read)(struct mimic_vdev *v, u32 off);
	void (*write)(struct mimic_vdev *v, u32 off, u32 val);
	void (*ignored)(struct mimic_vdev *v);
	void (*save)(struct mimic_vdev *v, void *buf);
	int (*check)(struct mimic_vdev *v, const void *buf);
	void (*load)(struct mimic_vdev *v, const void *buf);
};

extern const struct mimic_model mimic_accel_model;
extern const struct mimic_model mimic_probe_model;

/**
 * struct mimic_type - an mdev type of a parent
 * @mdev: what mdev knows of it
 * @parent: whose type it is
 * @model: device model
 * @share: what the type is made from; if it is migratable, the type has a
 *	migration_version
 * @mem_size: bytes of memory of an instance: device memory, or state
 * @takes: bytes of the parent's capacity that an instance takes, not 0
 * @ident: what decides compatibility; valid if the share is migratable
 * @sysfs_name: storage of mdev.sysfs_name
 * @pretty_name: storage of mdev.pretty_name
 */
struct mimic_type {
	struct mdev_type mdev;
	struct mimic_parent *parent;
	const struct mimic_model *model;
	const struct mimic_share *share;
	u64 mem_size;
	u64 takes;
	struct vmig_ident ident;
	char sysfs_name[32];
	char pretty_name[64];
};

#define MIMIC_MAX_TYPES		32

/**
 * struct mimic_parent - a simulated PCI parent that is bound to the driver
 * @pdev: the PCI device
 * @mdev: what mdev knows of it
 * @lock: protects @used
 * @capacity: bytes of memory to give to instances
 * @used: bytes given to instances
 * @nr_types: entries of @types and @type_ptrs
 * @types: the types
 * @type_ptrs: the same, as mdev_register_parent() wants them
 */
struct mimic_parent {
	struct pci_dev *pdev;
	struct mdev_parent mdev;
	struct mutex lock; /* protects used */
	u64 capacity;
	u64 used;
	unsigned int nr_types;
	struct mimic_type types[MIMIC_MAX_TYPES];
	struct mdev_type *type_ptrs[MIMIC_MAX_TYPES];
};

/**
 * struct mimic_irqs - interrupts of a device
 * @gate: serializes SET_IRQS; outside @lock
 * @lock: protects all members but @gate and @intx_unmask; taken in any context,
 *	innermost, and never held while an eventfd is signalled
 * @running: the device may interrupt
 * @intx_on: the client has set up INTx
 * @intx: eventfd of INTx
 * @intx_unmask: unmasks INTx when signalled (irqfd resample); VFIO protects it
 * @intx_masked: by the client, or automatically when it was delivered
 * @intx_level: what the model asserts
 * @intx_disable: PCI_COMMAND forbids INTx
 * @msix: eventfds by vector
 * @msix_on: the client has set up MSI-X
 * @msix_enable: config space has MSI-X enabled
 * @msix_pending: vectors raised that could not be delivered yet
 * @err: ERR eventfd
 * @req: REQ eventfd
 */
struct mimic_irqs {
	struct mutex gate; /* serializes SET_IRQS */
	spinlock_t lock; /* protects all but gate and intx_unmask */
	bool running;
	bool intx_on;
	struct eventfd_ctx *intx;
	struct virqfd *intx_unmask;
	bool intx_masked;
	bool intx_level;
	bool intx_disable;
	struct eventfd_ctx *msix[MIMIC_MAX_VECTORS];
	bool msix_on;
	bool msix_enable;
	u32 msix_pending;
	struct eventfd_ctx *err;
	struct eventfd_ctx *req;
};

/**
 * struct mimic_config - config space of a device
 * @lock: protects all members
 * @bytes: what reads return
 * @wmask: bits that writes change
 * @by_client: bytes that the client wrote since a resume began, which a
 *	commit leaves alone
 * @msix_table: content of the MSI-X BAR; storage only
 */
struct mimic_config {
	struct mutex lock; /* protects all of this */
	u8 bytes[MIMIC_CFG_SIZE];
	u8 wmask[MIMIC_CFG_SIZE];
	DECLARE_BITMAP(by_client, MIMIC_CFG_SIZE);
	u8 msix_table[MIMIC_MSIX_BAR_SIZE];
};

#define MIMIC_NR_PAUSES		8

/**
 * struct mimic_pause - guest memory that is being unmapped
 * @first: begin of the range
 * @last: its last byte
 * @until: jiffies until which it is not pinned
 * @pinned: it was pinned since
 * @asked: how often VFIO has asked for it again, because it was
 */
struct mimic_pause {
	u64 first;
	u64 last;
	unsigned long until;
	bool pinned;
	unsigned int asked;
};

/**
 * struct mimic_pins - guest memory that is pinned just now
 * @lock: protects all members but @wait
 * @held: pins that are held or being made
 * @pauses: ranges that were unmapped last
 * @wait: woken when a pin is gone
 */
struct mimic_pins {
	spinlock_t lock; /* protects all but wait */
	struct list_head held;
	struct mimic_pause pauses[MIMIC_NR_PAUSES];
	wait_queue_head_t wait;
};

struct mem_cgroup;
struct mimic_log_block;
struct mimic_log_range;

/**
 * struct mimic_log - log of guest memory that the device has written
 * @gate: serializes start and stop of the log; outside @lock
 * @lock: protects all members but @gate and @memcg, and what is in @blocks; taken
 *	inside a model's lock, innermost
 * @on: there is a log
 * @shift: size of a page of it, as a power of two
 * @nr_ranges: entries of @ranges
 * @ranges: what is logged, in order, with gaps between
 * @blocks: marks of pages, by address
 * @memcg: pays for @blocks; set and cleared while there is no pin
 */
struct mimic_log {
	struct mutex gate; /* serializes start and stop */
	spinlock_t lock; /* protects all but gate and memcg */
	bool on;
	unsigned int shift;
	unsigned int nr_ranges;
	struct mimic_log_range *ranges;
	struct rb_root blocks;
	struct mem_cgroup *memcg;
};

/**
 * struct mimic_vdev - an instance
 * @vfio: must be first, vfio_alloc_device() wants it so
 * @mdev: the mediated device
 * @type: its type
 * @model: shorthand for type->model
 * @vmig: migration
 * @vmig_cfg: its description
 * @blobs: its objects
 * @mem: device memory, BAR2, or state that no BAR shows
 * @mems: list of its memories for @vmig_cfg
 * @cfg: config space
 * @irqs: interrupts
 * @pins: guest memory that is pinned
 * @log: guest memory that was written
 * @bus_master: PCI_COMMAND allows DMA; read without a lock
 * @mem_decode: PCI_COMMAND allows accesses to BARs; read without a lock
 * @debugfs: directory
 * @priv: the model's own
 */
struct mimic_vdev {
	struct vfio_device vfio;
	struct mdev_device *mdev;
	struct mimic_type *type;
	const struct mimic_model *model;
	struct vmig_device vmig;
	struct vmig_config vmig_cfg;
	struct vmig_blob blobs[3];
	struct vmig_mem mem;
	struct vmig_mem *mems[1];
	struct mimic_config cfg;
	struct mimic_irqs irqs;
	struct mimic_pins pins;
	struct mimic_log log;
	bool bus_master;
	bool mem_decode;
	struct dentry *debugfs;
	void *priv;
};

static inline struct mimic_vdev *vmig_to_mimic(struct vmig_device *vmig)
{
	return container_of(vmig, struct mimic_vdev, vmig);
}

/* main.c: module parameters, checked when they are used. */
unsigned int mimic_sku_memory(unsigned int sku);

/* bus.c */
int mimic_bus_init(unsigned int nr_parents);
void mimic_bus_exit(void);

/* parent.c */
#define MIMIC_NR_SKUS		2
int mimic_parent_driver_init(struct mdev_driver *mdev_driver);
void mimic_parent_driver_exit(void);
struct mimic_type *mimic_type_of(struct mdev_type *mtype);
int mimic_type_take(struct mimic_type *type);
void mimic_type_give(struct mimic_type *type);
unsigned int mimic_type_available(struct mdev_type *mtype);
ssize_t mimic_type_description(struct mdev_type *mtype, char *buf);

/* sysfs.c */
int mimic_sysfs_add_types(struct mimic_parent *parent);
void mimic_sysfs_remove_types(struct mimic_parent *parent);
extern const struct attribute_group *mimic_vdev_groups[];

/* vdev.c */
extern struct mdev_driver mimic_mdev_driver;
void mimic_vdev_setup(void);
void mimic_vdev_teardown(void);

/* config.c */
void mimic_config_init(struct mimic_vdev *v);
void mimic_config_reset(struct mimic_vdev *v, bool function);
int mimic_config_read(struct mimic_vdev *v, u32 off, void *buf, size_t len);
int mimic_config_write(struct mimic_vdev *v, u32 off, const void *buf, size_t len);
void mimic_config_resuming(struct mimic_vdev *v);
#define MIMIC_CONFIG_STATE_SIZE	(MIMIC_CFG_SIZE + MIMIC_MSIX_BAR_SIZE)
void mimic_config_save(struct mimic_vdev *v, void *buf);
int mimic_config_check(struct mimic_vdev *v, const void *buf);
void mimic_config_load(struct mimic_vdev *v, const void *buf);
int mimic_config_msix_read(struct mimic_vdev *v, u32 off, void *buf, size_t len);
int mimic_config_msix_write(struct mimic_vdev *v, u32 off, const void *buf,
			    size_t len);

/* irq.c */
void mimic_irq_init(struct mimic_vdev *v);
void mimic_irq_close(struct mimic_vdev *v);
void mimic_irq_reset(struct mimic_vdev *v);
int mimic_irq_info(struct mimic_vdev *v, struct vfio_irq_info *info);
int mimic_irq_set(struct mimic_vdev *v, u32 flags, unsigned int index,
		  unsigned int start, unsigned int count, void *data);
void mimic_irq_raise(struct mimic_vdev *v, unsigned int vector);
void mimic_irq_set_level(struct mimic_vdev *v, bool level);
bool mimic_irq_intx_level(struct mimic_vdev *v);
void mimic_irq_intx_reassert(struct mimic_vdev *v);
void mimic_irq_set_running(struct mimic_vdev *v, bool running);
void mimic_irq_set_config(struct mimic_vdev *v, bool intx_disable,
			  bool msix_enable);
u32 mimic_irq_pending(struct mimic_vdev *v);
void mimic_irq_request(struct mimic_vdev *v, unsigned int count);
void mimic_irq_error(struct mimic_vdev *v);
#define MIMIC_IRQ_STATE_SIZE	16
void mimic_irq_save(struct mimic_vdev *v, void *buf);
int mimic_irq_check(struct mimic_vdev *v, const void *buf);
void mimic_irq_load(struct mimic_vdev *v, const void *buf);

/* dma.c */
/**
 * struct mimic_pin - a pinned piece of guest memory, within one page
 * @node: in mimic_pins.held
 * @page: the page
 * @iova: guest address
 * @len: bytes
 * @log: where to mark the page when it was written
 * @block: memory for that, see log.c; NULL if there is never a log
 */
struct mimic_pin {
	struct list_head node;
	struct page *page;
	u64 iova;
	u32 len;
	struct mimic_log *log;
	struct mimic_log_block *block;
};

void mimic_dma_init(struct mimic_vdev *v);
void mimic_dma_forget(struct mimic_vdev *v, u64 iova, u64 length);
int mimic_dma_read(struct mimic_vdev *v, u64 iova, void *buf, size_t len);
int mimic_dma_pin(struct mimic_vdev *v, u64 iova, size_t len, struct mimic_pin *pin);
void mimic_dma_copy(struct mimic_pin *pin, size_t off, const void *buf, size_t len);
void mimic_dma_unpin(struct mimic_vdev *v, struct mimic_pin *pin);

/* log.c */
void mimic_log_init(struct mimic_vdev *v);
void mimic_log_open(struct mimic_vdev *v);
void mimic_log_close(struct mimic_vdev *v);
int mimic_log_prepare(struct mimic_vdev *v, struct mimic_pin *pin);
void mimic_log_mark(struct mimic_pin *pin);
void mimic_log_leave(struct mimic_pin *pin);

#endif /* _MIMIC_H */
