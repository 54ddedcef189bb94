// SPDX-License-Identifier: GPL-2.0-only
/*
 * The v2 protocol: states by number, and a data file that is read or written.
 *
 * A session of this protocol has a struct vmig_data, and so has the file that the
 * client got for it; each may go before the other. Invariants:
 *
 *  - A file is of one session. When that ends, whoever ends it, the file loses
 *    its way to the device and answers -ENODEV to everything from then on.
 *  - Bytes are made into, and taken from, a buffer of the file's own: user
 *    memory is copied with vmig_data.lock held, which serializes the file's
 *    readers or writers, and never with vmig_device.lock.
 *  - What was moved into the buffer is not in doubt. It is delivered, or its
 *    session ends. So a stop needs to send nothing again.
 *
 * Locks: vmig_data.lock, then vmig_device.lock. A session's end holds the second
 * and so cannot wait for the first; it takes the device away from the file, and
 * vmig_destroy() waits until nobody is on the way to a device any more (SRCU).
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/vfio.h>

#include "vmig_int.h"
#include "vmig_v2_compat.h"

/* Most bytes that are made, or taken, at once; more than any record has. */
#define VMIG_DATA_BUF		SZ_256K

static_assert(VMIG_DATA_BUF >= VMIG_RECORD_MAX);

/* States and flags are numbered as in the uapi. */
static_assert((int)VMIG_STATE_ERROR == (int)VFIO_DEVICE_STATE_ERROR);
static_assert((int)VMIG_STATE_STOP == (int)VFIO_DEVICE_STATE_STOP);
static_assert((int)VMIG_STATE_RUNNING == (int)VFIO_DEVICE_STATE_RUNNING);
static_assert((int)VMIG_STATE_STOP_COPY == (int)VFIO_DEVICE_STATE_STOP_COPY);
static_assert((int)VMIG_STATE_RESUMING == (int)VFIO_DEVICE_STATE_RESUMING);
static_assert((int)VMIG_STATE_RUNNING_P2P == (int)VFIO_DEVICE_STATE_RUNNING_P2P);
static_assert(VMIG_F_STOP_COPY == VFIO_MIGRATION_STOP_COPY);
static_assert(VMIG_F_P2P == VFIO_MIGRATION_P2P);
static_assert(VMIG_F_PRE_COPY == VFIO_MIGRATION_PRE_COPY);

/**
 * struct vmig_data - a data file, and what its session knows of it
 * @kref: the session's and the file's references
 * @vmig: device while the session lives, then NULL; read under vmig_data_srcu,
 *	cleared under vmig_device.lock
 * @owner: module of the vendor driver, held
 * @lock: protects @pos, @left and @initial; held over copies of user memory.
 *	Outside vmig_device.lock
 * @buf: bytes of the stream between the session and user memory
 * @pos: of @buf, where the next byte is that the client gets
 * @left: bytes from there; read without the lock for estimates
 * @initial: of the bytes that there were to send when the session began, so
 *	many are not delivered
 * @wait: woken when there may be something new for poll(2)
 */
struct vmig_data {
	struct kref kref;
	struct vmig_device *vmig;
	struct module *owner;
	struct mutex lock; /* protects pos, left and initial */
	u8 *buf;
	size_t pos;
	size_t left;
	u64 initial;
	wait_queue_head_t wait;
};

DEFINE_STATIC_SRCU(vmig_data_srcu);

static void vmig_data_free(struct kref *kref)
{
	struct vmig_data *data = container_of(kref, struct vmig_data, kref);

	module_put(data->owner);
	mutex_destroy(&data->lock);
	kvfree(data->buf);
	kfree(data);
}

static void vmig_data_put(struct vmig_data *data)
{
	kref_put(&data->kref, vmig_data_free);
}

/**
 * vmig_data_bind() - a session begins and takes its data file
 * @data: of vmig_data_new()
 * @session: which begins
 *
 * Context: process; vmig_device.lock held.
 */
