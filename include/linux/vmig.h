/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmig: VFIO migration for devices in software.
 *
 * A vendor driver embeds a struct vmig_device, describes its state as objects
 * (blobs and tracked memory) and starts and stops when told. The engine owns
 * everything else: the state machine, the v1 migration region, the v2 protocol with
 * its data files, the stream, what is sent when, and the checks on what is received.
 * It knows VFIO but neither a bus nor a device model.
 *
 * Locks, outermost first:
 *
 *   vmig_data.lock	buffer and position of a data file; held over copies
 *			from and to user memory.
 *   vmig_device.lock	state and session. Never held over a copy from or to
 *			user memory, and never taken by a fault handler.
 *   (locks of the vendor driver, in its callbacks)
 *   vmig_mem.lock	pages, dirty bits and page tables of one memory object.
 *			A leaf: fault handlers and device engines take it.
 */
#ifndef _LINUX_VMIG_H
#define _LINUX_VMIG_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <uapi/linux/vmig_stream.h>

struct address_space;
struct dentry;
struct file;
struct inode;
struct mem_cgroup;
struct module;
struct page;
struct vfio_device;
struct vfio_info_cap;
struct vfio_region_info;
struct vm_area_struct;
struct vmig_data;
struct vmig_device;
struct vmig_session;
struct wait_queue_head;

/**
 * enum vmig_state - device states, numbered as enum vfio_device_mig_state
 * @VMIG_STATE_ERROR: quiet after an internal error, until a reset
 * @VMIG_STATE_STOP: quiet
 * @VMIG_STATE_RUNNING: in normal use
 * @VMIG_STATE_STOP_COPY: quiet, the rest of the state is saved
 * @VMIG_STATE_RESUMING: quiet, a state is loaded
 * @VMIG_STATE_RUNNING_P2P: as RUNNING, but no DMA
 * @VMIG_STATE_PRE_COPY: as RUNNING, state is saved meanwhile
 * @VMIG_STATE_PRE_COPY_P2P: as PRE_COPY, but no DMA
 * @VMIG_NR_STATES: number of states
 *
 * The engine has a table of its own so that every kernel gets all of them.
 */
enum vmig_state {
	VMIG_STATE_ERROR = 0,
	VMIG_STATE_STOP = 1,
	VMIG_STATE_RUNNING = 2,
	VMIG_STATE_STOP_COPY = 3,
	VMIG_STATE_RESUMING = 4,
	VMIG_STATE_RUNNING_P2P = 5,
	VMIG_STATE_PRE_COPY = 6,
	VMIG_STATE_PRE_COPY_P2P = 7,
	VMIG_NR_STATES
};

/**
 * enum vmig_run - how much a device may do
 * @VMIG_RUN_NONE: nothing: no DMA, interrupt, timer or change of state
 * @VMIG_RUN_NO_DMA: everything but DMA
 * @VMIG_RUN_ALL: everything
 */
enum vmig_run {
	VMIG_RUN_NONE,
	VMIG_RUN_NO_DMA,
	VMIG_RUN_ALL,
};

/* Most parameters in a version string, and most blobs and memories of a device. */
#define VMIG_MAX_PARAMS		8
#define VMIG_MAX_BLOBS		8
#define VMIG_MAX_MEMS		4

/**
 * struct vmig_param - one thing that two devices must have in common
 * @name: lower case letters and digits
 * @value: compared for equality
 */
struct vmig_param {
	const char *name;
	u64 value;
};

/**
 * struct vmig_ident - what decides whether a stream can be loaded
 * @vendor: first word of the version string, lower case letters and digits
 * @model: second word
 * @nr_params: used entries of @params
 * @params: in the order in which they are printed
 *
 * The memory objects' and blobs' sizes must follow from these.
 */
struct vmig_ident {
	const char *vendor;
	const char *model;
	unsigned int nr_params;
	struct vmig_param params[VMIG_MAX_PARAMS];
};

