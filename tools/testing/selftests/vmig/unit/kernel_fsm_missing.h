/* SPDX-License-Identifier: GPL-2.0-only */
/* In place of the kernel's text where its source package is not installed. */
#include "kernel_fsm.h"

const struct kernel_fsm kernel_fsm;
