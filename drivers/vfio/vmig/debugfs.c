// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking into a device's migration, and making its steps fail, for tests.
 *
 * Nothing here changes what a client can tell from what the rules allow: a step
 * that is made to fail fails as it could by itself, or as it could in a vendor
 * driver with hardware behind it.
 *
 * The files are documented in Documentation/ABI/testing/debugfs-mimic.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "vmig_int.h"

/* The largest errno that means something to user space. */
#define VMIG_ERRNO_MAX		EHWPOISON

static const char *vmig_session_name(const struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	if (!vmig->session)
		return "none";
	return vmig->session->save ? "saving" : "resuming";
}

static const char *vmig_owner_name(const struct vmig_device *vmig)
{
	lockdep_assert_held(&vmig->lock);
	if (!vmig->session)
		return "none";
	return vmig->session->owner == VMIG_OWNER_V1 ? "v1" : "v2";
}

static void vmig_show_stats(struct seq_file *m, const struct vmig_device *vmig)
{
	const struct vmig_stats *stats = &vmig->stats;

	seq_printf(m, "segments: %llu\nbytes: %llu\n", stats->segments,
		   stats->bytes);
	seq_printf(m, "acked_segments: %llu\nacked_bytes: %llu\n",
		   stats->acked_segments, stats->acked_bytes);
	if (READ_ONCE(vmig->section_mapped))
		seq_puts(m, "acked_unread_bytes: unknown\n");
	else
		seq_printf(m, "acked_unread_bytes: %llu\n", stats->acked_unread);
	seq_printf(m, "pending_reads: %llu\nrefusals: %llu\n",
		   stats->pending_reads, stats->refusals);
}

static int vmig_migration_show(struct seq_file *m, void *unused)
{
	struct vmig_device *vmig = m->private;

	mutex_lock(&vmig->lock);
	seq_printf(m, "state: %s\n", vmig_state_name(vmig->state));
	seq_printf(m, "session: %s\n", vmig_session_name(vmig));
	seq_printf(m, "owner: %s\n", vmig_owner_name(vmig));
	vmig_show_stats(m, vmig);
	mutex_unlock(&vmig->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vmig_migration);

static int vmig_section_size_get(void *data, u64 *value)
{
	struct vmig_device *vmig = data;

	mutex_lock(&vmig->lock);
	*value = vmig->section_size;
	mutex_unlock(&vmig->lock);
	return 0;
}

static int vmig_section_size_set(void *data, u64 value)
{
	return vmig_set_section_size(data, value);
}

DEFINE_DEBUGFS_ATTRIBUTE(vmig_section_size_fops, vmig_section_size_get,
			 vmig_section_size_set, "%llu\n");

static int vmig_flags_get(void *data, u64 *value)
{
	struct vmig_device *vmig = data;

	mutex_lock(&vmig->lock);
	*value = vmig->flags;
	mutex_unlock(&vmig->lock);
	return 0;
}

static int vmig_flags_set(void *data, u64 value)
{
	return vmig_set_flags(data, value);
}

DEFINE_DEBUGFS_ATTRIBUTE(vmig_flags_fops, vmig_flags_get, vmig_flags_set,
			 "%llu\n");

/* One fault is one file; its inode leads to the device, its name to the step. */
static const char * const vmig_step_names[VMIG_NR_STEPS] = {
	[VMIG_STEP_SAVE]	= "save",
	[VMIG_STEP_RESUME]	= "resume",
	[VMIG_STEP_STAGE]	= "stage",
	[VMIG_STEP_RESERVE]	= "reserve",
	[VMIG_STEP_PARSE]	= "parse",
	[VMIG_STEP_FINISH]	= "finish",
};

static enum vmig_step vmig_file_step(const struct file *file)
{
	return match_string(vmig_step_names, VMIG_NR_STEPS,
			    file->f_path.dentry->d_name.name);
}

static ssize_t vmig_fault_read(struct file *file, char __user *buf, size_t count,
			       loff_t *ppos)
{
	struct vmig_device *vmig = file->private_data;
	struct vmig_fault fault;
	char text[48];
	int len;

	mutex_lock(&vmig->lock);
	fault = vmig->faults[vmig_file_step(file)];
	mutex_unlock(&vmig->lock);
	len = scnprintf(text, sizeof(text), "%u %u %u\n", fault.err, fault.skip,
			fault.times);
	return simple_read_from_buffer(buf, count, ppos, text, len);
}

/* "ERRNO [SKIP [TIMES]]" and nothing behind it. */
static int vmig_fault_parse(const char *text, struct vmig_fault *fault)
{
	int end = 0;

	*fault = (struct vmig_fault) { .times = 1 };
	if (sscanf(text, "%u %n%u %n%u %n", &fault->err, &end, &fault->skip,
		   &end, &fault->times, &end) < 1)
		return -EINVAL;
	if (text[end] || fault->err > VMIG_ERRNO_MAX)
		return -EINVAL;
	if (!fault->err)
		*fault = (struct vmig_fault) {};
	return 0;
}

static ssize_t vmig_fault_write(struct file *file, const char __user *buf,
				size_t count, loff_t *ppos)
{
	struct vmig_device *vmig = file->private_data;
	struct vmig_fault fault;
	char text[48] = "";
	int ret;

	if (*ppos || count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, count))
		return -EFAULT;
	ret = vmig_fault_parse(text, &fault);
	if (ret)
		return ret;
	mutex_lock(&vmig->lock);
	vmig->faults[vmig_file_step(file)] = fault;
	mutex_unlock(&vmig->lock);
	return count;
}

static const struct file_operations vmig_fault_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.read	= vmig_fault_read,
	.write	= vmig_fault_write,
	.llseek	= default_llseek,
};

/**
 * vmig_debugfs_add() - add the engine's files to a device's folder
 * @vmig: device
 * @dir: the folder; to be removed, with all in it, before vmig_destroy()
 *
 * Context: process, may sleep.
 */
void vmig_debugfs_add(struct vmig_device *vmig, struct dentry *dir)
{
	struct dentry *fail;
	int i;

	/* What cannot migrate has neither a session nor a step. */
	if (!vmig->cfg->ident)
		return;
	debugfs_create_file("migration", 0400, dir, vmig, &vmig_migration_fops);
	debugfs_create_file("section_size", 0600, dir, vmig,
			    &vmig_section_size_fops);
	debugfs_create_file("flags", 0600, dir, vmig, &vmig_flags_fops);
	fail = debugfs_create_dir("fail", dir);
	for (i = 0; i < VMIG_NR_STEPS; i++)
		debugfs_create_file(vmig_step_names[i], 0600, fail, vmig,
				    &vmig_fault_fops);
}
EXPORT_SYMBOL_GPL(vmig_debugfs_add);