/**
 * struct vmig_blob - a piece of state of fixed size that is saved at the stop
 * @name: for messages
 * @id: number of the object in the stream, unique among blobs and memories
 * @size: bytes, 1 to VMIG_BLOB_MAX
 * @save: Mandatory. Write all @size bytes of @buf (which is zeroed). The device
 *	is stopped. Cannot fail. Called with vmig_device.lock held.
 * @check: Mandatory. Say whether @commit could take @buf: 0 or -EINVAL. Changes
 *	nothing; @buf comes from a hostile writer. Called with vmig_device.lock
 *	held.
 * @commit: Mandatory. Take @buf, which @check has accepted. The device is
 *	stopped and at power-on. Cannot fail. Called with vmig_device.lock held.
 */
struct vmig_blob {
	const char *name;
	u16 id;
	u32 size;
	void (*save)(struct vmig_device *vmig, void *buf);
	int (*check)(struct vmig_device *vmig, const void *buf);
	void (*commit)(struct vmig_device *vmig, const void *buf);
};

/**
 * struct vmig_ops - the vendor driver's side
 * @owner: module of the vendor driver; files of the engine that outlive the
 *	device hold it
 * @set_run: Mandatory. Allow or forbid activity; when it returns, what is
 *	forbidden has stopped and is drained. Cannot fail and may not wait for
 *	user space. Called with vmig_device.lock held, only when the value
 *	changes; the value at open is VMIG_RUN_ALL.
 * @reset: Mandatory. Put the device to power-on. It runs under VMIG_RUN_NONE,
 *	and memory objects are emptied by the engine. @function is true for a
 *	reset that the guest asked for. Cannot fail. vmig_device.lock is held.
 * @resuming: Optional. A resume begins, with the device at power-on; used to
 *	note which settings the client makes from now on. vmig_device.lock held.
 */
struct vmig_ops {
	struct module *owner;
	void (*set_run)(struct vmig_device *vmig, enum vmig_run run);
	void (*reset)(struct vmig_device *vmig, bool function);
	void (*resuming)(struct vmig_device *vmig);
};

/**
 * struct vmig_mem - device memory whose changes are tracked
 * @lock: protects all members below @size, the pages' place in the table, and
 *	the page table entries of mappings
 * @id: number of the object in the stream
 * @nr_chunks: chunks, the last of which may be shorter
 * @size: bytes
 * @uniform: chunks are numbers, constant; @pages has values of xa_mk_value()
 * @pages: one per chunk; NULL is a hole that reads as zeros
 * @dirty: one bit per chunk: has to be sent (again); only while @tracking
 * @nr_dirty: bits set in @dirty
 * @nr_dirty_holes: those of them whose chunk is a hole
 * @nr_pages: pages in @pages
 * @tracking: changes are noted in @dirty, clean chunks are mapped read-only
 * @frozen: nothing may change the memory
 * @hidden: reads as zeros, because @pages is being filled by a resume
 * @blocked: mappings do not answer, because the BAR is not decoded
 * @wake: woken when the first chunk becomes dirty; while @tracking, or NULL
 * @zero_mapped: the zero page stands for a hole somewhere, since @frozen
 * @inode: carries the address space in which all mappings of the memory are
 * @memcg: pays for pages that are first touched by other than a mapping; set
 *	while the device is open, by the one who opened it
 *
 * Everything here is private to the engine. The lock is a leaf: no other lock
 * of the engine or of a vendor driver is taken inside.
 */
struct vmig_mem {
	/* Leaf; see above for what it protects. */
	struct mutex lock;
	u16 id;
	unsigned long nr_chunks;
	u64 size;
	bool uniform;
	struct page **pages;
	unsigned long *dirty;
	unsigned long nr_dirty;
	unsigned long nr_dirty_holes;
	unsigned long nr_pages;
	bool tracking;
	bool frozen;
	bool hidden;
	bool blocked;
	struct wait_queue_head *wake;
	bool zero_mapped;
	struct inode *inode;
	struct mem_cgroup *memcg;
};