void vmig_data_bind(struct vmig_data *data, struct vmig_session *session)
{
	struct vmig_device *vmig = data->vmig;
	unsigned int i;

	lockdep_assert_held(&vmig->lock);
	kref_get(&data->kref);
	session->data = data;
	if (!session->save)
		return;
	for (i = 0; i < vmig->cfg->nr_mems; i++)
		vmig_mem_wake(vmig->cfg->mems[i], &data->wait);
	data->initial = vmig_save_pending(session->save);
}

/**
 * vmig_data_wake() - somebody who polls may find something else now
 * @data: of a session
 *
 * Context: any.
 */
void vmig_data_wake(struct vmig_data *data)
{
	wake_up_interruptible_poll(&data->wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * vmig_data_end() - the session of a data file has ended
 * @data: its file; the session's reference is gone after this
 *
 * Context: process; vmig_device.lock held.
 */
void vmig_data_end(struct vmig_data *data)
{
	lockdep_assert_held(&data->vmig->lock);
	WRITE_ONCE(data->vmig, NULL);
	wake_up_poll(&data->wait, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
	vmig_data_put(data);
}

/**
 * vmig_data_left() - bytes that were made and not delivered
 * @data: of a saving session
 *
 * Context: any; exact while nobody reads.
 * Return: bytes.
 */
size_t vmig_data_left(const struct vmig_data *data)
{
	return READ_ONCE(data->left);
}

/**
 * vmig_data_sync() - wait until nobody uses a device by way of a dead file
 *
 * Context: process, may sleep; no lock held. Before a device is freed.
 */
void vmig_data_sync(void)
{
	synchronize_srcu(&vmig_data_srcu);
}

typedef long (*vmig_data_fn)(struct vmig_device *vmig, struct vmig_data *data,
			     void *arg);

/*
 * Call @fn with the device of a file, locked, if the file's session lives. Returns
 * what it does, or -ENODEV.
 */
static long vmig_data_call(struct vmig_data *data, vmig_data_fn fn, void *arg)
{
	struct vmig_device *vmig;
	long ret = -ENODEV;
	int srcu;

	srcu = srcu_read_lock(&vmig_data_srcu);
	vmig = READ_ONCE(data->vmig);
	if (vmig) {
		mutex_lock(&vmig->lock);
		/* It may have ended while we waited. */
		if (READ_ONCE(data->vmig))
			ret = fn(vmig, data, arg);
		mutex_unlock(&vmig->lock);
	}
	srcu_read_unlock(&vmig_data_srcu, srcu);
	return ret;
}

static long vmig_data_make(struct vmig_device *vmig, struct vmig_data *data,
			   void *unused)
{
	struct vmig_save *s = vmig->session->save;
	int len = vmig_save_stage(s, data->buf, VMIG_DATA_BUF);

	lockdep_assert_held(&vmig->lock);
	if (len > 0) {
		data->pos = 0;
		WRITE_ONCE(data->left, len);
		vmig_save_ack(s);
	}
	if (!len && vmig->state != VMIG_STATE_STOP_COPY)
		return -ENOMSG;
	return len;
}

/*
 * Have bytes in the buffer. Returns how many; 0 at the end of the stream;
 * -ENOMSG if there is nothing now; -ENODEV; what vmig_fault() says.
 */
static ssize_t vmig_data_fill(struct vmig_data *data)
{
	lockdep_assert_held(&data->lock);
	/* What is left dies with the session. */
	if (data->left)
		return READ_ONCE(data->vmig) ? data->left : -ENODEV;
	return vmig_data_call(data, vmig_data_make, NULL);
}

/* The position moves by what user memory took, so that a fault loses nothing. */
static size_t vmig_data_give(struct vmig_data *data, struct iov_iter *to)
{
	size_t n = copy_to_iter(data->buf + data->pos, data->left, to);

	lockdep_assert_held(&data->lock);
	data->pos += n;
	WRITE_ONCE(data->left, data->left - n);
	data->initial -= min_t(u64, data->initial, n);
	return n;
}

static ssize_t vmig_data_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct vmig_data *data = iocb->ki_filp->private_data;
	size_t done = 0, n;
	ssize_t ret = 0;

	/* A signal does not end it, unless it ends the client. */
	if (mutex_lock_killable(&data->lock))
		return -EINTR;
	while (iov_iter_count(to)) {
		ret = vmig_data_fill(data);
		if (ret <= 0)
			break;
		n = vmig_data_give(data, to);
		done += n;
		ret = n ? 0 : -EFAULT;
		if (ret)
			break;
	}
	mutex_unlock(&data->lock);
	return done ?: ret;
}

/**
 * struct vmig_data_piece - some bytes of a stream that comes in
 * @len: how many there are in the buffer
 * @again: they were not taken, and may be sent again
 */
struct vmig_data_piece {
	size_t len;
	bool again;
};

static long vmig_data_take(struct vmig_device *vmig, struct vmig_data *data,
			   void *arg)
{
	struct vmig_resume *r = vmig->session->resume;
	struct vmig_data_piece *piece = arg;
	int ret = vmig_resume_reserve(r, piece->len);

	if (!ret)
		ret = vmig_resume_feed(r, data->buf, piece->len);
	piece->again = !vmig_resume_refused(r);
	return ret;
}

static ssize_t vmig_data_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct vmig_data *data = iocb->ki_filp->private_data;
	struct vmig_data_piece piece = { .again = true };
	size_t done = 0;
	long ret = 0;

	if (mutex_lock_killable(&data->lock))
		return -EINTR;
	while (iov_iter_count(from) && !ret) {
		piece.len = copy_from_iter(data->buf, VMIG_DATA_BUF, from);
		ret = -EFAULT;
		if (piece.len)
			ret = vmig_data_call(data, vmig_data_take, &piece);
		if (!ret)
			done += piece.len;
	}
	mutex_unlock(&data->lock);
	/* What was taken counts, unless all of it is worth nothing now. */
	return ret && !piece.again ? ret : done ?: ret;
}

/* Is there something to do for who polls the file? */
static long vmig_data_ready(struct vmig_device *vmig, struct vmig_data *data,
			    void *unused)
{
	return !vmig->session->save || vmig->state == VMIG_STATE_STOP_COPY ||
	       vmig_data_left(data) || vmig_save_pending(vmig->session->save);
}

static __poll_t vmig_data_poll(struct file *file, struct poll_table_struct *wait)
{
	struct vmig_data *data = file->private_data;
	__poll_t events = EPOLLIN | EPOLLRDNORM;
	long ready;

	poll_wait(file, &data->wait, wait);
	if (file->f_mode & FMODE_WRITE)
		events = EPOLLOUT | EPOLLWRNORM;
	ready = vmig_data_call(data, vmig_data_ready, NULL);
	if (ready < 0)
		return events | EPOLLERR | EPOLLHUP;
	return ready ? events : 0;
}

static bool vmig_precopying(enum vmig_state state)
{
	return state == VMIG_STATE_PRE_COPY || state == VMIG_STATE_PRE_COPY_P2P;
}

/* What is to be sent: of that which the session began with, and more since. */
static long vmig_data_measure(struct vmig_device *vmig, struct vmig_data *data,
			      void *arg)
{
	struct vfio_precopy_info *info = arg;
	u64 all;

	if (!vmig_precopying(vmig->state))
		return -EINVAL;
	all = data->left + vmig_save_pending(vmig->session->save);
	data->initial = min(data->initial, all);
	info->initial_bytes = data->initial;
	info->dirty_bytes = all - data->initial;
	/* Nothing is ever begun anew within a session. */
	if (vmig_compat_precopy_v2(vmig->cfg->vfio, vmig->precopy_v2))
		info->flags = 0;
	return 0;
}

static int vmig_data_info(struct vmig_data *data, struct vfio_precopy_info *info)
{
	int ret;

	if (mutex_lock_killable(&data->lock))
		return -EINTR;
	ret = vmig_data_call(data, vmig_data_measure, info);
	mutex_unlock(&data->lock);
	return ret;
}

static long vmig_data_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const size_t minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct vmig_data *data = file->private_data;
	void __user *uarg = (void __user *)arg;
	struct vfio_precopy_info info;
	int ret;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO || (file->f_mode & FMODE_WRITE))
		return -ENOTTY;
	if (!READ_ONCE(data->vmig))
		return -ENODEV;
	if (copy_from_user(&info, uarg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	ret = vmig_data_info(data, &info);
	if (!ret && copy_to_user(uarg, &info, minsz))
		ret = -EFAULT;
	return ret;
}

static int vmig_data_release(struct inode *inode, struct file *file)
{
	vmig_data_put(file->private_data);
	return 0;
}

static const struct file_operations vmig_save_fops = {
	.owner		= THIS_MODULE,
	.read_iter	= vmig_data_read_iter,
	.splice_read	= vmig_compat_splice_read,
	.poll		= vmig_data_poll,
	.unlocked_ioctl	= vmig_data_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.release	= vmig_data_release,
};

static const struct file_operations vmig_resume_fops = {
	.owner		= THIS_MODULE,
	.write_iter	= vmig_data_write_iter,
	.splice_write	= iter_file_splice_write,
	.poll		= vmig_data_poll,
	.unlocked_ioctl	= vmig_data_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.release	= vmig_data_release,
};

static struct vmig_data *vmig_data_new(struct vmig_device *vmig)
{
	struct vmig_data *data;

	lockdep_assert_held(&vmig->lock);
	data = kzalloc(sizeof(*data), GFP_KERNEL_ACCOUNT);
	if (!data)
		return NULL;
	data->buf = kvmalloc(VMIG_DATA_BUF, GFP_KERNEL_ACCOUNT);
	if (!data->buf) {
		kfree(data);
		return NULL;
	}
	kref_init(&data->kref);
	mutex_init(&data->lock);
	init_waitqueue_head(&data->wait);
	data->vmig = vmig;
	/* A file that outlives the device keeps the driver, for its own sake. */
	data->owner = vmig->cfg->ops->owner;
	__module_get(data->owner);
	return data;
}

/* A file that has the only reference on its data. */
static struct file *vmig_data_file(struct vmig_device *vmig, bool resume)
{
	struct vmig_data *data = vmig_data_new(vmig);
	struct file *file;

	if (!data)
		return ERR_PTR(-ENOMEM);
	file = anon_inode_getfile("[vmig]",
				  resume ? &vmig_resume_fops : &vmig_save_fops,
				  data, resume ? O_WRONLY : O_RDONLY);
	if (IS_ERR(file)) {
		vmig_data_put(data);
		return file;
	}
	stream_open(file_inode(file), file);
	return file;
}

/* With the lock held; see vmig_v2_set_state(). */
static struct file *vmig_v2_change(struct vmig_device *vmig,
				   enum vmig_state target)
{
	struct vmig_data *data = NULL;
	struct file *file = NULL;
	int ret;

	lockdep_assert_held(&vmig->lock);
	if (vmig->state != VMIG_STATE_ERROR && vmig->state == target)
		return NULL;
	if (vmig_starts_session(vmig, target)) {
		file = vmig_data_file(vmig, target == VMIG_STATE_RESUMING);
		if (IS_ERR(file))
			return file;
		data = file->private_data;
	}
	ret = vmig_set_state(vmig, target, VMIG_OWNER_V2, data);
	if (!ret)
		return file;
	if (file) {
		/* Nobody has seen it: without a session, without a device. */
		data->vmig = NULL;
		fput(file);
	}
	return ERR_PTR(ret);
}

/**
 * vmig_v2_set_state() - VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, SET
 * @vmig: device, opened
 * @target: enum vfio_device_mig_state, any value
 *
 * Context: process, may sleep; vfio_migration_ops.migration_set_state().
 * Source: migration-rules.rst, V2-FSM.
 * Return: the data file if a session began; NULL if none did; or, with nothing
 * changed, -EIO in ERROR, -EINVAL if there is no way or a resume is not complete,
 * -EBUSY if the session belongs to the v1 region, -ENOMEM, -ENFILE, -ENOTTY if
 * this protocol is not offered.
 */
struct file *vmig_v2_set_state(struct vmig_device *vmig, u32 target)
{
	struct file *file;

	if (!(vmig->protocols & VMIG_PROTOCOL_V2))
		return ERR_PTR(-ENOTTY);
	mutex_lock(&vmig->lock);
	file = vmig_v2_change(vmig, target);
	mutex_unlock(&vmig->lock);
	return file;
}
EXPORT_SYMBOL_GPL(vmig_v2_set_state);

/**
 * vmig_v2_get_data_size() - VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
 * @vmig: device
 *
 * Context: process, may sleep; vfio_migration_ops.migration_get_data_size(). In
 * constant time, see vmig_save_estimate().
 * Source: migration-rules.rst, V2-DS.
 * Return: bytes, not 0.
 */
u64 vmig_v2_get_data_size(struct vmig_device *vmig)
{
	u64 bytes;

	mutex_lock(&vmig->lock);
	bytes = vmig_save_estimate(vmig);
	mutex_unlock(&vmig->lock);
	return bytes;
}
EXPORT_SYMBOL_GPL(vmig_v2_get_data_size);

static int vmig_v2_feature_size(struct vmig_device *vmig, u32 flags,
				void __user *arg, size_t argsz)
{
	struct vfio_device_feature_mig_data_size size = {};
	int ret;

	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_GET,
				 sizeof(size));
	if (ret != 1)
		return ret;
	size.stop_copy_length = vmig_v2_get_data_size(vmig);
	return copy_to_user(arg, &size, sizeof(size)) ? -EFAULT : 0;
}

