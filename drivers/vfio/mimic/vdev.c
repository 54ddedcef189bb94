// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instances: the mdev driver, and the VFIO device that each instance is.
 *
 * This file only connects: a VFIO call to the config space, the interrupts, the
 * model's registers, the device memory or the engine; and the engine's callbacks
 * to the model and the core. User memory is copied with no lock held.
 */
#include <linux/debugfs.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "mimic.h"
#include "mimic_compat.h"

/* Most bytes that go through a bounce buffer at once. */
#define MIMIC_BOUNCE		PAGE_SIZE

static struct dentry *mimic_debugfs;

static struct mimic_vdev *vfio_to_mimic(struct vfio_device *vfio)
{
	return container_of(vfio, struct mimic_vdev, vfio);
}

/* --- What the engine asks for ------------------------------------------ */

static void mimic_set_run(struct vmig_device *vmig, enum vmig_run run)
{
	struct mimic_vdev *v = vmig_to_mimic(vmig);

	/* Nothing is raised while interrupts are gated, whichever way it goes. */
	if (run != VMIG_RUN_NONE)
		mimic_irq_set_running(v, true);
	v->model->set_run(v, run);
	if (run == VMIG_RUN_NONE)
		mimic_irq_set_running(v, false);
}

static void mimic_reset(struct vmig_device *vmig, bool function)
{
	struct mimic_vdev *v = vmig_to_mimic(vmig);

	v->model->reset(v);
	mimic_irq_reset(v);
	mimic_config_reset(v, function);
}

static void mimic_resuming(struct vmig_device *vmig)
{
	mimic_config_resuming(vmig_to_mimic(vmig));
}

static void mimic_save_config(struct vmig_device *vmig, void *buf)
{
	mimic_config_save(vmig_to_mimic(vmig), buf);
}

static int mimic_check_config(struct vmig_device *vmig, const void *buf)
{
	return mimic_config_check(vmig_to_mimic(vmig), buf);
}

static void mimic_load_config(struct vmig_device *vmig, const void *buf)
{
	mimic_config_load(vmig_to_mimic(vmig), buf);
}

static void mimic_save_irq(struct vmig_device *vmig, void *buf)
{
	mimic_irq_save(vmig_to_mimic(vmig), buf);
}

static int mimic_check_irq(struct vmig_device *vmig, const void *buf)
{
	return mimic_irq_check(vmig_to_mimic(vmig), buf);
}

static void mimic_load_irq(struct vmig_device *vmig, const void *buf)
{
	mimic_irq_load(vmig_to_mimic(vmig), buf);
}

static void mimic_save_model(struct vmig_device *vmig, void *buf)
{
	struct mimic_vdev *v = vmig_to_mimic(vmig);

	v->model->save(v, buf);
}

static int mimic_check_model(struct vmig_device *vmig, const void *buf)
{
	struct mimic_vdev *v = vmig_to_mimic(vmig);

	return v->model->check(v, buf);
}

static void mimic_load_model(struct vmig_device *vmig, const void *buf)
{
	struct mimic_vdev *v = vmig_to_mimic(vmig);

	v->model->load(v, buf);
}

static const struct vmig_blob mimic_blobs[] = {
	{
		.name = "config", .id = MIMIC_OBJ_CONFIG,
		.size = MIMIC_CONFIG_STATE_SIZE, .save = mimic_save_config,
		.check = mimic_check_config, .commit = mimic_load_config,
	}, {
		.name = "irq", .id = MIMIC_OBJ_IRQ,
		.size = MIMIC_IRQ_STATE_SIZE, .save = mimic_save_irq,
		.check = mimic_check_irq, .commit = mimic_load_irq,
	}, {
		.name = "model", .id = MIMIC_OBJ_MODEL,
		.save = mimic_save_model, .check = mimic_check_model,
		.commit = mimic_load_model,
	},
};

static const struct vmig_ops mimic_vmig_ops = {
	.owner		= THIS_MODULE,
	.set_run	= mimic_set_run,
	.reset		= mimic_reset,
	.resuming	= mimic_resuming,
};