/**
 * enum vmig_step - where the engine can be made to fail, for tests
 * @VMIG_STEP_SAVE: begin a saving session; nothing has changed
 * @VMIG_STEP_RESUME: begin a resuming session; nothing has changed
 * @VMIG_STEP_STAGE: make a segment; it can be tried again
 * @VMIG_STEP_RESERVE: get memory for a segment that was received; it can be
 *	tried again
 * @VMIG_STEP_PARSE: read a segment that was received; the stream is refused
 * @VMIG_STEP_FINISH: leave RESUMING with a complete stream; it can be tried again
 * @VMIG_NR_STEPS: number of steps
 *
 * These are all that may fail. What is not here cannot: to stop, to run, to give
 * up a session, to reset.
 */
enum vmig_step {
	VMIG_STEP_SAVE,
	VMIG_STEP_RESUME,
	VMIG_STEP_STAGE,
	VMIG_STEP_RESERVE,
	VMIG_STEP_PARSE,
	VMIG_STEP_FINISH,
	VMIG_NR_STEPS
};

/**
 * struct vmig_fault - a failure that is asked for
 * @err: errno, positive; 0: none
 * @skip: so many passes succeed before
 * @times: so many fail then; 0: for ever
 */
struct vmig_fault {
	u32 err;
	u32 skip;
	u32 times;
};

/**
 * struct vmig_stats - what a device's sessions did
 * @segments: staged, or accepted, in the session
 * @bytes: in them
 * @acked_segments: acknowledged in the session
 * @acked_bytes: in them
 * @acked_unread: those that no read(2) had got; only a client that does not map
 *	the data section is known to have missed them
 * @pending_reads: reads of pending_bytes, in the session
 * @refusals: streams refused since the device was made
 *
 * "The session" is the one that goes on, or else the last one.
 */
struct vmig_stats {
	u64 segments;
	u64 bytes;
	u64 acked_segments;
	u64 acked_bytes;
	u64 acked_unread;
	u64 pending_reads;
	u64 refusals;
};

/**
 * struct vmig_config - description of a device, constant while it is registered
 * @name: of the device, for messages and traces
 * @ops: see there
 * @vfio: the VFIO device
 * @ident: see there
 * @nr_blobs: entries of @blobs
 * @blobs: in the order in which they are sent
 * @nr_mems: entries of @mems
 * @mems: in ascending order of their ids
 * @section_size: bytes of the v1 data section, a multiple of the page size,
 *	32 KiB to 16 MiB; 0: 1 MiB
 */
struct vmig_config {
	const char *name;
	const struct vmig_ops *ops;
	struct vfio_device *vfio;
	const struct vmig_ident *ident;
	unsigned int nr_blobs;
	const struct vmig_blob *blobs;
	unsigned int nr_mems;
	struct vmig_mem **mems;
	u32 section_size;
};

/* Protocols by which a device can be migrated. */
#define VMIG_PROTOCOL_V1	1u	/* the migration region */
#define VMIG_PROTOCOL_V2	2u	/* VFIO_DEVICE_FEATURE and data files */
#define VMIG_PROTOCOLS		(VMIG_PROTOCOL_V1 | VMIG_PROTOCOL_V2)

/**
 * struct vmig_device - a device that can migrate, embedded in the vendor's
 * @cfg: description
 * @lock: protects all members below
 * @is_open: a client has it
 * @protocols: VMIG_PROTOCOL_* that clients may use; constant while it is open
 * @flags: optional states that there are, as VFIO_MIGRATION_*; constant while it
 *	is open
 * @precopy_v2: the client understands flags in struct vfio_precopy_info
 * @state: state of the one state machine, whichever protocol looks at it
 * @run: what the device was last told
 * @session: the saving or resuming session, if any
 * @section_size: bytes of the v1 data section; constant while it is open
 * @section: v1 data section, allocated while the device is open
 * @section_read: one bit per byte of @section: read(2) got it since it was staged
 * @section_used: bytes from its begin that may be other than zero
 * @section_mapped: it was mapped, so that all of it may be other than zero
 * @staged_serial: counts segments, so that an effect that was delayed by a
 *	copy to user memory cannot hit a later one
 * @scratch: room for the blobs, to see how long they are; allocated while the
 *	device is open
 * @blob_len: bytes of each that a stream would have, when that was last seen
 * @stats: for debugfs
 * @faults: failures that are asked for, by step
 */
