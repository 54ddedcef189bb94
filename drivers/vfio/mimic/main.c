// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: its parameters, and the order in which its parts go live.
 *
 * Whatever a part needs is there before the part is: the mdev driver before a
 * parent can have types, the PCI driver before there are devices to bind to. A
 * parameter that makes no sense fails the load before anything is registered.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kstrtox.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/string.h>

#include "mimic.h"
#include "mimic_compat.h"

/**
 * struct mimic_param - a number that is set at load
 * @name: of the parameter
 * @value: what is used: the default, or what was given once it is checked
 * @min: smallest that is accepted
 * @max: largest
 * @pow2: only powers of two are accepted
 * @is_given: the user wrote one
 * @given: what the user wrote, cut if it is too long for a number
 */
struct mimic_param {
	const char *name;
	unsigned int *value;
	unsigned int min;
	unsigned int max;
	bool pow2;
	bool is_given;
	char given[24];
};

static unsigned int mimic_nr_parents = 3;
static unsigned int mimic_memory[MIMIC_NR_SKUS] = { 256, 512 };

enum {
	MIMIC_PARAM_PARENTS,
	MIMIC_PARAM_MEMORY_A,
	MIMIC_PARAM_MEMORY_B,
	MIMIC_NR_PARAMS
};

static struct mimic_param mimic_params[MIMIC_NR_PARAMS] = {
	[MIMIC_PARAM_PARENTS] = {
		.name = "parents", .value = &mimic_nr_parents,
		.min = 1, .max = MIMIC_MAX_PARENTS,
	},
	[MIMIC_PARAM_MEMORY_A] = {
		.name = "memory_a", .value = &mimic_memory[0],
		.min = 8, .max = 4096, .pow2 = true,
	},
	[MIMIC_PARAM_MEMORY_B] = {
		.name = "memory_b", .value = &mimic_memory[1],
		.min = 8, .max = 4096, .pow2 = true,
	},
};

/*
 * Only remembers: a failure here would get a line of the kernel's own in the
 * log, which does not say what is accepted.
 */
static int mimic_param_set(const char *val, const struct kernel_param *kp)
{
	struct mimic_param *param = kp->arg;

	param->is_given = true;
	strscpy(param->given, val, sizeof(param->given));
	return 0;
}

static int mimic_param_get(char *buffer, const struct kernel_param *kp)
{
	const struct mimic_param *param = kp->arg;

	return sysfs_emit(buffer, "%u\n", *param->value);
}

static const struct kernel_param_ops mimic_param_ops = {
	.set = mimic_param_set,
	.get = mimic_param_get,
};

module_param_cb(parents, &mimic_param_ops, &mimic_params[MIMIC_PARAM_PARENTS],
		0444);
__MODULE_PARM_TYPE(parents, "uint");
MODULE_PARM_DESC(parents,
		 "Number of simulated parents, 1 to 32 (default 3); every third is SKU B, the others SKU A");
module_param_cb(memory_a, &mimic_param_ops, &mimic_params[MIMIC_PARAM_MEMORY_A],
		0444);
__MODULE_PARM_TYPE(memory_a, "uint");
MODULE_PARM_DESC(memory_a,
		 "Memory of a parent of SKU A in MiB, a power of two from 8 to 4096 (default 256)");
module_param_cb(memory_b, &mimic_param_ops, &mimic_params[MIMIC_PARAM_MEMORY_B],
		0444);
__MODULE_PARM_TYPE(memory_b, "uint");
MODULE_PARM_DESC(memory_b,
		 "Memory of a parent of SKU B in MiB, a power of two from 8 to 4096 (default 512)");

static int mimic_param_check(struct mimic_param *param)
{
	unsigned int val;

	if (!param->is_given)
		return 0;
	if (kstrtouint(param->given, 0, &val) || val < param->min ||
	    val > param->max || (param->pow2 && !is_power_of_2(val))) {
		pr_err("parameter %s=%s is out of range: must be %s from %u to %u\n",
		       param->name, strim(param->given),
		       param->pow2 ? "a power of two" : "a number", param->min,
		       param->max);
		return -EINVAL;
	}
	*param->value = val;
	return 0;
}

/**
 * mimic_sku_memory() - memory of a parent
 * @sku: its SKU, below MIMIC_NR_SKUS
 *
 * Context: any.
 * Return: MiB, a power of two.
 */
unsigned int mimic_sku_memory(unsigned int sku)
{
	return mimic_memory[sku];
}

static int __init mimic_init(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(mimic_params); i++) {
		ret = mimic_param_check(&mimic_params[i]);
		if (ret)
			return ret;
	}

	mimic_vdev_setup();
	ret = mdev_register_driver(&mimic_mdev_driver);
	if (ret)
		goto err_vdev;
	ret = mimic_parent_driver_init(&mimic_mdev_driver);
	if (ret)
		goto err_mdev;
	ret = mimic_bus_init(mimic_nr_parents);
	if (ret)
		goto err_parent;
	return 0;

err_parent:
	mimic_parent_driver_exit();
err_mdev:
	mdev_unregister_driver(&mimic_mdev_driver);
err_vdev:
	mimic_vdev_teardown();
	return ret;
}

static void __exit mimic_exit(void)
{
	mimic_bus_exit();
	mimic_parent_driver_exit();
	mdev_unregister_driver(&mimic_mdev_driver);
	mimic_vdev_teardown();
}

module_init(mimic_init);
module_exit(mimic_exit);

MODULE_DESCRIPTION("Simulated PCI devices with mediated devices that live-migrate");
MODULE_AUTHOR("The mimic authors");
MODULE_LICENSE("GPL");
MIMIC_IMPORT_NS;
/* No symbol leads to it, but no instance can be opened without. */
MODULE_SOFTDEP("post: vfio_iommu_type1");
