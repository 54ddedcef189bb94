/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What all devices of mimic have in common, as PCI shows it.
 */
#ifndef _UAPI_LINUX_MIMIC_H
#define _UAPI_LINUX_MIMIC_H

/* Not assigned by the PCI-SIG: the devices exist in software only. */
#define MIMIC_PCI_VENDOR_ID		0x4d49

/* Device id of the simulated parents, by SKU: 0 is A, 1 is B. */
#define MIMIC_SKU_DEVICE_ID(sku)	(0xa000 + (sku))

#endif /* _UAPI_LINUX_MIMIC_H */
