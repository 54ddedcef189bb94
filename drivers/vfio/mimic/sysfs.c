// SPDX-License-Identifier: GPL-2.0-only
/*
 * migration_version: on every type and on every instance that can migrate; and
 * migration_protocols: on those instances.
 *
 * A read gives the string that says what a stream from here needs; a write
 * succeeds if a stream from a source with the string that was written can be
 * loaded here. What the string means is known to the engine alone.
 *
 * These are binary attributes for two reasons: mdev leaves drivers no way to add
 * another attribute to a type, and only a binary one sees the offset of a write,
 * without which a piece of a string would be judged as if it were the whole.
 *
 * The files go before what their callbacks use: those of a type before the
 * parent is unregistered, those of an instance, by the driver core, before the
 * mdev driver's remove(). Removal waits for callbacks that run.
 */
#include <linux/device.h>
#include <linux/mdev.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "mimic.h"
#include "mimic_compat.h"

static ssize_t mimic_version_read(const struct vmig_ident *ident, char *buf,
				  loff_t off, size_t count)
{
	char version[VMIG_VERSION_MAX + 1];
	int len;

	len = vmig_version_print(ident, version, VMIG_VERSION_MAX);
	if (len < 0)
		return len;
	version[len++] = '\n';
	return memory_read_from_buffer(buf, count, &off, version, len);
}

static ssize_t mimic_version_write(const struct vmig_ident *ident,
				   const char *who, const char *buf,
				   loff_t off, size_t count)
{
	int ret;

	if (off)
		return -EINVAL;
	/* A longer write comes in pieces of a page, and this is the first. */
	if (count >= PAGE_SIZE)
		return -E2BIG;
	ret = vmig_version_accept(ident, who, buf, count);
	return ret ?: count;
}

static struct mimic_type *mimic_kobj_to_type(struct kobject *kobj)
{
	return mimic_type_of(container_of(kobj, struct mdev_type, kobj));
}

static ssize_t mimic_type_version_read(struct file *file, struct kobject *kobj,
				       mimic_bin_attr *attr, char *buf,
				       loff_t off, size_t count)
{
	return mimic_version_read(&mimic_kobj_to_type(kobj)->ident, buf, off,
				  count);
}

static ssize_t mimic_type_version_write(struct file *file, struct kobject *kobj,
					mimic_bin_attr *attr, char *buf,
					loff_t off, size_t count)
{
	struct mimic_type *type = mimic_kobj_to_type(kobj);
	char who[64];

	snprintf(who, sizeof(who), "%s/%s", pci_name(type->parent->pdev),
		 kobject_name(kobj));
	return mimic_version_write(&type->ident, who, buf, off, count);
}

static mimic_bin_attr mimic_type_version = {
	.attr	= { .name = "migration_version", .mode = 0644 },
	.read	= mimic_type_version_read,
	.write	= mimic_type_version_write,
};

static void mimic_sysfs_remove_first(struct mimic_parent *parent, unsigned int nr)
{
	while (nr--)
		if (parent->types[nr].share->migratable)
			sysfs_remove_bin_file(&parent->types[nr].mdev.kobj,
					      &mimic_type_version);
}

/**
 * mimic_sysfs_add_types() - add the attributes of a parent's types
 * @parent: parent, registered with mdev
 *
 * Context: process, may sleep.
 * Return: 0, or a negative errno and nothing was added.
 */
int mimic_sysfs_add_types(struct mimic_parent *parent)
{
	unsigned int i;
	int ret;

	for (i = 0; i < parent->nr_types; i++) {
		if (!parent->types[i].share->migratable)
			continue;
		ret = sysfs_create_bin_file(&parent->types[i].mdev.kobj,
					    &mimic_type_version);
		if (ret) {
			mimic_sysfs_remove_first(parent, i);
			return ret;
		}
	}
	return 0;
}

