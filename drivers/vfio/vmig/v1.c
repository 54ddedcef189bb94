// SPDX-License-Identifier: GPL-2.0-only
/*
 * The v1 migration region: a header whose fields are trapped, and a data section
 * that is trapped and mapped.
 *
 * Invariants: a field is one access of its width; user memory is copied without
 * vmig_device.lock, since a fault handler may be what copies; what an access
 * does (dropping a segment, say) happens after the client has got the answer,
 * and only if the segment that it is about is still there.
 */
#include <linux/bitmap.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/vmalloc.h>

#include "trace.h"
#include "vmig_compat.h"
#include "vmig_int.h"

/* Device states of v1, as read from and written to device_state. */
#define VMIG_V1_STOP		0
#define VMIG_V1_RUNNING		1
#define VMIG_V1_SAVING		2
#define VMIG_V1_PRE_COPY	3
#define VMIG_V1_RESUMING	4
#define VMIG_V1_ERROR		6

#define VMIG_V1_REG(field)	offsetof(struct vfio_device_migration_info, field)

static_assert(sizeof(struct vfio_device_migration_info) == 32);

/* The data section begins on a page of its own, so that it can be mapped. */
#define VMIG_V1_DATA		PAGE_SIZE

/* Most bytes that are copied from user memory in one go. */
#define VMIG_V1_BOUNCE		SZ_32K

static u32 vmig_v1_state(enum vmig_state state)
{
	switch (state) {
	case VMIG_STATE_STOP:
		return VMIG_V1_STOP;
	case VMIG_STATE_RUNNING:
	case VMIG_STATE_RUNNING_P2P:
		return VMIG_V1_RUNNING;
	case VMIG_STATE_STOP_COPY:
		return VMIG_V1_SAVING;
	case VMIG_STATE_PRE_COPY:
	case VMIG_STATE_PRE_COPY_P2P:
		return VMIG_V1_PRE_COPY;
	case VMIG_STATE_RESUMING:
		return VMIG_V1_RESUMING;
	default:
		return VMIG_V1_ERROR;
	}
}

static int vmig_v1_set_state(struct vmig_device *vmig, u32 value)
{
	static const enum vmig_state states[] = {
		[VMIG_V1_STOP]		= VMIG_STATE_STOP,
		[VMIG_V1_RUNNING]	= VMIG_STATE_RUNNING,
		[VMIG_V1_SAVING]	= VMIG_STATE_STOP_COPY,
		[VMIG_V1_PRE_COPY]	= VMIG_STATE_PRE_COPY,
		[VMIG_V1_RESUMING]	= VMIG_STATE_RESUMING,
	};

	lockdep_assert_held(&vmig->lock);
	if (vmig->state == VMIG_STATE_ERROR)
		return -EIO;
	if (value >= ARRAY_SIZE(states))
		return -EINVAL;
	value = array_index_nospec(value, ARRAY_SIZE(states));
	/* Several states look the same here; what is read stays a no-op. */
	if (value == vmig_v1_state(vmig->state))
		return 0;
	return vmig_set_state(vmig, states[value], VMIG_OWNER_V1, NULL);
}

/* The saving session of ours, or NULL. */
static struct vmig_save *vmig_v1_save(struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	if (!vmig->session || vmig->session->owner != VMIG_OWNER_V1)
		return NULL;
	return vmig->session->save;
}

static struct vmig_resume *vmig_v1_resume(struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	if (!vmig->session || vmig->session->owner != VMIG_OWNER_V1)
		return NULL;
	return vmig->session->resume;
}

/* Make a segment if there is none; behind it, nothing of the last one remains. */
static int vmig_v1_stage(struct vmig_device *vmig, struct vmig_save *s)
{
	bool fresh = !s->segment.len;
	int len = vmig_save_stage(s, vmig->section, vmig->section_size);

	if (fresh && len > 0) {
		vmig->staged_serial++;
		bitmap_zero(vmig->section_read, len);
		if (vmig->section_used > len)
			memset(vmig->section + len, 0, vmig->section_used - len);
		vmig->section_used = len;
	}
	return len;
}

