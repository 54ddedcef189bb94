/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Programming interface of the mimic "probe" PCI device: a device for tests of
 * migration, with as little as such a test needs. Its state is a number of units
 * that no BAR shows; a register changes and shows them, one by one.
 *
 * BAR0  registers, 4 KiB, 32-bit, not prefetchable
 * BAR4  MSI-X table at 0, pending bits at 0x800
 *
 * Registers are 32 bits wide, little endian, and accessed by aligned 4-byte
 * or 8-byte reads and writes (8 bytes are two registers, lower one first).
 * Any other access reads as all ones, and is ignored when it writes. A register
 * that is not listed reads zero and ignores writes. "Reset" is the value after
 * power-on, VFIO_DEVICE_RESET and a function-level reset; the units are all zeros
 * then.
 *
 * While it is stopped (see the VFIO migration protocol) the device takes plain
 * values, and shows its units, but does not change them.
 */
#ifndef _UAPI_LINUX_MIMIC_PROBE_H
#define _UAPI_LINUX_MIMIC_PROBE_H

#include "mimic.h"

/* Under MIMIC_PCI_VENDOR_ID, see mimic.h. */
#define MIMIC_PROBE_PCI_DEVICE_ID	0xacc2

#define MIMIC_PROBE_BAR_REGS		0
#define MIMIC_PROBE_BAR_MSIX		4
#define MIMIC_PROBE_REGS_SIZE		0x1000
#define MIMIC_PROBE_NR_VECTORS		1

/* RO. Always MIMIC_PROBE_ID_VALUE. */
#define MIMIC_PROBE_ID			0x000
#define MIMIC_PROBE_ID_VALUE		0x424f5250	/* "PROB" */

/* RO. Interface version, major in bits 31:16, minor in bits 15:0. */
#define MIMIC_PROBE_VERSION		0x004
#define MIMIC_PROBE_VERSION_VALUE	0x00010000

/* RW. Any 32-bit value; reset 0. No effect on the device. */
#define MIMIC_PROBE_SCRATCH		0x008

/* RO. Accesses that the device had to ignore since reset, modulo 2^32. */
#define MIMIC_PROBE_IGNORED		0x00c

/*
 * RO. Size of the state in bytes. It is cut into units of MIMIC_PROBE_UNIT
 * bytes, the last of which may be shorter.
 */
#define MIMIC_PROBE_SIZE_LO		0x010
#define MIMIC_PROBE_SIZE_HI		0x014
#define MIMIC_PROBE_UNIT		4096

/*
 * RO. Free-running counter, microseconds during which the device ran since
 * reset; it does not advance while the device is stopped and goes on where it
 * was after a migration. Reading LO latches HI.
 */
#define MIMIC_PROBE_TICK_LO		0x018
#define MIMIC_PROBE_TICK_HI		0x01c

/*
 * Units. FIRST and COUNT say which (RW, reset 0 and 1), VALUE what fills them: a
 * 64-bit little endian number, over and over (RW, reset 0). Writing COMMAND does
 * it (WO); STATUS says how it went (RO, reset 0).
 *
 * FILL fills the units. 0 makes them what they are after reset. Numbers from
 * 2^63 on are refused. Ignored while the device is stopped; a FILL that a stop
 * overtakes leaves off there, with STATUS BUSY.
 *
 * READ sets VALUE to what fills unit FIRST; if that is shorter than 8 bytes, to
 * those bytes with zeros above.
 */
#define MIMIC_PROBE_FIRST		0x020
#define MIMIC_PROBE_COUNT		0x024
#define MIMIC_PROBE_VALUE_LO		0x028
#define MIMIC_PROBE_VALUE_HI		0x02c
#define MIMIC_PROBE_COMMAND		0x030
#define MIMIC_PROBE_FILL		1
#define MIMIC_PROBE_READ		2
#define MIMIC_PROBE_STATUS		0x034
#define MIMIC_PROBE_OK			0
#define MIMIC_PROBE_BUSY		1
#define MIMIC_PROBE_BAD			2	/* no such unit, number or command */
#define MIMIC_PROBE_MIXED		3	/* READ: no one number fills it */
#define MIMIC_PROBE_NO_MEMORY		4	/* FILL: only some units are filled */

/*
 * The interrupt. TRIGGER: write any value to make it occur (WO); ignored while
 * the device is stopped. INT_STATUS: it occurred (bit 0); write 1 to clear it
 * (RW, reset 0).
 *
 * With MSI-X a message is sent on vector 0 each time it occurs. Without MSI-X,
 * INTx is asserted as long as INT_STATUS is not 0.
 */
#define MIMIC_PROBE_TRIGGER		0x038
#define MIMIC_PROBE_INT_STATUS		0x03c

#endif /* _UAPI_LINUX_MIMIC_PROBE_H */