/**
 * mimic_sysfs_remove_types() - undo mimic_sysfs_add_types()
 * @parent: parent, still registered with mdev
 *
 * Context: process, may sleep; waits for reads and writes of the attributes.
 */
void mimic_sysfs_remove_types(struct mimic_parent *parent)
{
	mimic_sysfs_remove_first(parent, parent->nr_types);
}

static struct mimic_vdev *mimic_kobj_to_vdev(struct kobject *kobj)
{
	return dev_get_drvdata(kobj_to_dev(kobj));
}

static ssize_t mimic_vdev_version_read(struct file *file, struct kobject *kobj,
				       mimic_bin_attr *attr, char *buf,
				       loff_t off, size_t count)
{
	return mimic_version_read(mimic_kobj_to_vdev(kobj)->vmig_cfg.ident, buf,
				  off, count);
}

static ssize_t mimic_vdev_version_write(struct file *file, struct kobject *kobj,
					mimic_bin_attr *attr, char *buf,
					loff_t off, size_t count)
{
	struct mimic_vdev *v = mimic_kobj_to_vdev(kobj);

	return mimic_version_write(v->vmig_cfg.ident, v->vmig_cfg.name, buf, off,
				   count);
}

static mimic_bin_attr mimic_vdev_version = {
	.attr	= { .name = "migration_version", .mode = 0644 },
	.read	= mimic_vdev_version_read,
	.write	= mimic_vdev_version_write,
};

static mimic_bin_attr *mimic_vdev_bin_attrs[] = {
	&mimic_vdev_version,
	NULL
};

static umode_t mimic_vdev_bin_visible(struct kobject *kobj,
				      mimic_bin_attr_visible *attr, int n)
{
	return mimic_kobj_to_vdev(kobj)->type->share->migratable ? attr->attr.mode : 0;
}

static ssize_t migration_protocols_show(struct device *dev,
					struct device_attribute *attr, char *buf)
{
	struct mimic_vdev *v = dev_get_drvdata(dev);
	unsigned int protocols = vmig_get_protocols(&v->vmig);

	return sysfs_emit(buf, "%s%s%s\n",
			  protocols & VMIG_PROTOCOL_V1 ? "v1" : "",
			  protocols == VMIG_PROTOCOLS ? " " : "",
			  protocols & VMIG_PROTOCOL_V2 ? "v2" : "");
}

static ssize_t migration_protocols_store(struct device *dev,
					 struct device_attribute *attr,
					 const char *buf, size_t count)
{
	static const struct {
		const char *text;
		unsigned int protocols;
	} choices[] = {
		{ "v1", VMIG_PROTOCOL_V1 },
		{ "v2", VMIG_PROTOCOL_V2 },
		{ "v1 v2", VMIG_PROTOCOLS },
		{ "v2 v1", VMIG_PROTOCOLS },
	};
	struct mimic_vdev *v = dev_get_drvdata(dev);
	unsigned int protocols = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(choices); i++)
		if (sysfs_streq(buf, choices[i].text))
			protocols = choices[i].protocols;
	ret = vmig_set_protocols(&v->vmig, protocols);
	return ret ?: count;
}

static DEVICE_ATTR_RW(migration_protocols);

static struct attribute *mimic_vdev_attrs[] = {
	&dev_attr_migration_protocols.attr,
	NULL
};

static umode_t mimic_vdev_visible(struct kobject *kobj, struct attribute *attr,
				  int n)
{
	return mimic_kobj_to_vdev(kobj)->type->share->migratable ? attr->mode : 0;
}

static const struct attribute_group mimic_vdev_group = {
	.attrs		= mimic_vdev_attrs,
	.is_visible	= mimic_vdev_visible,
	.bin_attrs	= mimic_vdev_bin_attrs,
	.is_bin_visible	= mimic_vdev_bin_visible,
};

const struct attribute_group *mimic_vdev_groups[] = {
	&mimic_vdev_group,
	NULL
};