/**
 * struct vmig_v1_effect - what a read does once the client has its value
 * @serial: of the segment that was meant
 * @ack: acknowledge it
 * @sized: note that its size is known
 */
struct vmig_v1_effect {
	u64 serial;
	bool ack;
	bool sized;
};

static u64 vmig_v1_get_pending(struct vmig_device *vmig,
			       struct vmig_v1_effect *effect)
{
	struct vmig_save *s = vmig_v1_save(vmig);
	u64 pending;

	if (!s)
		return 0;
	vmig->stats.pending_reads++;
	pending = vmig_save_pending(s);
	if (s->segment.len && s->segment.sized) {
		effect->ack = true;
		pending -= s->segment.len;
	}
	return pending;
}

static int vmig_v1_get_offset(struct vmig_device *vmig, u64 *value)
{
	struct vmig_save *s = vmig_v1_save(vmig);
	int len = s ? vmig_v1_stage(vmig, s) : 0;

	*value = VMIG_V1_DATA;
	return min(len, 0);
}

static int vmig_v1_get_size(struct vmig_device *vmig, u64 *value,
			    struct vmig_v1_effect *effect)
{
	struct vmig_save *s = vmig_v1_save(vmig);
	int len = s ? vmig_v1_stage(vmig, s) : 0;

	effect->sized = len > 0;
	*value = max(len, 0);
	return min(len, 0);
}

/* Bytes of the staged segment that no read(2) has got. */
static u32 vmig_v1_unread(struct vmig_device *vmig, const struct vmig_save *s)
{
	if (READ_ONCE(vmig->section_mapped))
		return 0;
	return s->segment.len - bitmap_weight(vmig->section_read, s->segment.len);
}

static void vmig_v1_take_effect(struct vmig_device *vmig,
				const struct vmig_v1_effect *effect)
{
	struct vmig_save *s;

	if (!effect->ack && !effect->sized)
		return;
	mutex_lock(&vmig->lock);
	s = vmig_v1_save(vmig);
	if (!s || !s->segment.len || vmig->staged_serial != effect->serial)
		goto out;
	if (effect->sized)
		s->segment.sized = true;
	if (effect->ack) {
		vmig->stats.acked_unread += vmig_v1_unread(vmig, s);
		vmig_save_ack(s);
	}
out:
	mutex_unlock(&vmig->lock);
}

static ssize_t vmig_v1_get(struct vmig_device *vmig, char __user *buf,
			   size_t count, u64 off)
{
	struct vmig_v1_effect effect = {};
	u64 value = 0;
	int ret = 0;

	mutex_lock(&vmig->lock);
	switch (off) {
	case VMIG_V1_REG(device_state):
		value = vmig_v1_state(vmig->state);
		break;
	case VMIG_V1_REG(pending_bytes):
		value = vmig_v1_get_pending(vmig, &effect);
		break;
	case VMIG_V1_REG(data_offset):
		ret = vmig_v1_get_offset(vmig, &value);
		break;
	case VMIG_V1_REG(data_size):
		ret = vmig_v1_get_size(vmig, &value, &effect);
		break;
	default:	/* reserved */
		break;
	}
	effect.serial = vmig->staged_serial;
	mutex_unlock(&vmig->lock);
	if (ret)
		return ret;

	/* Little endian hosts only, as the rest of the simulated bus. */
	if (copy_to_user(buf, &value, count))
		return -EFAULT;
	vmig_v1_take_effect(vmig, &effect);
	return count;
}

static int vmig_v1_commit(struct vmig_device *vmig, u64 len)
{
	struct vmig_resume *r = vmig_v1_resume(vmig);
	int ret;

	lockdep_assert_held(&vmig->lock);
	if (!r)
		return -EINVAL;
	if (!len)
		return 0;
	if (len > vmig->section_size) {
		vmig_resume_poison(r);
		vmig_section_clear(vmig);
		return -EINVAL;
	}
	ret = vmig_resume_reserve(r, len);
	if (ret)
		return ret;
	ret = vmig_resume_feed(r, vmig->section, len);
	/* The next segment begins with a fresh buffer. */
	vmig_section_clear(vmig);
	return ret;
}