static int mimic_init_vmig(struct mimic_vdev *v)
{
	BUILD_BUG_ON(sizeof(v->blobs) != sizeof(mimic_blobs));
	memcpy(v->blobs, mimic_blobs, sizeof(v->blobs));
	v->blobs[ARRAY_SIZE(v->blobs) - 1].size = v->model->state_size;
	v->mems[0] = &v->mem;
	v->vmig_cfg = (struct vmig_config) {
		.name		= dev_name(mdev_dev(v->mdev)),
		.ops		= &mimic_vmig_ops,
		.vfio		= &v->vfio,
		.ident		= v->type->share->migratable ? &v->type->ident : NULL,
		.nr_blobs	= ARRAY_SIZE(v->blobs),
		.blobs		= v->blobs,
		.nr_mems	= ARRAY_SIZE(v->mems),
		.mems		= v->mems,
		.section_size	= v->type->share->section_size,
	};
	return vmig_init(&v->vmig, &v->vmig_cfg);
}

/* --- Regions ------------------------------------------------------------ */

/* Size of a region; 0 if the device does not have it. */
static u64 mimic_region_size(struct mimic_vdev *v, unsigned int index)
{
	switch (index) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return MIMIC_CFG_SIZE;
	case MIMIC_BAR_REGS:
		return v->model->regs_size;
	case MIMIC_BAR_MEM:
		return v->type->share->parts ? v->mem.size : 0;
	case MIMIC_BAR_MSIX:
		return MIMIC_MSIX_BAR_SIZE;
	case MIMIC_REGION_MIGRATION:
		return vmig_v1_region_size(&v->vmig);
	default:
		return 0;
	}
}

/*
 * Registers answer to aligned accesses of 4 or 8 bytes. What else a client tries
 * finds nobody home.
 */
static bool mimic_is_reg_access(u64 off, size_t count)
{
	return (count == 4 || count == 8) && IS_ALIGNED(off, count);
}

static int mimic_read_regs(struct mimic_vdev *v, u64 off, void *buf, size_t count)
{
	__le32 *out = buf;
	size_t i;

	if (!mimic_is_reg_access(off, count)) {
		v->model->ignored(v);
		memset(buf, 0xff, count);
		return 0;
	}
	for (i = 0; i < count / 4; i++)
		out[i] = cpu_to_le32(v->model->read(v, off + 4 * i));
	return 0;
}

static int mimic_write_regs(struct mimic_vdev *v, u64 off, const void *buf,
			    size_t count)
{
	const __le32 *in = buf;
	size_t i;

	if (!mimic_is_reg_access(off, count)) {
		v->model->ignored(v);
		return 0;
	}
	for (i = 0; i < count / 4; i++)
		v->model->write(v, off + 4 * i, le32_to_cpu(in[i]));
	return 0;
}

static int mimic_read_bounce(struct mimic_vdev *v, unsigned int index, u64 off,
			     void *buf, size_t count)
{
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return mimic_config_read(v, off, buf, count);
	if (!READ_ONCE(v->mem_decode))
		return -EIO;
	switch (index) {
	case MIMIC_BAR_REGS:
		return mimic_read_regs(v, off, buf, count);
	case MIMIC_BAR_MEM:
		return vmig_mem_read(&v->mem, off, buf, count);
	default:
		return mimic_config_msix_read(v, off, buf, count);
	}
}

static int mimic_write_bounce(struct mimic_vdev *v, unsigned int index, u64 off,
			      const void *buf, size_t count)
{
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return mimic_config_write(v, off, buf, count);
	if (!READ_ONCE(v->mem_decode))
		return -EIO;
	switch (index) {
	case MIMIC_BAR_REGS:
		return mimic_write_regs(v, off, buf, count);
	case MIMIC_BAR_MEM:
		return vmig_mem_write(&v->mem, off, buf, count);
	default:
		return mimic_config_msix_write(v, off, buf, count);
	}
}

/**
 * struct mimic_access - an access to a region
 * @index: region, valid
 * @off: offset in it
 * @count: bytes, all of them inside, not 0
 */
struct mimic_access {
	unsigned int index;
	u64 off;
	size_t count;
};

/* Returns 1 for an access to make, 0 for one of nothing, or a negative errno. */
static int mimic_decode_access(struct mimic_vdev *v, loff_t pos, size_t count,
			       struct mimic_access *a)
{
	u64 size;

	if (!count)
		return 0;
	if (pos < 0 || (u64)pos >> MIMIC_REGION_SHIFT >= MIMIC_NR_REGIONS)
		return -EINVAL;
	a->index = array_index_nospec((u64)pos >> MIMIC_REGION_SHIFT,
				      MIMIC_NR_REGIONS);
	a->off = pos & MIMIC_REGION_MASK;
	size = mimic_region_size(v, a->index);
	if (a->off >= size)
		return -EINVAL;
	a->count = min_t(u64, count, size - a->off);
	return 1;
}

