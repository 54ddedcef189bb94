// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI driver of the simulated parents: SKUs, types and capacity.
 *
 * A parent offers, for each model, the types that the model wants. How many
 * instances of a type can still be made follows from the memory that is left,
 * whichever types took the rest, so that the counts of all types of a parent
 * change together.
 *
 * The driver's name is the first word of the types' names, see mdev.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "mimic.h"

/* Register a model by naming it here. */
static const struct mimic_model *const mimic_models[] = {
	&mimic_accel_model,
	&mimic_probe_model,
};

static struct mdev_driver *mimic_parent_mdev_driver;

/**
 * mimic_type_of() - our side of an mdev type
 * @mtype: the type; must be of a parent of this driver
 *
 * Context: any.
 * Return: the type.
 */
struct mimic_type *mimic_type_of(struct mdev_type *mtype)
{
	return container_of(mtype, struct mimic_type, mdev);
}

/**
 * mimic_type_take() - take the memory of an instance from its parent
 * @type: type of the instance
 *
 * Context: process, may sleep. Takes mimic_parent.lock.
 * Return: 0, or -ENOSPC if too little is left; then nothing has changed.
 */
int mimic_type_take(struct mimic_type *type)
{
	struct mimic_parent *parent = type->parent;
	int ret = -ENOSPC;

	mutex_lock(&parent->lock);
	if (type->takes <= parent->capacity - parent->used) {
		parent->used += type->takes;
		ret = 0;
	}
	mutex_unlock(&parent->lock);
	return ret;
}

/**
 * mimic_type_give() - give back what mimic_type_take() took
 * @type: type of the instance
 *
 * Context: process, may sleep. Takes mimic_parent.lock.
 */
void mimic_type_give(struct mimic_type *type)
{
	struct mimic_parent *parent = type->parent;

	mutex_lock(&parent->lock);
	parent->used -= type->takes;
	mutex_unlock(&parent->lock);
}

/**
 * mimic_type_available() - how many instances of a type can still be made
 * @mtype: the type
 *
 * Context: process, may sleep. Takes mimic_parent.lock.
 * Return: number of instances.
 */
unsigned int mimic_type_available(struct mdev_type *mtype)
{
	struct mimic_type *type = mimic_type_of(mtype);
	struct mimic_parent *parent = type->parent;
	u64 left;

	mutex_lock(&parent->lock);
	left = parent->capacity - parent->used;
	mutex_unlock(&parent->lock);
	return div64_u64(left, type->takes);
}

/**
 * mimic_type_description() - what an instance of a type has
 * @mtype: the type
 * @buf: a page, gets one "name: value" per line
 *
 * Context: process.
 * Return: bytes in @buf.
 */
ssize_t mimic_type_description(struct mdev_type *mtype, char *buf)
{
	const struct mimic_type *type = mimic_type_of(mtype);
	const struct mimic_model *model = type->model;
	unsigned int i;
	ssize_t len;

	len = sysfs_emit(buf, "model: %s\n", model->name);
	if (type->share->parts)
		len += sysfs_emit_at(buf, len, "memory: %llu MiB\n",
				     type->mem_size / SZ_1M);
	else
		len += sysfs_emit_at(buf, len, "state: %llu bytes\n",
				     type->mem_size);
	for (i = 0; i < model->nr_params; i++)
		len += sysfs_emit_at(buf, len, "%s: %llu\n",
				     model->params[i].name,
				     model->params[i].value);
	len += sysfs_emit_at(buf, len, "vectors: %u\nmigration: %s\n",
			     model->nr_vectors,
			     type->share->migratable ? "yes" : "no");
	return len;
}

/*
 * What has to be equal for a stream to fit: memory or state, then the model's own.
 * The size of the data section has not.
 */
static void mimic_type_identify(struct mimic_type *type)
{
	const struct mimic_model *model = type->model;
	struct vmig_ident *ident = &type->ident;

	BUILD_BUG_ON(1 + ARRAY_SIZE(model->params) > ARRAY_SIZE(ident->params));
	ident->vendor = MIMIC_NAME;
	ident->model = model->name;
	ident->params[0].name = type->share->parts ? "memory" : "state";
	ident->params[0].value = type->mem_size;
	memcpy(&ident->params[1], model->params,
	       model->nr_params * sizeof(model->params[0]));
	ident->nr_params = 1 + model->nr_params;
}