static ssize_t vmig_v1_put(struct vmig_device *vmig, const char __user *buf,
			   size_t count, u64 off)
{
	u64 value = 0;
	int ret;

	if (copy_from_user(&value, buf, count))
		return -EFAULT;
	mutex_lock(&vmig->lock);
	switch (off) {
	case VMIG_V1_REG(device_state):
		ret = vmig_v1_set_state(vmig, value);
		break;
	case VMIG_V1_REG(reserved):
		ret = 0;
		break;
	case VMIG_V1_REG(data_size):
		ret = vmig_v1_commit(vmig, value);
		break;
	default:	/* pending_bytes and data_offset are read-only */
		ret = -EINVAL;
		break;
	}
	mutex_unlock(&vmig->lock);
	return ret ?: count;
}

/* Fields are accessed whole or not at all. */
static bool vmig_v1_is_field(u64 off, size_t count)
{
	switch (off) {
	case VMIG_V1_REG(device_state):
	case VMIG_V1_REG(reserved):
		return count == sizeof(u32);
	case VMIG_V1_REG(pending_bytes):
	case VMIG_V1_REG(data_offset):
	case VMIG_V1_REG(data_size):
		return count == sizeof(u64);
	default:
		return false;
	}
}

/* How many bytes of the data section can be read from @off on. */
static ssize_t vmig_v1_readable(struct vmig_device *vmig, u64 off, size_t count)
{
	struct vmig_save *s = vmig_v1_save(vmig);
	size_t end = 0;

	lockdep_assert_held(&vmig->lock);
	if (s)
		end = s->segment.len;
	else if (vmig_v1_resume(vmig))
		end = vmig->section_size;
	if (vmig->state == VMIG_STATE_ERROR)
		return -EIO;
	return off < end ? min_t(u64, count, end - off) : -EINVAL;
}

static ssize_t vmig_v1_read_data(struct vmig_device *vmig, char __user *buf,
				 size_t count, u64 off)
{
	const void *from = vmig->section + off;
	u64 serial, word;
	size_t left;
	ssize_t n;

	mutex_lock(&vmig->lock);
	serial = vmig->staged_serial;
	n = vmig_v1_readable(vmig, off, count);
	/* As QEMU 7.2 does without a mapping: hardening looks up each vmalloc(). */
	if (n > 0 && n <= sizeof(word))
		from = memcpy(&word, from, n);
	mutex_unlock(&vmig->lock);
	if (n < 0)
		return n;
	/* The section lives as long as the device is open, whatever its state. */
	left = copy_to_user(buf, from, n);
	if (left == n)
		return -EFAULT;

	n -= left;
	mutex_lock(&vmig->lock);
	/* Somebody ended the session or collected the segment meanwhile. */
	if (serial != vmig->staged_serial)
		n = -EINVAL;
	else
		bitmap_set(vmig->section_read, off, n);
	mutex_unlock(&vmig->lock);
	return n;
}

/* Put bytes into the section, if there is still a session that takes them. */
static int vmig_v1_store(struct vmig_device *vmig, const void *buf, size_t count,
			 u64 off)
{
	int ret = 0;

	mutex_lock(&vmig->lock);
	if (vmig->state == VMIG_STATE_ERROR)
		ret = -EIO;
	else if (!vmig_v1_resume(vmig))
		ret = -EINVAL;
	if (!ret) {
		memcpy(vmig->section + off, buf, count);
		vmig->section_used = max_t(size_t, vmig->section_used,
					   off + count);
	}
	mutex_unlock(&vmig->lock);
	return ret;
}