static int mimic_read_piece(struct mimic_vdev *v, const struct mimic_access *a,
			    size_t done, void *bounce, char __user *buf, size_t n)
{
	int ret;

	ret = mimic_read_bounce(v, a->index, a->off + done, bounce, n);
	if (!ret && copy_to_user(buf + done, bounce, n))
		ret = -EFAULT;
	return ret;
}

static int mimic_write_piece(struct mimic_vdev *v, const struct mimic_access *a,
			     size_t done, void *bounce, char __user *buf,
			     size_t n)
{
	if (copy_from_user(bounce, buf + done, n))
		return -EFAULT;
	return mimic_write_bounce(v, a->index, a->off + done, bounce, n);
}

/* Move an access's bytes through a bounce buffer, piece by piece. */
static ssize_t mimic_move(struct mimic_vdev *v, const struct mimic_access *a,
			  char __user *buf, bool write)
{
	size_t done = 0, n;
	void *bounce;
	int ret = 0;

	bounce = kmalloc(min_t(size_t, a->count, MIMIC_BOUNCE), GFP_KERNEL);
	if (!bounce)
		return -ENOMEM;
	for (; done < a->count && !ret; done += ret ? 0 : n) {
		n = min_t(size_t, a->count - done, MIMIC_BOUNCE);
		if (write)
			ret = mimic_write_piece(v, a, done, bounce, buf, n);
		else
			ret = mimic_read_piece(v, a, done, bounce, buf, n);
	}
	kfree(bounce);
	return done ?: ret;
}

static ssize_t mimic_read(struct vfio_device *vfio, char __user *buf,
			  size_t count, loff_t *ppos)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);
	struct mimic_access a;
	ssize_t ret;

	ret = mimic_decode_access(v, *ppos, count, &a);
	if (ret <= 0)
		return ret;
	if (a.index == MIMIC_REGION_MIGRATION)
		return vmig_v1_read(&v->vmig, buf, a.count, a.off);
	ret = mimic_move(v, &a, buf, false);
	if (ret > 0)
		*ppos += ret;
	return ret;
}

static ssize_t mimic_write(struct vfio_device *vfio, const char __user *buf,
			   size_t count, loff_t *ppos)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);
	struct mimic_access a;
	ssize_t ret;

	ret = mimic_decode_access(v, *ppos, count, &a);
	if (ret <= 0)
		return ret;
	if (a.index == MIMIC_REGION_MIGRATION)
		return vmig_v1_write(&v->vmig, buf, a.count, a.off);
	ret = mimic_move(v, &a, (char __user *)buf, true);
	if (ret > 0)
		*ppos += ret;
	return ret;
}

static int mimic_mmap(struct vfio_device *vfio, struct vm_area_struct *vma)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);
	u64 pos = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 off = pos & MIMIC_REGION_MASK;

	switch (pos >> MIMIC_REGION_SHIFT) {
	case MIMIC_BAR_MEM:
		if (!v->type->share->parts)
			return -EINVAL;
		return vmig_mem_mmap(&v->mem, vma, off);
	case MIMIC_REGION_MIGRATION:
		if (!vmig_v1_region_size(&v->vmig))
			return -EINVAL;
		return vmig_v1_mmap(&v->vmig, vma, off);
	default:
		return -EINVAL;
	}
}

/* --- ioctls ------------------------------------------------------------- */

/* The migration region is the last one, if the device offers it. */
static u32 mimic_nr_regions(struct mimic_vdev *v)
{
	return vmig_v1_region_size(&v->vmig) ? MIMIC_NR_REGIONS :
					       VFIO_PCI_NUM_REGIONS;
}

static long mimic_ioctl_info(struct mimic_vdev *v, void __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = mimic_nr_regions(v);
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

/* Of type mimic_region_info_fn; the core's op, where it has one. */
static int mimic_region_info(struct vfio_device *vfio,
			     struct vfio_region_info *info,
			     struct vfio_info_cap *caps)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);
	u32 nr = mimic_nr_regions(v);
	u32 index = info->index;

	if (index >= nr)
		return -EINVAL;
	index = array_index_nospec(index, nr);
	info->offset = (u64)index << MIMIC_REGION_SHIFT;
	info->size = mimic_region_size(v, index);
	info->flags = 0;
	info->cap_offset = 0;
	if (index == MIMIC_REGION_MIGRATION)
		return vmig_v1_region_caps(&v->vmig, info, caps);
	if (info->size)
		info->flags = VFIO_REGION_INFO_FLAG_READ |
			      VFIO_REGION_INFO_FLAG_WRITE;
	if (index == MIMIC_BAR_MEM && info->size)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