static int vmig_v2_feature_precopy(struct vmig_device *vmig, u32 flags,
				   size_t argsz)
{
	int ret;

	if (!(vmig->flags & VMIG_F_PRE_COPY))
		return -EINVAL;
	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, 0);
	if (ret != 1)
		return ret;
	mutex_lock(&vmig->lock);
	vmig->precopy_v2 = true;
	mutex_unlock(&vmig->lock);
	return 0;
}

/**
 * vmig_v2_feature() - features that the running kernel does not serve itself
 * @vmig: device, opened
 * @flags: of the ioctl: feature and directions
 * @arg: payload in user memory
 * @argsz: bytes of it
 *
 * Older kernels hand on what they do not know: MIG_DATA_SIZE before 6.2, and
 * MIG_PRECOPY_INFOv2. Without the first, QEMU assumes that a device has 100 GiB.
 *
 * Context: process, may sleep; vfio_device_ops.device_feature().
 * Source: migration-rules.rst, V2-FEA-04.
 * Return: 0, -ENOTTY for another feature, -EINVAL, -EFAULT.
 */
int vmig_v2_feature(struct vmig_device *vmig, u32 flags, void __user *arg,
		    size_t argsz)
{
	if (!(vmig->protocols & VMIG_PROTOCOL_V2))
		return -ENOTTY;
	switch (flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_MIG_DATA_SIZE:
		return vmig_v2_feature_size(vmig, flags, arg, argsz);
	case VMIG_FEATURE_PRECOPY_V2:
		return vmig_v2_feature_precopy(vmig, flags, argsz);
	default:
		return -ENOTTY;
	}
}
EXPORT_SYMBOL_GPL(vmig_v2_feature);