static void mimic_type_name(struct mimic_type *type)
{
	const struct mimic_share *share = type->share;
	char size[48];

	if (!share->parts)
		snprintf(size, sizeof(size), "%llu bytes of state", type->mem_size);
	else if (share->parts == 1)
		snprintf(size, sizeof(size), "%llu MiB (all of the parent)",
			 type->mem_size / SZ_1M);
	else
		snprintf(size, sizeof(size), "%llu MiB (1/%u of the parent)",
			 type->mem_size / SZ_1M, share->parts);
	snprintf(type->sysfs_name, sizeof(type->sysfs_name), "%s_%s",
		 type->model->name, share->suffix);
	snprintf(type->pretty_name, sizeof(type->pretty_name), "%s, %s%s%s",
		 type->model->name, size, share->title ? ", " : "",
		 share->title ?: "");
	type->mdev.sysfs_name = type->sysfs_name;
	type->mdev.pretty_name = type->pretty_name;
}

/* What an instance costs its parent: the memory that it may come to use. */
static u64 mimic_share_takes(const struct mimic_share *share, u64 mem_size)
{
	u64 bytes = mem_size;

	if (share->uniform)
		bytes = mem_size / VMIG_CHUNK_SIZE * sizeof(void *);
	return max_t(u64, roundup(bytes, SZ_1M), SZ_1M);
}

static void mimic_parent_add_type(struct mimic_parent *parent,
				  const struct mimic_model *model,
				  const struct mimic_share *share)
{
	struct mimic_type *type = &parent->types[parent->nr_types];

	type->parent = parent;
	type->model = model;
	type->share = share;
	if (share->parts)
		type->mem_size = parent->capacity / share->parts;
	else
		type->mem_size = share->state;
	type->takes = mimic_share_takes(share, type->mem_size);
	mimic_type_identify(type);
	mimic_type_name(type);
	parent->type_ptrs[parent->nr_types++] = &type->mdev;
}

static void mimic_parent_add_types(struct mimic_parent *parent)
{
	const struct mimic_model *model;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(mimic_models); i++) {
		model = mimic_models[i];
		if (WARN_ON(model->nr_shares > MIMIC_MAX_TYPES - parent->nr_types))
			return;
		for (j = 0; j < model->nr_shares; j++)
			mimic_parent_add_type(parent, model, &model->shares[j]);
	}
}

static int mimic_parent_probe(struct pci_dev *pdev,
			      const struct pci_device_id *id)
{
	struct mimic_parent *parent;
	int ret;

	parent = kzalloc(sizeof(*parent), GFP_KERNEL);
	if (!parent)
		return -ENOMEM;
	parent->pdev = pdev;
	mutex_init(&parent->lock);
	parent->capacity = (u64)mimic_sku_memory(id->driver_data) * SZ_1M;
	mimic_parent_add_types(parent);
	pci_set_drvdata(pdev, parent);

	ret = mdev_register_parent(&parent->mdev, &pdev->dev,
				   mimic_parent_mdev_driver, parent->type_ptrs,
				   parent->nr_types);
	if (ret)
		goto err_free;
	ret = mimic_sysfs_add_types(parent);
	if (ret)
		goto err_mdev;
	return 0;

err_mdev:
	mdev_unregister_parent(&parent->mdev);
err_free:
	mutex_destroy(&parent->lock);
	kfree(parent);
	return ret;
}

static void mimic_parent_remove(struct pci_dev *pdev)
{
	struct mimic_parent *parent = pci_get_drvdata(pdev);

	mimic_sysfs_remove_types(parent);
	mdev_unregister_parent(&parent->mdev);
	mutex_destroy(&parent->lock);
	kfree(parent);
}

static const struct pci_device_id mimic_parent_ids[] = {
	{ PCI_DEVICE(MIMIC_PCI_VENDOR_ID, MIMIC_SKU_DEVICE_ID(0)), .driver_data = 0 },
	{ PCI_DEVICE(MIMIC_PCI_VENDOR_ID, MIMIC_SKU_DEVICE_ID(1)), .driver_data = 1 },
	{ }
};

static struct pci_driver mimic_parent_driver = {
	.name		= MIMIC_NAME,
	.id_table	= mimic_parent_ids,
	.probe		= mimic_parent_probe,
	.remove		= mimic_parent_remove,
};

/**
 * mimic_parent_driver_init() - register the PCI driver
 * @mdev_driver: driver of the instances, registered
 *
 * Context: process, may sleep.
 * Return: 0 or a negative errno.
 */
int mimic_parent_driver_init(struct mdev_driver *mdev_driver)
{
	BUILD_BUG_ON(ARRAY_SIZE(mimic_parent_ids) != MIMIC_NR_SKUS + 1);
	mimic_parent_mdev_driver = mdev_driver;
	return pci_register_driver(&mimic_parent_driver);
}

/**
 * mimic_parent_driver_exit() - undo mimic_parent_driver_init()
 *
 * Context: process, may sleep.
 */
void mimic_parent_driver_exit(void)
{
	pci_unregister_driver(&mimic_parent_driver);
}