static long mimic_ioctl_irq_info(struct mimic_vdev *v, void __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	ret = mimic_irq_info(v, &info);
	if (ret)
		return ret;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static long mimic_ioctl_set_irqs(struct mimic_vdev *v, void __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_set, count);
	struct vfio_irq_info info = {};
	struct vfio_irq_set hdr;
	size_t size = 0;
	void *data = NULL;
	long ret;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;
	if (hdr.argsz < minsz || hdr.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.index = hdr.index;
	ret = mimic_irq_info(v, &info);
	if (ret)
		return ret;
	ret = vfio_set_irqs_validate_and_prepare(&hdr, info.count,
						 VFIO_PCI_NUM_IRQS, &size);
	if (ret)
		return ret;
	if (size) {
		data = memdup_user(arg + minsz, size);
		if (IS_ERR(data))
			return PTR_ERR(data);
	}
	ret = mimic_irq_set(v, hdr.flags, hdr.index, hdr.start, hdr.count, data);
	kfree(data);
	return ret;
}

static long mimic_ioctl(struct vfio_device *vfio, unsigned int cmd,
			unsigned long arg)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return mimic_ioctl_info(v, uarg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return mimic_compat_region_info(vfio, uarg, mimic_region_info);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return mimic_ioctl_irq_info(v, uarg);
	case VFIO_DEVICE_SET_IRQS:
		return mimic_ioctl_set_irqs(v, uarg);
	case VFIO_DEVICE_RESET:
		vmig_reset(&v->vmig);
		return 0;
	default:
		return -ENOTTY;
	}
}

/* --- The v2 protocol ---------------------------------------------------- */

static struct file *mimic_set_state(struct vfio_device *vfio,
				    enum vfio_device_mig_state state)
{
	return vmig_v2_set_state(&vfio_to_mimic(vfio)->vmig, state);
}

static int mimic_get_state(struct vfio_device *vfio,
			   enum vfio_device_mig_state *state)
{
	*state = (enum vfio_device_mig_state)
		 vmig_get_state(&vfio_to_mimic(vfio)->vmig);
	return 0;
}

/* The core serves MIG_DATA_SIZE by this, if it knows of that feature. */
static int __maybe_unused mimic_get_data_size(struct vfio_device *vfio,
					      unsigned long *length)
{
	*length = vmig_v2_get_data_size(&vfio_to_mimic(vfio)->vmig);
	return 0;
}

static const struct vfio_migration_ops mimic_migration_ops = {
	.migration_set_state	= mimic_set_state,
	.migration_get_state	= mimic_get_state,
	MIMIC_COMPAT_DATA_SIZE(mimic_get_data_size)
};

static int mimic_feature(struct vfio_device *vfio, u32 flags, void __user *arg,
			 size_t argsz)
{
	return vmig_v2_feature(&vfio_to_mimic(vfio)->vmig, flags, arg, argsz);
}

/*
 * What the core offers of the v2 protocol. Before the device can be opened, and
 * while it is, this does not change.
 */
static void mimic_offer_v2(struct mimic_vdev *v)
{
	bool offered = vmig_get_protocols(&v->vmig) & VMIG_PROTOCOL_V2;

	v->vfio.migration_flags = offered ? v->vmig.flags : 0;
	if (offered || !mimic_compat_mig_ops_may_go())
		v->vfio.mig_ops = &mimic_migration_ops;
	else
		v->vfio.mig_ops = NULL;
}

/* --- Life cycle --------------------------------------------------------- */

static int mimic_open(struct vfio_device *vfio)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);
	int ret;

	mimic_log_open(v);
	ret = vmig_open(&v->vmig);
	if (ret) {
		mimic_log_close(v);
		return ret;
	}
	/* From here on nobody can choose differently. */
	if (v->type->share->migratable)
		mimic_offer_v2(v);
	return 0;
}

static void mimic_close(struct vfio_device *vfio)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);

	vmig_close(&v->vmig);
	/* A worker may still wait for guest memory, which is there until now. */
	v->model->flush(v);
	mimic_log_close(v);
	mimic_irq_close(v);
}

static void mimic_request(struct vfio_device *vfio, unsigned int count)
{
	mimic_irq_request(vfio_to_mimic(vfio), count);
}

static void mimic_dma_unmap(struct vfio_device *vfio, u64 iova, u64 length)
{
	mimic_dma_forget(vfio_to_mimic(vfio), iova, length);
}

static int mimic_init_mem(struct mimic_vdev *v)
{
	u64 size = v->type->mem_size;

	if (v->type->share->uniform)
		return vmig_mem_init_uniform(&v->mem, MIMIC_OBJ_MEM, size);
	return vmig_mem_init(&v->mem, MIMIC_OBJ_MEM, size);
}