struct vmig_device {
	const struct vmig_config *cfg;
	/* Outermost; see above for what it protects. */
	struct mutex lock;
	bool is_open;
	unsigned int protocols;
	unsigned int flags;
	bool precopy_v2;
	enum vmig_state state;
	enum vmig_run run;
	struct vmig_session *session;
	u32 section_size;
	void *section;
	unsigned long *section_read;
	size_t section_used;
	bool section_mapped;
	u64 staged_serial;
	u8 *scratch;
	u32 blob_len[VMIG_MAX_BLOBS];
	struct vmig_stats stats;
	struct vmig_fault faults[VMIG_NR_STEPS];
};

/* Registration and life cycle. */
int vmig_init(struct vmig_device *vmig, const struct vmig_config *cfg);
void vmig_destroy(struct vmig_device *vmig);
int vmig_open(struct vmig_device *vmig);
void vmig_close(struct vmig_device *vmig);
void vmig_reset(struct vmig_device *vmig);
bool vmig_function_reset(struct vmig_device *vmig);
void vmig_fail(struct vmig_device *vmig);
enum vmig_state vmig_get_state(struct vmig_device *vmig);
const char *vmig_state_name(enum vmig_state state);
int vmig_set_protocols(struct vmig_device *vmig, unsigned int protocols);
unsigned int vmig_get_protocols(struct vmig_device *vmig);
void vmig_debugfs_add(struct vmig_device *vmig, struct dentry *dir);

/* Version strings. */
int vmig_version_print(const struct vmig_ident *ident, char *buf, size_t size);
int vmig_version_accept(const struct vmig_ident *ident, const char *who,
			const char *buf, size_t len);

/* Device memory. */
int vmig_mem_init(struct vmig_mem *mem, u16 id, u64 size);
int vmig_mem_init_uniform(struct vmig_mem *mem, u16 id, u64 size);
void vmig_mem_destroy(struct vmig_mem *mem);
int vmig_mem_read(struct vmig_mem *mem, u64 off, void *buf, size_t len);
int vmig_mem_write(struct vmig_mem *mem, u64 off, const void *buf, size_t len);
int vmig_mem_fill(struct vmig_mem *mem, u64 index, u64 value);
int vmig_mem_punch(struct vmig_mem *mem, u64 index);
void vmig_mem_block(struct vmig_mem *mem, bool blocked);
int vmig_mem_mmap(struct vmig_mem *mem, struct vm_area_struct *vma, u64 off);

/* v1 migration region. */
u64 vmig_v1_region_size(const struct vmig_device *vmig);
int vmig_v1_region_caps(struct vmig_device *vmig, struct vfio_region_info *info,
			struct vfio_info_cap *caps);
ssize_t vmig_v1_read(struct vmig_device *vmig, char __user *buf, size_t count,
		     u64 off);
ssize_t vmig_v1_write(struct vmig_device *vmig, const char __user *buf,
		      size_t count, u64 off);
int vmig_v1_mmap(struct vmig_device *vmig, struct vm_area_struct *vma, u64 off);

/* v2 protocol. */
struct file *vmig_v2_set_state(struct vmig_device *vmig, u32 target);
u64 vmig_v2_get_data_size(struct vmig_device *vmig);
int vmig_v2_feature(struct vmig_device *vmig, u32 flags, void __user *arg,
		    size_t argsz);

#endif /* _LINUX_VMIG_H */