/* As QEMU 7.2 does if it has not mapped the section: 131072 times for a MiB. */
static ssize_t vmig_v1_write_word(struct vmig_device *vmig,
				  const char __user *buf, size_t count, u64 off)
{
	u64 word;

	if (copy_from_user(&word, buf, count))
		return -EFAULT;
	return vmig_v1_store(vmig, &word, count, off) ?: count;
}

/*
 * By way of a bounce buffer: a copy from user memory may take for ever, and must
 * not end up in what a later session has staged.
 */
static ssize_t vmig_v1_write_data(struct vmig_device *vmig,
				  const char __user *buf, size_t count, u64 off)
{
	size_t done = 0, n;
	void *bounce;
	int ret = 0;

	if (count <= sizeof(u64))
		return vmig_v1_write_word(vmig, buf, count, off);
	bounce = kmalloc(min_t(size_t, count, VMIG_V1_BOUNCE), GFP_KERNEL_ACCOUNT);
	if (!bounce)
		return -ENOMEM;
	/* Nothing of it: asks whether there is a session that takes bytes. */
	ret = vmig_v1_store(vmig, bounce, 0, off);
	for (; done < count && !ret; done += ret ? 0 : n) {
		n = min_t(size_t, count - done, VMIG_V1_BOUNCE);
		if (copy_from_user(bounce, buf + done, n))
			ret = -EFAULT;
		else
			ret = vmig_v1_store(vmig, bounce, n, off + done);
	}
	kfree(bounce);
	return done ?: ret;
}

/*
 * An access begins in the data section at @off, which is behind its begin; cut
 * it at the section's end. Returns false if nothing is left.
 */
static bool vmig_v1_clip(struct vmig_device *vmig, size_t *count, u64 off)
{
	u32 size = vmig->section_size;

	if (off >= size)
		return false;
	*count = min_t(u64, *count, size - off);
	return true;
}

/**
 * vmig_v1_read() - read from the migration region
 * @vmig: device
 * @buf: user memory
 * @count: bytes
 * @off: offset in the region, any value
 *
 * Context: the driver's read op, may sleep; no lock held.
 * Source: migration-rules.rst, V1-ACC, V1-SAV, V1-RES.
 * Return: bytes read; -EINVAL for an access that is not one of a field or of
 * what is staged; -EIO for data in state ERROR; -EFAULT.
 */
ssize_t vmig_v1_read(struct vmig_device *vmig, char __user *buf, size_t count,
		     u64 off)
{
	if (!count)
		return 0;
	if (off < VMIG_V1_DATA) {
		if (!vmig_v1_is_field(off, count))
			return -EINVAL;
		return vmig_v1_get(vmig, buf, count, off);
	}
	off -= VMIG_V1_DATA;
	if (!vmig_v1_clip(vmig, &count, off))
		return -EINVAL;
	return vmig_v1_read_data(vmig, buf, count, off);
}
EXPORT_SYMBOL_GPL(vmig_v1_read);

/**
 * vmig_v1_write() - write to the migration region
 * @vmig: device
 * @buf: user memory
 * @count: bytes
 * @off: offset in the region, any value
 *
 * Context: the driver's write op, may sleep; no lock held.
 * Source: migration-rules.rst, V1-ACC, V1-ST, V1-RES.
 * Return: bytes written; -EINVAL for an access or a state that is not legal now
 * and for a stream that is refused; -EXDEV or -EOPNOTSUPP for a stream of
 * another device or version; -EIO in state ERROR; -ENOMEM, which changes
 * nothing; -EFAULT.
 */
ssize_t vmig_v1_write(struct vmig_device *vmig, const char __user *buf,
		      size_t count, u64 off)
{
	if (!count)
		return 0;
	if (off < VMIG_V1_DATA) {
		if (!vmig_v1_is_field(off, count))
			return -EINVAL;
		return vmig_v1_put(vmig, buf, count, off);
	}
	off -= VMIG_V1_DATA;
	if (!vmig_v1_clip(vmig, &count, off))
		return -EINVAL;
	return vmig_v1_write_data(vmig, buf, count, off);
}
EXPORT_SYMBOL_GPL(vmig_v1_write);

