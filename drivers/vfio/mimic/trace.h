/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the vendor driver: guest memory and interrupts.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mimic

#if !defined(_MIMIC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MIMIC_TRACE_H

#include <linux/tracepoint.h>

#include "mimic.h"
#include "vmig_compat.h"

TRACE_EVENT(mimic_dma,
	TP_PROTO(struct mimic_vdev *v, u64 iova, size_t len, bool write,
		 int ret),
	TP_ARGS(v, iova, len, write, ret),
	TP_STRUCT__entry(
		__string(name, v->vmig_cfg.name)
		__field(u64, iova)
		__field(u64, len)
		__field(bool, write)
		__field(int, ret)
	),
	TP_fast_assign(
		vmig_assign_str(name, v->vmig_cfg.name);
		__entry->iova = iova;
		__entry->len = len;
		__entry->write = write;
		__entry->ret = ret;
	),
	TP_printk("%s %s 0x%llx, %llu bytes: %d", __get_str(name),
		  __entry->write ? "write" : "read", __entry->iova,
		  __entry->len, __entry->ret)
);

#endif /* _MIMIC_TRACE_H */

#undef TRACE_INCLUDE_PATH
/* Found from drivers/compat, which is in the search path. */
#define TRACE_INCLUDE_PATH ../../drivers/vfio/mimic
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