/* Called by VFIO when the instance is allocated; release undoes it. */
static int mimic_init_dev(struct vfio_device *vfio)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);
	int ret;

	v->mdev = to_mdev_device(vfio->dev);
	v->type = mimic_type_of(v->mdev->type);
	v->model = v->type->model;
	ret = mimic_type_take(v->type);
	if (ret)
		return ret;
	ret = mimic_init_mem(v);
	if (ret)
		goto err_give;
	mimic_irq_init(v);
	mimic_dma_init(v);
	mimic_log_init(v);
	mimic_config_init(v);
	ret = mimic_init_vmig(v);
	if (ret)
		goto err_mem;
	ret = v->model->init(v);
	if (ret)
		goto err_vmig;
	if (v->type->share->migratable)
		mimic_offer_v2(v);
	return 0;

err_vmig:
	vmig_destroy(&v->vmig);
err_mem:
	vmig_mem_destroy(&v->mem);
err_give:
	mimic_type_give(v->type);
	return ret;
}

static void mimic_release_dev(struct vfio_device *vfio)
{
	struct mimic_vdev *v = vfio_to_mimic(vfio);

	v->model->fini(v);
	vmig_destroy(&v->vmig);
	vmig_mem_destroy(&v->mem);
	mimic_type_give(v->type);
	mimic_compat_release(vfio);
}

static const struct vfio_device_ops mimic_vfio_ops = {
	.name		= "vfio-mimic",
	.init		= mimic_init_dev,
	.release	= mimic_release_dev,
	.open_device	= mimic_open,
	.close_device	= mimic_close,
	.read		= mimic_read,
	.write		= mimic_write,
	.ioctl		= mimic_ioctl,
	.mmap		= mimic_mmap,
	.request	= mimic_request,
	.dma_unmap	= mimic_dma_unmap,
	.device_feature	= mimic_feature,
	MIMIC_COMPAT_VFIO_OPS(mimic_region_info)
};

static int mimic_internal_error(void *data, u64 value)
{
	struct mimic_vdev *v = data;

	if (value != 1)
		return -EINVAL;
	vmig_fail(&v->vmig);
	mimic_irq_error(v);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(mimic_internal_error_fops, NULL, mimic_internal_error,
			 "%llu\n");

static int mimic_probe(struct mdev_device *mdev)
{
	struct mimic_vdev *v;
	int ret;

	v = vfio_alloc_device(mimic_vdev, vfio, mdev_dev(mdev), &mimic_vfio_ops);
	if (IS_ERR(v))
		return PTR_ERR(v);
	dev_set_drvdata(mdev_dev(mdev), v);
	v->debugfs = debugfs_create_dir(dev_name(mdev_dev(mdev)), mimic_debugfs);
	debugfs_create_file("internal_error", 0200, v->debugfs, v,
			    &mimic_internal_error_fops);
	vmig_debugfs_add(&v->vmig, v->debugfs);
	ret = vfio_register_emulated_iommu_dev(&v->vfio);
	if (ret)
		goto err_put;
	return 0;

err_put:
	debugfs_remove(v->debugfs);
	vfio_put_device(&v->vfio);
	return ret;
}

static void mimic_remove(struct mdev_device *mdev)
{
	struct mimic_vdev *v = dev_get_drvdata(mdev_dev(mdev));

	vfio_unregister_group_dev(&v->vfio);
	debugfs_remove(v->debugfs);
	vfio_put_device(&v->vfio);
}

struct mdev_driver mimic_mdev_driver = {
	.device_api	= VFIO_DEVICE_API_PCI_STRING,
	.probe		= mimic_probe,
	.remove		= mimic_remove,
	.get_available	= mimic_type_available,
	.show_description = mimic_type_description,
	.driver = {
		.name		= "mimic",
		/* VFIO pins the module through this, and mdev does not set it. */
		.owner		= THIS_MODULE,
		.mod_name	= KBUILD_MODNAME,
		.dev_groups	= mimic_vdev_groups,
	},
};

/**
 * mimic_vdev_setup() - what all instances share; once, when the module is loaded
 */
void mimic_vdev_setup(void)
{
	mimic_debugfs = debugfs_create_dir(MIMIC_NAME, NULL);
}

/**
 * mimic_vdev_teardown() - undo mimic_vdev_setup()
 */
void mimic_vdev_teardown(void)
{
	debugfs_remove(mimic_debugfs);
}