static vm_fault_t vmig_v1_fault(struct vm_fault *vmf)
{
	struct vmig_device *vmig = vmf->vma->vm_private_data;
	u64 off = (u64)vmf->pgoff << PAGE_SHIFT;
	struct page *page;

	if (off >= vmig->section_size)
		return VM_FAULT_SIGBUS;
	page = vmalloc_to_page(vmig->section + off);
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct vmig_v1_vm_ops = {
	.fault = vmig_v1_fault,
};

/**
 * vmig_v1_mmap() - map the data section
 * @vmig: device that is open; the mapping's file keeps it so
 * @vma: mapping, shared
 * @off: offset in the region
 *
 * Context: the driver's mmap op.
 * Source: migration-rules.rst, V1-DISC-08, V1-DISC-09.
 * Return: 0, or -EINVAL if the range is not inside the data section.
 */
int vmig_v1_mmap(struct vmig_device *vmig, struct vm_area_struct *vma, u64 off)
{
	u64 len = vma->vm_end - vma->vm_start;
	u32 size = vmig->section_size;

	if (!(vma->vm_flags & VM_SHARED) || off < VMIG_V1_DATA)
		return -EINVAL;
	off -= VMIG_V1_DATA;
	if (off > size || len > size - off)
		return -EINVAL;
	/* Without vmig_device.lock, which may be held for long: it is only set. */
	WRITE_ONCE(vmig->section_mapped, true);
	vma->vm_pgoff = off >> PAGE_SHIFT;
	vma->vm_private_data = vmig;
	vma->vm_ops = &vmig_v1_vm_ops;
	vmig_vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}
EXPORT_SYMBOL_GPL(vmig_v1_mmap);

/**
 * vmig_v1_region_size() - bytes of the migration region
 * @vmig: device
 *
 * Return: bytes; 0 if the device does not offer this protocol.
 */
u64 vmig_v1_region_size(const struct vmig_device *vmig)
{
	if (!(vmig->protocols & VMIG_PROTOCOL_V1))
		return 0;
	return VMIG_V1_DATA + vmig->section_size;
}
EXPORT_SYMBOL_GPL(vmig_v1_region_size);

static int vmig_v1_cap_sparse(struct vmig_device *vmig, struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_sparse_mmap *sparse;
	size_t size = struct_size(sparse, areas, 1);
	int ret;

	sparse = kzalloc(size, GFP_KERNEL);
	if (!sparse)
		return -ENOMEM;
	sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	sparse->header.version = 1;
	sparse->nr_areas = 1;
	sparse->areas[0].offset = VMIG_V1_DATA;
	sparse->areas[0].size = vmig->section_size;
	ret = vfio_info_add_capability(caps, &sparse->header, size);
	kfree(sparse);
	return ret;
}

/**
 * vmig_v1_region_caps() - describe the migration region
 * @vmig: device
 * @info: gets size and flags; the caller sets offset and index
 * @caps: gets the capabilities
 *
 * Context: process, may sleep.
 * Source: migration-rules.rst, V1-DISC-01 to 07.
 * Return: 0; -EINVAL if the device does not offer this protocol; -ENOMEM.
 */
int vmig_v1_region_caps(struct vmig_device *vmig, struct vfio_region_info *info,
			struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_type type = {
		.header.id = VFIO_REGION_INFO_CAP_TYPE,
		.header.version = 1,
		.type = VFIO_REGION_TYPE_MIGRATION_DEPRECATED,
		.subtype = VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED,
	};
	int ret;

	if (!(vmig->protocols & VMIG_PROTOCOL_V1))
		return -EINVAL;
	info->size = vmig_v1_region_size(vmig);
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		      VFIO_REGION_INFO_FLAG_MMAP;
	ret = vfio_info_add_capability(caps, &type.header, sizeof(type));
	return ret ?: vmig_v1_cap_sparse(vmig, caps);
}
EXPORT_SYMBOL_GPL(vmig_v1_region_caps);
